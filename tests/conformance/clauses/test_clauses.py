"""Each clause without a socket: right behaviour passes, its defect fails, and what cannot be judged is inconclusive."""

from collections.abc import Iterator

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.exchange._exchange import Exchange, Purpose
from authcontract_conformance.faults import FAULTS
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.run._selftest import caught_words
from authcontract_engine import STEPS
from authcontract_policy import Algorithm
from conversations import POLICIES, Alter, Conversation, instead, lost, planted

CLAUSES = [clause.id for clause in catalogue().values() if clause.cases is not None]
PASSIVE = [clause.id for clause in catalogue().values() if clause.passive is not None]
every_contract = pytest.mark.parametrize("name", list(POLICIES))


def subjects(talk: Conversation, clause: str) -> list[str]:
    """Return the cases of a clause; none where it means nothing for this contract."""
    meaningless = catalogue()[clause].inapplicable(talk.world(clause))
    return [] if meaningless is not None else list(talk.cases(clause))


def looked_on(talk: Conversation, clause: str) -> set[Word]:
    """Return what a passive clause says of every exchange so far."""
    passive = catalogue()[clause].passive
    assert passive is not None
    found = (passive(talk.world(clause), exchange) for exchange in talk.exchanges)
    return {judgement.word for judgement in found if judgement is not None}


# --- right behaviour passes -----------------------------------------------------------------------------------------


@every_contract
@pytest.mark.parametrize("clause", CLAUSES)
def test_a_correct_server_passes_every_case(name: str, clause: str) -> None:
    """Not one case fails, warns, or is left open, nor does any response make a passive clause suspicious."""
    talk = Conversation(name, watching=tuple(PASSIVE))
    for subject in subjects(talk, clause):
        judgement = talk.judge(clause, subject)
        assert judgement.word in (Word.PASS, Word.SKIPPED, Word.UNSPECIFIED), (subject, judgement.reason)
        assert judgement.word is Word.PASS or judgement.reason, subject
    for passive, words in talk.watched.items():
        assert words <= {Word.PASS, Word.UNSPECIFIED}, passive


@every_contract
@pytest.mark.parametrize("algorithm", list(STEPS))
def test_no_way_of_counting_is_accused(name: str, algorithm: Algorithm) -> None:
    """Whatever algorithm a correct limiter uses, on a clock that stands still no clause fails or warns."""
    for clause in ("RATE-1", "RATE-3", "RATE-7"):
        talk = Conversation(name, algorithm=algorithm)
        words = {subject: talk.judge(clause, subject).word for subject in subjects(talk, clause)}
        assert not {Word.FAIL, Word.WARN} & set(words.values()), words
        assert name != "synaptiq" or set(words.values()) == {Word.PASS}


# --- a defect fails -------------------------------------------------------------------------------------------------

#: Fault and clause that has to catch it; what generates needs the driver's loop and is proved by whole runs.
PLANTED = [
    (fault.name, clause) for fault in FAULTS for clause in fault.clauses if catalogue()[clause].properties is None
]


def caught(talk: Conversation, clause: str) -> Iterator[Word]:
    """Yield what the cases of a clause, and the exchanges that they or other clauses make for it, come to."""
    found = catalogue()[clause]
    for subject in subjects(talk, clause) if found.cases else ():
        yield talk.judge(clause, subject).word
        if found.passive:
            yield from looked_on(talk, clause)
    for traffic in found.traffic:
        for subject in subjects(talk, traffic):
            talk.judge(traffic, subject)
        yield from looked_on(talk, clause)


def ground(name: str, clause: str) -> str:
    """Return the first contract under which a fault changes something and its clause is not meaningless."""
    found = next(fault for fault in FAULTS if fault.name == name)
    return next(
        contract
        for contract in POLICIES
        if found.meaningful((talk := Conversation(contract)).settings.contract) is None
        and catalogue()[clause].inapplicable(talk.world(clause)) is None
    )


@pytest.mark.parametrize(("fault", "clause"), PLANTED, ids=[" by ".join(pair) for pair in PLANTED])
def test_a_fault_is_caught(fault: str, clause: str) -> None:
    """Some case of the clause fails on a server with the fault; whatever is wrong with one defect, no case raises."""
    talk = Conversation(ground(fault, clause), seams=planted(fault), confirmed=True)
    assert any(word in caught_words(clause) for word in caught(talk, clause))


# --- what cannot be judged is never a failure -----------------------------------------------------------------------

UNAUTHORIZED = {"error": {"code": "unauthorized", "message": "No.", "doc_url": "https://x.example"}}


def no_answer(exchange: Exchange) -> Exchange:
    return lost(exchange)


def broken_server(exchange: Exchange) -> Exchange:
    return instead(exchange, 500, b"oops")


def refused_control(exchange: Exchange) -> Exchange:
    """The key that may is refused where it proves that the request works."""
    return instead(exchange, 401, UNAUTHORIZED) if exchange.probe.purpose is Purpose.CONTROL else exchange


def lost_control(exchange: Exchange) -> Exchange:
    return lost(exchange) if exchange.probe.purpose is Purpose.CONTROL else exchange


def no_fixture(exchange: Exchange) -> Exchange:
    """No object can be made."""
    return instead(exchange, 400, {}) if exchange.probe.purpose is Purpose.FIXTURE else exchange


def no_effect_shown(exchange: Exchange) -> Exchange:
    """What would show an effect does not answer."""
    return lost(exchange) if exchange.probe.purpose is Purpose.EFFECT else exchange


def lost_probe(exchange: Exchange) -> Exchange:
    return lost(exchange) if exchange.probe.purpose is Purpose.PROBE else exchange


def unreadable(exchange: Exchange) -> Exchange:
    """Whatever makes an object answers something that is no JSON."""
    return instead(exchange, exchange.status, b"<html>") if exchange.probe.purpose is Purpose.FIXTURE else exchange


TROUBLES = [
    no_answer,
    broken_server,
    refused_control,
    lost_control,
    no_fixture,
    no_effect_shown,
    lost_probe,
    unreadable,
]


@every_contract
@pytest.mark.parametrize("trouble", TROUBLES, ids=[trouble.__name__ for trouble in TROUBLES])
def test_trouble_accuses_nobody(name: str, trouble: Alter) -> None:
    """A correct server behind a bad line, or without the fixture that a case needs, fails no case of any clause."""
    accused = {}
    for clause in CLAUSES:
        talk = Conversation(name, altered=trouble)
        for subject in subjects(talk, clause):
            judgement = talk.judge(clause, subject)
            if judgement.word in (Word.FAIL, Word.WARN):
                accused[clause, subject] = judgement
    assert accused == {}


@pytest.mark.parametrize("trouble", [no_answer, broken_server, refused_control], ids=lambda found: found.__name__)
@pytest.mark.parametrize("clause", ["AUTH-1", "AUTH-3", "AUTH-8", "AUTH-9", "AUTH-10", "ENV-4", "ENV-5"])
def test_without_calibration_nothing_is_concluded(clause: str, trouble: Alter) -> None:
    """Every refusal was right, and none proves anything, since nothing would have been accepted either."""
    talk = Conversation("synaptiq", altered=trouble)
    words = {talk.judge(clause, subject).word for subject in subjects(talk, clause)}
    assert words == {Word.INCONCLUSIVE}
