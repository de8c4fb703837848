"""What the faults of `_generated` do."""

from __future__ import annotations

from fault_scenarios._scenario import Shown, rotated_twice

SHOWN: Shown = {
    "unreadable-body-needs-no-key": (lambda c: c.status("POST", "/orders", None, b"{"), 401, 202),
    "response-lacks-a-field": (lambda c: list(c.json("GET", "/orders", c.key())), ["orders", "total"], ["orders"]),
    "second-rotation-revives": (rotated_twice, 401, 200),
    "wrong-parameter-needs-no-key": (lambda c: c.status("GET", "/orders?limit=many"), 401, 200),
}
