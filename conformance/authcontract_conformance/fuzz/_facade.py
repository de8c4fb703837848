"""Requests from a worker thread: Hypothesis is synchronous, and all that it sends goes over the loop of the driver.

So there is one wire client, one budget, one pacing and one log. Whatever ends a property early (a stop, a budget, a
throttling or lost target, a missing capability) comes out of here as one `Over`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeAlias, TypeVar

from authcontract_conformance.exchange._exchange import Action, Exchange, Probe
from authcontract_conformance.oracle._verdict import Judgement, inconclusive
from authcontract_conformance.world._world import Asking, Ended, World

T = TypeVar("T")
Perform: TypeAlias = Callable[[World, Action], Coroutine[Any, Any, Any]]


class Over(BaseException):
    """A property is over, with this judgement.

    It is no `Exception`: Hypothesis would take it for a counterexample and shrink it, against a target that is gone.
    """

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.reason)
        self.judgement = judgement


class Facade:
    """The driver as a worker thread sees it: each call blocks until the loop has done it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, perform: Perform) -> None:
        self._loop = loop
        self._perform = perform
        self._lock = threading.Lock()
        self._pending: Future[Any] | None = None
        self._stopped = False

    def perform(self, world: World, action: Action) -> Any:
        """Do what a case could yield, and return what came of it."""
        with self._lock:
            if self._stopped:
                raise Over(inconclusive("the run was stopped"))
            self._pending = asyncio.run_coroutine_threadsafe(self._perform(world, action), self._loop)
        try:
            return self._pending.result()
        except Ended as ended:
            raise Over(ended.judgement) from None
        except CancelledError:
            raise Over(inconclusive("the run was stopped")) from None

    def send(self, world: World, probe: Probe) -> Exchange:
        """Send a probe."""
        exchange: Exchange = self.perform(world, probe)
        return exchange

    def run(self, world: World, steps: Asking[T]) -> T:
        """Drive a generator that yields actions, and return what it returns."""
        try:
            action = next(steps)
            while True:
                action = steps.send(self.perform(world, action))
        except StopIteration as stop:
            found: T = stop.value
            return found
        except Ended as ended:
            raise Over(ended.judgement) from None

    def stop(self) -> None:
        """End the property at its next request, or in the one that it waits for; called from the loop."""
        with self._lock:
            self._stopped = True
            if self._pending is not None:
                self._pending.cancel()
