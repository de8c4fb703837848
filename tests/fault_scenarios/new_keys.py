"""What the faults of `_new_keys` do."""

from __future__ import annotations

from typing import Any

from shop import Caller

from fault_scenarios._scenario import OTHER, TEST, Scenario, Shown

PREFIX = len("sk_live_")


def _created(caller: Caller, **fields: Any) -> str:
    made = caller.json("POST", "/keys", caller.key(), {"scope": "read", **fields})
    assert isinstance(made["secret"], str)
    return made["secret"]


def _same_beginning(characters: int) -> Scenario:
    """Create two keys and tell whether they begin with the same characters, their prefix left out."""

    def scenario(caller: Caller) -> bool:
        one, other = (_created(caller)[PREFIX : PREFIX + characters] for _ in range(2))
        return one == other

    return scenario


def made_with(**fields: Any) -> Scenario:
    """Create a key with a field that nobody documented, and use it where such a key may not."""

    def scenario(caller: Caller) -> int:
        return caller.status("GET", "/shop", _created(caller, **fields))

    return scenario


def rotated_with(caller: Caller) -> int:
    key = caller.key("read")
    new = caller.json("POST", f"/keys/{key.id}/rotate", caller.key(), {"scope": "admin"})["secret"]
    return caller.status("GET", "/shop", new)


def seen_by(place: dict[str, str], **fields: Any) -> Scenario:
    """Create a key with a field that nobody documented, and count what it sees of somebody else's orders."""

    def scenario(caller: Caller) -> int:
        caller.order(caller.key(**place))
        return len(caller.json("GET", "/orders", _created(caller, **fields))["orders"])

    return scenario


def made_by_a_test_key(caller: Caller) -> int:
    """Let a test key create a key, and count what that sees of the orders of production."""
    caller.order(caller.key())
    made = caller.json("POST", "/keys", caller.key(**TEST), {"scope": "read"})["secret"]
    return len(caller.json("GET", "/orders", made)["orders"])


def room(caller: Caller) -> str | None:
    """Return the limit that a key is told which asked for another plan."""
    admin = caller.key(plan="small")
    made = caller.json("POST", "/keys", admin, {"scope": "read", "plan": "large"})["secret"]
    lines = caller.send("GET", "/orders", made).headers
    return next((value for name, value in lines if name == "X-RateLimit-Limit"), None)


def asked_while_writing(caller: Caller) -> int:
    key = caller.key("write")
    caller.status("PATCH", f"/orders/{caller.order(key)}", key, {"name": "changed", "scopes": ["admin"]})
    return caller.status("GET", "/shop", key)


def nearly(scope: Any) -> Scenario:
    """Create a key with what is nearly a scope; the status, and what the key may that `read` may not."""

    def scenario(caller: Caller) -> tuple[int, int | None]:
        made = caller.send("POST", "/keys", caller.key(), {"scope": scope})
        if made.status != 201:
            return made.status, None
        key = caller.server.keyring.records.all()[-1]
        return made.status, int(caller.server.contract.permit(operation(caller), key, None).allowed)

    return scenario


def operation(caller: Caller) -> Any:
    found = caller.server.contract.specification.operation("getShop")
    assert found is not None
    return found


SHOWN: Shown = {
    "keys-are-numbered": (_same_beginning(29), False, True),
    "keys-of-32-bits": (_same_beginning(22), False, True),
    "keys-begin-alike": (_same_beginning(12), False, True),
    "scopes-beside-scope": (made_with(scopes=["admin"]), 403, 200),
    "scope-in-rotation": (rotated_with, 403, 200),
    "environment-in-body": (seen_by(TEST, env="test"), 0, 1),
    "created-key-of-first-environment": (made_by_a_test_key, 0, 1),
    "organisation-in-body": (seen_by(OTHER, organization_id="B"), 0, 1),
    "plan-in-body": (room, "12", "60"),
    "caller-widened-by-body": (asked_while_writing, 403, 200),
    "unknown-scope-restricts-nothing": (nearly("READ"), (400, None), (201, 1)),
    "several-scopes-in-a-list": (nearly(["read", "admin"]), (400, None), (201, 1)),
    "scope-by-its-beginning": (nearly(""), (400, None), (201, 1)),
    "scope-by-part": (nearly("read,admin"), (400, None), (201, 1)),
}
