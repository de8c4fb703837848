"""What the faults of `_scopes` do."""

from __future__ import annotations

from fault_scenarios._scenario import Shown, by

SHOWN: Shown = {
    "get-with-body-writes": (by("read", "GET", "<order>", {"name": "x"}), (200, "an order"), (200, "x")),
    "put-by-readers": (by("read", "PUT", "<order>", {"name": "x"}), (405, "an order"), (405, "x")),
    "writers-may-delete": (by("write", "DELETE", "<order>"), (403, "an order"), (204, None)),
    "one-operation-open": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 200),
    "one-operation-shut": (lambda c: c.status("GET", "/keys", c.key("admin")), 200, 403),
    "deleted-though-denied": (by("read", "DELETE", "<order>"), (403, "an order"), (403, None)),
    "changed-though-denied": (by("read", "PATCH", "<order>", {"name": "x"}), (403, "an order"), (403, "x")),
    "readers-may-patch": (by("read", "PATCH", "<order>", {"name": "x"}), (403, "an order"), (200, "x")),
    "post-before-rights": (by("read", "POST", "<order>", {"name": "x"}), (405, "an order"), (405, "x")),
    "body-before-scope": (by("read", "POST", "/orders", b"{"), (403, "an order"), (400, "an order")),
}
