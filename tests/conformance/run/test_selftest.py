"""The self-test: a fault is caught where each clause that it names fails; correct servers are accused of nothing."""

import os
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.faults import FAULTS, Fault
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import Seams
from authcontract_conformance.run import _run, _selftest
from authcontract_conformance.run._selftest import Proof, Tried, caught_words, plan, selftest
from authcontract_conformance.run._workers import Died, Workers
from conversations import loaded


def fault(name: str, *clauses: str) -> Fault:
    found = next(found for found in FAULTS if found.name == name)
    return replace(found, clauses=clauses) if clauses else found


def proved(name: str, *faults: Fault, **options: Any) -> Proof:
    """Plant faults under a contract, with no correct server beside them."""
    found = loaded(name)
    return selftest(found, plan(found, faults, correct=False), **options)


@pytest.fixture(scope="module")
def proof() -> Proof:
    """Two faults that are caught, and one that is named to a clause that cannot see it."""
    faults = (fault("no-challenge"), fault("body-before-scope"), fault("plaintext-redirected", "AUTH-3"))
    return proved("synaptiq", *faults)


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


def test_of_a_fault_that_was_missed_it_is_said_who_sees_it(proof: Proof) -> None:
    """A clause that sees it while the named one does not is the wrong name, or a hole in that clause."""
    instead = {tried.name: tried.instead for tried in proof.faults}
    assert instead["no-challenge"] is None
    assert "TRANS-2" in (instead["plaintext-redirected"] or ())


def test_a_fault_that_nobody_catches_is_a_miss_of_its_own() -> None:
    """It changes nothing that any clause looks at."""
    harmless = replace(fault("no-challenge"), name="harmless", plant=lambda seams: seams)
    (tried,) = proved("roles", harmless).faults
    assert tried.missed_by == ("ERR-1",)
    assert tried.instead == ()


def test_a_fault_without_meaning_for_a_contract_is_left_out() -> None:
    """roles has one environment, so nothing crosses between two; it is said, and nothing is run."""
    proof = proved("roles", fault("sandbox-reads-production"))
    assert proof.faults == ()
    assert list(proof.left_out) == ["sandbox-reads-production"]
    assert "one environment" in proof.left_out["sandbox-reads-production"]


def test_a_fault_may_say_itself_that_it_means_nothing() -> None:
    nothing = replace(
        fault("no-challenge"), meaningful=lambda contract: f"none of {len(contract.operations)} operations does that"
    )
    proof = proved("roles", nothing)
    assert proof.faults == ()
    assert proof.left_out["no-challenge"] == "none of 12 operations does that"


def test_a_clause_that_judges_nothing_here_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it comes to on a correct server shows that no fault could make a difference to it."""
    blind = replace(catalogue()["AUTH-1"], cases=lambda _: ())
    monkeypatch.setattr(_selftest, "catalogue", lambda: {**catalogue(), "AUTH-1": blind})
    monkeypatch.setattr(_run, "catalogue", lambda: {**catalogue(), "AUTH-1": blind})
    proof = proved("roles", fault("no-key-for-get", "AUTH-1"))
    assert proof.faults == ()
    assert proof.left_out["no-key-for-get"].startswith("AUTH-1 judges nothing here")
    assert proof.missed == ()


def test_clauses_choose_the_faults_that_name_them() -> None:
    planned = plan(loaded("roles"), FAULTS, only=("ERR-1",), correct=False)
    assert {name for _, named in planned.faults for name in named} == {"ERR-1"}
    naming = {f.name for f in FAULTS if "ERR-1" in f.clauses}
    assert {f.name for f, _ in planned.faults} == naming - set(planned.left_out) != set()
    assert planned.clauses == ("ERR-1",)


def test_a_server_that_does_not_start_is_a_miss() -> None:
    def broken(_: Seams) -> Seams:
        raise ValueError("no such stage")

    proof = proved("roles", replace(fault("no-challenge"), plant=broken))
    assert proof.missed == ("no-challenge",)
    assert "no such stage" in proof.faults[0].problem


def test_a_worker_that_dies_loses_one_fault_and_no_other() -> None:
    """Whatever happens to a process, the others are judged, and it is no success."""
    dies = Workers[str](lambda number: os._exit(3) if number == 1 else f"done {number}", jobs=2)
    outcomes = dict(dies.run(range(4)))
    assert {n: str(o) for n, o in outcomes.items() if n != 1} == {0: "done 0", 2: "done 2", 3: "done 3"}
    assert isinstance(outcomes[1], Died)


def test_a_table_says_which_clause_alone_catches_something() -> None:
    proof = proved("roles", fault("no-challenge"), table=True)
    assert proof.alone["ERR-1"] == ("no-challenge",)
    assert "AUTH-1" in proof.unproved
    assert "ERR-1" not in proof.unproved
    assert set(proof.faults[0].words) >= {"AUTH-1", "ERR-1", "SCOPE-1"}


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
