"""Pacing by the contract's own limits: a request that a correct server would refuse for quota is not sent yet.

1. As long as nothing is refused, a key sends as much at once as a log of the documented window admits.
2. That is more than some correct limiters admit: a bucket may hold less than the amount, and a counter that weighs the
   window before has two windows of memory. Whose request is refused nevertheless leaves the allowance alone for as long
   as the target says, whoever else wants to use it, and from then on sends at the even pace that none of them refuses.
3. A target may charge a key that the contract does not see: one of two in a request, or one in a line that should not
   be read. Only a refusal tells that it did.
"""

from __future__ import annotations

from collections.abc import Iterable

from authcontract_engine import Charge, Contract, KeyRecord, MemoryLimiter, Reading

from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._bounds import longest_retry_after, pause_between

from ._clock import Clock

#: How long to wait after a refusal that does not say it, where nobody knows for which limit it was (R5).
USUAL_RETRY_AFTER = 61.0


class Pacer:
    """Counts what this run sends, and says when there is room again."""

    def __init__(self, contract: Contract, clock: Clock) -> None:
        self._contract = contract
        self._clock = clock
        self._limiter = MemoryLimiter(contract, algorithm="sliding_log")
        #: Allowance of which something was refused -> when it may be used next.
        self._next: dict[tuple[str, ...], float] = {}

    def delay(self, reading: Reading, key: KeyRecord | None, carried: Iterable[KeyRecord] = ()) -> float:
        """Return the seconds to wait before sending; 0: it may go and is counted now.

        `carried` are all keys that stand in the request, whether or not the contract sees them there.
        """
        now = self._clock.now()
        charges = self._contract.charges(reading, key, now)
        uneven = [charge for charge in charges or self._perhaps(reading, carried) if charge.bucket in self._next]
        wait = max((self._next[charge.bucket] - now for charge in uneven), default=0.0)
        if wait > 0:
            return wait
        reservation = self._limiter.reserve(charges, now)
        if not reservation.admitted:
            return max(standing.retry_after for standing in reservation.standings if not standing.admitted)
        for charge in uneven:
            self._next[charge.bucket] = now + pause_between(_requests(charge), self._window(charge))
        return 0.0

    def refused(
        self, reading: Reading, key: KeyRecord | None, carried: Iterable[KeyRecord], seconds: float | None
    ) -> float:
        """Take note that a request was refused for quota; returns how long to wait, where the target does not say."""
        now = self._clock.now()
        charges = self._contract.charges(reading, key, now) or self._perhaps(reading, carried)
        if seconds is None:
            longest = (longest_retry_after(_requests(charge), self._window(charge)) for charge in charges)
            seconds = max(longest, default=USUAL_RETRY_AFTER)
        for charge in charges:
            self._next[charge.bucket] = max(self._next.get(charge.bucket, 0.0), now + seconds)
        return seconds

    def _perhaps(self, reading: Reading, carried: Iterable[KeyRecord]) -> tuple[Charge, ...]:
        """Return what the target may charge the keys that stand in a request, of which the contract sees none."""
        if reading.operation is None:
            return ()
        return tuple(charge for key in carried for charge in self._contract.usual_charges(reading.operation, key))

    def _window(self, charge: Charge) -> int:
        """Return the window of a charge in seconds; limits of requests always have one."""
        return self._contract.policy.rate_limits[charge.limit].window or 1


def _requests(charge: Charge) -> int:
    """Return how many such requests there are in a window, and one at least."""
    return max(charge.amount // max(charge.cost, 1), 1)


def retry_after(exchange: Exchange) -> float | None:
    """Return the seconds after which the target wants to be asked again, if it says so."""
    text = (exchange.header("Retry-After") or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None  # noqa: PLR2004  a day
