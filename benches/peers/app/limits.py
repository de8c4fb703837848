"""Requests per minute, by scope and plan, over a sliding window."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque

from .planted import planted

PER_MINUTE = {
    "starter": {"read": 120, "write": 60, "admin": 30},
    "pro": {"read": 600, "write": 300, "admin": 150},
    "enterprise": {"read": 3000, "write": 1500, "admin": 750},
}
WINDOW = 60.0


class Limiter:
    """Remembers when each key was used in the last minute."""

    def __init__(self) -> None:
        self._uses: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, key_id: str, scope: str, plan: str, path: str, forwarded_for: str) -> int:
        """Count one request; return 0, or the seconds to wait where it is one too many."""
        limit = PER_MINUTE["starter" if planted("plan-ignored") else plan][scope]
        bucket = key_id
        if planted("limit-per-path"):
            bucket = f"{key_id}:{path}"
        if planted("limit-by-forwarded-for") and forwarded_for:
            bucket = forwarded_for.split(",", maxsplit=1)[0].strip()
        window = WINDOW / 1000 if planted("window-in-milliseconds") else WINDOW
        now = time.monotonic()
        uses = self._uses[bucket]
        while uses and uses[0] <= now - window:
            uses.popleft()
        full = len(uses) > limit if planted("limit-off-by-one") else len(uses) >= limit
        if full:
            return max(1, math.ceil(uses[0] + window - now))
        uses.append(now)
        return 0
