"""The correct server, stage by stage: who may what, in which order that is found out, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.reference import CORRECT, Message
from authcontract_conformance.reference._http import read_head
from authcontract_conformance.reference._seams import parse
from authcontract_conformance.samples._schema import translate, validator
from authcontract_policy import Algorithm, inline
from shop import Caller, Key, headers


def test_the_engine_gets_the_request_as_received(caller: Caller) -> None:
    head = read_head(b"GET /v1//x?y#z HTTP/1.1\r\nhOST:  a \r\nHost: b")

    request = parse(caller.server, Message(head=head, scheme="http", peer="192.0.2.1", environment="live"))

    assert (request.method, request.target, request.headers) == (b"GET", b"/v1//x?y#z", head.headers)
    assert (request.scheme, request.peer, request.environment) == ("http", "192.0.2.1", "live")


# --- who may ---------------------------------------------------------------------------------------------------------

#: Typed by hand: operation, then what each key gets (none, read, write, admin).
MATRIX = {
    ("GET", "/orders"): (401, 200, 200, 200),
    ("POST", "/orders"): (401, 403, 201, 201),
    ("GET", "/orders/<order>"): (401, 200, 200, 200),
    ("PATCH", "/orders/<order>"): (401, 403, 200, 200),
    ("POST", "/orders/<order>/send"): (401, 403, 202, 202),
    ("DELETE", "/orders/<order>"): (401, 403, 403, 204),
    ("POST", "/orders/search"): (401, 403, 200, 200),
    ("POST", "/orders/<order>/lines"): (401, 403, 201, 201),
    ("GET", "/orders/<order>/lines/<line>"): (401, 200, 200, 200),
    ("DELETE", "/orders/<order>/lines/<line>"): (401, 403, 403, 204),
    ("POST", "/messages"): (401, 403, 201, 201),
    ("GET", "/threads/<thread>"): (401, 200, 200, 200),
    ("DELETE", "/threads/<thread>"): (401, 403, 403, 204),
    ("POST", "/reminders"): (401, 403, 202, 202),
    ("GET", "/report?day=2024-02-29"): (401, 200, 200, 200),
    ("GET", "/regions"): (401, 200, 200, 200),
    ("GET", "/regions/north"): (401, 200, 200, 200),
    ("GET", "/shop"): (401, 403, 403, 200),
    ("PATCH", "/shop"): (401, 403, 403, 200),
    ("GET", "/keys"): (401, 403, 403, 200),
    ("POST", "/keys"): (401, 403, 403, 201),
    ("DELETE", "/keys/<key>"): (401, 403, 403, 204),
    ("POST", "/keys/<key>/rotate"): (401, 403, 403, 201),
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/orders"): {"name": "a"},
    ("PATCH", "/orders/<order>"): {"name": "b"},
    ("POST", "/orders/search"): {"text": "g"},
    ("POST", "/orders/<order>/lines"): {"what": "d"},
    ("POST", "/messages"): {"text": "e"},
    ("POST", "/reminders"): {"text": "f"},
    ("PATCH", "/shop"): {"title": "c"},
    ("POST", "/keys"): {"scope": "read"},
}


def filled(caller: Caller, path: str, owner: Key) -> str:
    """Return a path with objects made for it."""
    order, key = caller.order(owner), caller.key("read").id
    line = caller.json("POST", f"/orders/{order}/lines", owner, {"what": "a"})["id"]
    thread = caller.json("POST", "/messages", owner, {"text": "a"})["thread_id"]
    for name, value in (("<order>", order), ("<key>", key), ("<line>", line), ("<thread>", thread)):
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("algorithm", ["fixed_window", "sliding_log", "window_counter", "token_bucket"])
def test_each_key_gets_what_the_table_says(serving: Callable[..., Caller], algorithm: Algorithm) -> None:
    caller = serving(algorithm=algorithm)
    owner = caller.key("admin")
    for (method, path), expected in MATRIX.items():
        for scope, status in zip((None, "read", "write", "admin"), expected, strict=True):
            place = filled(caller, path, owner)
            answer = caller.send(method, place, scope and caller.key(scope), BODIES.get((method, path)))
            assert answer.status == status, (method, path, scope)


def test_refusals_are_worded_by_the_policy(caller: Caller) -> None:
    refused = caller.send("GET", "/orders")

    assert json.loads(refused.body) == {"error": {"code": "unauthorized", "message": "No valid key."}}
    assert headers(refused)["www-authenticate"] == 'Bearer realm="shop"'
    assert headers(refused)["cache-control"] == "no-store"
    assert headers(refused)["strict-transport-security"] == "max-age=31536000"


def test_plain_http_is_refused_with_any_key_and_without_hsts(caller: Caller) -> None:
    refused = [caller.send("GET", "/orders", key, scheme="http") for key in (None, "x", caller.key())]

    assert {answer.status for answer in refused} == {403}
    assert len({answer.body for answer in refused}) == 1
    assert "strict-transport-security" not in headers(refused[0])


def test_what_is_no_request_is_answered_by_the_contract(caller: Caller) -> None:
    long = read_head(b"GET /" + b"a" * 8001 + b" HTTP/1.1")
    large = read_head(b"GET / HTTP/1.1\r\nA: " + b"a" * 9000)
    broken = read_head(b"GET / HTTP/1.1\r\nA : b")

    assert [caller.server.serve(Message(head=head)).status for head in (long, large, broken)] == [414, 431, 400]


def test_who_may_not_gets_neither_body_nor_object_looked_at(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the scope a broken body and an object that is not there make no difference."""
    key = caller.key("read")
    monkeypatch.setattr(caller.server.validation, "look", None)
    monkeypatch.setattr(caller.server.store, "look", None)

    assert caller.status("POST", "/orders", key, b"{") == 403
    assert caller.status("PATCH", "/orders/none", key, b"{") == 403


def test_body_is_checked_before_the_object_as_the_policy_says(caller: Caller) -> None:
    key = caller.key("write")

    assert caller.status("PATCH", "/orders/none", key, {}) == 400
    assert caller.status("PATCH", "/orders/none", key, {"name": "x"}) == 404


def test_options_lists_the_methods_and_nothing_else(caller: Caller) -> None:
    answer = caller.send("OPTIONS", "/orders")

    assert (answer.status, answer.body) == (204, b"")
    assert headers(answer)["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("FOO", 405), ("get", 405), ("HEAD", 200)])
def test_methods_that_are_not_documented(caller: Caller, method: str, status: int) -> None:
    assert caller.status(method, "/orders", caller.key()) == status


def test_a_mistake_of_ours_denies_and_shows_nothing(
    serving: Callable[..., Caller], capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError("sk_live_secret")

    caller = serving(replace(CORRECT, perform=fails))
    answer = caller.send("GET", "/orders", caller.key())

    assert answer.status == 500
    assert json.loads(answer.body) == {"status": 500, "title": "Internal Server Error"}
    assert "RuntimeError" in capsys.readouterr().err


def test_no_secret_is_ever_in_a_repr(caller: Caller) -> None:
    key = caller.key()
    answer = caller.send("POST", "/keys", key, {"scope": "read"})

    assert key.secret not in repr((answer, caller.server.keyring.records.all()))
    assert json.loads(answer.body)["secret"] not in repr(answer)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_is_made_is_shown_changed_and_removed(caller: Caller) -> None:
    key = caller.key()
    made = caller.json("POST", "/orders", key, {"name": "first", "email": "a@b.example", "amount": None})

    path = f"/orders/{made['id']}"
    assert made["id"].startswith("order_")
    assert len(made["id"]) == len("order_") + 12
    assert caller.json("GET", path, key) == made
    assert caller.json("PATCH", path, key, {"name": "second"}) == {**made, "name": "second"}
    assert caller.json("GET", "/orders", key) == {"orders": [{**made, "name": "second"}], "total": 1}
    assert caller.status("DELETE", path, key) == 204
    assert caller.status("GET", path, key) == 404
    assert caller.json("GET", "/orders", key) == {"orders": [], "total": 0}


def test_an_action_leaves_a_mark_on_its_object(caller: Caller) -> None:
    key = caller.key()
    path = f"/orders/{caller.order(key)}"
    before = caller.json("GET", path, key)

    assert caller.json("POST", f"{path}/send", key)["status"] == "queued"
    assert caller.json("GET", path, key) != before
    assert caller.status("POST", "/orders/none/send", key) == 404


def test_a_document_is_always_there(caller: Caller) -> None:
    key = caller.key()

    assert caller.json("GET", "/shop", key) == {"title": "text"}
    assert caller.json("PATCH", "/shop", key, {"title": "Mine", "open": True}) == {"title": "Mine", "open": True}
    assert caller.json("GET", "/shop", key) == {"title": "Mine", "open": True}


def test_a_collection_that_nobody_fills_holds_the_documented_example(caller: Caller) -> None:
    key = caller.key("read")

    assert caller.json("GET", "/regions", key) == [{"region": "north", "since": "2024-01-01"}]
    assert caller.status("GET", "/regions/south", key) == 404


@pytest.mark.parametrize("other", [{"organisation": "B"}, {"environment": "test"}])
def test_other_organisations_and_environments_do_not_meet(caller: Caller, other: dict[str, str]) -> None:
    """A foreign object answers like one that does not exist, stays as it is, and is in no list."""
    owner, stranger = caller.key(), caller.key(**other)
    path = f"/orders/{caller.order(owner)}"
    before = caller.json("GET", path, owner)
    caller.json("PATCH", "/shop", owner, {"title": "Mine"})

    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        foreign, absent = (caller.send(method, place, stranger, body) for place in (path, "/orders/none"))
        assert (foreign.status, foreign.body) == (absent.status, absent.body) == (404, absent.body)
    assert caller.json("GET", path, owner) == before
    assert caller.json("GET", "/orders", stranger)["orders"] == []
    assert caller.json("GET", "/shop", stranger) == {"title": "text"}


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "a", "other": 1},
        {"name": "a", "email": "no address"},
        {"name": "a", "amount": -1},
        {"name": "a", "id": "mine"},
        {},
        [],
        b"",
        b"{",
        b'{"name": "a", "amount": NaN}',
        b'{"name": "a", "amount": 1e999}',
        b'{"name": "\xff"}',
        b"[" * 100_000,
        b'{"name": "a", "amount": ' + b"9" * 5000 + b"}",
    ],
)
def test_invalid_bodies_are_refused(caller: Caller, body: Any) -> None:
    assert caller.status("POST", "/orders", caller.key(), body) == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1", 200),
        ("limit=0", 400),
        ("limit=x", 400),
        ("limit=1e0", 400),
        ("limit=", 400),
        ("states=open,sent", 200),
        ("states=open&states=sent", 200),
        ("states=lost", 400),
        ("unknown=1", 200),
        ("limit=%31", 200),
    ],
)
def test_parameters_are_checked(caller: Caller, query: str, status: int) -> None:
    assert caller.status("GET", f"/orders?{query}", caller.key("read")) == status


def test_a_required_parameter_and_its_format_are_checked(caller: Caller) -> None:
    key = caller.key("read")

    assert [caller.status("GET", f"/report{query}", key) for query in ("", "?day=2024-02-30", "?day=2024-02-28")] == [
        400,
        400,
        200,
    ]


def test_every_answer_is_as_documented(caller: Caller) -> None:
    specification = caller.server.contract.specification
    key = caller.key()
    answered = set()
    for (method, path), expected in MATRIX.items():
        place = filled(caller, path, key)
        answer = caller.send(method, place, key, BODIES.get((method, path)))
        template = (
            path.partition("?")[0]
            .replace("<order>", "{order_id}")
            .replace("<key>", "{id}")
            .replace("<line>", "{line_id}")
            .replace("<thread>", "{thread_id}")
            .replace("north", "{region}")
        )
        operation = next(op for op in specification.operations if (op.method, op.path) == (method, template))
        content = operation.responses[str(expected[-1])]
        answered.add(operation.id)
        if content:
            schema = translate(inline(specification, content["application/json"]), "response")
            assert validator(schema).is_valid(json.loads(answer.body)), (operation.id, answer.body)
        else:
            assert answer.body == b""
    assert answered == {operation.id for operation in specification.operations}


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_with_its_scope_and_shown_once(caller: Caller) -> None:
    admin = caller.key()
    made = caller.json("POST", "/keys", admin, {"scope": "write", "name": "CI"})

    assert (made["scope"], made["environment"], made["name"], made["state"]) == ("write", "live", "CI", "active")
    assert made["secret"].startswith("sk_live_")
    assert caller.status("POST", "/orders", made["secret"], {"name": "a"}) == 201
    assert caller.status("GET", "/keys", made["secret"]) == 403
    listed = caller.send("GET", "/keys", admin)
    assert made["id"] in {each["id"] for each in json.loads(listed.body)["data"]}
    assert made["secret"][8:17].encode() not in listed.body
    assert made["secret"][-4:].encode() in listed.body


@pytest.mark.parametrize(
    "body", [{"scope": "root"}, {}, {"scope": "read", "environment": "test"}, {"scope": "read", "name": "a" * 81}]
)
def test_a_key_that_may_not_be_is_refused(caller: Caller, body: Any) -> None:
    assert caller.status("POST", "/keys", caller.key(), body) == 400


def test_rotation_gives_both_a_time_together(caller: Caller) -> None:
    admin, old = caller.key(), caller.key("write")
    new = caller.json("POST", f"/keys/{old.id}/rotate", admin)

    assert new["secret"] != old.secret
    assert [caller.status("GET", "/orders", key) for key in (old, new["secret"])] == [200, 200]
    assert caller.status("POST", f"/keys/{old.id}/rotate", admin) == 409
    caller.server.clock.advance(86_400 - 1)
    assert [caller.status("GET", "/orders", key) for key in (old, new["secret"])] == [200, 200]
    caller.server.clock.advance(1)
    assert [caller.status("GET", "/orders", key) for key in (old, new["secret"])] == [401, 200]


def test_revoking_ends_one_key_at_once(caller: Caller) -> None:
    admin, old = caller.key(), caller.key("read")
    new = caller.json("POST", f"/keys/{old.id}/rotate", admin)

    assert caller.status("DELETE", f"/keys/{old.id}", admin) == 204
    assert [caller.status("GET", "/orders", key) for key in (old, new["secret"])] == [401, 200]
    assert caller.status("DELETE", f"/keys/{old.id}", admin) == 204


def test_nobody_ends_its_own_key_or_that_of_others(caller: Caller) -> None:
    admin, abroad, sandbox = caller.key(), caller.key(organisation="B"), caller.key(environment="test")

    assert caller.status("DELETE", f"/keys/{admin.id}", admin) == 409
    for stranger in (abroad, sandbox):
        assert caller.status("DELETE", f"/keys/{admin.id}", stranger) == 404
        assert caller.status("POST", f"/keys/{admin.id}/rotate", stranger) == 404
        assert admin.id not in {each["id"] for each in caller.json("GET", "/keys", stranger)["data"]}
    assert caller.status("GET", "/orders", admin) == 200


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["fixed_window", "sliding_log", "window_counter", "token_bucket"])
def test_the_limit_is_exact_and_retry_after_is_true(serving: Callable[..., Caller], algorithm: Algorithm) -> None:
    caller = serving(algorithm=algorithm)
    key, other = caller.key("read", plan="small"), caller.key("read", plan="small")
    answers = [caller.send("GET", "/orders", key) for _ in range(14)]

    assert [answer.status for answer in answers] == [200] * 12 + [429] * 2
    assert headers(answers[0])["ratelimit"].startswith('"by scope";r=11;')
    assert caller.status("GET", "/orders", other) == 200
    caller.server.clock.advance(int(headers(answers[-1])["retry-after"]))
    assert caller.status("GET", "/orders", key) == 200


def test_reset_forgets_keys_objects_and_counts(caller: Caller) -> None:
    key = caller.key("write", plan="small")
    caller.order(key)
    caller.server.reset()

    assert caller.status("GET", "/orders", key) == 401
    again = caller.key("write", plan="small")
    assert caller.json("GET", "/orders", again)["orders"] == []
