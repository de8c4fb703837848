"""Who calls, what they may do, and how often: a class of each sort that the framework has a setting for."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.
# ruff: noqa: ARG002  the framework calls these methods

from crm.models import Key
from django.conf import settings
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.throttling import SimpleRateThrottle

#: How a key is found; databases and collations that take no notice of case do the same without being asked.
LOOKUP = "key__iexact" if settings.DEFECT == "key-in-any-case" else "key"
ALLOWED = {"read": {"read"}, "write": {"read", "write"}, "admin": {"read", "write", "admin"}}


class KeyAuthentication(TokenAuthentication):
    keyword = "Bearer"
    model = Key

    def authenticate_credentials(self, key):
        try:
            token = self.model.objects.select_related("user").get(**{LOOKUP: key})
        except self.model.DoesNotExist:
            raise AuthenticationFailed("Invalid key.") from None
        if not token.is_active:
            raise AuthenticationFailed("Invalid key.")
        return token.user, token

    def authenticate_header(self, request):
        return None if settings.DEFECT == "no-challenge" else super().authenticate_header(request)


class HasScope(BasePermission):
    def has_permission(self, request, view):
        if request.method in SAFE_METHODS:
            needed = "read"
        elif request.method == "DELETE":
            needed = "admin"
        else:
            needed = "write"
        return needed in ALLOWED[request.auth.scope]


class KeyThrottle(SimpleRateThrottle):
    """As many requests for a key as its scope has; the framework knows no rate before it knows who calls."""

    def __init__(self):
        pass

    def allow_request(self, request, view):
        self.scope = request.auth.scope
        super().__init__()
        return super().allow_request(request, view)

    def get_cache_key(self, request, view):
        if settings.DEFECT == "counted-by-forwarded-address":
            return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
        return self.cache_format % {"scope": self.scope, "ident": request.auth.pk}

    def parse_rate(self, rate):
        """Read periods of several seconds too, which the framework does not."""
        number, period = rate.split("/")
        return int(number), int(period.removesuffix("s"))
