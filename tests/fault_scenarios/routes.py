"""What the faults of `_routes` do."""

from __future__ import annotations

import json

from authcontract_conformance.reference import Answer, Message
from authcontract_conformance.reference._http import read_head
from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown, by


def _raw(caller: Caller, target: str, *lines: str, method: str = "GET", body: bytes = b"") -> Answer:
    """Send a request line and header lines as they are."""
    head = "\r\n".join((f"{method} {target} HTTP/1.1", *lines))
    return caller.server.serve(Message(head=read_head(head.encode("latin-1")), body=body))


def nobody(target: str, *lines: str, host: tuple[str, ...] = ("shop",)) -> Scenario:
    """Ask for an order without a key: `<order>` is its id."""

    def scenario(caller: Caller) -> int:
        order = caller.order(caller.key())
        named = tuple(f"Host: {each}" for each in host)
        return _raw(caller, target.replace("<order>", order), *named, "Accept: */*", *lines).status

    return scenario


def changed(target: str) -> Scenario:
    """Change an order without a key; the status, and its name after that."""

    def scenario(caller: Caller) -> tuple[int, str]:
        owner = caller.key()
        order = caller.order(owner)
        lines = ("Host: shop", "Content-Type: application/json")
        body = json.dumps({"name": "x"}).encode()
        answer = _raw(caller, target.replace("<order>", order), *lines, method="PATCH", body=body)
        return answer.status, caller.json("GET", f"/orders/{order}", owner)["name"]

    return scenario


def reader(target: str) -> Scenario:
    """Ask with a key that may only read."""

    def scenario(caller: Caller) -> int:
        return _raw(caller, target, "Host: shop", f"Authorization: Bearer {caller.key('read').secret}").status

    return scenario


def _slash(caller: Caller) -> tuple[int, int]:
    """Ask by a path with a slash at its end, with a key that reads and with one that writes."""
    return caller.status("GET", "/orders/", caller.key("read")), caller.status("GET", "/orders/", caller.key("write"))


def _redirect(caller: Caller) -> str | None:
    return headers(caller.send("GET", "/orders/", caller.key("read"))).get("location")


OPENED = (401, 200)

SHOWN: Shown = {
    "doubled-slashes-unguarded": (nobody("/v1//orders/<order>"), *OPENED),
    "doubled-slash-first-unguarded": (nobody("//v1/orders/<order>"), *OPENED),
    "dot-segments-unguarded": (nobody("/v1/x/../orders/<order>"), *OPENED),
    "encoded-dots-unguarded": (nobody("/v1/%2e/orders/<order>"), *OPENED),
    "encoded-letters-unguarded": (nobody("/v1/%6frders/<order>"), *OPENED),
    "encoded-slashes-unguarded": (nobody("/v1/orders%2F<order>"), *OPENED),
    "decoded-twice": (nobody("/v1/orders%252f<order>"), *OPENED),
    "overlong-utf-8-unguarded": (nobody("/v1/orders%c0%af<order>"), *OPENED),
    "upper-case-unguarded": (nobody("/V1/Orders/<order>"), *OPENED),
    "slash-at-end-unguarded": (nobody("/v1/orders/<order>/"), *OPENED),
    "one-route-open-by-a-slash": (changed("/v1/orders/<order>/"), (401, "an order"), (200, "x")),
    "one-deletion-by-a-suffix": (by("write", "DELETE", "<order>.json"), (403, "an order"), (204, None)),
    "one-change-by-a-slash": (by("read", "PATCH", "<order>/", {"name": "x"}), (404, "an order"), (200, "x")),
    "rights-by-doubled-slash": (reader("/v1//shop"), 404, 200),
    "line-feed-unguarded": (nobody("/v1/orders/<order>%0a"), *OPENED),
    "space-at-end-unguarded": (nobody("/v1/orders/<order>%20"), *OPENED),
    "path-parameters-unguarded": (nobody("/v1/orders;x=1/<order>"), *OPENED),
    "format-suffix-unguarded": (nobody("/v1/orders/<order>.json"), *OPENED),
    "style-sheets-unguarded": (nobody("/v1/orders/<order>.css"), *OPENED),
    "open-by-query": (nobody("/v1/orders/<order>?x=/health"), *OPENED),
    "original-url-trusted": (nobody("/", "X-Original-URL: /v1/orders/<order>"), *OPENED),
    "forwarded-prefix-trusted": (nobody("/<order>", "X-Forwarded-Prefix: /v1/orders"), *OPENED),
    "whole-address-unguarded": (nobody("https://shop/v1/orders/<order>"), *OPENED),
    "localhost-in-address-trusted": (nobody("http://localhost/v1/orders/<order>"), *OPENED),
    "path-in-host": (nobody("/v1/orders/<order>", host=("shop/health?",)), 400, 200),
    "host-case-unguarded": (nobody("/v1/orders/<order>", host=("SHOP",)), *OPENED),
    "no-host-unguarded": (nobody("/v1/orders/<order>", host=()), 400, 200),
    "two-hosts-unguarded": (nobody("/v1/orders/<order>", host=("shop", "elsewhere")), 400, 200),
    "fragment-unguarded": (nobody("/v1/orders/<order>#x"), 400, 200),
    "fragment-like-a-style-sheet": (nobody("/v1/orders/<order>#.css"), 400, 200),
    "slash-for-writers": (_slash, (404, 404), (404, 200)),
    "redirected-to-plain-http": (_redirect, None, "http://shop/v1/orders"),
    "redirected-to-another-host": (_redirect, None, "https://www.elsewhere.example/v1/orders"),
}
