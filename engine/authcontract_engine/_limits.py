"""The language's four ways of counting, each a pure step `(state, now, limit, cost) -> (state, outcome)`.

Times are whole nanoseconds and stocks whole multiples of one unit's refill time, so that every answer is exact.

    algorithm       state                          admits while
    fixed_window    (start, used)                  used + cost <= amount
    sliding_log     ((time, cost), ...)            what the log holds of the last window + cost <= amount
    window_counter  (index, previous, current)     previous, weighted by its share, + current + cost <= amount
    token_bucket    (stock, time)                  cost <= stock
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

SECOND = 1_000_000_000
State: TypeAlias = Any
Alignment: TypeAlias = Literal["aligned", "anchored"]


@dataclass(frozen=True, slots=True)
class Limit:
    """So many units in a window; `burst` is the capacity of a bucket."""

    amount: int
    #: Nanoseconds.
    window: int
    burst: int
    #: Fixed windows begin at multiples of their length, or at the first request.
    alignment: Alignment = "aligned"


class Outcome(NamedTuple):
    """What one step came to."""

    admitted: bool
    #: Whole units left after it.
    remaining: int
    #: Nanoseconds until more is left than now.
    reset: int
    #: Nanoseconds until the same cost would be admitted; 0 if it is now.
    retry: int


Step: TypeAlias = Callable[[State, int, Limit, int], tuple[State, Outcome]]


def fixed_window(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Count in windows that follow each other."""
    start, used = state or (None, 0)
    if start is None or now >= start + limit.window:
        start, used = (now - now % limit.window if limit.alignment == "aligned" else now), 0
    admitted = used + cost <= limit.amount
    used += cost if admitted else 0
    reset = start + limit.window - now
    return (start, used), Outcome(admitted, max(0, limit.amount - used), reset, 0 if admitted else reset)


def sliding_log(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Count what was admitted in the window that ends now."""
    log = state or ()
    edge = now - limit.window
    if log and log[0][0] <= edge:
        log = tuple(entry for entry in log if entry[0] > edge)
    used = sum(entry[1] for entry in log)
    admitted = used + cost <= limit.amount
    retry = 0
    if admitted:
        log = (*log, (now, cost))
        used += cost
    else:
        excess = used + cost - limit.amount
        for time, freed in log:
            excess -= freed
            if excess <= 0:
                retry = time + limit.window - now
                break
        else:
            retry = limit.window
    reset = log[0][0] + limit.window - now if log else 0
    return log, Outcome(admitted, max(0, limit.amount - used), reset, retry)


def window_counter(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Estimate the last window from two counters: the previous one weighs by the share of it that is still in reach."""
    index = now // limit.window
    previous, current = _counters(state, index)
    into = now - index * limit.window
    weighed = previous * (limit.window - into)
    admitted = weighed + (current + cost) * limit.window <= limit.amount * limit.window
    current += cost if admitted else 0
    room = limit.amount * limit.window - weighed - current * limit.window
    reset = limit.window - into
    retry = 0 if admitted else _until(limit, cost, previous, current, into)
    return (index, previous, current), Outcome(admitted, max(0, room // limit.window), reset, retry)


def _counters(state: State, index: int) -> tuple[int, int]:
    if not state:
        return 0, 0
    then, previous, current = state
    if then == index:
        return previous, current
    return (current, 0) if then == index - 1 else (0, 0)


def _until(limit: Limit, cost: int, previous: int, current: int, into: int) -> int:
    """Return how long until the counter admits `cost`: in this window as the previous fades, or in the next one."""
    room = limit.amount - current - cost
    if room >= 0 and previous:
        # Solved for the moment at which what is left of the previous window fits into the room.
        at = limit.window - room * limit.window // previous
        if at <= limit.window:
            return max(0, at - into)
    left = limit.window - into
    room = limit.amount - cost
    if room < 0:
        return 2 * limit.window
    return left + (max(0, limit.window - room * limit.window // current) if current else 0)


def token_bucket(state: State, now: int, limit: Limit, cost: int) -> tuple[State, Outcome]:
    """Spend from a stock that refills steadily; one unit is `window` of these, refilled `amount` a nanosecond."""
    full = limit.burst * limit.window
    stock, then = state or (full, now)
    stock = min(full, stock + (now - then) * limit.amount)
    price = cost * limit.window
    admitted = price <= stock
    stock -= price if admitted else 0
    lacking = -stock % limit.window if stock < full else 0
    reset = -(-(lacking or (limit.window if stock < full else 0)) // limit.amount)
    retry = 0 if admitted else -(-(price - stock) // limit.amount)
    return (stock, now), Outcome(admitted, stock // limit.window, reset, retry)


STEPS: Mapping[str, Step] = {
    "fixed_window": fixed_window,
    "sliding_log": sliding_log,
    "window_counter": window_counter,
    "token_bucket": token_bucket,
}


def give_back(algorithm: str, state: State, limit: Limit, units: int) -> State:
    """Return the state after a charge turned out smaller by so many units (larger, if negative)."""
    if not state:
        return state
    match algorithm:
        case "fixed_window":
            return (state[0], max(0, state[1] - units))
        case "sliding_log":
            time, cost = state[-1]
            return (*state[:-1], (time, cost - units)) if cost > units else state[:-1]
        case "window_counter":
            return (state[0], state[1], max(0, state[2] - units))
        case _:
            return (min(limit.burst * limit.window, max(0, state[0] + units * limit.window)), state[1])
