"""What is told to strangers and to keys that may too little, and who must not be accused for it."""

import pytest
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._verdict import Word
from conversations import POLICIES, Conversation, instead, planted

every_contract = pytest.mark.parametrize("name", list(POLICIES))
NOT_FOUND = {"error": {"code": "not_found", "message": "Not found.", "doc_url": "https://x.example"}}


def words(talk: Conversation, clause: str) -> set[Word]:
    return {talk.judge(clause, subject).word for subject in talk.cases(clause)}


def test_an_order_that_the_policy_only_assumes_accuses_nobody() -> None:
    """Until G-05, which says what comes first, is confirmed, a router that answers strangers is unspecified."""
    seams = planted("paths-before-keys")
    assert words(Conversation("synaptiq", seams=seams), "PREC-1") == {Word.UNSPECIFIED}
    assert words(Conversation("synaptiq", seams=seams, confirmed=True), "PREC-1") == {Word.WARN}


@every_contract
def test_a_server_that_tells_every_weak_key_the_same_is_not_accused(name: str) -> None:
    """Who hides whether an object is there may say 404 to everybody who may not see it."""

    def hidden(exchange: Exchange) -> Exchange:
        return instead(exchange, 404, NOT_FOUND) if exchange.status == 403 else exchange

    talk = Conversation(name, altered=hidden, confirmed=True)
    assert words(talk, "PREC-4") <= {Word.PASS}


@every_contract
def test_a_forbidden_stranger_learns_nothing_either(name: str) -> None:
    """403 in the place of 401 is for the clause on missing keys to judge."""

    def forbidden(exchange: Exchange) -> Exchange:
        return instead(exchange, 403, NOT_FOUND) if exchange.status == 401 else exchange

    assert words(Conversation(name, altered=forbidden, confirmed=True), "PREC-1") == {Word.PASS}


@pytest.mark.parametrize("merged", [name for name in MERGED if name.startswith("PREC-")])
def test_every_promise_about_the_order_is_judged_somewhere(merged: str) -> None:
    assert MERGED[merged].into in catalogue()
