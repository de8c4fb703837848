"""The rules that keep a limiter from being accused: when two bursts tell, what is forgotten when, what chance makes."""

import math
import random

import pytest
from authcontract_conformance.oracle._bounds import apart, memory, steady
from hypothesis import given, settings
from hypothesis import strategies as st
from limiters import CORRECT, SECOND, Limiter

enough = settings(max_examples=60, deadline=None)
#: Algorithms as a policy calls them, with a limiter that is so.
CALLED = [(algorithm, kind.make) for kind in CORRECT.values() if not kind.may_be_lower for algorithm in kind.called]


@enough
@given(
    start=st.integers(0, 80),
    lasts=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    later=st.integers(0, 160),
    phase=st.integers(0, 79),
)
def test_two_bursts_that_are_apart_never_both_meet_a_boundary(
    start: int, lasts: tuple[int, int], later: int, phase: int
) -> None:
    """In quarters of a second; a window is twenty seconds long."""
    first, second = (start, start + lasts[0]), (start + lasts[0] + later, start + lasts[0] + later + lasts[1])
    meets = [any((moment - phase) % 80 == 0 for moment in range(began, ended + 1)) for began, ended in (first, second)]
    if apart((first[0] / 4, first[1] / 4), (second[0] / 4, second[1] / 4), 20, 0.0):
        assert not all(meets)


def test_short_bursts_may_both_meet_one_all_the_same() -> None:
    """Each lasts less than half a window, and they start half a window and the first one's length apart."""
    assert not apart((0, 8), (18, 26), 20, 0.0)
    assert apart((0, 8), (10, 18), 20, 0.0)
    assert not apart((0, 8), (10, 18), 20, 2.0)


@pytest.mark.parametrize(("algorithm", "make"), CALLED)
@enough
@given(amount=st.integers(1, 12), window=st.integers(1, 20), start=st.integers(10**6, 10**8), steps=st.data())
def test_after_a_rest_nothing_is_remembered(  # noqa: PLR0913  what is drawn
    algorithm: str, make: type[Limiter], amount: int, window: int, start: int, steps: st.DataObject
) -> None:
    """Whatever was asked before, all that there ever is is there again."""
    limiter, now = make(amount, window * SECOND, amount), start
    for step in steps.draw(st.lists(st.integers(0, window * SECOND), max_size=20)):
        now += step
        limiter.take(now, 1)
    now += math.ceil(memory(amount, window, amount, algorithm) * SECOND)
    assert limiter.room(now) == limiter.capacity


RHYTHMS: dict[str, tuple[str, bool]] = {
    "every other one": ("+-" * 20, True),
    "half of a window": ("++++++++-------" * 5, True),
    "one more or less at a boundary": ("+-" * 9 + "++-" * 2 + "+-" * 20, True),
    "too short to tell": ("+-" * 5, False),
    "now and then": ("+++++-++-+++++++++-+++-++++++++++-+-+++", False),
    "never again": ("++++++++" + "-" * 40, False),
    "always": ("+" * 40, False),
}


@pytest.mark.parametrize("name", RHYTHMS)
def test_a_limiter_has_a_rhythm(name: str) -> None:
    pattern, told = RHYTHMS[name]
    assert steady([mark == "+" for mark in pattern]) is told


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("length", [12, 30, 60, 180])
def test_chance_has_none(share: float, length: int) -> None:
    """Each request refused by itself with the same chance, a thousand times."""
    chance = random.Random(f"{share}/{length}")  # noqa: S311  a seed must reproduce it
    assert not any(steady([chance.random() > share for _ in range(length)]) for _ in range(1000))
