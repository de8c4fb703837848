"""Keys that have expired: made and waited for before anything of the run depends on the clock."""

from __future__ import annotations

from dataclasses import replace

from authcontract_conformance.driver._clock import Clock
from authcontract_conformance.driver._keys import Keyring
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Settings, World

#: Keys that are let expire before the run; contracts with more sorts of keys do with these.
EXPIRED_KEYS = 40


async def let_keys_expire(settings: Settings, keyring: Keyring, clock: Clock) -> None:
    """Let a key of each sort expire that clauses may ask for, where the clock can be moved and keys do expire."""
    if not clock.movable:
        return
    keys = settings.contract.policy.keys
    world = World(settings, "expired keys")
    needs = {
        replace(need, state="active", own=False)
        for environment in settings.environments
        for operation in protected(world)
        for need in settings.access.sufficient(operation, environment)[:1]
    }
    lifetimes = [kind.lifetime for kind in keys.kinds.values() if kind.lifetime]
    wait = 0.0
    for need in sorted(needs, key=repr)[:EXPIRED_KEYS]:
        key = await keyring.acquire(replace(need, own=True), world.case)
        if keys.rotation is not None:
            await keyring.rotate(key)
            record = settings.vault.record(key.id)
            wait = max(wait, (record.grace if record else 0) or 0)
        elif not any(bound.exact for bound in lifetimes):
            return
        keyring.keep_expired(replace(need, own=True), key)
    wait = max([wait, *(float(bound.exact or bound.at_most or 0) for bound in lifetimes)])
    await clock.advance(wait + 1.0)
