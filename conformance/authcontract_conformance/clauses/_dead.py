"""Which keys are none, or none any more: the states that keys of a contract come to, and which of them can be had."""

from __future__ import annotations

from typing import Final

from authcontract_policy import Kind

from authcontract_conformance.exchange._exchange import KeyState
from authcontract_conformance.world._world import World

#: States of a key that is none, or is none any more.
DEAD: Final[tuple[KeyState, ...]] = ("unknown", "revoked", "expired")


def expire(world: World, kind: Kind) -> bool:
    """Tell whether a key of a kind can be had after its end; where that is only bounded, nobody knows it."""
    known = kind.lifetime is not None and kind.lifetime.exact is not None
    return known or world.policy.keys.rotation is not None


def all_to_be_had(world: World) -> tuple[KeyState, ...]:
    """Return the states that a key of every kind comes to."""
    return DEAD if all(expire(world, kind) for kind in world.policy.keys.kinds.values()) else DEAD[:2]


def tried_together(world: World) -> tuple[tuple[KeyState, ...], ...]:
    """Return which states share a case: what cannot be had must not keep the others from being tried."""
    if "clock" not in world.settings.capabilities:
        return tuple((state,) for state in DEAD)
    common = all_to_be_had(world)
    some = any(expire(world, kind) for kind in world.policy.keys.kinds.values())
    return (common, DEAD[2:]) if some and common != DEAD else (common,)
