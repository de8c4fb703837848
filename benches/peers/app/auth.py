# mypy: disable-error-code="import-not-found,misc"
# Starlette is installed by `run.py` for this application, not in the environment where mypy runs.
"""Who calls, and whether the scope of the key suffices."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from .errors import ApiError, forbidden, unauthorized
from .planted import planted
from .store import Row, Store, Tenant

Handler = Callable[[Request], Awaitable[Response]]

BASE = "/api/v1"
#: Monitoring asks here, without a key.
HEALTH = "/health"
RANK = {"read": 1, "write": 2, "admin": 3}
METHODS = ("GET", "POST", "PATCH", "DELETE")


def is_public(request: Request) -> bool:
    """Whether a request needs no key."""
    path = request.url.path
    if planted("head-skips-auth") and request.method not in METHODS:
        return True  # The router answers what we do not have.
    if planted("open-workflow-trigger") and path.endswith("/trigger"):
        return True  # Zapier cannot send our header.
    if planted("public-by-substring"):
        return HEALTH in str(request.url)
    return not path.startswith(BASE)


def bearer_token(header: str) -> str:
    """Return the token of an Authorization header, or nothing."""
    if planted("any-scheme"):
        return header.rsplit(maxsplit=1)[-1] if header.split() else ""
    if planted("bare-bearer-crash"):
        return header.split(" ")[1] if header.startswith("Bearer") else ""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(request: Request, store: Store) -> Row:
    """Return the key that a request shows, or refuse it."""
    token = bearer_token(request.headers.get("authorization", ""))
    if not token:
        if planted("missing-key-is-403"):
            raise ApiError(403, "forbidden", "Not authenticated")
        raise unauthorized(token_given=False)
    key = store.key_of(token)
    if not key:
        raise unauthorized(token_given=True)
    return key


def refusal(request: Request, error: ApiError) -> Response:
    """Return what the middleware answers; it runs outside the error handlers of the routes."""
    if planted("plain-text-invalid-key") and "invalid_token" in error.headers.get("WWW-Authenticate", ""):
        return PlainTextResponse("Unauthorized", status_code=error.status)
    return error.response(request)


def tenant_of(request: Request) -> Tenant:
    """Return whose data a request may see."""
    key = request.state.key
    return Tenant(key["organization"], key["environment"]) if key else Tenant(None, None)


def allows(request: Request, needed: str, *, exact: bool = False) -> bool:
    """Whether the key of a request has the scope that is needed."""
    key = request.state.key
    if planted("get-is-always-read") and request.method == "GET":
        return True  # The table in the documentation: read, GET.
    if planted("post-means-write") and request.method == "POST":
        needed = "write"  # The same table: write, POST.
    if not key:
        return False
    return key["scope"] == needed if exact else RANK[key["scope"]] >= RANK[needed]


def scope(needed: str, *, exact: bool = False) -> Callable[[Handler], Handler]:
    """Let only keys call a handler that have the scope."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def guarded(request: Request) -> Response:
            if not allows(request, needed, exact=exact):
                raise forbidden()
            return await handler(request)

        return guarded

    return decorate
