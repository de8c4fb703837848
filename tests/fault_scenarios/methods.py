"""What the faults of `_methods` do."""

from __future__ import annotations

from shop import Caller

from fault_scenarios._scenario import Scenario, Shown, by, overridden


def counted(method: str, scope: str, *lines: str, path: str = "/orders") -> Scenario:
    """Send the body of a new order by some method, and count what orders there are."""

    def scenario(caller: Caller) -> int:
        owner = caller.key()
        caller.order(owner)
        caller.status(method, path, caller.key(scope), {"name": "new"}, lines=lines)
        return len(caller.json("GET", "/orders", owner)["orders"])

    return scenario


def still_there(method: str, scope: str, body: bytes = b"", line: str = "", query: str = "") -> Scenario:
    """Do something to an order with a key, and ask whether the order is still there."""

    def scenario(caller: Caller) -> int:
        owner = caller.key()
        order = f"/orders/{caller.order(owner)}"
        caller.status(method, order + query, caller.key(scope), body or None, lines=(line,) if line else ())
        return caller.status("GET", order, owner)

    return scenario


def shown_to_nobody(method: str, *lines: str) -> Scenario:
    """Ask for an order without a key."""

    def scenario(caller: Caller) -> bool:
        order = f"/orders/{caller.order(caller.key())}"
        return b"an order" in caller.send(method, order, lines=lines).body

    return scenario


FORM = "Content-Type: application/x-www-form-urlencoded"

SHOWN: Shown = {
    "head-without-key": (lambda c: c.status("HEAD", "/orders"), 401, 200),
    "head-for-any-scope": (lambda c: c.status("HEAD", "/shop", c.key("read")), 403, 200),
    "put-is-patch": (by("write", "PUT", "<order>", {"name": "x"}), (405, "an order"), (200, "x")),
    "put-creates-absent": (counted("PUT", "admin", path="/orders/nobody"), 1, 2),
    "any-method-reads": (lambda c: c.status("FOO", "/orders", c.key("read")), 405, 200),
    "method-override-by-header": (
        lambda c: overridden(c, "/orders/<order>", "X-HTTP-Method-Override: DELETE"),
        200,
        404,
    ),
    "method-override-by-query": (lambda c: overridden(c, "/orders/<order>?_method=delete"), 200, 404),
    "head-does-post": (counted("HEAD", "write"), 1, 2),
    "made-up-method-unchecked": (shown_to_nobody("FOO"), False, True),
    "lower-case-method-unchecked": (still_there("delete", "read"), 200, 404),
    "options-shows-objects": (shown_to_nobody("OPTIONS"), False, True),
    "options-changes-objects": (still_there("OPTIONS", "admin"), 200, 404),
    "trace-echoes": (
        lambda c: b"X-Echo: a" in c.send("TRACE", "/orders", c.key(), lines=("X-Echo: a",)).body,
        False,
        True,
    ),
    "method-override-by-original": (lambda c: overridden(c, "/orders/<order>", "X-Original-Method: DELETE"), 200, 404),
    "method-override-by-member": (still_there("POST", "write", b'{"_method": "delete"}'), 200, 404),
    "method-override-by-form": (still_there("POST", "write", b"_method=delete", FORM), 200, 404),
    "override-to-nonsense-unchecked": (shown_to_nobody("GET", "X-HTTP-Method-Override: FOO"), False, True),
    "get-deletes-on-demand": (still_there("GET", "admin", query="?action=delete"), 200, 404),
    "get-creates-from-body": (counted("GET", "write"), 1, 2),
    "plaintext-served": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-read": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-redirected": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 301),
}
