"""How many requests a correct limiter may admit: formulas, each with the reason why it holds for every algorithm.

`amount` units flow in each `window` of seconds; `burst` is the capacity of a bucket, the amount where none is named.
`seconds` must include the resolution of the limiter's clock, and may always be longer than what truly passed: every
bound grows with it. The arithmetic is exact, so that no rounding accuses anybody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby


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


def pause_between(amount: int, window: float, resolution: float = 0.0) -> float:
    """Return how long to wait between two requests, so that from idle no correct limiter refuses any.

    With one request every `window / (amount - 1)` no window holds more than `amount`, and a bucket refills faster than
    it is spent. `window / amount` would not do: a counter that weighs the window before refuses some then. For an
    amount of one, two windows leave nothing of the last request (clauses 4.5). A clock that ticks in steps forgets up
    to one step later, so that to a log or a counter the window is that much longer.
    """
    return 2 * window + resolution if amount == 1 else (window + resolution) / (amount - 1)


#: How improbable a rhythm must be by chance.
_IMPROBABLE = 1e-6


def steady(admitted: Sequence[bool]) -> bool:
    """Tell whether refusals at an even pace come in a rhythm that a limiter has, and nobody who asks at random makes.

    A limiter that nobody else uses and that lets in too little does it evenly: as many are let in, and as many refused,
    each time, but for one at a boundary. Where somebody else's requests are the cause, each refusal is a matter of
    chance. So the lengths of the stretches must be alike, and so many that no chance of a refusal whatever, the same
    each time, makes them come out that even more often than once in a million times. The first and the last stretch
    are cut off, and not counted.
    """
    stretches = [(let_in, len(list(group))) for let_in, group in groupby(admitted)][1:-1]
    served, refused = ([length for let_in, length in stretches if let_in is which] for which in (True, False))
    pairs = min(len(served), len(refused))
    if not pairs or any(max(lengths) - min(lengths) > 1 for lengths in (served, refused)):
        return False

    def by_chance(refusal: float) -> float:
        """Return how probable a stretch of each sort has these lengths: all but one of its requests go on with it."""
        ends = ((1 - refusal, served), (refusal, refused))
        return math.prod(share ** (min(lengths) - 1) - share ** max(lengths) for share, lengths in ends)

    return max(by_chance(percent / 100) for percent in range(1, 100)) ** pairs <= _IMPROBABLE


def let_in_when_spent(amount: int, window: float, seconds: float) -> int:
    """Return how many requests may get in between two refusals, `seconds` apart, of a key that is used up.

    Both refusals must lie within one window of the first request that was admitted, so that no log entry and no window
    that began with it runs out. A boundary for everybody in between would let the second refusal in too. What is left
    is what flows into a bucket, or out of a counter's last window, and one that was already under way (clauses 4.8).
    """
    return _refilled(amount, window, seconds) + 1


def apart(first: tuple[float, float], second: tuple[float, float], window: float, resolution: float) -> bool:
    """Tell whether no boundary of an aligned window can lie within both of two bursts, each from its start to its end.

    Boundaries lie a whole number of windows apart, so that one in each is possible just where the first burst, moved by
    whole windows, meets the second. That each is shorter than half a window is not enough: what counts is how far apart
    they start, modulo the window, against how long both last. The limiter's clock may be late by its resolution.
    """
    (start, end), (again, last) = first, second
    later = (again - start) % window
    return later > end - start + resolution and window - later > last - again + resolution


def memory(amount: int, window: float, burst: int, algorithm: str = "any") -> float:
    """Return the seconds after which a limiter of whose requests none was refused has forgotten all of them.

    Windows and logs forget within one window, a counter that weighs the window before within two, and a bucket is full
    again once all that it holds has flowed back.
    """
    refilled = burst * window / amount
    return {"fixed_window": window, "sliding_log": window, "window_counter": 2 * window, "token_bucket": refilled}.get(
        algorithm, max(2 * window, refilled)
    )


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
