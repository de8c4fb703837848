# mypy: disable-error-code="import-not-found,misc"
# Starlette is installed by `run.py` for this application, not in the environment where mypy runs.
"""What a refusal looks like."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .planted import planted

DOC_PATH = "docs/api-reference/authentication"
DOC_URL = "https://synaptiqintel.com/" + DOC_PATH
INVALID_KEY = "Invalid or missing API key. Provide a valid Bearer token in the Authorization header."
NO_SCOPE = "The API key does not have the required scope."


class ApiError(Exception):
    """A refusal with its status, its code, its message and its headers."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self, request: Request) -> dict[str, dict[str, str]]:
        """Return the documented body."""
        doc_url = f"{request.base_url}{DOC_PATH}" if planted("doc-url-from-host") else DOC_URL
        return {"error": {"code": self.code, "message": self.message, "doc_url": doc_url}}

    def response(self, request: Request) -> Response:
        """Return the refusal as a response."""
        return JSONResponse(self.body(request), status_code=self.status, headers=self.headers)


def unauthorized(*, token_given: bool) -> ApiError:
    """Return the 401, which says `invalid_token` where a token came."""
    challenge = 'Bearer realm="synaptiq"' + (', error="invalid_token"' if token_given else "")
    return ApiError(401, "unauthorized", INVALID_KEY, {"WWW-Authenticate": challenge})


def forbidden() -> ApiError:
    """Return the 403 for a key whose scope does not suffice."""
    return ApiError(
        403, "forbidden", NO_SCOPE, {"WWW-Authenticate": 'Bearer realm="synaptiq", error="insufficient_scope"'}
    )


def bad_request(message: str) -> ApiError:
    """Return the 400."""
    return ApiError(400, "bad_request", message)


def not_found() -> ApiError:
    """Return the 404."""
    return ApiError(404, "not_found", "Not found.")


def conflict() -> ApiError:
    """Return the 409."""
    return ApiError(409, "conflict", "The key's state does not allow this.")


def rate_limited(retry_after: int) -> ApiError:
    """Return the 429."""
    return ApiError(429, "rate_limited", "Too many requests. Retry later.", {"Retry-After": str(retry_after)})
