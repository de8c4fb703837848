"""What the faults of `_limits` do."""

from __future__ import annotations

from shop import headers

from fault_scenarios._scenario import Shown, admitted, comes_back, used_up

SHOWN: Shown = {
    "one-request-more": (admitted(), 12, 13),
    "no-limit": (admitted(), 12, 40),
    "twice-the-limit": (admitted(), 12, 24),
    "counter-in-each-replica": (admitted(4), 12, 40),
    "counter-for-each-connection": (admitted(2), 12, 24),
    "counted-too-late": (admitted(), 12, 40),
    "retry-after-too-early": (comes_back, 200, 429),
    "no-retry-after": (lambda c: "retry-after" in headers(used_up(c)[0]), True, False),
}
