"""The search: the smallest counterexample, within a budget, and never a false one."""

from collections.abc import Callable

import pytest
from authcontract_conformance.fuzz._facade import Over
from authcontract_conformance.fuzz._search import Shrinking, search
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, Word, fail, inconclusive, unspecified
from hypothesis import strategies as st


def _fail(value: int) -> Judgement:
    return fail(Evidence(expected="small", got=str(value)))


def _above(limit: int) -> Callable[[int], Judgement]:
    return lambda value: _fail(value) if value > limit else PASSED


def searched(check: Callable[[int], Judgement], *, first: tuple[int, ...] = (), seed: int = 1) -> Judgement:
    return search(st.integers(0, 100_000), check, first=first, seed=seed, examples=100)


def _got(judgement: Judgement) -> str:
    assert judgement.evidence is not None
    return judgement.evidence.got


def test_counterexample_is_the_smallest() -> None:
    found = searched(_above(1234))
    assert (found.word, _got(found)) == (Word.FAIL, "1235")


def test_without_a_counterexample_it_passes_and_says_how_much_was_tried() -> None:
    found = searched(lambda _: PASSED)
    assert (found.word, found.reason) == (Word.PASS, "100 requests")


def test_simple_values_are_tried_before_any_is_drawn() -> None:
    found = searched(_above(10), first=(3, 70_000))
    assert _got(found) == "70000"


def test_worst_of_what_was_said_is_returned() -> None:
    found = searched(lambda value: unspecified("open") if value % 2 else inconclusive("lost"))
    assert found.word is Word.INCONCLUSIVE


def test_same_seed_draws_the_same_values() -> None:
    def drawn(seed: int) -> list[int]:
        values: list[int] = []

        def check(value: int) -> Judgement:
            values.append(value)
            return PASSED

        searched(check, seed=seed)
        return values

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_shrinking_stays_within_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counterexample that is not the smallest is better than a target that is asked for ever."""
    calls = 0
    first: list[int] = []

    def check(value: int) -> Judgement:
        nonlocal calls
        calls += bool(first)
        if value > 1234:
            first.append(value)
            return _fail(value)
        return PASSED

    monkeypatch.setattr(Shrinking.__init__, "__defaults__", (4,))
    with pytest.raises(Over) as over:
        searched(check)
    assert calls <= 4
    assert over.value.judgement.word is Word.FAIL
    assert _got(over.value.judgement) == str(first[-1])


def test_target_that_changes_its_mind_is_not_accused() -> None:
    """A failure that is not seen again when it is repeated proves nothing."""
    seen = 0

    def check(value: int) -> Judgement:
        nonlocal seen
        seen += value > 1234
        return _fail(value) if value > 1234 and seen == 1 else PASSED

    assert searched(check).word is Word.INCONCLUSIVE


def test_end_of_the_run_is_no_counterexample() -> None:
    asked = 0

    def check(_value: int) -> Judgement:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Over(inconclusive("the target is gone"))
        return PASSED

    with pytest.raises(Over):
        searched(check)
    assert asked == 3
