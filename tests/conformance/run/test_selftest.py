"""The self-test: a fault is caught where each clause that it names fails; correct servers are accused of nothing."""

import asyncio
from dataclasses import replace

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.faults import FAULTS, Fault
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.run._selftest import Proof, Tried, caught_words, selftest
from conversations import loaded


def fault(name: str, *clauses: str) -> Fault:
    found = next(found for found in FAULTS if found.name == name)
    return replace(found, clauses=clauses) if clauses else found


@pytest.fixture(scope="module")
def proof() -> Proof:
    """Two faults that are caught, and one that is named to a clause that cannot see it."""
    faults = [fault("no-challenge"), fault("body-before-scope"), fault("plaintext-redirected", "AUTH-3")]
    return asyncio.run(selftest(loaded("synaptiq"), faults, correct=False))


def test_a_fault_is_caught_by_the_clauses_that_it_names(proof: Proof) -> None:
    """Only those clauses run; a SHOULD may warn."""
    words = {tried.name: dict(tried.words) for tried in proof.faults}
    assert words == {
        "no-challenge": {"ERR-1": Word.FAIL},
        "body-before-scope": {"SCOPE-5": Word.WARN},
        "plaintext-redirected": {"AUTH-3": Word.PASS},
    }
    assert proof.missed == ("plaintext-redirected",)
    assert proof.false_alarms == ()
    assert proof.requests == sum(tried.requests for tried in proof.faults) > 10
    assert not any(tried.problem for tried in proof.faults)


def test_a_fault_without_meaning_for_a_contract_is_left_out() -> None:
    """roles has one environment, so nothing crosses between two; it is said, and nothing is run."""
    proof = asyncio.run(selftest(loaded("roles"), [fault("sandbox-reads-production")], correct=False))
    assert proof.faults == ()
    assert list(proof.left_out) == ["sandbox-reads-production"]
    assert "one environment" in proof.left_out["sandbox-reads-production"]


def test_a_server_that_does_not_start_is_a_miss() -> None:
    proof = asyncio.run(
        selftest(loaded("roles"), [replace(fault("no-challenge"), name="no-such-fault")], correct=False)
    )
    assert proof.missed == ("no-such-fault",)
    assert "no-such-fault" in proof.faults[0].problem


def tried(name: str, named: tuple[str, ...] = (), problem: str = "", **words: Word) -> Tried:
    clauses = {clause.replace("_", "-"): word for clause, word in words.items()}
    return Tried(name=name, named=named, words=clauses, requests=1, seconds=0.1, problem=problem)


def test_what_counts_as_caught_missed_and_alarm() -> None:
    proof = Proof(
        faults=(
            tried("caught", ("AUTH-1",), AUTH_1=Word.FAIL),
            tried("caught by one of two", ("AUTH-1", "ERR-9"), AUTH_1=Word.FAIL, ERR_9=Word.PASS),
            tried("warned of a MUST", ("AUTH-1",), AUTH_1=Word.WARN),
            tried("not judged", ("AUTH-1",), AUTH_1=Word.INCONCLUSIVE),
            tried("not run", ("AUTH-1",)),
            tried("not started", ("AUTH-1",), "LaunchError", AUTH_1=Word.FAIL),
        ),
        correct=(
            tried("clean", AUTH_1=Word.PASS, ERR_9=Word.INCONCLUSIVE),
            tried("accused", AUTH_1=Word.FAIL, SCOPE_5=Word.WARN),
            tried("lost", problem="SetupError: the target is gone"),
        ),
        seconds=1.0,
    )
    assert proof.missed == ("caught by one of two", "warned of a MUST", "not judged", "not run", "not started")
    assert proof.faults[1].missed_by == ("ERR-9",)
    assert proof.false_alarms == ("AUTH-1 on accused", "SCOPE-5 on accused", "SetupError: the target is gone on lost")


def test_every_level_says_what_catches() -> None:
    for clause in catalogue().values():
        assert Word.FAIL in caught_words(clause.id)
        assert (Word.WARN in caught_words(clause.id)) == (clause.level != "MUST")
