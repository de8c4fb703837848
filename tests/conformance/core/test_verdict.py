"""How cases add up to a clause, and clauses to the one sentence on a target."""

from itertools import permutations

import pytest
from authcontract_conformance.oracle._verdict import (
    EXIT_CODES,
    PASSED,
    SEVERITY,
    ClauseVerdict,
    Evidence,
    Judgement,
    Level,
    RunVerdict,
    Word,
    fail,
    inconclusive,
    run_verdict,
    skipped,
    unspecified,
    warn,
    worst,
)

SIDES = Evidence(expected="401", got="200")

CLAUSES: dict[str, tuple[tuple[Judgement, ...], Word]] = {
    "no case": ((), Word.SKIPPED),
    "all pass": ((PASSED, PASSED), Word.PASS),
    "one fails": ((PASSED, fail(SIDES), inconclusive("lost")), Word.FAIL),
    "one warns": ((PASSED, warn(SIDES), unspecified("G-1")), Word.WARN),
    "one is open": ((PASSED, inconclusive("lost")), Word.INCONCLUSIVE),
    "one is left open by the contract": ((PASSED, unspecified("G-1")), Word.UNSPECIFIED),
    "one is skipped": ((skipped("no clock"), PASSED), Word.PASS),
    "all are skipped": ((skipped("no clock"), skipped("no clock")), Word.SKIPPED),
}


@pytest.mark.parametrize(("cases", "word"), CLAUSES.values(), ids=list(CLAUSES))
def test_a_clause_is_as_bad_as_its_worst_case(cases: tuple[Judgement, ...], word: Word) -> None:
    assert {worst(order) for order in permutations(cases)} == {word}


def test_every_word_has_its_place() -> None:
    assert sorted(SEVERITY) == sorted(Word)


def clause(word: Word, level: Level = Level.MUST, name: str = "X-1", *, applicable: bool = True) -> ClauseVerdict:
    return ClauseVerdict(clause=name, level=level, word=word, applicable=applicable)


GREEN = clause(Word.PASS)
CONFORMANT, NOT_CONFORMANT, INCONCLUSIVE = RunVerdict

RUNS: dict[str, tuple[tuple[ClauseVerdict, ...], RunVerdict]] = {
    "nothing": ((), INCONCLUSIVE),
    "a pass": ((GREEN,), CONFORMANT),
    "a failure beside passes": ((GREEN, clause(Word.FAIL)), NOT_CONFORMANT),
    "a failure alone": ((clause(Word.FAIL),), NOT_CONFORMANT),
    "a SHOULD that fails": ((GREEN, clause(Word.FAIL, Level.SHOULD)), NOT_CONFORMANT),
    "a failure beside open clauses": ((clause(Word.FAIL), clause(Word.INCONCLUSIVE)), NOT_CONFORMANT),
    "a MUST left open": ((GREEN, clause(Word.INCONCLUSIVE)), INCONCLUSIVE),
    "a MUST skipped for a capability": ((GREEN, clause(Word.SKIPPED)), INCONCLUSIVE),
    "a MUST that means nothing here": ((GREEN, clause(Word.SKIPPED, applicable=False)), CONFORMANT),
    "a SHOULD left open": ((GREEN, clause(Word.INCONCLUSIVE, Level.SHOULD)), CONFORMANT),
    "a SHOULD that warns": ((GREEN, clause(Word.WARN, Level.SHOULD)), CONFORMANT),
    "a MUST that the contract leaves open": ((GREEN, clause(Word.UNSPECIFIED)), CONFORMANT),
    "a waived MUST": ((GREEN, clause(Word.WAIVED)), CONFORMANT),
    "nothing but waivers": ((clause(Word.WAIVED),), INCONCLUSIVE),
    "nothing but silences": ((clause(Word.UNSPECIFIED), clause(Word.UNSPECIFIED)), INCONCLUSIVE),
    "nothing but a SHOULD that passes": ((clause(Word.PASS, Level.SHOULD),), INCONCLUSIVE),
    "nothing but what means nothing": ((clause(Word.PASS, applicable=False),), INCONCLUSIVE),
}


@pytest.mark.parametrize(("clauses", "verdict"), RUNS.values(), ids=list(RUNS))
def test_clauses_add_up_to_a_run(clauses: tuple[ClauseVerdict, ...], verdict: RunVerdict) -> None:
    """The table of design.md, Decided 13; the order of the clauses is nobody's business."""
    assert {run_verdict(order) for order in permutations(clauses)} == {verdict}


def test_what_the_target_file_leaves_untested_may_stay_open() -> None:
    clauses = (GREEN, clause(Word.INCONCLUSIVE, name="LIFE-5"), clause(Word.SKIPPED, name="TRANS-1"))
    assert run_verdict(clauses, frozenset({"LIFE-5", "TRANS-1"})) is CONFORMANT
    assert run_verdict(clauses, frozenset({"LIFE-5"})) is INCONCLUSIVE


def test_a_failure_is_not_excused_by_leaving_its_clause_untested() -> None:
    assert run_verdict((GREEN, clause(Word.FAIL, name="LIFE-5")), frozenset({"LIFE-5"})) is NOT_CONFORMANT


def test_each_verdict_has_its_exit_code() -> None:
    assert EXIT_CODES == {CONFORMANT: 0, NOT_CONFORMANT: 1, INCONCLUSIVE: 3}
