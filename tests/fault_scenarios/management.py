"""What the faults of `_management` and `_rotation` do."""

from __future__ import annotations

from typing import Any

from shop import Caller, Key

from fault_scenarios._scenario import DAY, LIVE, OTHER, TEST, Scenario, Shown


def _rotated(caller: Caller, old: Key) -> Any:
    return caller.json("POST", f"/keys/{old.id}/rotate", caller.key())


def _used(caller: Caller, key: Key | str) -> int:
    return caller.status("GET", "/orders", key)


def rotates_itself(caller: Caller) -> int:
    key = caller.key("read")
    return caller.status("POST", f"/keys/{key.id}/rotate", key)


def stranger_rotates(caller: Caller) -> int:
    return caller.status("POST", f"/keys/{caller.key('read').id}/rotate", caller.key(**OTHER))


def stranger_revokes(caller: Caller) -> tuple[int, int]:
    """Revoke another organisation's key; the status, and how that key is answered."""
    key = caller.key("read")
    return caller.status("DELETE", f"/keys/{key.id}", caller.key(**OTHER)), _used(caller, key)


def reader_creates(caller: Caller) -> int:
    return caller.status("POST", "/keys", caller.key("read"), {"scope": "admin"})


def stranger_lists(caller: Caller) -> int:
    caller.key("read")
    return len(caller.json("GET", "/keys", caller.key(**OTHER))["data"])


def last_four(caller: Caller) -> int:
    return _used(caller, caller.key("read").secret[-4:])


def listed_state(caller: Caller) -> Any:
    admin, key = caller.key(), caller.key("read")
    caller.status("DELETE", f"/keys/{key.id}", admin)
    return {entry["id"]: entry["state"] for entry in caller.json("GET", "/keys", admin)["data"]}[key.id]


def rotated_again(caller: Caller) -> tuple[int, int]:
    """Rotate a key that was rotated; the status, and how the new key is answered."""
    old = caller.key("read")
    new = _rotated(caller, old)
    return caller.status("POST", f"/keys/{old.id}/rotate", caller.key()), _used(caller, new["secret"])


def new_revoked(*waits: str) -> Scenario:
    """Revoke a new key, wait, and ask with the old one."""

    def scenario(caller: Caller) -> int:
        old = caller.key("read")
        new = _rotated(caller, old)
        caller.status("DELETE", f"/keys/{new['id']}", caller.key())
        for wait in waits:
            caller.server.clock.advance(float(wait.partition(":")[2]))
        return _used(caller, old)

    return scenario


def second_rotation(caller: Caller) -> int:
    new = _rotated(caller, caller.key("read"))
    return caller.status("POST", f"/keys/{new['id']}/rotate", caller.key())


def revoked_twice(caller: Caller) -> int:
    admin, key = caller.key(), caller.key("read")
    for _ in range(2):
        caller.status("DELETE", f"/keys/{key.id}", admin)
    return _used(caller, key)


def part_of_id(caller: Caller) -> tuple[int, int]:
    """Revoke by an id without its last character; the status, and how the key is answered."""
    key = caller.key("read")
    return caller.status("DELETE", f"/keys/{key.id[:-1]}", caller.key()), _used(caller, key)


def another_revoked(where: dict[str, str]) -> Scenario:
    """Revoke a key and ask with another one of the organisation."""

    def scenario(caller: Caller) -> int:
        key, other = caller.key("read", **LIVE), caller.key("read", **where)
        caller.status("DELETE", f"/keys/{key.id}", caller.key())
        return _used(caller, other)

    return scenario


def used_and_revoked(method: str, body: Any = None) -> Scenario:
    """Use a key, revoke it, and use it in the same way."""

    def scenario(caller: Caller) -> tuple[int, int]:
        admin, key = caller.key(), caller.key("write")
        path = f"/orders/{caller.order(admin)}"
        before = caller.status(method, path, key, body)
        caller.status("DELETE", f"/keys/{key.id}", admin)
        return before, caller.status(method, path, key, body)

    return scenario


def _rotated_in_the_sandbox(caller: Caller) -> bool:
    """Rotate a key of the sandbox, make an order with the new one, and look for it with a key of production."""
    old = caller.key(environment="test")
    new = caller.json("POST", f"/keys/{old.id}/rotate", caller.key(environment="test"))["secret"]
    order = caller.json("POST", "/orders", new, {"name": "a"})["id"]
    return caller.status("GET", f"/orders/{order}", caller.key()) == 200


SHOWN: Shown = {
    "any-key-rotates-itself": (rotates_itself, 403, 201),
    "anybody-rotates-by-id": (stranger_rotates, 404, 201),
    "foreign-key-revoked-unseen": (stranger_revokes, (404, 200), (404, 401)),
    "readers-create-keys": (reader_creates, 403, 201),
    "keys-of-everybody-listed": (stranger_lists, 1, 2),
    "last-four-work-as-key": (last_four, 401, 200),
    "revoked-key-listed-as-active": (listed_state, "revoked", "active"),
    "old-key-rotated-ends-new": (rotated_again, (409, 200), (409, 401)),
    "old-key-for-ever": (new_revoked(DAY), 401, 200),
    "old-key-ends-with-new": (new_revoked(), 200, 401),
    "second-rotation-refused": (second_rotation, 201, 409),
    "revoking-twice-revives": (revoked_twice, 401, 200),
    "revoked-by-part-of-id": (part_of_id, (404, 200), (204, 401)),
    "revoking-takes-organisation": (another_revoked(LIVE), 200, 401),
    "revoking-crosses-environments": (another_revoked(TEST), 200, 401),
    "writing-decided-before": (used_and_revoked("PATCH", {"name": "changed"}), (200, 401), (200, 200)),
    "head-decided-before": (used_and_revoked("HEAD"), (200, 401), (200, 200)),
    "made-key-late": (
        lambda c: c.status("GET", "/orders", c.json("POST", "/keys", c.key(), {"scope": "read"})["secret"]),
        200,
        401,
    ),
    "rotation-forgets-the-environment": (_rotated_in_the_sandbox, False, True),
}
