"""The control port: nobody without the token, one clock for keys, limits and dates, keys without the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from authcontract_conformance.reference import Message
from authcontract_conformance.reference._clock import Clock
from authcontract_conformance.reference._control import Control
from authcontract_conformance.reference._http import read_head
from shop import Caller, headers

TOKEN = "t" * 43
NEW = {"organisation": "A", "environment": "live", "kind": "API key", "scopes": ["read"], "plan": "small"}


class Operator:
    """Whoever holds the token."""

    def __init__(self, caller: Caller) -> None:
        self.control = Control(caller.server, TOKEN)

    def send(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        head = read_head(f"{method} {path} HTTP/1.1\r\nauthorization: Bearer {token}".encode())
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.control.serve(Message(head=head, body=content, scheme="http"))
        return answer.status, json.loads(answer.body)


@pytest.fixture
def operator(caller: Caller) -> Operator:
    return Operator(caller)


@pytest.mark.parametrize("token", ["", "T" * 43, TOKEN + "t", TOKEN[:-1]])
def test_nothing_is_done_without_the_token(operator: Operator, token: str) -> None:
    status, said = operator.send("POST", "/keys", NEW, token)

    assert (status, list(said)) == (401, ["error"])
    assert operator.control.serve(Message(head=read_head(b"GET /clock HTTP/1.1"))).status == 401
    assert operator.control.serve(Message(head=read_head(b"GET /clock"))).status == 400


def test_a_key_can_be_issued_rotated_and_revoked(operator: Operator, caller: Caller) -> None:
    _, first = operator.send("POST", "/keys", NEW)
    _, second = operator.send("POST", f"/keys/{first['id']}/rotate")

    assert second["lineage"] == first["id"]
    assert second["grace"] == 86_400
    assert [caller.status("GET", "/orders", key["secret"]) for key in (first, second)] == [200, 200]
    status, revoked = operator.send("DELETE", f"/keys/{first['id']}")
    assert (status, revoked["revoked_at"]) == (200, caller.server.clock.now())
    assert "secret" not in revoked
    assert [caller.status("GET", "/orders", key["secret"]) for key in (first, second)] == [401, 200]


@pytest.mark.parametrize(
    "change", [{"kind": "x"}, {"scopes": ["x"]}, {"scopes": "read"}, {"environment": "x"}, {"plan": "x"}]
)
def test_a_key_outside_the_policy_is_refused(operator: Operator, change: dict[str, Any]) -> None:
    assert operator.send("POST", "/keys", {**NEW, **change})[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/keys/none", None, 404),
        ("POST", "/keys/none/rotate", None, 404),
        ("POST", "/clock/advance", {"seconds": -1}, 400),
        ("POST", "/clock/advance", {"seconds": "1"}, 400),
        ("POST", "/clock/advance", {"seconds": True}, 400),
        ("POST", "/clock/advance", b'{"seconds": Infinity}', 400),
        ("POST", "/clock/advance", {}, 400),
        ("POST", "/keys", b"{", 400),
        ("POST", "/keys", [], 400),
    ],
)
def test_what_cannot_be_done_is_said(operator: Operator, method: str, path: str, body: Any, status: int) -> None:
    found, said = operator.send(method, path, body)

    assert (found, list(said)) == (status, ["error"])


def test_one_clock_drives_keys_limits_and_dates(operator: Operator, caller: Caller) -> None:
    _, key = operator.send("POST", "/keys", NEW)
    for _ in range(12):
        assert caller.status("GET", "/orders", key["secret"]) == 200
    refused = caller.send("GET", "/orders", key["secret"])
    wait = int(headers(refused)["retry-after"])
    before = caller.server.clock.now()

    assert refused.status == 429
    assert operator.send("POST", "/clock/advance", {"seconds": wait})[1] == {"now": before + wait, "frozen": True}
    assert caller.status("GET", "/orders", key["secret"]) == 200
    operator.send("POST", f"/keys/{key['id']}/rotate")
    operator.send("POST", "/clock/advance", {"seconds": 86_400})
    assert caller.status("GET", "/orders", key["secret"]) == 401


def test_reset_starts_afresh(operator: Operator, caller: Caller) -> None:
    _, key = operator.send("POST", "/keys", NEW)

    assert operator.send("POST", "/reset")[0] == 200
    assert caller.status("GET", "/orders", key["secret"]) == 401


def test_a_clock_runs_stops_and_moves_forward_only() -> None:
    clock = Clock()
    running = clock.now()

    assert clock.advance(10) >= running + 10
    frozen = clock.freeze()
    assert (clock.now(), clock.frozen) == (frozen, True)
    assert clock.advance(0.5) == frozen + 0.5
    for step in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="forward"):
            clock.advance(step)
