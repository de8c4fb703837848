"""Looking for the smallest counterexample: Hypothesis draws and shrinks, a check judges, and a budget bounds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from hypothesis import Phase, given
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from authcontract_conformance.oracle._verdict import SEVERITY, Judgement, Word, inconclusive

from ._facade import Over
from ._hypothesis import quiet, undisturbed

T = TypeVar("T")
#: Requests that making a counterexample smaller may cost, whatever the run's own budget is.
SHRINKING = 150


class Counterexample(AssertionError):  # noqa: N818  Hypothesis' word
    """The contract is broken, with the judgement that says how; an assertion, so that Hypothesis shrinks it."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.reason)
        self.judgement = judgement


class Shrinking:
    """The budget of shrinking: it begins with the first counterexample, and ends the search with the last."""

    def __init__(self, budget: int = SHRINKING) -> None:
        self._left = budget
        self._smallest: Judgement | None = None

    def spend(self) -> None:
        """Count one request; ends the search when a counterexample is known and nothing is left."""
        if self._smallest is None:
            return
        self._left -= 1
        if self._left < 0:
            raise Over(self._smallest)

    def fail(self, judgement: Judgement) -> Counterexample:
        """Keep a counterexample, each smaller than the one before it, and return it to be raised."""
        self._smallest = judgement
        return Counterexample(judgement)


def search(
    strategy: SearchStrategy[T], check: Callable[[T], Judgement], *, first: Iterable[T], seed: int, examples: int
) -> Judgement:
    """Return the failure of the smallest value that fails, or else the worst that was said of any value.

    The values of `first`, the smallest first, are tried before any is drawn.
    """
    shrinking = Shrinking()
    others: dict[Word, Judgement] = {}
    tried = 0

    def holds(value: T) -> None:
        nonlocal tried
        shrinking.spend()
        tried += 1
        judgement = check(value)
        if judgement.word is Word.FAIL:
            raise shrinking.fail(judgement)
        others.setdefault(judgement.word, judgement)

    def run() -> None:
        for value in first:
            holds(value)
        seeded(seed)(quiet(max_examples=examples, phases=(Phase.generate, Phase.shrink))(given(strategy)(holds)))()

    failure = outcome(run)
    if failure is not None:
        return failure
    worst = next((others[word] for word in SEVERITY if word in others and word is not Word.PASS), None)
    return worst or Judgement(word=Word.PASS, reason=f"{tried} requests")


def outcome(run: Callable[[], object]) -> Judgement | None:
    """Run a search and return the judgement of its smallest counterexample, or None where it found none."""
    try:
        with undisturbed():
            run()
    except Counterexample as found:
        return found.judgement
    except Flaky:
        return inconclusive("the target answers the same request in different ways")
    return None
