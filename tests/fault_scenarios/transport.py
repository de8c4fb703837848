"""What the faults of `_transport` do."""

from __future__ import annotations

import ssl
from typing import Any

from authcontract_conformance.reference._certificate import make_certificate
from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown


def _in_clear(*lines: str) -> Scenario:
    return lambda c: c.status("GET", "/orders", c.key(), scheme="http", lines=lines)


def _told_apart(caller: Caller) -> tuple[int, int]:
    unknown = "sk_live_" + "x" * 30
    statuses = [caller.status("GET", "/orders", key, scheme="http") for key in (caller.key(), unknown)]
    return statuses[0], statuses[1]


def _made_in_clear(caller: Caller) -> tuple[int, int]:
    """Make an order over plaintext; the status, and how many orders there are afterwards."""
    owner = caller.key()
    status = caller.status("POST", "/orders", owner, {"name": "new"}, scheme="http")
    return status, len(caller.json("GET", "/orders", owner)["orders"])


def _lowest_tls(caller: Caller) -> Any:
    context = make_certificate().context()
    caller.server.seams.secure(caller.server, context)
    return context.minimum_version


SHOWN: Shown = {
    "forwarded-proto-believed": (_in_clear("X-Forwarded-Proto: https"), 403, 200),
    "front-end-https-believed": (_in_clear("Front-End-Https: on"), 403, 200),
    "clear-http2-passes": (_in_clear("Upgrade: h2c"), 403, 200),
    "plaintext-tells-keys-apart": (_told_apart, (403, 403), (403, 400)),
    "plaintext-refused-but-done": (_made_in_clear, (403, 0), (403, 1)),
    "hsts-over-plaintext": (
        lambda c: "strict-transport-security" in headers(c.send("GET", "/orders", scheme="http")),
        False,
        True,
    ),
    "old-tls": (_lowest_tls, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1),
}
