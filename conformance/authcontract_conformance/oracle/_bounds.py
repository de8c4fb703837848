"""How many requests a correct limiter may admit: formulas, each with the reason why it holds for every algorithm.

`amount` units flow in each `window` of seconds; `burst` is the capacity of a bucket, the amount where none is named.
`seconds` must include the resolution of the limiter's clock, and may always be longer than what truly passed: every
bound grows with it. The arithmetic is exact, so that no rounding accuses anybody.
"""

from __future__ import annotations

import math
from fractions import Fraction


def at_most_from_idle(amount: int, window: float, seconds: float, burst: int | None = None) -> int:
    """Return the most that a burst from idle may see admitted, as the smaller of two bursts half a window apart.

    A log, and a window without a boundary inside, admit `amount`; a bucket spends its stock and what it refills in
    `seconds`, which is `amount * seconds / window`, rounded down. A boundary of an aligned window can lie in one of
    two bursts only, if each is shorter than half a window and they start half a window apart; so the smaller count is
    bound by this whatever the algorithm (clauses 4.4).
    """
    return (amount if burst is None else burst) + _refilled(amount, window, seconds)


def at_most(amount: int, window: float, seconds: float, burst: int | None = None) -> int:
    """Return the most that any correct limiter admits in `seconds`, whatever happened before.

    At most `ceil(seconds / window) + 1` windows meet the time, each with `amount`, and a log admits no more than these
    windows would. A counter that weighs the window before never lets two neighbours have more than one window's amount
    and what flows meanwhile; its roundings may add one for each window. A bucket spends its stock and what flows in
    (clauses 4.2 and 4.3).
    """
    windows = math.ceil(Fraction(seconds) / Fraction(window))
    flowing = Fraction(seconds) * amount / Fraction(window)
    return max(
        amount * (windows + 1),
        amount + math.ceil(flowing) + windows + 1,
        (amount if burst is None else burst) + math.floor(flowing),
    )


def pause_between(amount: int, window: float) -> float:
    """Return how long to wait between two requests, so that from idle no correct limiter refuses any.

    With one request every `window / (amount - 1)` no window holds more than `amount`, and a bucket refills faster than
    it is spent. `window / amount` would not do: a counter that weighs the window before refuses some then. For an
    amount of one, two windows leave nothing of the last request (clauses 4.5).
    """
    return 2 * window if amount == 1 else window / (amount - 1)


def let_in_when_spent(amount: int, window: float, seconds: float) -> int:
    """Return how many requests may get in between two refusals, `seconds` apart, of a key that is used up.

    Both refusals must lie within one window of the first request that was admitted, so that no log entry and no window
    that began with it runs out. A boundary for everybody in between would let the second refusal in too. What is left
    is what flows into a bucket, or out of a counter's last window, and one that was already under way (clauses 4.8).
    """
    return _refilled(amount, window, seconds) + 1


def longest_retry_after(amount: int, window: float) -> int:
    """Return the longest time, in whole seconds, after which some correct limiter admits a request again.

    A fixed window and a log free something within `window`; a window counter needs one share of it more, since the
    previous window still weighs; a bucket is faster. One second is allowed for rounding (clauses 4.7).
    """
    return math.ceil(window) + math.ceil(window / amount) + 1


def most_remaining(amount: int, used: int, window: float, seconds: float) -> int:
    """Return the most that may be left of an amount after `used` units were taken from idle within `seconds`.

    Windows and logs give nothing back meanwhile, buckets what flows in; nobody has more than the amount. A window that
    ends for everybody meanwhile begins anew, so that one such reading proves nothing and only a row of them does.
    """
    return min(amount, amount - used + _refilled(amount, window, seconds))


def _refilled(amount: int, window: float, seconds: float) -> int:
    return math.floor(Fraction(seconds) * amount / Fraction(window))
