"""What the faults of `_limits` do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shop import Caller, Key, headers

from fault_scenarios._scenario import Scenario, Shown, admitted, comes_back, used_up


def over_time(*moments: float) -> Scenario:
    """Send 13 requests at each of these moments where 12 may be in a minute; how many are admitted each time."""

    def scenario(caller: Caller) -> list[int]:
        key = caller.key("read", plan="small")
        found = []
        for moment in moments:
            caller.server.clock.advance(moment)
            found.append([caller.status("GET", "/orders", key) for _ in range(13)].count(200))
        return found

    return scenario


def at_a_pace(caller: Caller) -> int:
    """Send one request every six seconds for two minutes, where twelve may be in one."""
    key = caller.key("read", plan="small")
    found = []
    for _ in range(20):
        found.append(caller.status("GET", "/orders", key))
        caller.server.clock.advance(6.0)
    return found.count(200)


def heads_first(caller: Caller) -> int:
    """Send ten requests whose heads came before any was counted, where six may be."""
    key = caller.key("write", plan="small")
    order = {"name": "an order"}
    return [caller.status("POST", "/orders", key, order, began=-1.0) for _ in range(10)].count(201)


def on_the_large_plan(caller: Caller) -> int:
    key = caller.key("read", plan="large")
    return [caller.status("GET", "/orders", key) for _ in range(70)].count(200)


def asks_too_early(caller: Caller) -> int:
    refused, key = used_up(caller)
    wait = int(headers(refused)["retry-after"])
    caller.server.clock.advance(wait / 2)
    caller.status("GET", "/orders", key)
    caller.server.clock.advance(wait / 2)
    return caller.status("GET", "/orders", key)


def made_when_used_up(caller: Caller) -> tuple[int, int]:
    """Make an order with a key that is used up; the status, and how many orders there are afterwards."""
    key = caller.key("write", plan="small")
    for _ in range(12):
        caller.status("GET", "/orders", key)
    status = caller.status("POST", "/orders", key, {"name": "new"})
    return status, len(caller.json("GET", "/orders", caller.key())["orders"])


def left(caller: Caller, key: Key | str) -> int:
    found = re.search(r"r=(\d+)", headers(caller.send("GET", "/orders", key))["ratelimit"])
    assert found is not None
    return int(found[1])


def taken_by(*requests: tuple[str, str, Any]) -> Scenario:
    """Say how much less is left after these requests, the one that asks counted too."""

    def scenario(caller: Caller) -> int:
        key = caller.key("read", plan="small")
        before = left(caller, key)
        for method, path, body in requests:
            caller.status(method, path, key, body)
        return before - left(caller, key)

    return scenario


REFUSED: Sequence[tuple[str, str, Any]] = (("GET", "/nowhere", None), ("GET", "/shop", None))

SHOWN: Shown = {
    "one-request-more": (admitted(), 12, 13),
    "no-limit": (admitted(), 12, 40),
    "twice-the-limit": (admitted(), 12, 24),
    "counter-in-each-replica": (admitted(4), 12, 40),
    "counter-for-each-connection": (admitted(2), 12, 24),
    "counted-too-late": (admitted(), 12, 40),
    "window-half-as-long": (over_time(0, 31), [12, 0], [12, 12]),
    "half-the-rate": (at_a_pace, 20, 17),
    "one-request-less": (admitted(), 12, 11),
    "limit-before-body": (heads_first, 6, 10),
    "plan-ignored": (on_the_large_plan, 60, 12),
    "refused-requests-lengthen-refusal": (asks_too_early, 200, 429),
    "refusals-not-counted": (taken_by(*REFUSED), 3, 1),
    "retry-after-too-early": (comes_back, 200, 429),
    "no-retry-after": (lambda c: "retry-after" in headers(used_up(c)[0]), True, False),
    "throttled-but-done": (made_when_used_up, (429, 0), (429, 1)),
}
