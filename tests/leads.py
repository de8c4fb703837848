"""A small API about leads, whose contract each test bends to its needs."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from authcontract_engine import Contract, Facts, KeyRecord, MemoryKeys, Request, Reservation, Standing
from authcontract_engine import compile as compile_contract
from authcontract_policy import Operation, assemble, parse_policy, parse_specification

NOW = 1_800_000_000.0
HOST = (b"Host", b"api.example")
BASE = "https://api.example/v1"
PLAN = {"starter": 3, "pro": 30}

POLICY: dict[str, Any] = {
    "version": 1,
    "documentation": "https://api.example/docs",
    "specification": "leads.openapi.yaml",
    "base_url": BASE,
    "environments": ["production", "sandbox"],
    "plans": ["starter", "pro"],
    "keys": {
        "sent_as": [{"Authorization": "Bearer <key>"}],
        "rotation": {"grace": "24 hours"},
        "kinds": {
            "API key": {
                "holds": "one scope",
                "prefix": {"production": "sk_live_", "sandbox": "sk_test_"},
                "secret": {"length": 30, "alphabet": "a-z A-Z 0-9"},
            }
        },
    },
    "scopes": {
        "read": {"methods": ["GET"]},
        "write": {"methods": ["GET", "POST", "PATCH"], "includes": ["read"]},
        "admin": {"methods": ["GET", "POST", "PATCH", "DELETE"], "includes": ["write"]},
    },
    "capabilities": {
        "See leads": {"requires": "read", "operations": ["GET /leads/*"]},
        "Change leads": {"requires": "write", "operations": ["POST /leads/*", "PATCH /leads/*"]},
        "Delete leads": {"requires": "admin", "operations": ["DELETE /leads/*"]},
        "Ask for health": {"requires": "no key", "operations": ["/health"]},
    },
    "error_format": {"content_type": "application/json", "body": {"error": {"code": "<code>"}}},
    "errors": {
        "unauthorized": {"status": 401, "when": ["missing", "malformed", "unknown", "expired", "revoked"]},
        "forbidden": {"status": 403, "when": ["insufficient_scope"]},
        "not_found": {"status": 404, "when": ["unknown_path", "unknown_object", "foreign_object"]},
        "rate_limited": {"status": 429, "when": ["throttled"]},
    },
    "rate_limits": {"by plan": {"requests": PLAN, "window": "1 minute", "per": ["key"]}},
}

PATHS: dict[str, Mapping[str, str]] = {
    "/leads": {"get": "listLeads", "post": "createLead"},
    "/leads/{id}": {"get": "getLead", "patch": "updateLead", "delete": "deleteLead"},
    "/leads/search": {"get": "searchLeads"},
    "/leads/{id}/notes": {"get": "listNotes"},
    "/health": {"get": "getHealth"},
}


#: Blocks by which any key may call anything, for tests of other matters.
OPEN: Mapping[str, Any] = {"capabilities": {"Everything": {"requires": "any key", "operations": ["/*"]}}}


def contract(policy: Mapping[str, Any] | None = None, paths: Mapping[str, Mapping[str, str]] = PATHS) -> Contract:
    """Return the contract with these blocks of the policy in the place of its own.

    A name such as `keys.kinds` goes deep; a block of None is left out.
    """
    document = deepcopy(POLICY)
    for path, value in (policy or {}).items():
        *way, last = path.split(".")
        block = document
        for step in way:
            block = block[step]
        block[last] = value
        if value is None:
            del block[last]
    loaded = assemble(
        parse_policy(json.dumps(document).encode(), "leads.json"),
        parse_specification(json.dumps(specification(paths)).encode(), "leads.openapi.json"),
    )
    assert loaded.policy is not None, loaded.diagnostics
    assert loaded.specification is not None, loaded.diagnostics
    assert loaded.resolution is not None, loaded.diagnostics
    return compile_contract(loaded.policy, loaded.specification, loaded.resolution)


def specification(paths: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return an OpenAPI document with these paths: method -> operationId."""
    items: dict[str, Any] = {}
    for path, operations in paths.items():
        names = [part.partition("}")[0] for part in path.split("{")[1:]]
        items[path] = {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ],
            **{
                method: {"operationId": name, "responses": {"200": {"description": "done"}}}
                for method, name in operations.items()
            },
        }
    servers = [{"url": BASE}, {"url": "https://sandbox.example/v1"}]
    return {"openapi": "3.1.0", "info": {"title": "Leads", "version": "1"}, "servers": servers, "paths": items}


def operation(found: Contract, name: str) -> Operation:
    """Return an operation by its id."""
    return next(each for each in found.operations if each.id == name)


def issue(keys: MemoryKeys, scope: str = "read", **chosen: Any) -> tuple[KeyRecord, str]:
    """Issue a key of the starter plan, for production unless chosen otherwise."""
    usual: dict[str, Any] = {"organisation": "org", "environment": "production", "kind": "API key", "plan": "starter"}
    return keys.issue(**{**usual, "scopes": [scope], "now": NOW, **chosen})


def request(target: str = "/v1/leads", method: str = "GET", *lines: tuple[bytes, bytes], **chosen: Any) -> Request:
    """Return a request with a Host and these header lines."""
    return Request(method=method.encode(), target=target.encode(), headers=(HOST, *lines), **chosen)


def bearer(secret: str) -> tuple[bytes, bytes]:
    """Return the header line that shows a key."""
    return (b"Authorization", f"Bearer {secret}".encode())


LEADS = contract()
#: Scope -> a key that holds it, with its secret.
ISSUED = {scope: issue(MemoryKeys(LEADS), scope) for scope in ("read", "write", "admin")}


def shown(scope: str, target: str = "/v1/leads", method: str = "GET") -> Request:
    """Return a request that shows the key with this scope."""
    return request(target, method, bearer(ISSUED[scope][1]))


def known(scope: str, **facts: Any) -> Facts:
    """Return the facts of such a request."""
    return Facts(now=NOW, key=ISSUED[scope][0], **facts)


def refused_by(*limits: str) -> Reservation:
    """Return what a limiter says where these limits have no room."""
    standings = tuple(Standing(limit, 1, 0, 1, 60, 60, 60, 60.0, admitted=False) for limit in limits)
    return Reservation(admitted=False, standings=standings)
