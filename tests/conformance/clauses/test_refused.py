"""What was refused has not been done: correct servers that answer otherwise are not accused of it."""

from __future__ import annotations

import pytest
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.faults import fault
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import CORRECT
from conversations import POLICIES, Conversation, instead

IN_CLEAR = "every operation over plain HTTP"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 426])
@pytest.mark.parametrize("name", list(POLICIES))
def test_plain_http_may_be_refused_in_any_way(name: str, status: int) -> None:
    def change(exchange: Exchange) -> Exchange:
        return instead(exchange, status) if exchange.probe.channel == "plain" else exchange

    assert Conversation(name, altered=change).judge("TRANS-1", IN_CLEAR).word is Word.PASS


@pytest.mark.parametrize("name", ["synaptiq", "harbour", "roles"])
def test_what_plain_http_did_is_found_whatever_it_answered(name: str) -> None:
    planted = fault("plaintext-refused-but-done")
    assert planted is not None
    found = Conversation(name, seams=planted.plant(CORRECT)).judge("TRANS-1", IN_CLEAR)
    assert (found.word, found.reason) == (Word.FAIL, "plain HTTP was carried out")


@pytest.mark.parametrize("status", [403, 404, 429, 503])
def test_a_list_that_cannot_be_read_accuses_nobody(status: int) -> None:
    def change(exchange: Exchange) -> Exchange:
        return instead(exchange, status) if exchange.probe.label == "reads the effect" else exchange

    planted = fault("throttled-but-done")
    assert planted is not None
    talk = Conversation("synaptiq", seams=planted.plant(CORRECT), altered=change)
    assert talk.judge("PREC-5").word is Word.INCONCLUSIVE


def test_a_throttled_request_that_is_let_in_is_judged_elsewhere() -> None:
    def change(exchange: Exchange) -> Exchange:
        return instead(exchange, 201, {}) if exchange.probe.label.endswith("used up") else exchange

    assert Conversation("synaptiq", altered=change).judge("PREC-5").word is Word.INCONCLUSIVE
