"""Where everything is: a router, as the framework's tutorial has it."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

from crm.views import LeadViewSet
from django.urls import include, path
from rest_framework.routers import DefaultRouter

router = DefaultRouter()
router.register("leads", LeadViewSet, basename="lead")

urlpatterns = [path("api/", include(router.urls))]
