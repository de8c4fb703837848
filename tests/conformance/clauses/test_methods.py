"""Which method counts: what correct servers may do otherwise, and requests within a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._undocumented import known_elsewhere
from authcontract_conformance.clauses.overrides import with_requests
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import CORRECT, Answer, Message, Server
from conversations import POLICIES, Conversation, instead

CLAUSES = ("METH-1", "METH-2", "METH-3", "METH-4", "METH-5", "METH-6", "METH-7", "SCOPE-2")
PAGE = b"<html>welcome</html>"


def accused(talk: Conversation, *clauses: str) -> set[tuple[str, Word]]:
    """Return what is held against the target."""
    words = (
        (clause, talk.judge(clause, subject).word)
        for clause in clauses
        if catalogue()[clause].inapplicable(talk.world(clause)) is None
        for subject in talk.cases(clause)
    )
    return {(clause, word) for clause, word in words if word in (Word.FAIL, Word.WARN)}


def unknown_methods(status: int, body: bytes = b"") -> Callable[[Exchange], Exchange]:
    """Answer methods that HTTP does not define in another way."""
    known = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")

    def change(exchange: Exchange) -> Exchange:
        return exchange if exchange.probe.method in known else instead(exchange, status, body)

    return change


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
@pytest.mark.parametrize("name", list(POLICIES))
def test_an_unknown_method_may_be_refused_in_any_way(name: str, status: int) -> None:
    assert accused(Conversation(name, altered=unknown_methods(status)), "METH-3", "METH-5") == set()


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_page_for_everybody_is_no_data(name: str) -> None:
    """Who answers unknown methods by a page of their own shows nothing that a key is needed for."""
    assert accused(Conversation(name, altered=unknown_methods(200, PAGE)), "METH-3", "METH-5") == set()


@pytest.mark.parametrize("status", [200, 204, 401, 403, 404, 405])
@pytest.mark.parametrize("name", list(POLICIES))
def test_options_may_answer_as_it_likes(name: str, status: int) -> None:
    def change(exchange: Exchange) -> Exchange:
        return instead(exchange, status) if exchange.probe.method == b"OPTIONS" else exchange

    assert accused(Conversation(name, altered=change), "METH-4") == set()


@pytest.mark.parametrize("status", [403, 405, 501])
def test_head_need_not_be_supported(status: int) -> None:
    def change(exchange: Exchange) -> Exchange:
        return instead(exchange, status) if exchange.probe.method == b"HEAD" else exchange

    assert accused(Conversation("synaptiq", altered=change), "METH-1") == set()


def test_lower_case_may_be_mended_before_rights_are_checked() -> None:
    """Who takes `delete` for DELETE and then checks as for DELETE opens nothing."""

    def mending(server: Server, message: Message) -> Answer:
        head = replace(message.head, method=message.head.method.upper())
        return CORRECT.transport(server, replace(message, head=head))

    talk = Conversation("synaptiq", seams=replace(CORRECT, transport=mending))
    assert accused(talk, "METH-3") == set()


def test_an_override_may_be_followed_before_rights_are_checked() -> None:
    """Who follows the header first and then checks the method that it names opens nothing to a key that may not."""

    def following(server: Server, message: Message) -> Answer:
        named = [value.strip() for name, value in message.head.headers if name == b"X-HTTP-Method-Override"]
        method = named[0] if named else message.head.method
        return CORRECT.transport(server, replace(message, head=replace(message.head, method=method)))

    talk = Conversation("synaptiq", seams=replace(CORRECT, transport=following))
    assert accused(talk, "METH-6") == set()


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 409])
def test_what_is_not_there_may_be_refused_in_any_way(status: int) -> None:
    """Where nothing was made, no answer to PUT on what is not there is held against a target."""
    talk = Conversation("synaptiq", altered=lambda exchange: _put_on_nothing(exchange, status))
    words = {talk.judge("METH-2", subject).word for subject in talk.cases("METH-2") if "not there" in subject}
    assert words == {Word.PASS}


def _put_on_nothing(exchange: Exchange, status: int) -> Exchange:
    return instead(exchange, status) if "not there" in exchange.probe.label else exchange


#: Path that is read, method -> whether a more general path, of which it has the form too, is documented with it.
ELSEWHERE = {
    "the path itself does not count": ("/orders/{order_id}", "/orders/{order_id}", False),
    "a parameter stands for anything": ("/orders/last", "/orders/{order_id}", True),
    "another length is another path": ("/orders", "/orders/{order_id}", False),
    "what is fixed is no parameter": ("/orders/{order_id}", "/orders/last", False),
}


@pytest.mark.parametrize(("path", "documented", "known"), ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_a_more_general_path_may_take_the_request(path: str, documented: str, known: bool) -> None:  # noqa: FBT001  a case
    assert known_elsewhere(path, "PATCH", [("PATCH", documented), ("GET", path)]) is known


REQUESTS = {
    "a list in a member": ({"requests": [{"method": "GET", "path": "/"}]}, "requests"),
    "with another word for the address": ({"batch": [{"method": "GET", "relative_url": "x", "body": ""}]}, "batch"),
}
NO_REQUESTS = {
    "no list": {"method": "GET", "path": "/"},
    "a list of other things": {"items": [{"method": "card", "amount": 3}]},
    "an empty list": {"requests": []},
    "a list of texts": {"requests": ["GET /"]},
}


@pytest.mark.parametrize(("body", "member"), REQUESTS.values(), ids=list(REQUESTS))
def test_requests_within_a_request_are_known_by_method_and_address(body: object, member: str) -> None:
    made = with_requests(json.dumps(body).encode(), "DELETE", ("/v1/x", "/x"))
    assert made is not None
    found = json.loads(made)[member]
    assert [each["method"] for each in found] == ["DELETE", "DELETE"]
    assert [each.get("path") or each.get("relative_url") for each in found] == ["/v1/x", "/x"]


@pytest.mark.parametrize("body", NO_REQUESTS.values(), ids=list(NO_REQUESTS))
def test_other_bodies_hold_no_requests(body: object) -> None:
    assert with_requests(json.dumps(body).encode(), "DELETE", ("/x",)) is None


def test_what_is_no_json_holds_no_requests() -> None:
    assert with_requests(b"", "DELETE", ("/x",)) is None


def test_every_variant_of_methods_is_tried() -> None:
    tried = {variant for clause in catalogue().values() for variant in clause.variants}
    assert {f"V-M{number:02}" for number in range(1, 13)} <= tried


@pytest.mark.parametrize("name", list(POLICIES))
def test_no_method_is_sent_to_what_others_may_need(name: str) -> None:
    """Where the run made nothing, nothing is changed by any method."""

    def nothing_made(exchange: Exchange) -> Exchange:
        return instead(exchange, 400, {}) if exchange.probe.purpose.value == "fixture" else exchange

    talk = Conversation(name, altered=nothing_made)
    talk.settings = replace(talk.settings, disposable=False)
    assert accused(talk, *CLAUSES) == set()
