"""A request in another dress: what changes, how dresses take turns, and which refusal is for the dress."""

from dataclasses import replace

import pytest
from authcontract_conformance.clauses._dressings import ANSWERS, CHARSET, NO_BODY, Dressing, dressings, not_taken
from authcontract_conformance.exchange._exchange import Exchange, bytes_of
from authcontract_conformance.oracle._verdict import Word
from conversations import Alter, Conversation

ANY, PAGE, NONE = ANSWERS


def sent(way: Dressing) -> tuple[dict[bytes, bytes], bytes]:
    """Return the fields and the body of a dressed POST."""
    talk = Conversation("synaptiq")
    world = talk.world("AUTH-1")
    operation = next(op for op in world.operations if op.method == "POST" and op.request_body)
    probe = way.change(world.request(operation))
    return {bytes_of(n).lower(): bytes_of(v) for n, v in probe.headers}, bytes_of(probe.body)


def test_a_dress_changes_what_it_says() -> None:
    assert sent(CHARSET)[0][b"content-type"] == b"application/json; charset=utf-8"
    assert sent(ANY)[0][b"accept"] == b"*/*"
    assert sent(PAGE)[0][b"accept"] == b"text/html"
    assert b"accept" not in sent(NONE)[0]
    fields, body = sent(NO_BODY)
    assert (fields[b"content-length"], b"content-type" in fields, body) == (b"0", False, b"")


@pytest.mark.parametrize("name", ["synaptiq", "harbour", "roles"])
def test_every_operation_is_dressed_and_a_body_is_left_out_only_where_it_may_be(name: str) -> None:
    operations = Conversation(name).world("AUTH-1").operations
    found = dressings(operations)
    for operation in operations:
        ways = found[operation.id]
        assert ways, operation.id
        left_out = any(NO_BODY.what in way.what for way in ways)
        assert left_out == (bool(operation.request_body) and not operation.body_required), operation.id
        assert any(CHARSET.what in way.what for way in ways) == bool(operation.request_body), operation.id


def answered(**fields: str) -> Alter:
    """Answer whoever asks with this field so with this status."""

    def alter(exchange: Exchange) -> Exchange:
        for name, value in fields.items():
            wanted, status = value.split(" -> ")
            header = name.replace("_", "-").lower().encode()
            lines = [bytes_of(v) for n, v in exchange.probe.headers if bytes_of(n).lower() == header]
            if exchange.status == UNAUTHORIZED and any(wanted.encode() in line for line in lines):
                return replace(exchange, status=int(status), headers=(), body=b"<html></html>")
        return exchange

    return alter


UNAUTHORIZED = 401
#: How a server without a key refuses -> whether that is held against it.
REFUSALS = {
    "a page to log in on, for anything": (answered(Accept="*/* -> 302"), True),
    "a page to log in on, for a page": (answered(Accept="text/html -> 302"), True),
    "a page that says 401, for a page": (answered(Accept="text/html -> 401"), False),
    "no pages are given": (answered(Accept="text/html -> 406"), False),
    "no JSON is given where anything will do": (answered(Accept="*/* -> 406"), True),
    "no charset is taken": (answered(Content_Type="charset -> 415"), False),
    "no JSON is taken": (answered(Content_Type="application/json -> 415"), True),
}


@pytest.mark.parametrize("way", REFUSALS)
def test_a_dress_may_be_refused_for_itself_and_a_key_is_asked_for_all_the_same(way: str) -> None:
    alter, held = REFUSALS[way]
    talk = Conversation("synaptiq", altered=alter)
    words = {talk.judge("AUTH-1", subject).word for subject in talk.cases("AUTH-1")}
    assert (Word.FAIL in words) == held


def test_a_success_is_never_a_refusal() -> None:
    talk = Conversation("synaptiq")
    for subject in talk.cases("AUTH-1"):
        talk.judge("AUTH-1", subject)
    world = talk.world("AUTH-1")
    served = [exchange for exchange in talk.exchanges if exchange.succeeded]
    assert served
    assert not any(not_taken(exchange, world.expect(exchange.probe)) for exchange in served)
