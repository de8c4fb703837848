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
    #: How often somebody else was seen to move it, since nobody but the run should.
    moved: int

    def now(self) -> float:
        """Return epoch seconds."""

    async def advance(self, seconds: float) -> None:
        """Let this much of the target's time pass."""

    async def look(self) -> None:
        """Notice whether somebody else has moved it."""


class WallClock:
    """The target's clock is taken to run like ours; letting time pass means waiting."""

    frozen = False
    movable = False
    moved = 0

    def now(self) -> float:
        """Return epoch seconds of this machine."""
        return time.time()

    async def advance(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def look(self) -> None:
        """See nothing: it moves all the time."""
