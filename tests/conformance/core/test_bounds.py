"""The formulas for rate limits hold for every correct limiter, whatever its algorithm, alignment and history."""

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from authcontract_conformance.oracle._bounds import at_most_from_idle, longest_retry_after
from authcontract_engine import STEPS, Limit

SECOND = 1_000_000_000
HISTORIES = 1000
#: Algorithm and alignment: every correct way of counting.
LIMITERS = [("fixed_window", "anchored"), *((name, "aligned") for name in STEPS)]
every_limiter = pytest.mark.parametrize(("algorithm", "alignment"), LIMITERS, ids=["-".join(pair) for pair in LIMITERS])


@dataclass
class Limiter:
    """One exact limiter; times are nanoseconds."""

    algorithm: str
    limit: Limit
    state: Any = None

    def admits(self, now: int) -> bool:
        """Ask for one unit."""
        self.state, outcome = STEPS[self.algorithm](self.state, now, self.limit, 1)
        return outcome.admitted

    def burst(self, moments: list[int]) -> int:
        """Return how many of these requests are admitted."""
        return sum(self.admits(now) for now in moments)


def limiter(algorithm: str, alignment: Any, amount: int, window: int) -> Limiter:
    return Limiter(algorithm, Limit(amount=amount, window=window * SECOND, burst=amount, alignment=alignment))


@every_limiter
def test_no_correct_limiter_is_accused_for_a_burst(algorithm: str, alignment: str) -> None:
    """Two bursts from idle, each under half a window and half a window apart: one is within bounds."""
    longest = 0
    for seed in range(HISTORIES):
        drawn = random.Random(seed)  # noqa: S311  a history, no secret
        amount, window = drawn.randint(1, 40), drawn.randint(1, 90)
        half = window * SECOND // 2
        lasts = drawn.choice((0, 1, drawn.randrange(half), half - 1))
        start = drawn.randrange(10**13)
        admitted = []
        for number in range(2):
            begin = start + number * (half + drawn.randrange(3) * window * SECOND)
            moments = sorted(begin + drawn.randint(0, lasts) for _ in range(2 * amount + amount // 2 + 2))
            admitted.append(limiter(algorithm, alignment, amount, window).burst(moments))
        assert amount <= min(admitted) <= at_most_from_idle(amount, window, lasts / SECOND), f"history {seed}"
        longest = max(longest, max(admitted) - at_most_from_idle(amount, window, lasts / SECOND))
    # One burst alone would not do: a boundary inside it lets an aligned window admit twice the amount.
    assert (longest > 0) == (algorithm == "fixed_window" and alignment == "aligned")


@every_limiter
def test_on_a_clock_that_stands_still_a_burst_is_exact(algorithm: str, alignment: str) -> None:
    """Nothing refills and no boundary passes: the amount is admitted, not more and not less."""
    for seed in range(HISTORIES // 4):
        drawn = random.Random(seed)  # noqa: S311  a history, no secret
        amount, window, now = drawn.randint(1, 60), drawn.randint(1, 90), drawn.randrange(10**13)
        admitted = limiter(algorithm, alignment, amount, window).burst([now] * (amount + drawn.randint(1, 20)))
        assert admitted == amount == at_most_from_idle(amount, window, 0.0), f"history {seed}"


@every_limiter
def test_whoever_waits_long_enough_is_admitted(algorithm: str, alignment: str) -> None:
    """After any history, a client that was refused and comes back after the longest Retry-After gets in."""
    for seed in range(HISTORIES):
        drawn = random.Random(seed)  # noqa: S311  a history, no secret
        amount, window, now = drawn.randint(1, 30), drawn.randint(1, 90), drawn.randrange(10**13)
        tried = limiter(algorithm, alignment, amount, window)
        for _ in range(drawn.randint(0, 60)):
            now += drawn.choice((0, 1, drawn.randrange(2 * window * SECOND)))
            tried.admits(now)
        while tried.admits(now):
            pass
        assert tried.admits(now + longest_retry_after(amount, window) * SECOND), f"history {seed}"


def test_the_bound_is_as_sharp_as_a_bucket() -> None:
    """A bucket that spends its stock, then what it refills, reaches the bound exactly."""
    for seed in range(HISTORIES):
        drawn = random.Random(seed)  # noqa: S311  a history, no secret
        amount, window = drawn.randint(1, 40), drawn.randint(1, 90)
        nanoseconds = drawn.randrange(window * SECOND)
        bucket = limiter("token_bucket", "aligned", amount, window)
        admitted = bucket.burst([0] * (amount + 1)) + bucket.burst([nanoseconds] * (amount + 1))
        assert admitted == at_most_from_idle(amount, window, nanoseconds / SECOND), f"history {seed}"


def test_the_bounds_grow_with_time_and_amount() -> None:
    assert [at_most_from_idle(30, 60, seconds) for seconds in (0, 1.9, 2, 59.9, 60)] == [30, 30, 31, 59, 60]
    assert all(a <= b for a, b in pairwise(at_most_from_idle(n, 60, 10) for n in range(1, 100)))
    assert (longest_retry_after(30, 60), longest_retry_after(1, 60), longest_retry_after(600, 60)) == (63, 121, 62)
