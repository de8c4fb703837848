"""What the faults of `_precedence` do."""

from __future__ import annotations

from shop import Caller

from fault_scenarios._scenario import Scenario, Shown


def nobody(method: str, path: str, body: bytes | None = None) -> Scenario:
    """Send something without a key."""

    def scenario(caller: Caller) -> int:
        return caller.status(method, path, body=body)

    return scenario


def _by_a_reader(caller: Caller) -> tuple[int, int]:
    """Let a key that may only read delete an order that is there, and one that is not."""
    reader, order = caller.key("read"), caller.order(caller.key())
    return caller.status("DELETE", f"/orders/{order}", reader), caller.status("DELETE", "/orders/nothing", reader)


SHOWN: Shown = {
    "paths-before-keys": (nobody("GET", "/nowhere"), 401, 404),
    "methods-before-keys": (nobody("DELETE", "/orders"), 401, 405),
    "bodies-before-keys": (nobody("POST", "/orders", b"{"), 401, 400),
    "objects-before-rights": (_by_a_reader, (403, 403), (403, 404)),
}
