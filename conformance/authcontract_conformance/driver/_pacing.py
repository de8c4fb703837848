"""Pacing by the contract's own limits: a request that a correct server would refuse for quota is not sent yet."""

from __future__ import annotations

from authcontract_engine import Contract, KeyRecord, MemoryLimiter, Reading

from ._clock import Clock


class Pacer:
    """Counts what this run sends as the strictest algorithm would, and says when there is room again."""

    def __init__(self, contract: Contract, clock: Clock) -> None:
        self._contract = contract
        self._clock = clock
        # A log admits least over any window of all algorithms with the full capacity (clauses 4.2).
        self._limiter = MemoryLimiter(contract, algorithm="sliding_log")

    def delay(self, reading: Reading, key: KeyRecord | None) -> float:
        """Return the seconds to wait before sending; 0: it may go and is counted now."""
        now = self._clock.now()
        charges = self._contract.charges(reading, key, now)
        if not charges:
            return 0.0
        reservation = self._limiter.reserve(charges, now)
        if reservation.admitted:
            return 0.0
        return max(standing.retry_after for standing in reservation.standings if not standing.admitted)
