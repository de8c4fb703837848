# mypy: disable-error-code="import-not-found,misc"
# Starlette and Uvicorn are installed by `run.py` for this application, not in the environment where mypy runs.
"""Serve the application over TLS, and refuse plain HTTP on a port beside it.

`PORT` and `PLAIN_PORT` say where, `TLS_CERTIFICATE` and `TLS_KEY` name the files, `REQUEST_COUNT` the file that is told
at the end how many requests came. `DEFECT` names the defect.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from .auth import authenticate, is_public, refusal
from .errors import ApiError, bad_request, not_found, rate_limited
from .handlers import ROUTES
from .limits import Limiter
from .planted import DEFECT, planted
from .store import Store

DEFECTS = Path(__file__).parents[1] / "defects.yaml"


class CountAndHeaders(BaseHTTPMiddleware):
    """Count requests, and say of every response that it is not to be kept."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass on a request."""
        request.app.state.requests += 1
        response = await call_next(request)
        response.headers["Cache-Control"] = "no-store"
        if request.url.scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response


class OnlyTls(BaseHTTPMiddleware):
    """Refuse plain HTTP."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass on a request that came over TLS."""
        scheme = request.url.scheme
        if planted("forwarded-proto-trusted"):
            scheme = request.headers.get("x-forwarded-proto", scheme)
        if scheme != "https" and not planted("plain-http-served"):
            return bad_request("Requests over plain HTTP are rejected. Use https.").response(request)
        return await call_next(request)


class Keys(BaseHTTPMiddleware):
    """Find out who calls, and count the request to its quota."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass on a request whose key works."""
        request.state.key = None
        if is_public(request):
            return await call_next(request)
        store: Store = request.app.state.store
        limiter: Limiter = request.app.state.limiter
        try:
            key = authenticate(request, store)
            wait = limiter.take(
                key["id"],
                key["scope"],
                store.plan(key["organization"]),
                request.url.path,
                request.headers.get("x-forwarded-for", ""),
            )
            if wait:
                raise rate_limited(wait)
        except ApiError as error:
            return refusal(request, error)
        request.state.key = key
        return await call_next(request)


async def on_api_error(request: Request, error: Exception) -> Response:
    """Answer a refusal."""
    if not isinstance(error, ApiError):
        raise error
    return error.response(request)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == not_found().status:
        return not_found().response(request)
    return ApiError(error.status_code, "bad_request", error.detail, dict(error.headers or {})).response(request)


def write_count(requests: int) -> None:
    """Leave the number of requests where the runner finds it."""
    if "REQUEST_COUNT" in os.environ:
        Path(os.environ["REQUEST_COUNT"]).write_text(str(requests))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Tell at the end how many requests came."""
    yield
    write_count(app.state.requests)


def application() -> Starlette:
    """Return the application."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(CountAndHeaders), Middleware(OnlyTls), Middleware(Keys)],
        exception_handlers={ApiError: on_api_error, HTTPException: on_http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.store = Store()
    app.state.limiter = Limiter()
    app.state.requests = 0
    return app


async def serve() -> None:
    """Serve until a signal comes."""
    app = application()
    common = {"host": "127.0.0.1", "log_level": "warning", "proxy_headers": False}
    tls = uvicorn.Config(
        app,
        port=int(os.environ["PORT"]),
        ssl_certfile=os.environ["TLS_CERTIFICATE"],
        ssl_keyfile=os.environ["TLS_KEY"],
        **common,
    )
    plain = uvicorn.Config(app, port=int(os.environ["PLAIN_PORT"]), lifespan="off", **common)
    await asyncio.gather(*(uvicorn.Server(config).serve() for config in (tls, plain)))


def main() -> None:
    """Refuse a defect that nobody knows, and serve."""
    names = [row["name"] for row in yaml.safe_load(DEFECTS.read_text())]
    if DEFECT and DEFECT not in names:
        raise SystemExit(f"there is no defect `{DEFECT}`")
    asyncio.run(serve())


if __name__ == "__main__":
    main()
