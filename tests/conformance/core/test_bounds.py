"""The formulas for rate limits hold for every correct limiter, whatever its algorithm, alignment, rounding and history.

The eight limiters are written down here once more, in exact fractions and without the engine, so that no mistake is
shared by what is proved and what proves it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from authcontract_conformance.oracle._bounds import (
    at_most,
    at_most_from_idle,
    let_in_when_spent,
    longest_retry_after,
    most_remaining,
    pause_between,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

Time = Fraction


@dataclass
class Limiter:
    """A way of counting one unit a request; `admits` asks for one."""

    amount: int
    window: int | Fraction

    def admits(self, now: Time) -> bool:
        raise NotImplementedError

    def burst(self, moments: list[Time]) -> int:
        """Return how many of these requests are admitted."""
        return sum(self.admits(now) for now in moments)


@dataclass
class FixedAligned(Limiter):
    index: int = -1
    used: int = 0

    def admits(self, now: Time) -> bool:
        index = math.floor(now / self.window)
        if index != self.index:
            self.index, self.used = index, 0
        self.used += self.used < self.amount + 1
        return self.used <= self.amount


@dataclass
class FixedAnchored(Limiter):
    start: Time | None = None
    used: int = 0

    def admits(self, now: Time) -> bool:
        if self.start is None or now >= self.start + self.window:
            self.start, self.used = now, 0
        if self.used == self.amount:
            return False
        self.used += 1
        return True


@dataclass
class SlidingLog(Limiter):
    log: list[Time] = field(default_factory=list)

    def admits(self, now: Time) -> bool:
        self.log = [then for then in self.log if then > now - self.window]
        if len(self.log) == self.amount:
            return False
        self.log.append(now)
        return True


@dataclass
class WindowCounter(Limiter):
    rounded: Callable[[Time], Time] = Fraction
    counts: dict[int, int] = field(default_factory=dict)

    def admits(self, now: Time) -> bool:
        index, into = divmod(now, self.window)
        weighed = self.rounded(self.counts.get(int(index) - 1, 0) * (1 - into / self.window))
        if weighed + self.counts.get(int(index), 0) + 1 > self.amount:
            return False
        self.counts[int(index)] = self.counts.get(int(index), 0) + 1
        return True


@dataclass
class TokenBucket(Limiter):
    stock: Time | None = None
    then: Time = Fraction(0)

    def admits(self, now: Time) -> bool:
        full = Fraction(self.amount)
        before = full if self.stock is None else self.stock
        self.stock = min(full, before + (now - self.then) * self.amount / self.window)
        self.then = now
        if self.stock < 1:
            return False
        self.stock -= 1
        return True


@dataclass
class Gcra(Limiter):
    arrival: Time | None = None

    def admits(self, now: Time) -> bool:
        interval = Fraction(self.window) / self.amount
        arrival = now if self.arrival is None else max(now, self.arrival)
        if arrival - now > interval * (self.amount - 1):
            return False
        self.arrival = arrival + interval
        return True


LIMITERS: dict[str, Callable[[int, int], Limiter]] = {
    "fixed window, aligned": FixedAligned,
    "fixed window, anchored": FixedAnchored,
    "sliding log": SlidingLog,
    "window counter": WindowCounter,
    "window counter, rounded down": lambda n, w: WindowCounter(n, w, rounded=lambda x: Fraction(math.floor(x))),
    "window counter, rounded up": lambda n, w: WindowCounter(n, w, rounded=lambda x: Fraction(math.ceil(x))),
    "token bucket": TokenBucket,
    "GCRA": Gcra,
}
BUCKETS = ("token bucket", "GCRA")
every_limiter = pytest.mark.parametrize("make", LIMITERS.values(), ids=LIMITERS)
amounts = st.integers(1, 12)
windows = st.integers(1, 60)
#: Starts and steps; eighths meet boundaries often, which is where limiters differ.
starts = st.integers(0, 8 * 10**4).map(lambda eighths: Fraction(eighths, 8))
shares = st.fractions(0, 1, max_denominator=64)
enough = settings(max_examples=60, deadline=None)


def moments(data: st.DataObject, start: Time, lasts: Time, requests: int) -> list[Time]:
    """Draw the moments of a burst, a few of which many requests share."""
    drawn = data.draw(st.lists(shares, min_size=1, max_size=5))
    return sorted(start + drawn[number % len(drawn)] * lasts for number in range(requests))


@every_limiter
@enough
@given(data=st.data(), amount=amounts, window=windows, start=starts, share=shares, later=st.integers(0, 2))
def test_the_smaller_of_two_bursts_is_within_the_bound(  # noqa: PLR0913  what is drawn
    make: Callable[[int, int], Limiter],
    data: st.DataObject,
    amount: int,
    window: int,
    start: Time,
    share: Time,
    later: int,
) -> None:
    """Two bursts from idle, each under half a window and half a window apart: one is within bounds, and none lacks."""
    half = Fraction(window, 2)
    lasts = share * half * Fraction(63, 64)
    admitted = []
    for begin in (start, start + half + later * window):
        burst = moments(data, begin, lasts, amount + amount // 2 + 2)
        admitted.append(make(amount, window).burst(burst))
    assert amount <= min(admitted) <= at_most_from_idle(amount, window, float(lasts))


@every_limiter
@enough
@given(amount=amounts, window=windows, now=starts, more=st.integers(1, 20))
def test_on_a_clock_that_stands_still_a_burst_is_exact(
    make: Callable[[int, int], Limiter], amount: int, window: int, now: Time, more: int
) -> None:
    """Nothing refills and no boundary passes: the amount is admitted, not more and not less."""
    assert make(amount, window).burst([now] * (amount + more)) == amount == at_most_from_idle(amount, window, 0.0)


@every_limiter
@enough
@given(
    data=st.data(),
    amount=amounts,
    window=windows,
    start=starts,
    steps=st.lists(st.tuples(st.fractions(0, 2, max_denominator=16), st.integers(1, 40)), min_size=1, max_size=8),
)
def test_over_any_time_no_more_is_admitted(  # noqa: PLR0913  what is drawn
    make: Callable[[int, int], Limiter],
    data: st.DataObject,
    amount: int,
    window: int,
    start: Time,
    steps: list[tuple[Time, int]],
) -> None:
    """Whatever came before, between any two moments no limiter admits more than the bound."""
    limiter, now, admitted = make(amount, window), start, []
    for pause, requests in steps:
        now += pause * window
        admitted += [now] * limiter.burst([now] * requests)
    assume(admitted)
    first = data.draw(st.integers(0, len(admitted) - 1))
    last = data.draw(st.integers(first, len(admitted) - 1))
    assert last - first + 1 <= at_most(amount, window, float(admitted[last] - admitted[first]))


@every_limiter
@enough
@given(amount=amounts, window=windows, start=starts, late=st.lists(shares, min_size=1, max_size=30))
def test_whoever_keeps_the_pace_is_never_refused(
    make: Callable[[int, int], Limiter], amount: int, window: int, start: Time, late: list[Time]
) -> None:
    """One request after the other, none earlier than the pause after the last; late ones do no harm."""
    limiter, now = make(amount, window), start
    pause = Fraction(window * 2) if amount == 1 else Fraction(window, amount - 1)
    assert abs(float(pause) - pause_between(amount, window)) < 1e-9
    for share in late:
        assert limiter.admits(now)
        now += pause * (1 + (share if share > Fraction(1, 2) else 0))


@every_limiter
@enough
@given(data=st.data(), amount=st.integers(6, 12), window=windows, start=starts, parts=st.tuples(shares, shares))
def test_between_two_refusals_only_what_flowed_in_is_admitted(  # noqa: PLR0913  what is drawn
    make: Callable[[int, int], Limiter],
    data: st.DataObject,
    amount: int,
    window: int,
    start: Time,
    parts: tuple[Time, Time],
) -> None:
    """A key that is used up lets in what the bound says, if both controls are refused and all ends within a window."""
    limiter = make(amount, window)
    burst = moments(data, start, parts[0] * window / 4, 2 * amount + 2)
    limiter.burst(burst)
    begin = burst[-1] + parts[1] * window / 4
    tries = data.draw(st.integers(1, amount - 2))
    between = moments(data, begin, parts[0] * window / 4, tries)
    end = max(between)
    assume(end < start + window)
    before = limiter.admits(begin)
    admitted = limiter.burst(between)
    after = limiter.admits(end)
    if not before and not after:
        assert admitted <= let_in_when_spent(amount, window, float(end - begin))


@every_limiter
@enough
@given(amount=amounts, window=windows, start=starts, steps=st.lists(st.integers(0, 32), max_size=25))
def test_whoever_waits_long_enough_is_admitted(
    make: Callable[[int, int], Limiter], amount: int, window: int, start: Time, steps: list[int]
) -> None:
    """After any history, a client that was refused and comes back after the longest Retry-After gets in."""
    limiter, now = make(amount, window), start
    for step in steps:
        now += Fraction(step * window, 16)
        limiter.admits(now)
    while limiter.admits(now):
        pass
    assert limiter.admits(now + longest_retry_after(amount, window))


@pytest.mark.parametrize("name", BUCKETS)
@enough
@given(amount=amounts, window=windows, eighths=st.integers(0, 7))
def test_a_bucket_reaches_the_bound_of_a_burst(name: str, amount: int, window: int, eighths: int) -> None:
    """It spends its stock, then what it refills: the bound cannot be tighter."""
    seconds = Fraction(eighths * window, 8)
    bucket = LIMITERS[name](amount, window)
    admitted = bucket.burst([Fraction(0)] * (amount + 1)) + bucket.burst([seconds] * (amount + 1))
    assert admitted == at_most_from_idle(amount, window, float(seconds))


@enough
@given(amount=st.integers(6, 12), window=windows, full=st.integers(0, 3))
def test_an_aligned_window_reaches_the_bound_of_any_time(amount: int, window: int, full: int) -> None:
    """It admits the amount at the end of one window, in each of the next, and at the beginning of the last."""
    tiny = Fraction(1, 1000)
    limiter = FixedAligned(amount, window)
    ticks = [window - tiny, *(Fraction(window * (k + 1)) for k in range(full + 1))]
    admitted = sum(limiter.burst([tick] * (amount + 1)) for tick in ticks)
    lasted = ticks[-1] - ticks[0]
    assert admitted == amount * (full + 2)
    assert admitted == amount * (math.ceil(lasted / window) + 1) <= at_most(amount, window, float(lasted))


@enough
@given(amount=st.integers(2, 25), window=windows)
def test_a_window_half_as_long_is_over_the_bound(amount: int, window: int) -> None:
    """Four bursts, a little more than half a window apart, as RATE-1 sends, tell such a limiter from a correct one."""
    assume(amount > 7)  # below, roundings of counters hide it
    limiter = FixedAnchored(amount, Fraction(window, 2))
    apart = Fraction(51, 100) * window
    admitted = sum(limiter.burst([k * apart] * (amount + 1)) for k in range(4))
    assert admitted == 4 * amount > at_most(amount, window, float(3 * apart))


def test_one_burst_may_see_two_windows() -> None:
    """A checker that failed at one more than the amount in a single burst would be wrong for every aligned window."""
    admitted = FixedAligned(30, 60).burst([Fraction(59)] * 31 + [Fraction(60)] * 31)
    assert admitted == 60 <= at_most(30, 60, 1.0)
    assert admitted > at_most_from_idle(30, 60, 1.0)


def test_a_pace_of_the_whole_amount_would_accuse_a_counter() -> None:
    """With one request every window / amount a counter that weighs the window before refuses some."""
    counter = WindowCounter(30, 60)
    assert not all(counter.admits(Fraction(59) + 2 * k) for k in range(90))


def test_the_bounds_grow_with_time_and_amount() -> None:
    assert [at_most_from_idle(30, 60, seconds) for seconds in (0, 1.9, 2, 59.9, 60)] == [30, 30, 31, 59, 60]
    assert at_most_from_idle(100, 60, 6, burst=20) == 30
    assert [at_most(30, 60, seconds) for seconds in (0, 1, 60, 61, 91.8)] == [31, 60, 62, 90, 90]
    assert at_most(10, 60, 60, burst=100) == 110
    assert all(a <= b for a, b in pairwise(at_most_from_idle(n, 60, 10) for n in range(1, 100)))
    assert all(a <= b for a, b in pairwise(at_most(30, 60, seconds / 4) for seconds in range(1000)))
    assert (longest_retry_after(30, 60), longest_retry_after(1, 60), longest_retry_after(600, 60)) == (63, 121, 62)
    assert (pause_between(31, 60), pause_between(1, 60)) == (2, 120)
    assert [let_in_when_spent(30, 60, seconds) for seconds in (0, 1.9, 2, 10)] == [1, 1, 2, 6]
    assert [most_remaining(30, used, 60, 2.0) for used in (0, 1, 2, 4)] == [30, 30, 29, 27]
