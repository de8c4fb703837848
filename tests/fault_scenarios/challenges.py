"""What the faults of `_challenges` do."""

from __future__ import annotations

from typing import Any

from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown


def field(name: str, *request: Any, scheme: str = "https") -> Scenario:
    """Return a field of the answer to a request, or None."""
    return lambda caller: headers(caller.send(*request, scheme=scheme)).get(name)


def _forbidden(caller: Caller) -> Any:
    return headers(caller.send("GET", "/shop", caller.key("read"))).get("www-authenticate")


def _said(name: str) -> Scenario:
    return lambda caller: caller.json("GET", "/orders").get(name)


SHOWN: Shown = {
    "challenge-for-basic": (
        field("www-authenticate", "GET", "/orders"),
        'Bearer realm="shop"',
        'Basic realm="restricted"',
    ),
    "challenge-without-parameter": (
        field("www-authenticate", "GET", "/orders", "x"),
        'Bearer realm="shop"',
        "Bearer",
    ),
    "invalid-token-without-token": (
        field("www-authenticate", "GET", "/orders"),
        'Bearer realm="shop"',
        'Bearer realm="api", error="invalid_token"',
    ),
    "missing-scope-is-invalid-token": (_forbidden, None, 'Bearer realm="api", error="invalid_token"'),
    "error-called-html": (field("content-type", "GET", "/orders"), "application/json", "text/html; charset=utf-8"),
    "problem-says-200": (_said("status"), None, 200),
    "problem-type-is-a-sentence": (_said("type"), None, "Not a valid key"),
    "405-without-allow": (lambda c: "allow" in headers(c.send("PUT", "/orders", c.key())), True, False),
    "426-without-upgrade": (lambda c: c.status("GET", "/orders", scheme="http"), 403, 426),
}
