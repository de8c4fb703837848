"""The four ways of counting: their bounds over any history, and what they say of themselves.

The bounds are those that hold for every correct limiter of the kind; a second opinion comes from the `limits` library
and, for the bucket, from a simulation in exact rationals.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor

import limits
import pytest
from authcontract_engine import STEPS, Limit, Outcome
from authcontract_engine._limits import ADJUSTMENTS, SECOND, Alignment
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

QUICK = settings(max_examples=150, deadline=None, database=None, derandomize=True)
START = 1_800_000_000 * SECOND
#: Gaps between requests in nanoseconds, over windows of 10 seconds: none, tiny, large, and whole windows.
GAPS = st.one_of(
    st.just(0), st.integers(1, SECOND), st.integers(0, 25 * SECOND), st.sampled_from([1, 10 * SECOND - 1, 10 * SECOND])
)
History = Sequence[tuple[int, int]]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw (time, cost) of requests, in order."""
    at = START + draw(st.integers(0, 10 * SECOND))
    found = []
    for gap in draw(st.lists(GAPS, max_size=60)):
        at += gap
        found.append((at, draw(st.sampled_from([1, 1, 1, 1, 2, 3, 0]))))
    return found


algorithms = st.sampled_from(sorted(STEPS))
amounts = st.integers(1, 7)
alignments: st.SearchStrategy[Alignment] = st.sampled_from(["aligned", "anchored"])


def run(algorithm: str, limit: Limit, history: History) -> Iterator[tuple[int, int, object, Outcome]]:
    """Yield time, cost, state before, and outcome of each request."""
    state = None
    for at, cost in history:
        before = state
        state, outcome = STEPS[algorithm](state, at, limit, cost)
        yield at, cost, before, outcome


def upper(algorithm: str, limit: Limit, length: int) -> int:
    """Return the most units that any closed interval of this length may see."""
    windows = Fraction(length, limit.window)
    n = limit.amount
    return {
        "fixed_window": n * (ceil(windows) + 1),
        "sliding_log": n * (floor(windows) + 1),
        "window_counter": n + ceil(n * windows) + ceil(windows) + 1,
        "token_bucket": limit.burst + floor(n * windows),
    }[algorithm]


@QUICK
@given(algorithms, amounts, st.integers(1, 9), alignments, histories())
def test_no_interval_sees_more_than_the_bound(
    algorithm: str, amount: int, burst: int, alignment: Alignment, history: History
) -> None:
    limit = Limit(amount, 10 * SECOND, burst, alignment)
    admitted = [(at, cost) for at, cost, _, outcome in run(algorithm, limit, history) if outcome.admitted]
    for first, (begun, _) in enumerate(admitted):
        taken = 0
        for at, cost in admitted[first:]:
            taken += cost
            assert taken <= upper(algorithm, limit, at - begun)


@QUICK
@given(algorithms, amounts, alignments, histories())
def test_from_idle_exactly_the_capacity_is_admitted_at_one_instant(
    algorithm: str, amount: int, alignment: Alignment, history: History
) -> None:
    """Whatever happened before, after two idle windows a burst sees the amount, no less, no more."""
    limit = Limit(amount, 10 * SECOND, amount, alignment)
    state, at = None, START
    for at, cost in history:
        state, _ = STEPS[algorithm](state, at, limit, cost)
    at += 2 * limit.window
    outcomes = []
    for _ in range(amount + 2):
        state, outcome = STEPS[algorithm](state, at, limit, 1)
        outcomes.append(outcome)
    assert [outcome.admitted for outcome in outcomes] == [True] * amount + [False] * 2
    assert [outcome.remaining for outcome in outcomes] == [*range(amount - 1, -1, -1), 0, 0]


@QUICK
@given(algorithms, st.integers(2, 7), alignments, st.integers(0, 10 * SECOND))
def test_who_keeps_the_pace_is_never_refused(algorithm: str, amount: int, alignment: Alignment, phase: int) -> None:
    """One request every W/(N-1) from idle passes under every algorithm, even with a capacity of one."""
    limit = Limit(amount, 10 * SECOND, 1 if algorithm == "token_bucket" else amount, alignment)
    pace = -(-limit.window // (amount - 1))
    history = [(START + phase + turn * pace, 1) for turn in range(3 * amount)]
    assert all(outcome.admitted for *_, outcome in run(algorithm, limit, history))


@QUICK
@given(algorithms, amounts, st.integers(1, 9), alignments, histories())
def test_a_refusal_says_exactly_when_to_come_back(
    algorithm: str, amount: int, burst: int, alignment: Alignment, history: History
) -> None:
    limit = Limit(amount, 10 * SECOND, burst, alignment)
    step = STEPS[algorithm]
    capacity = burst if algorithm == "token_bucket" else amount
    for at, cost, state, outcome in run(algorithm, limit, history):
        assert outcome.admitted == (outcome.retry == 0)
        if outcome.admitted:
            continue
        assert (outcome.retry is None) == (cost > capacity)
        if outcome.retry is not None:
            assert step(state, at + outcome.retry, limit, cost)[1].admitted
            assert not step(state, at + outcome.retry - 1, limit, cost)[1].admitted
            assert outcome.retry >= outcome.reset > 0


@QUICK
@given(algorithms, amounts, st.integers(1, 9), alignments, histories())
def test_what_is_said_to_be_left_is_left(
    algorithm: str, amount: int, burst: int, alignment: Alignment, history: History
) -> None:
    """So many units more would be admitted now and not one more; after the reset there is one more, and not before."""
    limit = Limit(amount, 10 * SECOND, burst, alignment)
    step = STEPS[algorithm]
    state = None
    for at, cost in history:
        state, outcome = step(state, at, limit, cost)
        left = outcome.remaining
        assert step(state, at, limit, left)[1].admitted
        assert not step(state, at, limit, left + 1)[1].admitted
        if outcome.reset:
            assert step(state, at + outcome.reset, limit, left + 1)[1].admitted
            assert not step(state, at + outcome.reset - 1, limit, left + 1)[1].admitted
        else:
            assert left == (burst if algorithm == "token_bucket" else amount)


@QUICK
@given(algorithms, amounts, alignments, histories())
def test_what_is_refused_or_free_changes_nothing(
    algorithm: str, amount: int, alignment: Alignment, history: History
) -> None:
    limit = Limit(amount, 10 * SECOND, amount, alignment)
    state = None
    for at, cost in history:
        before = state
        state, outcome = STEPS[algorithm](state, at, limit, cost)
        assert cost == 0 or outcome.admitted == (state is not before)
        if cost == 0:
            assert outcome.admitted
            assert state is before


@QUICK
@given(algorithms, amounts, alignments, histories(), st.integers(1, 3), st.integers(0, 25 * SECOND))
def test_a_charge_taken_back_leaves_no_trace(  # noqa: PLR0913  what a history is made of
    algorithm: str, amount: int, alignment: Alignment, history: History, units: int, later: int
) -> None:
    """Taking units and giving them back at once admits from then on what would have been admitted without."""
    limit = Limit(amount, 10 * SECOND, amount, alignment)
    step, adjust = STEPS[algorithm], ADJUSTMENTS[algorithm]
    state, at = None, START
    for at, cost in history:
        state, _ = step(state, at, limit, cost)
    taken, outcome = step(state, at, limit, units)
    assume(outcome.admitted)
    # A window that began with the charge stays begun: where windows are anchored that is a trace.
    assume(alignment == "aligned" or algorithm != "fixed_window" or state is not None)
    back = adjust(taken, at, limit, -units)
    then = at + later
    assert step(back, then, limit, 1)[1].remaining == step(state, then, limit, 1)[1].remaining


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_a_charge_may_grow_once_its_outcome_is_known(algorithm: str) -> None:
    limit = Limit(10, 10 * SECOND, 10)
    for begun in (None, STEPS[algorithm](None, START, limit, 1)[0]):
        grown = ADJUSTMENTS[algorithm](begun, START, limit, 4)
        used = 4 if begun is None else 5
        assert STEPS[algorithm](grown, START, limit, 0)[1].remaining == 10 - used


def test_what_is_settled_late_is_settled_where_it_was_counted() -> None:
    """A request that ends in the next window gives nothing back there: that window never counted it."""
    limit = Limit(10, 10 * SECOND, 10)
    for algorithm, left in (("fixed_window", 9), ("window_counter", 9), ("sliding_log", 9)):
        step, adjust = STEPS[algorithm], ADJUSTMENTS[algorithm]
        state, _ = step(None, START, limit, 5)
        state, _ = step(state, START + 10 * SECOND, limit, 1)
        state = adjust(state, START, limit, -5)
        assert step(state, START + 10 * SECOND, limit, 0)[1].remaining == left
    long_ago = ADJUSTMENTS["window_counter"]((START // (10 * SECOND) + 2, 0, 3), START, limit, -5)
    assert long_ago == (START // (10 * SECOND) + 2, 0, 3)
    fresh = ADJUSTMENTS["window_counter"]((START // (10 * SECOND) - 1, 2, 3), START, limit, 4)
    assert fresh == (START // (10 * SECOND), 3, 4)
    assert ADJUSTMENTS["sliding_log"](None, START, limit, -1) == (0, ())


@QUICK
@given(amounts, st.integers(1, 9), histories())
def test_bucket_against_exact_rationals(amount: int, burst: int, history: History) -> None:
    limit = Limit(amount, 10 * SECOND, burst)
    rate = Fraction(amount, 10 * SECOND)
    stock, then = Fraction(burst), None
    for at, cost, _, outcome in run("token_bucket", limit, history):
        stock = min(Fraction(burst), stock + rate * (at - then)) if then is not None else stock
        then = at
        assert outcome.admitted == (cost <= stock)
        if outcome.admitted:
            stock -= cost
        elif outcome.retry is not None:
            assert outcome.retry == ceil((cost - stock) / rate)
        assert outcome.remaining == floor(stock)
        assert outcome.reset == (0 if stock == burst else ceil((floor(stock) + 1 - stock) / rate))


class Frozen:
    """The clock of the `limits` library, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("time.time", lambda: self.now)


#: Seconds between requests, in threes: never a whole window of ten, at whose very end the library still counts.
threes = st.lists(st.sampled_from([0, 0, 3, 6, 12, 21]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("algorithm", "theirs"),
    [("fixed_window", FixedWindowRateLimiter), ("sliding_log", MovingWindowRateLimiter)],
)
def test_against_the_limits_library(
    algorithm: str, theirs: type[FixedWindowRateLimiter | MovingWindowRateLimiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same requests pass; the library's fixed window begins with the first request, as our anchored one does."""
    clock = Frozen(monkeypatch)

    @settings(QUICK, max_examples=60)
    @given(amounts, threes)
    def agree(amount: int, gaps: list[int]) -> None:
        other, item = theirs(storage()), limits.RateLimitItemPerSecond(amount, 10)
        limit, state = Limit(amount, 10 * SECOND, amount, "anchored"), None
        clock.now = START / SECOND
        for gap in gaps:
            clock.now += gap
            state, outcome = STEPS[algorithm](state, round(clock.now * SECOND), limit, 1)
            assert outcome.admitted == other.hit(item)

    agree()


def storage() -> MemoryStorage:
    """Return a storage of the library, without the thread that tidies it."""
    found = MemoryStorage()
    if found.timer is not None:
        found.timer.cancel()
    return found


def test_window_counter_against_the_limits_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ours admits theirs does; theirs rounds the previous window's share down, and so admits up to one more."""
    clock = Frozen(monkeypatch)
    step, adjust = STEPS["window_counter"], ADJUSTMENTS["window_counter"]

    @settings(QUICK, max_examples=60)
    @given(amounts, threes)
    def close(amount: int, gaps: list[int]) -> None:
        other, item = SlidingWindowCounterRateLimiter(storage()), limits.RateLimitItemPerSecond(amount, 10)
        limit, wider, state = Limit(amount, 10 * SECOND, 0), Limit(amount + 1, 10 * SECOND, 0), None
        clock.now = START / SECOND
        for gap in gaps:
            clock.now += gap
            at = round(clock.now * SECOND)
            ours, theirs = step(state, at, limit, 1)[1].admitted, other.hit(item)
            assert theirs or not ours
            assert not theirs or step(state, at, wider, 1)[1].admitted
            # Both go on from what the library admitted.
            state = adjust(state, at, limit, 1) if theirs else state

    close()


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_a_limit_of_nothing_admits_nothing(algorithm: str) -> None:
    """Neither at first nor where the amount fell to nothing while something was counted."""
    nothing = Limit(0, SECOND, 0)
    step = STEPS[algorithm]
    counted, _ = step(None, START, Limit(3, SECOND, 3), 2)
    for state in (None, counted):
        _, outcome = step(state, START, nothing, 1)
        assert (outcome.admitted, outcome.remaining, outcome.retry) == (False, 0, None)
        assert step(state, START, nothing, 0)[1].admitted
