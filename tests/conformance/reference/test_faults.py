"""Each fault does what its sentence says, and nothing of it happens on the correct server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from authcontract_conformance.faults import FAULTS, Family, fault
from authcontract_conformance.reference import CORRECT
from shop import Caller, headers

#: The clauses that this catalogue was made for; each has a fault of its own.
CLAUSES = (
    *(f"AUTH-{number}" for number in (1, 2, 3, 8, 9, 10, 12)),
    *(f"ERR-{number}" for number in (1, 5, 9)),
    *(f"LEAK-{number}" for number in (1, 4)),
    *(f"SCOPE-{number}" for number in (1, 2, 5)),
    *(f"METH-{number}" for number in (1, 2, 6)),
    *(f"TRANS-{number}" for number in (1, 2)),
    *(f"ENV-{number}" for number in range(1, 6)),
    "TEN-1",
    *(f"RATE-{number}" for number in (1, 3, 7)),
    *(f"LIFE-{number}" for number in range(1, 8)),
)

Scenario = Callable[[Caller], Any]


def test_the_catalogue_covers_every_clause_and_family() -> None:
    assert len(FAULTS) >= 36
    assert len({each.name for each in FAULTS}) == len(FAULTS)
    assert {clause for each in FAULTS for clause in each.clauses} >= set(CLAUSES)
    assert set(SHOWN) == {each.name for each in FAULTS}
    assert {each.family for each in FAULTS} == set(Family)
    assert all(each.sentence[0].isupper() or each.sentence[0] == "`" for each in FAULTS)
    assert fault("no-limit") is not None
    assert fault("nothing") is None


# --- scenarios: what a caller sees ---------------------------------------------------------------------------------


def _sent(*lines: str, method: str = "GET", path: str = "/orders") -> Scenario:
    """Send a request of a key's lines: `<key>` and `<other>` stand for a valid and a never issued key."""

    def scenario(caller: Caller) -> int:
        key = caller.key("read").secret
        filled = [line.replace("<key>", key).replace("<other>", "sk_live_" + "x" * 30) for line in lines]
        return caller.status(method, path.replace("<key>", key), lines=tuple(filled))

    return scenario


def _altered(change: Callable[[str], str], environment: str = "live") -> Scenario:
    """Send a valid key after something was done to it."""

    def scenario(caller: Caller) -> int:
        return caller.status("GET", "/orders", change(caller.key("read", environment=environment).secret))

    return scenario


def _refused(caller: Caller) -> Any:
    return caller.send("GET", "/orders")


def _code(caller: Caller) -> Any:
    return caller.json("GET", "/orders")["error"]["code"]


def _members(caller: Caller) -> Any:
    return list(caller.json("GET", "/orders"))


def _by(scope: str, method: str, path: str, body: Any = None) -> Scenario:
    """Let a key with this scope do something to an admin's order; the status, and what became of the order."""

    def scenario(caller: Caller) -> tuple[int, Any]:
        owner = caller.key()
        order = f"/orders/{caller.order(owner)}"
        status = caller.status(method, path.replace("<order>", order), caller.key(scope), body)
        after = caller.send("GET", order, owner)
        return status, json.loads(after.body).get("name") if after.status == 200 else None

    return scenario


def _stranger(method: str, body: Any = None, *, home: Mapping[str, str], abroad: Mapping[str, str]) -> Scenario:
    """Let a key of elsewhere do something to an order by its id; the status, and what became of the order."""

    def scenario(caller: Caller) -> tuple[int, Any]:
        owner = caller.key(**home)
        order = f"/orders/{caller.order(owner)}"
        status = caller.status(method, order, caller.key(**abroad), body)
        after = caller.send("GET", order, owner)
        return status, json.loads(after.body).get("name") if after.status == 200 else None

    return scenario


def _listed(*, home: Mapping[str, str], abroad: Mapping[str, str]) -> Scenario:
    """Count what a key of elsewhere sees in a list."""

    def scenario(caller: Caller) -> int:
        caller.order(caller.key(**home))
        return len(caller.json("GET", "/orders", caller.key(**abroad))["orders"])

    return scenario


def _admitted(connections: int = 1) -> Scenario:
    """Count how many of 40 requests are admitted where 12 may be."""

    def scenario(caller: Caller) -> int:
        key = caller.key("read", plan="small")
        sent = [caller.status("GET", "/orders", key, connection=number % connections) for number in range(40)]
        return sent.count(200)

    return scenario


def _used_up(caller: Caller) -> Any:
    key = caller.key("read", plan="small")
    return [caller.send("GET", "/orders", key) for _ in range(13)][-1], key


def _comes_back(caller: Caller) -> int:
    refused, key = _used_up(caller)
    caller.server.clock.advance(int(headers(refused)["retry-after"]))
    return caller.status("GET", "/orders", key)


def _life(*steps: str, scope: str = "read") -> Scenario:
    """Let a key live: issue, rotate, revoke, wait:SECONDS; then ask with old and new key, on a connection once used."""

    def scenario(caller: Caller) -> tuple[int, ...]:
        admin, old = caller.key(), caller.key(scope)
        keys = [old.secret]
        for step in steps:
            match step.partition(":"):
                case ("use", _, _):
                    caller.status("GET", "/orders", old)
                case ("rotate", _, _):
                    keys.append(caller.json("POST", f"/keys/{old.id}/rotate", admin)["secret"])
                case ("revoke", _, _):
                    caller.status("DELETE", f"/keys/{old.id}", admin)
                case ("wait", _, seconds):
                    caller.server.clock.advance(float(seconds))
        return tuple(caller.status("GET", "/orders", key) for key in keys)

    return scenario


def _issued_beside_another(caller: Caller) -> int:
    caller.status("GET", "/orders", caller.key())
    return caller.status("GET", "/orders", caller.key())


def _shown_again(caller: Caller) -> bool:
    admin = caller.key()
    made = caller.json("POST", "/keys", admin, {"scope": "read"})
    return made["secret"].encode() in caller.send("GET", "/keys", admin).body


def _rotated_may(caller: Caller) -> tuple[int, int]:
    new = caller.json("POST", f"/keys/{caller.key('read').id}/rotate", caller.key())["secret"]
    return caller.status("GET", "/orders", new), caller.status("GET", "/shop", new)


def _rotated_twice(caller: Caller) -> int:
    """Rotate a key, revoke it, and rotate its successor."""
    admin, first = caller.key(), caller.key("read")
    second = caller.json("POST", f"/keys/{first.id}/rotate", admin)
    caller.status("DELETE", f"/keys/{first.id}", admin)
    caller.status("POST", f"/keys/{second['id']}/rotate", admin)
    return caller.status("GET", "/orders", first)


LIVE, TEST, OTHER = {"environment": "live"}, {"environment": "test"}, {"organisation": "B"}
DAY = "wait:86400"

#: Fault -> what is done, what the correct server answers, what the faulty one does.
SHOWN: dict[str, tuple[Scenario, Any, Any]] = {
    "no-key-for-get": (lambda c: c.status("GET", "/orders"), 401, 200),
    "no-key-for-post": (lambda c: c.status("POST", "/orders", None, {"name": "a"}), 401, 201),
    "key-left-over": (
        lambda c: [c.status("GET", "/orders", c.key()), c.status("GET", "/orders")],
        [200, 401],
        [200, 200],
    ),
    "one-environment-refused": (lambda c: c.status("GET", "/orders", c.key(environment="test")), 200, 401),
    "scheme-has-case": (_sent("Authorization: bearer <key>"), 200, 401),
    "any-key-will-do": (lambda c: (c.key(), c.status("GET", "/orders", "sk_live_" + "x" * 30))[1], 401, 200),
    "revoked-key-works": (_life("revoke"), (401,), (200,)),
    "expired-key-works": (_life("rotate", DAY), (401, 200), (200, 200)),
    "id-works-as-key": (lambda c: c.status("GET", "/orders", c.key().id), 401, 200),
    "beginning-of-key-works": (_altered(lambda key: key[:-10]), 401, 200),
    "longer-key-works": (_altered(lambda key: key + "x"), 401, 200),
    "key-without-case": (_altered(str.swapcase), 401, 200),
    "middle-of-key-unread": (_altered(lambda key: key[:20] + "zzz" + key[23:]), 401, 200),
    "key-in-access-token": (_sent(path="/orders?access_token=<key>"), 401, 200),
    "key-in-query": (_sent(path="/orders?api_key=<key>"), 401, 200),
    "first-of-two-keys": (_sent("Authorization: Bearer <key>", "Authorization: Bearer <other>"), 400, 200),
    "last-of-two-keys": (_sent("Authorization: Bearer <other>", "Authorization: Bearer <key>"), 400, 200),
    "whichever-key-works": (_sent("Authorization: Bearer <key>", "Authorization: Bearer <other>"), 400, 200),
    "key-after-comma": (_sent("Authorization: Bearer <other>, Bearer <key>"), 400, 200),
    "no-challenge": (lambda c: "www-authenticate" in headers(_refused(c)), True, False),
    "challenge-for-beginners-only": (
        lambda c: ["www-authenticate" in headers(c.send("GET", "/orders", key)) for key in (None, "x")],
        [True, True],
        [True, False],
    ),
    "challenge-lost-on-the-way": (lambda c: "www-authenticate" in headers(_refused(c)), True, False),
    "other-error-code": (_code, "unauthorized", "access_denied"),
    "error-as-text": (lambda c: _refused(c).body[:9], b'{"error":', b"Access de"),
    "error-without-envelope": (_members, ["error"], ["code", "message"]),
    "403-without-key": (lambda c: _refused(c).status, 401, 403),
    "401-for-missing-scope": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 401),
    "404-for-missing-scope": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 404),
    "key-in-message": (lambda c: b"sk_live_xyz" in c.send("GET", "/orders", "sk_live_xyz").body, False, True),
    "key-in-debug-header": (lambda c: "x-debug-caller" in headers(c.send("GET", "/orders", c.key())), False, True),
    "traceback-for-bad-body": (
        lambda c: b"Traceback" in c.send("POST", "/orders", c.key(), b"{").body,
        False,
        True,
    ),
    "debug-page-for-bad-key": (lambda c: b"Traceback" in c.send("GET", "/orders", "x").body, False, True),
    "get-with-body-writes": (_by("read", "GET", "<order>", {"name": "x"}), (200, "an order"), (200, "x")),
    "put-by-readers": (_by("read", "PUT", "<order>", {"name": "x"}), (405, "an order"), (405, "x")),
    "writers-may-delete": (_by("write", "DELETE", "<order>"), (403, "an order"), (204, None)),
    "one-operation-open": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 200),
    "one-operation-shut": (lambda c: c.status("GET", "/keys", c.key("admin")), 200, 403),
    "deleted-though-denied": (_by("read", "DELETE", "<order>"), (403, "an order"), (403, None)),
    "changed-though-denied": (_by("read", "PATCH", "<order>", {"name": "x"}), (403, "an order"), (403, "x")),
    "readers-may-patch": (_by("read", "PATCH", "<order>", {"name": "x"}), (403, "an order"), (200, "x")),
    "post-before-rights": (_by("read", "POST", "<order>", {"name": "x"}), (405, "an order"), (405, "x")),
    "body-before-scope": (_by("read", "POST", "/orders", b"{"), (403, "an order"), (400, "an order")),
    "head-without-key": (lambda c: c.status("HEAD", "/orders"), 401, 200),
    "head-for-any-scope": (lambda c: c.status("HEAD", "/shop", c.key("read")), 403, 200),
    "put-is-patch": (_by("write", "PUT", "<order>", {"name": "x"}), (405, "an order"), (200, "x")),
    "any-method-reads": (lambda c: c.status("FOO", "/orders", c.key("read")), 405, 200),
    "method-override-by-header": (
        lambda c: _overridden(c, "/orders/<order>", "X-HTTP-Method-Override: DELETE"),
        200,
        404,
    ),
    "method-override-by-query": (lambda c: _overridden(c, "/orders/<order>?_method=delete"), 200, 404),
    "plaintext-served": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-read": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 200),
    "plaintext-redirected": (lambda c: c.status("GET", "/orders", c.key(), scheme="http"), 403, 301),
    "sandbox-reads-production": (_stranger("GET", home=LIVE, abroad=TEST), (404, "an order"), (200, "an order")),
    "sandbox-changes-production": (_stranger("DELETE", home=LIVE, abroad=TEST), (404, "an order"), (204, None)),
    "production-lists-sandbox": (_listed(home=TEST, abroad=LIVE), 0, 1),
    "production-changes-sandbox": (_stranger("DELETE", home=TEST, abroad=LIVE), (404, "an order"), (204, None)),
    "prefix-cut-off": (_altered(lambda key: "sk_test_" + key[8:]), 401, 200),
    "any-prefix": (_altered(lambda key: "sk_prod_" + key[8:]), 401, 200),
    "foreign-object-shown": (_stranger("GET", home=LIVE, abroad=OTHER), (404, "an order"), (200, "an order")),
    "foreign-object-changed": (
        _stranger("PATCH", {"name": "x"}, home=LIVE, abroad=OTHER),
        (404, "an order"),
        (200, "x"),
    ),
    "foreign-object-deleted-unseen": (_stranger("DELETE", home=LIVE, abroad=OTHER), (404, "an order"), (404, None)),
    "lists-of-everybody": (_listed(home=LIVE, abroad=OTHER), 0, 1),
    "one-request-more": (_admitted(), 12, 13),
    "no-limit": (_admitted(), 12, 40),
    "twice-the-limit": (_admitted(), 12, 24),
    "counter-in-each-replica": (_admitted(4), 12, 40),
    "counter-for-each-connection": (_admitted(2), 12, 24),
    "counted-too-late": (_admitted(), 12, 40),
    "retry-after-too-early": (_comes_back, 200, 429),
    "no-retry-after": (lambda c: "retry-after" in headers(_used_up(c)[0]), True, False),
    "new-key-late": (_issued_beside_another, 200, 401),
    "key-shown-again": (_shown_again, False, True),
    "other-keys-shown-again": (_shown_again, False, True),
    "rotation-drops-scope": (_rotated_may, (200, 403), (403, 403)),
    "rotation-widens-scope": (_rotated_may, (200, 403), (200, 200)),
    "no-grace": (_life("rotate"), (200, 200), (401, 200)),
    "grace-an-hour-short": (_life("rotate", "wait:86399"), (200, 200), (401, 200)),
    "grace-an-hour-long": (_life("rotate", DAY), (401, 200), (200, 200)),
    "new-key-ends-with-old": (_life("rotate", DAY), (401, 200), (401, 401)),
    "revoking-waits-for-grace": (_life("rotate", "revoke"), (401, 200), (200, 200)),
    "revoking-takes-both": (_life("rotate", "revoke"), (401, 200), (401, 401)),
    "revocation-cached": (_life("use", "revoke"), (401,), (200,)),
    "revoked-key-returns": (_life("use", "revoke", "wait:3600"), (401,), (200,)),
    "revoked-on-new-connections-only": (_life("use", "revoke"), (401,), (200,)),
    "revoked-key-reads": (_life("revoke"), (401,), (200,)),
    "unreadable-body-needs-no-key": (lambda c: c.status("POST", "/orders", None, b"{"), 401, 202),
    "response-lacks-a-field": (lambda c: list(c.json("GET", "/orders", c.key())), ["orders", "total"], ["orders"]),
    "second-rotation-revives": (_rotated_twice, 401, 200),
}


def _overridden(caller: Caller, path: str, *lines: str) -> int:
    """Ask for a DELETE in disguise with a key that may not, and look whether the order is still there."""
    owner = caller.key()
    order = caller.order(owner)
    caller.status("GET", path.replace("<order>", order), caller.key("read"), lines=lines)
    return caller.status("GET", f"/orders/{order}", owner)


@pytest.mark.parametrize("name", [each.name for each in FAULTS])
def test_a_fault_does_what_its_sentence_says(
    serving: Callable[..., Caller], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # what is counted too late is counted after this test
    found = fault(name)
    assert found is not None
    scenario, right, wrong = SHOWN[name]

    assert scenario(serving()) == right
    assert scenario(serving(found.plant(CORRECT))) == wrong


def test_two_servers_with_one_fault_share_nothing(serving: Callable[..., Caller]) -> None:
    found = fault("beginning-of-key-works")
    assert found is not None
    first, second = (serving(found.plant(CORRECT)) for _ in range(2))

    assert second.status("GET", "/orders", first.key().secret[:-1]) == 401


def test_revocation_is_cached_for_a_minute_only(serving: Callable[..., Caller]) -> None:
    found = fault("revocation-cached")
    assert found is not None
    scenario = _life("use", "revoke", "wait:61")

    assert scenario(serving(found.plant(CORRECT))) == (401,)


def test_late_counting_catches_up(serving: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only requests that come close together slip through."""
    found = fault("counted-too-late")
    assert found is not None
    now = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))

    assert _admitted()(serving(found.plant(CORRECT))) == 12
