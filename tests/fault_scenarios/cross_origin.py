"""What the faults of `_cross_origin` do."""

from __future__ import annotations

from typing import Any

from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown

ASKING = ("Origin: https://stranger.example", "Access-Control-Request-Method: DELETE")


def _field(name: str, method: str = "GET") -> Scenario:
    return lambda c: headers(c.send(method, "/orders", c.key(), lines=ASKING)).get(name)


def _preflighted(caller: Caller) -> Any:
    owner = caller.key()
    order = f"/orders/{caller.order(owner)}"
    caller.status("OPTIONS", order, lines=ASKING)
    return caller.status("GET", order, owner)


SHOWN: Shown = {
    "any-origin-with-credentials": (
        _field("access-control-allow-origin"),
        None,
        "https://stranger.example",
    ),
    "every-page-may-read": (_field("access-control-allow-origin"), None, "*"),
    "preflight-is-carried-out": (_preflighted, 200, 404),
    "pages-cannot-send-their-key": (_field("access-control-allow-headers", "OPTIONS"), None, "*"),
    "pages-without-key-are-forbidden": (lambda c: c.status("GET", "/orders", lines=ASKING[:1]), 401, 403),
}
