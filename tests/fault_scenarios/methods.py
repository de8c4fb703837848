"""What the faults of `_methods` do."""

from __future__ import annotations

from fault_scenarios._scenario import Shown, by, overridden

SHOWN: Shown = {
    "head-without-key": (lambda c: c.status("HEAD", "/orders"), 401, 200),
    "head-for-any-scope": (lambda c: c.status("HEAD", "/shop", c.key("read")), 403, 200),
    "put-is-patch": (by("write", "PUT", "<order>", {"name": "x"}), (405, "an order"), (200, "x")),
    "any-method-reads": (lambda c: c.status("FOO", "/orders", c.key("read")), 405, 200),
    "method-override-by-header": (
        lambda c: overridden(c, "/orders/<order>", "X-HTTP-Method-Override: DELETE"),
        200,
        404,
    ),
    "method-override-by-query": (lambda c: overridden(c, "/orders/<order>?_method=delete"), 200, 404),
    "plaintext-served": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-read": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-redirected": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 301),
}
