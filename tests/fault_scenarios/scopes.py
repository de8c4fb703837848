"""What the faults of `_scopes` do."""

from __future__ import annotations

from typing import Any

from authcontract_conformance.reference import Message
from authcontract_conformance.reference._http import read_head
from shop import Caller

from fault_scenarios._scenario import Scenario, Shown, by


def page(path: str, scope: str | None = None) -> Scenario:
    """Ask for a path of the whole server, and look whether an order stands in the answer."""

    def scenario(caller: Caller) -> tuple[int, bool]:
        caller.order(caller.key(), name="a certain order")
        answer = caller.send("GET", path, None if scope is None else caller.key(scope))
        return answer.status, b"a certain order" in answer.body

    return scenario


def at_root(path: str) -> Scenario:
    """Ask for a path beside the API."""

    def scenario(caller: Caller) -> int:
        head = read_head(f"GET {path} HTTP/1.1\r\nHost: shop".encode())
        return caller.server.serve(Message(head=head)).status

    return scenario


def _another_key(caller: Caller) -> Any:
    """Look whether an object shows a key of somebody else."""
    owner, other = caller.key(), caller.key("write")
    order = caller.order(owner)
    return caller.json("GET", f"/orders/{order}", owner).get("created_with") == other.secret


def _as_utf_8(caller: Caller) -> int:
    line = ("Content-Type: application/json; charset=utf-8",)
    body = b'{"name": "x"}'
    head = read_head(
        "\r\n".join(
            ("POST /v1/orders HTTP/1.1", "Host: shop", f"Authorization: Bearer {caller.key('read').secret}", *line)
        ).encode()
    )
    return caller.server.serve(Message(head=head, body=body)).status


SHOWN: Shown = {
    "rights-unread-with-charset": (_as_utf_8, 403, 201),
    "rights-unread-without-body": (by("read", "PATCH", "<order>"), (403, "an order"), (200, "an order")),
    "best-plan-may-post": (lambda c: c.status("POST", "/orders", c.key("read"), {"name": "x"}), 403, 201),
    "wrong-scope-on-one-route": (lambda c: c.status("POST", "/orders", c.key("read"), {"name": "x"}), 403, 201),
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
    "export-unguarded": (page("/orders/export"), (401, False), (200, True)),
    "admin-routes-unguarded": (page("/admin/orders"), (401, False), (200, True)),
    "export-for-every-key": (page("/orders/all", "read"), (404, False), (200, True)),
    "old-version-unguarded": (at_root("/v0/report?day=2026-01-01"), 401, 200),
    "metrics-for-everybody": (at_root("/metrics"), 401, 200),
    "settings-file-served": (at_root("/.env"), 401, 200),
    "objects-show-another-key": (_another_key, False, True),
}
