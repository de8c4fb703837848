"""FUZZ-2: documented responses pass, others are a warning with what is wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.fuzz._responses import responses_of
from authcontract_conformance.oracle._verdict import Judgement, Word
from conversations import Conversation, instead

Judge = Callable[..., Judgement]


@pytest.mark.parametrize("name", ["synaptiq", "roles", "harbour"])
def test_correct_server_passes(name: str, judge: Judge) -> None:
    conversation = Conversation(name)
    words = {op.label: judge(conversation, responses_of(op), op.label).word for op in conversation.settings.operations}
    assert set(words.values()) == {Word.PASS}, words


def test_undocumented_body_is_a_warning_that_says_what_is_wrong(judge: Judge) -> None:
    def altered(exchange: Exchange) -> Exchange:
        return (
            instead(exchange, 200, {"leads": 1}, ("Content-Type", "application/json"))
            if exchange.succeeded
            else exchange
        )

    conversation = Conversation("synaptiq", altered=altered)
    found = judge(conversation, responses_of(conversation.operation("listLeads")))
    assert found.word is Word.WARN
    assert found.evidence is not None
    assert found.evidence.expected == "a 200 as the specification documents it"
    assert "Response violates schema" in found.evidence.got


def test_error_that_only_the_policy_promises_is_not_looked_for(judge: Judge) -> None:
    def altered(exchange: Exchange) -> Exchange:
        return instead(exchange, 418)

    conversation = Conversation("synaptiq", altered=altered)
    assert judge(conversation, responses_of(conversation.operation("listLeads"))).word is Word.INCONCLUSIVE


@pytest.mark.parametrize("name", ["WWW-Authenticate", "RateLimit", "RateLimit-Policy", "Cache-Control"])
def test_a_header_that_the_policy_governs_is_not_missed(name: str, judge: Judge) -> None:
    def altered(exchange: Exchange) -> Exchange:
        return replace(exchange, headers=tuple(line for line in exchange.headers if line[0].lower() != name.lower()))

    conversation = Conversation("synaptiq", altered=altered)
    assert judge(conversation, responses_of(conversation.operation("listLeads"))).word is Word.PASS


def test_no_key_is_made(judge: Judge) -> None:
    conversation = Conversation("synaptiq")
    judge(conversation, responses_of(conversation.operation("createKey")))
    assert not any(e.succeeded for e in conversation.exchanges if e.probe.operation == "createKey")
