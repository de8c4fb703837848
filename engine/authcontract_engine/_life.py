"""The life of a key: a pure function of its times and now."""

from __future__ import annotations

from typing import Final

from ._values import KeyRecord, KeyState

_ACTIVE: Final = KeyState.ACTIVE


def state(key: KeyRecord, now: float) -> KeyState:
    """Return where a key is in its life; a deadline's own instant is after it.

    Revoked wins over expired, since somebody decided it; a key whose grace or lifetime is over is expired.
    """
    if key.revoked_at is not None and now >= key.revoked_at:
        return KeyState.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return KeyState.EXPIRED
    if key.rotated_at is None or now < key.rotated_at:
        return _ACTIVE
    return KeyState.GRACE if now < key.rotated_at + (key.grace or 0) else KeyState.EXPIRED
