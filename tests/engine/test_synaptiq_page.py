"""Synaptiq's authentication page, typed by hand: nothing here is computed from the policy or by the engine.

The engine decides for the reference server and for what is expected of it, so its mistakes would cancel out. This table
would not change with them.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

import pytest
from authcontract_engine import Contract, Facts, KeyRecord, MemoryLimiter, Request, compile  # noqa: A004  the design's name
from authcontract_policy import load

POLICY = Path(__file__).parents[2] / "policy" / "synaptiq.yaml"
SECRET = "sk_live_abc123def456ghi789jkl012mno345"  # the page's own example
NOW = 1_700_000_000.0

#: Status by whose key it is: none, read, write, admin; 0 is allowed.
#: The page lists abilities; which lines of it each row follows stands beside it.
TABLE = """
GET    /leads                     401    0    0    0   read: list and retrieve leads
GET    /leads/lead_1              401    0    0    0   read: list and retrieve leads
GET    /conversations             401    0    0    0   read: fetch conversation history
GET    /conversations/conv_1      401    0    0    0   read: fetch conversation history
GET    /analytics                 401    0    0    0   read: query analytics endpoints
POST   /leads                     401  403    0    0   write: create and update leads
PATCH  /leads/lead_1              401  403    0    0   write: create and update leads
POST   /chat/messages             401  403    0    0   write: send chat messages
POST   /workflows/flow_1/trigger  401  403    0    0   write: trigger workflow actions
DELETE /leads/lead_1              401  403  403    0   admin: delete leads and conversations
DELETE /conversations/conv_1      401  403  403    0   admin: delete leads and conversations
POST   /webhooks                  401  403  403    0   admin: manage webhook subscriptions
DELETE /webhooks/hook_1           401  403  403    0   admin: manage webhook subscriptions
POST   /keys                      401  403  403    0   admin: create and revoke other API keys
DELETE /keys/key_1                401  403  403    0   admin: create and revoke other API keys
POST   /keys/key_1/rotate         401  403  403    0   admin: key management
PATCH  /organization              401  403  403    0   admin: modify organization settings
GET    /webhooks                  401  403  403    0   silence: read speaks of leads, conversations, analytics
GET    /keys                      401  403  403    0   silence: likewise
GET    /organization              401  403  403    0   silence: likewise
PUT    /leads/lead_1              401  405  405  405   no scope lists PUT
GET    /nowhere                   401  404  404  404   no such page
"""
ROWS = [line.split(maxsplit=6)[:6] for line in TABLE.strip().splitlines()]
HOLDERS = ("none", "read", "write", "admin")
#: Requests a minute by scope and plan.
LIMITS = {
    ("read", "starter"): 120,
    ("read", "pro"): 600,
    ("read", "enterprise"): 3000,
    ("write", "starter"): 60,
    ("write", "pro"): 300,
    ("write", "enterprise"): 1500,
    ("admin", "starter"): 30,
    ("admin", "pro"): 150,
    ("admin", "enterprise"): 750,
}


@cache
def contract() -> Contract:
    loaded = load(POLICY)
    assert loaded.policy is not None
    assert loaded.specification is not None
    return compile(loaded.policy, loaded.specification, loaded.resolution)


def request(method: str, path: str, *headers: tuple[bytes, bytes], scheme: str = "https") -> Request:
    assert scheme in ("https", "http")
    host = (b"Host", b"synaptiqintel.com")
    target = f"/api/v1{path}".encode()
    return Request(
        scheme="https" if scheme == "https" else "http", method=method.encode(), target=target, headers=(host, *headers)
    )


BEARER = (b"Authorization", f"Bearer {SECRET}".encode())


def key(scope: str, *, plan: str = "pro", rotated: float | None = None, revoked: float | None = None) -> KeyRecord:
    return KeyRecord(
        id="key_1",
        digest=hashlib.sha256(SECRET.encode()).hexdigest(),
        kind="API key",
        scopes=frozenset({scope}),
        plan=plan,
        environment="production",
        organisation="A",
        issued_at=NOW - 10,
        rotated_at=rotated,
        grace=24 * 3600.0 if rotated is not None else None,
        revoked_at=revoked,
    )


def status(asked: Request, whose: KeyRecord | None, now: float = NOW) -> int:
    decision = contract().decide(asked, Facts(key=whose, now=now))
    return 0 if decision.allowed else decision.statuses[0]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:2]))
@pytest.mark.parametrize("holder", HOLDERS)
def test_each_scope_may_what_the_page_says(row: list[str], holder: str) -> None:
    method, path, *expected = row
    asked = request(method, path) if holder == "none" else request(method, path, BEARER)
    whose = None if holder == "none" else key(holder)

    assert status(asked, whose) == int(expected[HOLDERS.index(holder)])


def test_the_table_names_every_operation() -> None:
    """An operation that is added to the specification needs a row here, by hand."""
    named = {
        operation.id
        for method, path, *_ in ROWS
        if (operation := contract().read(request(method, path)).operation) is not None
    }
    assert named == {operation.id for operation in contract().operations}


def test_the_401_is_word_for_word_that_of_the_page() -> None:
    asked = request("GET", "/leads")
    facts = Facts(key=None, now=NOW)
    reading = contract().read(asked)
    response = contract().refuse(contract().decide(reading, facts), reading, facts)

    assert response.status == 401
    assert json.loads(response.body) == {
        "error": {
            "code": "unauthorized",
            "message": "Invalid or missing API key. Provide a valid Bearer token in the Authorization header.",
            "doc_url": "https://synaptiqintel.com/docs/api-reference/authentication",
        }
    }


def test_the_403_has_the_code_of_the_page() -> None:
    facts = Facts(key=key("read"), now=NOW)
    reading = contract().read(request("DELETE", "/leads/lead_1", BEARER))
    response = contract().refuse(contract().decide(reading, facts), reading, facts)

    assert response.status == 403
    assert json.loads(response.body)["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("elapsed", "expected"), [(0, 0), (24 * 3600 - 1, 0), (24 * 3600 + 1, 401)], ids=["at once", "in grace", "after"]
)
def test_an_old_key_lives_for_24_hours(elapsed: float, expected: int) -> None:
    assert status(request("GET", "/leads", BEARER), key("read", rotated=NOW), NOW + elapsed) == expected


def test_a_revoked_key_is_dead_at_once() -> None:
    assert status(request("GET", "/leads", BEARER), key("read", rotated=NOW - 60, revoked=NOW)) == 401


def test_plain_http_is_rejected() -> None:
    assert status(request("GET", "/leads", BEARER, scheme="http"), key("admin")) == 403


@pytest.mark.parametrize(
    "line",
    ["Bearer sk_live_wrong", "Basic c2s6", SECRET, "Bearer", "Bearer  ", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}"],
)
def test_an_invalid_key_is_unauthorized(line: str) -> None:
    assert status(request("GET", "/leads", (b"Authorization", line.encode())), key("admin")) == 401


@pytest.mark.parametrize(("scope", "plan"), LIMITS, ids=" ".join)
def test_each_scope_and_plan_has_its_requests_a_minute(scope: str, plan: str) -> None:
    """Exactly so many are admitted at once, the next one is not, and a minute later it is."""
    whose = key(scope, plan=plan)
    limiter = MemoryLimiter(contract())
    reading = contract().read(request("GET", "/leads", BEARER))
    admitted = 0
    while limiter.reserve(contract().charges(reading, whose, NOW), NOW).admitted:
        admitted += 1

    assert admitted == LIMITS[scope, plan]
    assert limiter.reserve(contract().charges(reading, whose, NOW + 60), NOW + 60).admitted
