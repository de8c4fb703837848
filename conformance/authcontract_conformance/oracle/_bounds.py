"""How many requests a correct limiter may admit: formulas, each with the reason why it holds for every algorithm."""

from __future__ import annotations

import math


def at_most_from_idle(amount: int, window: float, seconds: float) -> int:
    """Return the most that a burst from idle may see admitted, as the smaller of two bursts half a window apart.

    A log, and a window without a boundary inside, admit `amount`; a bucket spends its stock and what it refills in
    `seconds`, which is `amount * seconds / window`, rounded down. A boundary of an aligned window can lie in one of
    two bursts only, if each is shorter than half a window and they start half a window apart; so the smaller count is
    bound by this whatever the algorithm (clauses 4.4). `seconds` must include the resolution of the limiter's clock.
    """
    return amount + math.floor(amount * seconds / window)


def longest_retry_after(amount: int, window: float) -> int:
    """Return the longest time, in whole seconds, after which some correct limiter admits a request again.

    A fixed window and a log free something within `window`; a window counter needs one share of it more, since the
    previous window still weighs; a bucket is faster. One second is allowed for rounding (clauses 4.7).
    """
    return math.ceil(window) + math.ceil(window / amount) + 1
