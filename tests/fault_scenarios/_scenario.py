"""What a fault's test does: small scenarios over the shop's contract, each with what a caller sees at its end.

A table maps a fault to its scenario, what the correct server shows, and what the faulty one does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from shop import Caller, headers

Scenario: TypeAlias = Callable[[Caller], Any]
#: Fault -> what is done, what the correct server answers, what the faulty one does.
Shown: TypeAlias = Mapping[str, tuple[Scenario, Any, Any]]


def sent(*lines: str, method: str = "GET", path: str = "/orders") -> Scenario:
    """Send a request of a key's lines: `<key>` and `<other>` stand for a valid and a never issued key."""

    def scenario(caller: Caller) -> int:
        key = caller.key("read").secret
        filled = [line.replace("<key>", key).replace("<other>", "sk_live_" + "x" * 30) for line in lines]
        return caller.status(method, path.replace("<key>", key), lines=tuple(filled))

    return scenario


def altered(change: Callable[[str], str], environment: str = "live") -> Scenario:
    """Send a valid key after something was done to it."""

    def scenario(caller: Caller) -> int:
        return caller.status("GET", "/orders", change(caller.key("read", environment=environment).secret))

    return scenario


def refused(caller: Caller) -> Any:
    return caller.send("GET", "/orders")


def code(caller: Caller) -> Any:
    return caller.json("GET", "/orders")["error"]["code"]


def members(caller: Caller) -> Any:
    return list(caller.json("GET", "/orders"))


def by(scope: str, method: str, path: str, body: Any = None) -> Scenario:
    """Let a key with this scope do something to an admin's order; the status, and what became of the order."""

    def scenario(caller: Caller) -> tuple[int, Any]:
        owner = caller.key()
        order = f"/orders/{caller.order(owner)}"
        status = caller.status(method, path.replace("<order>", order), caller.key(scope), body)
        after = caller.send("GET", order, owner)
        return status, json.loads(after.body).get("name") if after.status == 200 else None

    return scenario


def stranger(method: str, body: Any = None, *, home: Mapping[str, str], abroad: Mapping[str, str]) -> Scenario:
    """Let a key of elsewhere do something to an order by its id; the status, and what became of the order."""

    def scenario(caller: Caller) -> tuple[int, Any]:
        owner = caller.key(**home)
        order = f"/orders/{caller.order(owner)}"
        status = caller.status(method, order, caller.key(**abroad), body)
        after = caller.send("GET", order, owner)
        return status, json.loads(after.body).get("name") if after.status == 200 else None

    return scenario


def listed(*, home: Mapping[str, str], abroad: Mapping[str, str]) -> Scenario:
    """Count what a key of elsewhere sees in a list."""

    def scenario(caller: Caller) -> int:
        caller.order(caller.key(**home))
        return len(caller.json("GET", "/orders", caller.key(**abroad))["orders"])

    return scenario


def admitted(connections: int = 1) -> Scenario:
    """Count how many of 40 requests are admitted where 12 may be."""

    def scenario(caller: Caller) -> int:
        key = caller.key("read", plan="small")
        sent = [caller.status("GET", "/orders", key, connection=number % connections) for number in range(40)]
        return sent.count(200)

    return scenario


def used_up(caller: Caller) -> Any:
    key = caller.key("read", plan="small")
    return [caller.send("GET", "/orders", key) for _ in range(13)][-1], key


def comes_back(caller: Caller) -> int:
    refused, key = used_up(caller)
    caller.server.clock.advance(int(headers(refused)["retry-after"]))
    return caller.status("GET", "/orders", key)


def life(*steps: str, scope: str = "read") -> Scenario:
    """Let a key live: issue, rotate, revoke, wait:SECONDS; then ask with old and new key, on a connection once used."""

    def scenario(caller: Caller) -> tuple[int, ...]:
        admin, old = caller.key(), caller.key(scope)
        keys = [old.secret]
        for step in steps:
            match step.partition(":"):
                case ("use", _, _):
                    caller.status("GET", "/orders", old)
                case ("rotate", _, _):
                    keys.append(caller.json("POST", f"/keys/{old.id}/rotate", admin)["secret"])
                case ("revoke", _, _):
                    caller.status("DELETE", f"/keys/{old.id}", admin)
                case ("wait", _, seconds):
                    caller.server.clock.advance(float(seconds))
        return tuple(caller.status("GET", "/orders", key) for key in keys)

    return scenario


def issued_beside_another(caller: Caller) -> int:
    caller.status("GET", "/orders", caller.key())
    return caller.status("GET", "/orders", caller.key())


def shown_again(caller: Caller) -> bool:
    admin = caller.key()
    made = caller.json("POST", "/keys", admin, {"scope": "read"})
    return made["secret"].encode() in caller.send("GET", "/keys", admin).body


def rotated_may(caller: Caller) -> tuple[int, int]:
    new = caller.json("POST", f"/keys/{caller.key('read').id}/rotate", caller.key())["secret"]
    return caller.status("GET", "/orders", new), caller.status("GET", "/shop", new)


def rotated_twice(caller: Caller) -> int:
    """Rotate a key, revoke it, and rotate its successor."""
    admin, first = caller.key(), caller.key("read")
    second = caller.json("POST", f"/keys/{first.id}/rotate", admin)
    caller.status("DELETE", f"/keys/{first.id}", admin)
    caller.status("POST", f"/keys/{second['id']}/rotate", admin)
    return caller.status("GET", "/orders", first)


LIVE, TEST, OTHER = {"environment": "live"}, {"environment": "test"}, {"organisation": "B"}
DAY = "wait:86400"


def overridden(caller: Caller, path: str, *lines: str) -> int:
    """Ask for a DELETE in disguise with a key that may not, and look whether the order is still there."""
    owner = caller.key()
    order = caller.order(owner)
    caller.status("GET", path.replace("<order>", order), caller.key("read"), lines=lines)
    return caller.status("GET", f"/orders/{order}", owner)
