"""What the faults of `_quota` do."""

from __future__ import annotations

from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown, used_up
from fault_scenarios.limits import left, taken_by


def dressed(*lines: str, method: str = "GET", path: str = "/orders") -> Scenario:
    """Send one more request of a key that is used up, in another dress."""

    def scenario(caller: Caller) -> int:
        _, key = used_up(caller)
        return caller.status(method, path, key, lines=lines)

    return scenario


def in_capitals(caller: Caller) -> int:
    _, key = used_up(caller)
    return caller.status("GET", "/orders", lines=(f"Authorization: BEARER {key.secret}",))


def creates(caller: Caller) -> int:
    key = caller.key("write", plan="small")
    return [caller.status("POST", "/orders", key, {"name": "an order"}) for _ in range(8)].count(201)


def beside(**other: str) -> Scenario:
    """Let another key of the organisation ask, while one is used up."""

    def scenario(caller: Caller) -> int:
        used_up(caller)
        return caller.status("GET", "/orders", caller.key("read", plan="small", **other))

    return scenario


def successor(caller: Caller) -> int:
    """Use a key up, rotate it, and ask with the new one."""
    _, key = used_up(caller)
    new = caller.json("POST", f"/keys/{key.id}/rotate", caller.key())["secret"]
    return caller.status("GET", "/orders", new)


def almost_the_key(caller: Caller) -> int:
    key = caller.key("read", plan="small")
    before = left(caller, key)
    for _ in range(5):
        caller.status("GET", "/orders", key.secret[:-1] + ("a" if key.secret[-1] != "a" else "b"))
    return before - left(caller, key)


def told_to_rotated_key(caller: Caller) -> str | None:
    key = caller.key("read", plan="small")
    new = caller.json("POST", f"/keys/{key.id}/rotate", caller.key())["secret"]
    return headers(caller.send("GET", "/orders", new)).get("x-ratelimit-limit")


def told_to_created_key(caller: Caller) -> str | None:
    made = caller.json("POST", "/keys", caller.key(plan="small"), {"scope": "read"})["secret"]
    return headers(caller.send("GET", "/orders", made)).get("x-ratelimit-limit")


SHOWN: Shown = {
    "counted-by-forwarded-address": (dressed("X-Forwarded-For: 203.0.113.7"), 429, 200),
    "counted-by-query": (dressed(path="/orders?x=1"), 429, 200),
    "counted-by-written-path": (dressed(path="//orders"), 429, 200),
    "counted-by-written-scheme": (in_capitals, 429, 200),
    "quota-bypass-header": (dressed("X-RateLimit-Bypass: 1"), 429, 200),
    "head-not-counted": (dressed(method="HEAD"), 429, 200),
    "posts-not-counted": (creates, 6, 8),
    "organisation-shares-one-counter": (beside(environment="test"), 200, 429),
    "rotation-resets-quota": (successor, 429, 200),
    "altered-key-charges-owner": (almost_the_key, 1, 6),
    "remaining-never-shrinks": (taken_by(), 1, 0),
    "another-limit-advertised": (lambda c: headers(used_up(c)[0])["x-ratelimit-limit"], "12", "24"),
    "created-key-of-another-plan": (told_to_created_key, "12", "60"),
    "rotated-key-of-another-plan": (told_to_rotated_key, "12", "60"),
    "quota-fields-in-words": (lambda c: ";r=" in headers(used_up(c)[0])["ratelimit"], True, False),
    "quota-refusal-stored": (lambda c: "public" in headers(used_up(c)[0])["cache-control"], False, True),
}
