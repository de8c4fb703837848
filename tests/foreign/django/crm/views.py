"""The leads, as one viewset."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

from crm.models import Lead
from django.conf import settings
from django.views.decorators.cache import cache_control, cache_page
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet


class LeadSerializer(ModelSerializer):
    class Meta:
        model = Lead
        fields = ("id", "name", "email", "created")


class LeadViewSet(ModelViewSet):
    serializer_class = LeadSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_permissions(self):
        return [IsAuthenticated()] if settings.DEFECT == "permission-forgotten" else super().get_permissions()

    def get_queryset(self):
        if settings.DEFECT == "everybodys-queryset" and self.detail:
            return Lead.objects.all()
        return Lead.objects.filter(organisation=self.request.user)

    @classmethod
    def as_view(cls, *args, **kwargs):
        view = super().as_view(*args, **kwargs)
        return cache_page(60)(cache_control(public=True)(view)) if settings.DEFECT == "cached-page" else view

    def perform_create(self, serializer):
        serializer.save(organisation=self.request.user)
