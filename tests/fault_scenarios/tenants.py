"""What the faults of `_tenants` do."""

from __future__ import annotations

from typing import Any

from shop import Caller

from fault_scenarios._scenario import LIVE, OTHER, Scenario, Shown, stranger

_OURS, _THEIRS = {"organisation": "A"}, {"organisation": "B"}


def claiming(path: str, *lines: str, body: Any = None, method: str = "GET", to: Any = OTHER) -> Scenario:
    """Let a key of elsewhere ask for an order, or make one; the status, and how many orders its owner has then."""

    def scenario(caller: Caller) -> tuple[int, int]:
        owner = caller.key()
        order = f"/orders/{caller.order(owner)}"
        status = caller.status(method, path.replace("<order>", order), caller.key(**to), body, lines=lines)
        return status, len(caller.json("GET", "/orders", owner)["orders"])

    return scenario


def _listed_with(query: str) -> Scenario:
    def scenario(caller: Caller) -> int:
        caller.order(caller.key())
        return len(caller.json("GET", f"/orders?{query}", caller.key(**_THEIRS))["orders"])

    return scenario


def _found(caller: Caller) -> bool:
    order = caller.order(caller.key())
    return order.encode() in caller.send("POST", "/orders/search", caller.key(**_THEIRS), {"text": "an order"}).body


def _thread(caller: Caller) -> tuple[Any, str]:
    owner = caller.key()
    return owner, caller.json("POST", "/messages", owner, {"text": "ours"})["thread_id"]


def _deleted_thread(caller: Caller) -> tuple[int, int]:
    owner, thread = _thread(caller)
    status = caller.status("DELETE", f"/threads/{thread}", caller.key(**_THEIRS))
    return status, caller.status("GET", f"/threads/{thread}", owner)


def _said_into_thread(caller: Caller) -> list[str]:
    owner, thread = _thread(caller)
    caller.json("POST", "/messages", caller.key(**_THEIRS), {"text": "theirs", "thread_id": thread})
    return [message["text"] for message in caller.json("GET", f"/threads/{thread}", owner)["messages"]]


def _code(caller: Caller) -> Any:
    order = caller.order(caller.key())
    return caller.json("GET", f"/orders/{order}", caller.key(**_THEIRS))["error"]["code"]


def _said_of_it(caller: Caller) -> bool:
    order = caller.order(caller.key())
    return b"an order" in caller.send("GET", f"/orders/{order}", caller.key(**_THEIRS)).body


def _report(caller: Caller) -> Any:
    for _ in range(3):
        caller.order(caller.key())
    return caller.json("GET", "/report?day=2026-01-01", caller.key(**_THEIRS))["sum"]


def _report_of_the_other(caller: Caller) -> Any:
    for _ in range(2):
        caller.order(caller.key(environment="test"))
    return caller.json("GET", "/report?day=2026-01-01", caller.key())["sum"]


def _reminded(caller: Caller) -> tuple[int, str]:
    owner = caller.key()
    order = caller.order(owner)
    status = caller.status("POST", "/reminders", caller.key(**_THEIRS), {"text": "theirs", "order_id": order})
    return status, caller.json("GET", f"/orders/{order}", owner)["name"]


def _reminded_of(caller: Caller) -> bool:
    order = caller.order(caller.key())
    answer = caller.send("POST", "/reminders", caller.key(**_THEIRS), {"text": "theirs", "order_id": order})
    return b"an order" in answer.body


def _line(method: str) -> Scenario:
    """Reach for a line of one order through another order; the status, and whether the line is still there."""

    def scenario(caller: Caller) -> tuple[int, int]:
        owner, other = caller.key(**_OURS), caller.key(**_THEIRS)
        order, beside = caller.order(owner), caller.order(other)
        line = caller.json("POST", f"/orders/{order}/lines", owner, {"what": "ours"})["id"]
        status = caller.status(method, f"/orders/{beside}/lines/{line}", other)
        return status, caller.status("GET", f"/orders/{order}/lines/{line}", owner)

    return scenario


def _after_its_owner(end: str, *, keyed: bool) -> Scenario:
    """Ask for an order at an address at which its owner has asked twice."""

    def scenario(caller: Caller) -> int:
        owner = caller.key()
        path = f"/orders/{caller.order(owner)}{end}"
        for _ in range(2):
            caller.status("GET", path, owner)
        return caller.status("GET", path, caller.key(**_THEIRS) if keyed else None)

    return scenario


def _list_after_its_owner(caller: Caller) -> int:
    owner = caller.key()
    caller.order(owner)
    for _ in range(2):
        caller.status("GET", "/orders?limit=7", owner)
    return len(caller.json("GET", "/orders?limit=7", caller.key(**_THEIRS))["orders"])


def _shop_after_its_owner(caller: Caller) -> bool:
    owner = caller.key()
    caller.status("PATCH", "/shop", owner, {"title": "ours"})
    for _ in range(2):
        caller.status("GET", "/shop", owner)
    return b"ours" in caller.send("GET", "/shop", caller.key(**_THEIRS)).body


def _same_repetition(path: str, body: Any) -> Scenario:
    """Let two organisations make something with the same Idempotency-Key, and tell whether they get the same."""

    def scenario(caller: Caller) -> bool:
        keys = caller.key(), caller.key(**_THEIRS)
        made = [caller.json("POST", path, key, body, lines=("Idempotency-Key: k1",))["id"] for key in keys]
        return bool(made[0] == made[1])

    return scenario


def _moved(caller: Caller) -> tuple[int, int, int]:
    """Give an order of B away to A; the status, and how many orders each has then."""
    owner, other = caller.key(**_OURS), caller.key(**_THEIRS)
    caller.order(owner)
    order = caller.order(other)
    body = {"name": "another", "org_id": "A"}
    status = caller.status("PATCH", f"/orders/{order}", other, body)
    counts = [len(caller.json("GET", "/orders", key)["orders"]) for key in (other, owner)]
    return status, counts[0], counts[1] - 1


SHOWN: Shown = {
    "deleting-unchecked-where-made-by-the-way": (_deleted_thread, (404, 200), (204, 404)),
    "foreign-object-is-forbidden": (stranger("GET", home=LIVE, abroad=OTHER), (404, "an order"), (403, "an order")),
    "foreign-object-has-its-own-code": (_code, "not_found", "not_yours"),
    "search-of-everybody": (_listed_with("q=order"), 0, 1),
    "search-elsewhere-of-everybody": (_found, False, True),
    "second-page-of-everybody": (_listed_with("page=2"), 0, 1),
    "figures-of-everybody": (_report, 1, 3),
    "figures-of-all-environments": (_report_of_the_other, 1, 2),
    "said-into-foreign-object": (_said_into_thread, ["ours"], ["ours", "theirs"]),
    "named-object-is-changed": (_reminded, (202, "an order"), (202, "theirs")),
    "named-object-is-shown": (_reminded_of, False, True),
    "organisation-from-a-field": (claiming("<order>", "X-Org-Id: A"), (404, 1), (200, 1)),
    "organisation-from-the-query": (claiming("<order>?org_id=A"), (404, 1), (200, 1)),
    "organisation-from-the-body": (
        claiming("/orders", method="POST", body={"name": "another", "org_id": "A"}),
        (400, 1),
        (201, 2),
    ),
    "object-moved-by-its-body": (_moved, (200, 1, 0), (200, 0, 1)),
    "child-by-its-id-alone": (_line("DELETE"), (404, 200), (204, 404)),
    "gateway-caches-by-address": (_after_its_owner("", keyed=True), 404, 200),
    "gateway-caches-lists-by-address": (_list_after_its_owner, 0, 1),
    "gateway-caches-documents-by-address": (_shop_after_its_owner, False, True),
    "idempotency-key-of-anybody": (_same_repetition("/orders", {"name": "same"}), False, True),
    "idempotency-key-shows-a-key": (_same_repetition("/keys", {"scope": "read"}), False, True),
    "cache-keeps-what-ends-like-a-file": (_after_its_owner("/x.css", keyed=False), 401, 200),
    "cache-goes-by-the-end-of-the-query": (_after_its_owner("?cb=1.css", keyed=False), 401, 200),
    "refusal-shows-the-object": (_said_of_it, False, True),
}
