"""When a request may go: after the pauses that contract, target and clauses ask for, and within the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from authcontract_engine import KeyRecord

from authcontract_conformance._events import Event, Waiting
from authcontract_conformance.exchange._exchange import Advance, Credential, Exchange, Probe, Wait
from authcontract_conformance.oracle._verdict import inconclusive, skipped
from authcontract_conformance.world._world import Ended, Settings

from ._clock import Clock
from ._pacing import USUAL_RETRY_AFTER, Pacer, retry_after

#: Seconds of waiting from which on a person is told.
TOLD = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a run may cost the target."""

    requests: int | None = None
    seconds: float | None = None


class Turns:
    """The pauses of one run."""

    def __init__(self, settings: Settings, clock: Clock, budget: Budget, emit: Callable[[Event], None]) -> None:
        self.budget = budget
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self._pacer = Pacer(settings.contract, clock)
        self._began = time.monotonic()
        windows = [limit.window or 0 for limit in settings.contract.policy.rate_limits.values()]
        #: No limit of the contract makes anybody wait for longer; a target that asks for more is not obeyed.
        self._longest = 2.0 * max([USUAL_RETRY_AFTER, *windows])

    def used_up(self, requests: int) -> str | None:
        """Say which budget is used up after so many requests, if one is."""
        if self.budget.requests is not None and requests >= self.budget.requests:
            return f"the budget of {self.budget.requests} requests is used up"
        if self._left() < 0:
            return f"the budget of {self.budget.seconds:g} seconds is used up"
        return None

    async def let_pass(self, action: Advance | Wait) -> None:
        """Let the time pass that a case asks for."""
        if isinstance(action, Advance) and not self._clock.movable:
            raise Ended(skipped("needs a clock that can be moved"))
        await self._pause(action.seconds, "what is tried next is about what comes later")

    async def wait_for_room(self, probe: Probe) -> None:
        """Wait until the contract's limits have room for a request."""
        oracle = self._settings.oracle
        reading = oracle.read(probe)
        record, carried = oracle.key(reading), self._carried(probe)
        while (delay := self._pacer.delay(reading, record, carried)) > 0:
            await self._pause(delay, "the contract's limits leave this key no more for now")

    async def wait_as_asked(self, exchange: Exchange) -> None:
        """Leave the target alone for as long as it wants, whoever shares the allowance of what was refused."""
        oracle, probe = self._settings.oracle, exchange.probe
        reading = oracle.read(probe)
        seconds = self._pacer.refused(reading, oracle.key(reading), self._carried(probe), retry_after(exchange))
        await self._pause(seconds, "the target says when to come back")

    def _carried(self, probe: Probe) -> tuple[KeyRecord, ...]:
        """Return every key that stands in a request, in whatever form."""
        parts = chain(probe.target, *(name + value for name, value in probe.headers), probe.body)
        names = dict.fromkeys(part.key for part in parts if isinstance(part, Credential))
        records = (self._settings.vault.record(name) for name in names)
        return tuple(record for record in records if record is not None)

    async def _pause(self, seconds: float, why: str) -> None:
        """Let time pass before a request is sent; where that means waiting, it is said, and the budget is kept."""
        if self._clock.movable:
            return await self._clock.advance(seconds)
        if seconds > self._longest:
            raise Ended(inconclusive(f"throttled: the target asks for a pause of {seconds:g} seconds"))
        if seconds > self._left():
            raise Ended(inconclusive(f"the budget of time does not allow for a pause of {seconds:.0f} seconds"))
        if seconds >= TOLD:
            self._emit(Waiting(seconds=round(seconds, 1), reason=why))
        return await self._clock.advance(seconds)

    def _left(self) -> float:
        """Return the seconds that are left of the budget."""
        return math.inf if self.budget.seconds is None else self.budget.seconds - (time.monotonic() - self._began)
