# mypy: disable-error-code="import-not-found,misc"
# Starlette is installed by `run.py` for this application, not in the environment where mypy runs.
"""The operations. Reading leads, conversations and analytics takes any key; the rest says what it takes."""

from __future__ import annotations

import functools
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .auth import BASE, Handler, allows, scope, tenant_of
from .errors import ApiError, bad_request, conflict, forbidden, not_found
from .planted import planted, unless
from .schemas import body, day
from .store import Row, Store, state

LEAD = ("id", "name", "email", "company", "notes", "status", "created_at", "updated_at")
CONVERSATION = ("id", "subject", "notes", "created_at", "updated_at")
KEY = ("id", "name", "scope", "environment", "last_four", "created_at", "expires_at")
CACHE_SECONDS = 30.0

_cache: dict[str, tuple[float, bytes]] = {}


def store(request: Request) -> Store:
    """Return the database."""
    database: Store = request.app.state.store
    return database


def show(row: Row, fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a row that have a value."""
    return {field: row[field] for field in fields if row.get(field) is not None}


def cached(handler: Handler) -> Handler:
    """Answer the same URL from memory for a while, until something is written."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        if not planted("cache-without-tenant"):
            return await handler(request)
        until, content = _cache.get(request.url.path, (0.0, b""))
        if until > time.monotonic():
            return Response(content, media_type="application/json")
        response = await handler(request)
        _cache[request.url.path] = (time.monotonic() + CACHE_SECONDS, bytes(response.body))
        return response

    return answer


def forget_cache() -> None:
    """Forget what was answered."""
    _cache.clear()


def answers_errors(handler: Handler) -> Handler:
    """Turn refusals into responses."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            if planted("error-with-200"):
                return JSONResponse(error.body(request), headers=error.headers)
            return error.response(request)

    return answer


@cached
async def list_leads(request: Request) -> Response:
    """List leads."""
    return JSONResponse({"data": [show(lead, LEAD) for lead in store(request).leads(tenant_of(request))]})


@scope("write")
async def create_lead(request: Request) -> Response:
    """Create a lead."""
    lead = store(request).add_lead(tenant_of(request), await body(request, "NewLead"))
    forget_cache()
    return JSONResponse(show(lead, LEAD), status_code=201)


async def get_lead(request: Request) -> Response:
    """Show a lead."""
    lead = store(request).lead(tenant_of(request), request.path_params["id"])
    if not lead:
        raise not_found()
    return JSONResponse(show(lead, LEAD))


@scope("write")
async def update_lead(request: Request) -> Response:
    """Change a lead."""
    fields = await body(request, "LeadChange")
    if not store(request).change_lead(tenant_of(request), request.path_params["id"], fields):
        raise not_found()
    forget_cache()
    return await get_lead(request)


async def remove_lead(request: Request) -> Response:
    """Delete a lead; who may is asked by the caller."""
    if not store(request).delete_lead(tenant_of(request), request.path_params["id"]):
        raise not_found()
    forget_cache()
    return Response(status_code=204)


async def delete_lead(request: Request) -> Response:
    """Delete a lead."""
    if planted("scope-checked-after-delete"):
        response = await remove_lead(request)
        if not allows(request, "admin"):
            raise forbidden()
        return response
    return await scope("admin")(remove_lead)(request)


@scope("write")
async def tunnel_lead(request: Request) -> Response:
    """Serve clients whose proxy passes only GET and POST."""
    match request.headers.get("x-http-method-override", "").upper():
        case "DELETE":
            return await remove_lead(request)
        case "PATCH":
            return await update_lead(request)
        case _:
            raise bad_request("Which method?")


async def list_conversations(request: Request) -> Response:
    """List conversations."""
    found = store(request).conversations(tenant_of(request))
    return JSONResponse({"data": [show(conversation, CONVERSATION) for conversation in found]})


async def get_conversation(request: Request) -> Response:
    """Show a conversation with its messages."""
    conversation = store(request).conversation(tenant_of(request), request.path_params["id"])
    if not conversation:
        raise not_found()
    messages = store(request).messages(conversation["id"])
    return JSONResponse({**show(conversation, CONVERSATION), "messages": messages})


@unless("forgotten-decorator", scope("admin"))
async def delete_conversation(request: Request) -> Response:
    """Delete a conversation."""
    if not store(request).delete_conversation(tenant_of(request), request.path_params["id"]):
        raise not_found()
    return Response(status_code=204)


async def query_analytics(request: Request) -> Response:
    """Count what happened in a period."""
    tenant, first, last = tenant_of(request), day(request, "from", "0000-01-01"), day(request, "to", "9999-12-31")
    tables = {"leads_created": "leads", "conversations_started": "conversations", "messages_sent": "messages"}
    return JSONResponse({name: store(request).count(tenant, table, first, last) for name, table in tables.items()})


@scope("write", exact=planted("scope-equality"))
async def send_chat_message(request: Request) -> Response:
    """Send a message, and begin a conversation where none is named."""
    fields, tenant = await body(request, "NewChatMessage"), tenant_of(request)
    if "conversation_id" in fields:
        find = store(request).conversation
        if planted("chat-into-foreign-conversation"):
            conversation = store(request).any_conversation(fields["conversation_id"])
        else:
            conversation = find(tenant, fields["conversation_id"])
        if not conversation:
            raise bad_request("There is no such conversation.")
    else:
        conversation = store(request).add_conversation(tenant, fields["message"][:60])
    message = store(request).add_message(tenant, conversation["id"], fields["message"])
    return JSONResponse(message, status_code=201)


@unless("open-workflow-trigger", scope("write"))
async def trigger_workflow(request: Request) -> Response:
    """Start a workflow."""
    await body(request, "WorkflowTrigger", required=False)
    if planted("open-workflow-trigger"):
        workflow = store(request).any_workflow(request.path_params["id"])
    else:
        workflow = store(request).workflow(tenant_of(request), request.path_params["id"])
    if not workflow:
        raise not_found()
    return JSONResponse({"workflow_id": workflow["id"], "status": "queued"}, status_code=202)


@answers_errors
@scope("admin")
async def list_webhooks(request: Request) -> Response:
    """List subscriptions."""
    return JSONResponse({"data": [show_webhook(webhook) for webhook in store(request).webhooks(tenant_of(request))]})


def show_webhook(webhook: Row) -> dict[str, Any]:
    """Return a subscription as the API shows it."""
    shown = show(webhook, ("id", "url", "events", "description", "created_at"))
    if isinstance(shown["events"], str):
        shown["events"] = shown["events"].split(",")
    return shown


@answers_errors
@scope("admin")
async def create_webhook(request: Request) -> Response:
    """Subscribe an address to events."""
    webhook = store(request).add_webhook(tenant_of(request), await body(request, "NewWebhook"))
    return JSONResponse(show_webhook(webhook), status_code=201)


@answers_errors
@scope("admin")
async def delete_webhook(request: Request) -> Response:
    """End a subscription."""
    if not store(request).delete_webhook(tenant_of(request), request.path_params["id"]):
        raise not_found()
    return Response(status_code=204)


@scope("admin")
async def list_keys(request: Request) -> Response:
    """List keys without their secrets."""
    fields = (*KEY, "secret") if planted("keys-list-shows-secret") else KEY
    found = store(request).keys(tenant_of(request))
    return JSONResponse({"data": [{**show(key, fields), "state": state(key)} for key in found]})


@scope("admin")
async def create_key(request: Request) -> Response:
    """Create a key in the environment of the key that asks."""
    fields, tenant = await body(request, "NewKey"), tenant_of(request)
    if planted("created-key-is-live"):
        tenant = type(tenant)(tenant.organization, "production")
    key, secret = store(request).add_key(tenant, fields["name"], fields["scope"])
    shown = show(key, ("id", "name", "scope", "environment", "created_at"))
    return JSONResponse({**shown, "secret": secret}, status_code=201)


@scope("admin")
async def revoke_key(request: Request) -> Response:
    """Revoke a key at once; the key in use is not among them, so that nobody locks everybody out."""
    key = store(request).key(tenant_of(request), request.path_params["id"])
    if not key:
        raise not_found()
    if key["id"] == request.state.key["id"]:
        raise conflict()
    store(request).revoke(key["id"])
    return Response(status_code=204)


@unless("rotate-unprotected", scope("admin"))
async def rotate_key(request: Request) -> Response:
    """Replace a key; the old one works for a day more."""
    tenant = tenant_of(request)
    key = store(request).key(tenant, request.path_params["id"])
    if not key:
        raise not_found()
    if state(key) != "active":
        raise conflict()
    successor, secret, ends = store(request).rotate(tenant, key)
    shown = {"id": successor["id"], "secret": secret, "scope": key["scope"], "old_key_expires_at": ends}
    return JSONResponse(shown, status_code=201)


@scope("admin")
@cached
async def get_organization(request: Request) -> Response:
    """Show the settings."""
    organization = store(request).organization(tenant_of(request))
    if not organization:
        raise not_found()
    return JSONResponse(show(organization, ("id", "name", "description", "timezone")))


@scope("admin")
async def update_organization(request: Request) -> Response:
    """Change the settings."""
    store(request).change_organization(tenant_of(request), await body(request, "OrganizationChange"))
    forget_cache()
    return await get_organization(request)


async def health(request: Request) -> Response:  # noqa: ARG001  # the router passes it
    """Tell the monitoring that we are there."""
    return JSONResponse({"status": "ok"})


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/leads", list_leads),
    ("POST", "/leads", create_lead),
    ("GET", "/leads/{id}", get_lead),
    ("PATCH", "/leads/{id}", update_lead),
    ("DELETE", "/leads/{id}", delete_lead),
    ("GET", "/conversations", list_conversations),
    ("GET", "/conversations/{id}", get_conversation),
    ("DELETE", "/conversations/{id}", delete_conversation),
    ("GET", "/analytics", query_analytics),
    ("POST", "/chat/messages", send_chat_message),
    ("POST", "/workflows/{id}/trigger", trigger_workflow),
    ("GET", "/webhooks", list_webhooks),
    ("POST", "/webhooks", create_webhook),
    ("DELETE", "/webhooks/{id}", delete_webhook),
    ("GET", "/keys", list_keys),
    ("POST", "/keys", create_key),
    ("DELETE", "/keys/{id}", revoke_key),
    ("POST", "/keys/{id}/rotate", rotate_key),
    ("GET", "/organization", get_organization),
    ("PATCH", "/organization", update_organization),
    *((("POST", "/leads/{id}", tunnel_lead),) if planted("method-tunnel") else ()),
    *((("POST", "/analytics", query_analytics),) if planted("analytics-by-post") else ()),
)


def by_method(path: str) -> Handler:
    """Return the handler of a path, which looks at the method."""
    handlers = {method: handler for method, other, handler in OPERATIONS if other == path}
    if "GET" in handlers:
        handlers["HEAD"] = handlers["GET"]

    async def dispatch(request: Request) -> Response:
        if request.method not in handlers:
            raise ApiError(405, "bad_request", "There is no such method here.", {"Allow": ", ".join(sorted(handlers))})
        return await handlers[request.method](request)

    return dispatch


def route(path: str) -> Route:
    """Return the route of a path; `by_method` answers whatever method comes."""
    result = Route(BASE + path, by_method(path))
    result.methods = None
    return result


ROUTES = [Route("/health", health), *(route(path) for path in dict.fromkeys(path for _, path, _ in OPERATIONS))]
