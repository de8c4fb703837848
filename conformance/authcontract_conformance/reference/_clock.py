"""The one clock of a server: keys, limits and the Date header all read it, so that they cannot disagree."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch; it can be stopped and moved forward, never back."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        """Return the time."""
        return self._stopped_at if self._stopped_at is not None else time.time() + self._offset

    def freeze(self) -> float:
        """Stop the clock where it stands; from then on only `advance` moves it."""
        self._stopped_at = self.now()
        return self._stopped_at

    def advance(self, seconds: float) -> float:
        """Move the clock forward; raises `ValueError` for anything that is no step forward."""
        if not 0 <= seconds < float("inf"):
            raise ValueError("a clock only moves forward")
        if self._stopped_at is not None:
            self._stopped_at += seconds
        else:
            self._offset += seconds
        return self.now()

    @property
    def frozen(self) -> bool:
        """Tell whether it stands still."""
        return self._stopped_at is not None
