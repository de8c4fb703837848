"""The target's time: moved where the target lets us, waited for where not."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The target's clock, as far as it is known."""

    #: True: it stands still except where `advance` moves it.
    frozen: bool
    #: True: `advance` costs no waiting.
    movable: bool

    def now(self) -> float:
        """Return epoch seconds."""

    async def advance(self, seconds: float) -> None:
        """Let this much of the target's time pass."""


class WallClock:
    """The target's clock is taken to run like ours; letting time pass means waiting."""

    frozen = False
    movable = False

    def now(self) -> float:
        """Return epoch seconds of this machine."""
        return time.time()

    async def advance(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
