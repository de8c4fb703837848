"""FUZZ-1: a correct server is never accused, and a defect is shown by the smallest request that has it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from authcontract_conformance.exchange._exchange import Credential, Exchange
from authcontract_conformance.fuzz._requests import requests_with
from authcontract_conformance.fuzz._variants import Holder
from authcontract_conformance.oracle._verdict import Judgement, Word
from conversations import Conversation, instead, planted

Judge = Callable[..., Judgement]


@pytest.mark.parametrize("holder", Holder)
@pytest.mark.parametrize("name", ["synaptiq", "roles", "harbour"])
def test_correct_server_passes(name: str, holder: Holder, judge: Judge) -> None:
    conversation = Conversation(name)
    found = judge(conversation, requests_with(holder))
    assert found.word is Word.PASS, found
    assert len(conversation.exchanges) > 20


def _smallest(judgement: Judgement) -> Exchange:
    assert judgement.word is Word.FAIL, judgement
    assert judgement.evidence is not None
    assert judgement.evidence.exchange is not None
    return judgement.evidence.exchange


def _head(exchange: Exchange) -> str:
    target = b"".join(part for part in exchange.probe.target if isinstance(part, bytes))
    return f"{exchange.probe.method.decode()} {target.decode()}"


@pytest.mark.parametrize(
    ("fault", "holder", "head"),
    [
        pytest.param("no-key-for-get", Holder.NOBODY, "GET /api/v1/leads", id="one operation without a key"),
        pytest.param("head-without-key", Holder.NOBODY, "HEAD /api/v1/keys", id="HEAD without a key"),
        pytest.param("any-key-will-do", Holder.STRANGER, "GET /api/v1/keys", id="any key"),
        pytest.param("longer-key-works", Holder.STRANGER, "GET /api/v1/keys", id="a key and more"),
        pytest.param("scheme-has-case", Holder.ALLOWED, "GET /api/v1/keys", id="scheme in another case"),
        pytest.param("404-for-missing-scope", Holder.WEAKER, "GET /api/v1/keys", id="another refusal"),
    ],
)
def test_defect_is_shown_by_the_smallest_request(fault: str, holder: Holder, head: str, judge: Judge) -> None:
    exchange = _smallest(judge(Conversation("synaptiq", seams=planted(fault), confirmed=True), requests_with(holder)))
    assert _head(exchange) == head
    assert exchange.probe.body == ()


def test_near_key_is_shown_with_what_was_done_to_it(judge: Judge) -> None:
    conversation = Conversation("synaptiq", seams=planted("key-without-case"))
    exchange = _smallest(judge(conversation, requests_with(Holder.STRANGER)))
    (credential,) = (part for _, value in exchange.probe.headers for part in value if isinstance(part, Credential))
    assert credential.transforms == (("flip_one", 9),)


def test_control_stands_beside_the_failure(judge: Judge) -> None:
    found = judge(Conversation("synaptiq", seams=planted("any-key-will-do")), requests_with(Holder.STRANGER))
    assert found.evidence is not None
    assert found.evidence.control is not None
    assert found.evidence.control.succeeded


def _altered(status: int, when: Callable[[Exchange], bool]) -> Callable[[Exchange], Exchange]:
    return lambda exchange: instead(exchange, status) if when(exchange) else exchange


def test_malformed_request_that_breaks_the_target_is_a_warning(judge: Judge) -> None:
    altered = _altered(500, lambda exchange: exchange.status == 400 and bool(exchange.probe.body))
    found = judge(Conversation("synaptiq", altered=altered), requests_with(Holder.ALLOWED))
    assert found.word is Word.WARN


def test_lost_connection_proves_nothing(judge: Judge) -> None:
    def altered(exchange: Exchange) -> Exchange:
        return replace(exchange, status=503) if exchange.status == 401 else exchange

    found = judge(Conversation("roles", altered=altered), requests_with(Holder.NOBODY))
    assert found.word in {Word.INCONCLUSIVE, Word.WARN}


def test_page_for_every_path_is_no_way_around_a_key(judge: Judge) -> None:
    """R2: a server that shows its start page for any path that it does not know lets nobody in."""
    known = {op.path.split("/")[1] for op in Conversation("roles").settings.operations}

    def unknown(exchange: Exchange) -> bool:
        path = b"".join(part for part in exchange.probe.target if isinstance(part, bytes)).decode().partition("?")[0]
        return path.split("/")[1] not in known or path.endswith("/")

    def page(exchange: Exchange) -> Exchange:
        return instead(exchange, 200, b"<html>") if unknown(exchange) else exchange

    assert judge(Conversation("roles", altered=page), requests_with(Holder.NOBODY)).word is Word.PASS


def test_seed_reproduces_what_is_sent(judge: Judge) -> None:
    def sent() -> list[tuple[object, ...]]:
        conversation = Conversation("roles")
        judge(conversation, requests_with(Holder.NOBODY))
        return [(e.probe.method, e.probe.target, e.probe.headers, e.probe.body) for e in conversation.exchanges]

    assert sent() == sent()


def test_key_that_may_only_reads_where_keys_cannot_be_made(judge: Judge) -> None:
    """Somebody else's data is not changed for a test."""
    conversation = Conversation("synaptiq")
    conversation.settings = replace(conversation.settings, disposable=False)
    judge(conversation, requests_with(Holder.ALLOWED))
    methods = {exchange.probe.method.upper() for exchange in conversation.exchanges}
    assert not methods & {b"POST", b"PUT", b"PATCH", b"DELETE"}


def test_no_key_is_made_or_ended_by_a_key_that_may(judge: Judge) -> None:
    conversation = Conversation("synaptiq")
    judge(conversation, requests_with(Holder.ALLOWED))
    assert not {exchange.probe.operation for exchange in conversation.exchanges} & {
        "createKey",
        "rotateKey",
        "revokeKey",
    }


@pytest.mark.parametrize("status", [405, 501])
@pytest.mark.parametrize("holder", Holder)
def test_head_that_nothing_documents_may_be_unknown(holder: Holder, status: int, judge: Judge) -> None:
    """Frameworks look for the method before they look for a key; whether there is HEAD is METH-1's to judge."""
    altered = _altered(status, lambda exchange: exchange.probe.method == b"HEAD")
    assert judge(Conversation("synaptiq", altered=altered), requests_with(holder)).word is not Word.FAIL
