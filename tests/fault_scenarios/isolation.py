"""What the faults of `_isolation` do."""

from __future__ import annotations

from fault_scenarios._scenario import LIVE, OTHER, TEST, Shown, altered, listed, stranger
from fault_scenarios.tenants import claiming

SHOWN: Shown = {
    "sandbox-reads-production": (stranger("GET", home=LIVE, abroad=TEST), (404, "an order"), (200, "an order")),
    "sandbox-changes-production": (stranger("DELETE", home=LIVE, abroad=TEST), (404, "an order"), (204, None)),
    "production-lists-sandbox": (listed(home=TEST, abroad=LIVE), 0, 1),
    "production-changes-sandbox": (stranger("DELETE", home=TEST, abroad=LIVE), (404, "an order"), (204, None)),
    "prefix-cut-off": (altered(lambda key: "sk_test_" + key[8:]), 401, 200),
    "any-prefix": (altered(lambda key: "sk_prod_" + key[8:]), 401, 200),
    "foreign-object-shown": (stranger("GET", home=LIVE, abroad=OTHER), (404, "an order"), (200, "an order")),
    "foreign-object-changed": (
        stranger("PATCH", {"name": "x"}, home=LIVE, abroad=OTHER),
        (404, "an order"),
        (200, "x"),
    ),
    "foreign-object-deleted-unseen": (stranger("DELETE", home=LIVE, abroad=OTHER), (404, "an order"), (404, None)),
    "environment-from-a-field": (claiming("<order>", "X-Environment: live", to=TEST), (404, 1), (200, 1)),
    "environment-from-the-query": (claiming("<order>?mode=live", to=TEST), (404, 1), (200, 1)),
    "environment-from-the-body": (
        claiming("/orders", method="POST", body={"name": "another", "stage": "live"}, to=TEST),
        (400, 1),
        (201, 2),
    ),
    "lists-of-everybody": (listed(home=LIVE, abroad=OTHER), 0, 1),
}
