"""The language's four ways of counting, each a pure step `(state, now, limit, cost) -> (state, outcome)`.

Times are whole nanoseconds and stocks whole multiples of what one unit takes to refill, so that every answer is exact.
What is refused, or costs nothing, changes no state; `None` is the state in which nothing was ever counted.

    algorithm       state                       admits while
    fixed_window    (start, used)               used + cost <= amount
    sliding_log     (used, ((time, cost), ...)) what the last window holds + cost <= amount
    window_counter  (index, previous, current)  previous, by its share still in reach, + current + cost <= amount
    token_bucket    (stock, time)               cost <= stock
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ._lean import lean

SECOND: Final = 1_000_000_000
State: TypeAlias = Any
Alignment: TypeAlias = Literal["aligned", "anchored"]


@dataclass(frozen=True, slots=True)
class Limit:
    """So many units in a window; `burst` is the capacity of a bucket."""

    amount: int
    #: Nanoseconds.
    window: int
    burst: int
    #: Fixed windows begin at multiples of their length since the epoch, or at the first request.
    alignment: Alignment = "aligned"


@lean(frozen=True, slots=True)
class Outcome:
    """What one step came to."""

    admitted: bool
    #: Whole units left after it.
    remaining: int
    #: Nanoseconds until one more is left; 0 where nothing is used.
    reset: int
    #: Nanoseconds until the same cost is admitted if nothing else happens; 0 if it is now, None if never.
    retry: int | None


Step: TypeAlias = Callable[[State, int, Limit, int], tuple[State, Outcome]]
#: The state once a request counted at the time `at` has taken so many units more, or less.
Adjustment: TypeAlias = Callable[[State, int, Limit, int], State]


def fixed_window(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Count in windows that follow each other."""
    start, used = state if state is not None and now < state[0] + limit.window else _fresh(now, limit)
    admitted = not cost or used + cost <= limit.amount
    if admitted and cost:
        used += cost
        state = (start, used)
    reset = start + limit.window - now if used else 0
    retry = 0 if admitted else reset if cost <= limit.amount else None
    return state, Outcome(admitted, max(0, limit.amount - used), reset, retry)


def adjust_fixed_window(state: State, at: int, limit: Limit, units: int) -> State:
    """Count more or less in the window of `at`, unless another has begun."""
    start, used = state if state is not None and at < state[0] + limit.window else _fresh(at, limit)
    return (start, max(0, used + units)) if start <= at else state


def _fresh(now: int, limit: Limit) -> tuple[int, int]:
    """Return the window that begins now, or began for everybody, and that nothing is used of it."""
    return (now - now % limit.window if limit.alignment == "aligned" else now), 0


def sliding_log(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Count what the window that ends now holds; a request of exactly one window ago has left it."""
    used, log = state or (0, ())
    left = 0
    while left < len(log) and log[left][0] <= now - limit.window:
        used -= log[left][1]
        left += 1
    log = log[left:] if left else log
    admitted = not cost or used + cost <= limit.amount
    if admitted and cost:
        used += cost
        log = (*log, (now, cost))
        state = (used, log)
    reset = _left_after(log, used - limit.amount + 1) + limit.window - now if log else 0
    if admitted:
        retry: int | None = 0
    elif cost <= limit.amount:
        retry = _left_after(log, used + cost - limit.amount) + limit.window - now
    else:
        retry = None
    return state, Outcome(admitted, max(0, limit.amount - used), reset, retry)


def _left_after(log: tuple[tuple[int, int], ...], units: int) -> int:
    """Return the time of the entry with which so many units have left the window: the last one, if there are fewer."""
    for time, cost in log:
        units -= cost
        if units <= 0:
            return time
    return log[-1][0]


def adjust_sliding_log(state: State, at: int, limit: Limit, units: int) -> State:  # noqa: ARG001  as the others
    """Count more at `at`, or take back what was counted then."""
    used, log = state or (0, ())
    if units > 0:
        return (used + units, tuple(sorted((*log, (at, units)))))
    kept = []
    for time, cost in log:
        back = min(cost, -units) if time == at else 0
        units += back
        used -= back
        if cost > back:
            kept.append((time, cost - back))
    return (used, tuple(kept))


def window_counter(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Estimate the last window from two counters: the previous one weighs by its share that is still in reach."""
    index, into = divmod(now, limit.window)
    previous, current = _counters(state, index)
    room = (limit.amount - current) * limit.window - previous * (limit.window - into)
    admitted = not cost or cost * limit.window <= room
    if admitted and cost:
        current += cost
        room -= cost * limit.window
        state = (index, previous, current)
    remaining = max(0, room // limit.window)
    reset = _until(limit, remaining + 1, previous, current, into) if previous or current else 0
    retry = 0 if admitted else _until(limit, cost, previous, current, into)
    return state, Outcome(admitted, remaining, reset or 0, retry)


def _counters(state: State, index: int) -> tuple[int, int]:
    then, previous, current = state or (index, 0, 0)
    if then >= index:
        return previous, current
    return (current, 0) if then == index - 1 else (0, 0)


def _until(limit: Limit, units: int, previous: int, current: int, into: int) -> int | None:
    """Return how long until so many units are free: in this window as the previous fades, or in the next one."""
    window = limit.window
    room = limit.amount - current - units
    if room >= 0:
        # The previous window fades to what there is room for once its share still in reach is room / previous.
        return max(0, window - room * window // previous - into) if previous else 0
    room = limit.amount - units
    if room < 0:
        return None
    return window - into + max(0, window - room * window // current)


def adjust_window_counter(state: State, at: int, limit: Limit, units: int) -> State:
    """Count more or less in the window of `at`, which may be the previous one by now."""
    index = at // limit.window
    then, previous, current = state or (index, 0, 0)
    if then == index:
        return (then, previous, max(0, current + units))
    if then == index + 1:
        return (then, max(0, previous + units), current)
    previous, current = _counters(state, index)
    return (index, previous, max(0, current + units)) if then < index else state


def token_bucket(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Spend from a stock that refills steadily: a unit is `window` of it, and `amount` flows back each nanosecond."""
    unit, full = limit.window, limit.burst * limit.window
    stock, then = state or (full, now)
    stock = min(full, stock + max(0, now - then) * limit.amount)
    admitted = cost * unit <= stock or not cost
    if admitted and cost:
        stock -= cost * unit
        state = (stock, max(now, then))
    remaining = max(0, stock // unit)
    reset = _refill(limit, (remaining + 1) * unit - stock) if stock < full else 0
    retry = 0 if admitted else _refill(limit, cost * unit - stock) if cost <= limit.burst else None
    return state, Outcome(admitted, remaining, reset or 0, retry)


def _refill(limit: Limit, stock: int) -> int | None:
    """Return how long so much stock takes to flow back."""
    return -(-stock // limit.amount) if limit.amount else None


def adjust_token_bucket(state: State, at: int, limit: Limit, units: int) -> State:
    """Spend more, or put back what was spent."""
    full = limit.burst * limit.window
    stock, then = state or (full, at)
    return (min(full, stock - units * limit.window), then)


STEPS: Final[Mapping[str, Step]] = {
    "fixed_window": fixed_window,
    "sliding_log": sliding_log,
    "window_counter": window_counter,
    "token_bucket": token_bucket,
}
ADJUSTMENTS: Final[Mapping[str, Adjustment]] = {
    "fixed_window": adjust_fixed_window,
    "sliding_log": adjust_sliding_log,
    "window_counter": adjust_window_counter,
    "token_bucket": adjust_token_bucket,
}
