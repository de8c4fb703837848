"""Before anything is judged: does the target answer, and does any key work (R1)? Mistakes of the set-up end here."""

from __future__ import annotations

from authcontract_conformance.driver._driver import Context, Driver, Stopped
from authcontract_conformance.exchange._exchange import Acquire, Key, Wait
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.world._patterns import reading_operation
from authcontract_conformance.world._world import Ended, World

NOT_FOUND = 404
#: Reasons that are told; the others are like them.
SHOWN = 3
#: Seconds after which keys are tried once more, on a clock that can be moved: a key that is late is a finding, and not
#: credentials that do not work.
PATIENCE = 120.0


async def calibration(driver: Driver, world: World) -> str | None:
    """Return why nothing can be judged, or None once one key has read something."""
    context = Context(clause="calibration", subject="", world=world)
    try:
        trouble = await _try(driver, world, context)
        if trouble is not None and "clock" in world.settings.capabilities:
            await driver.perform(Wait(seconds=PATIENCE), context)
            trouble = await _try(driver, world, context)
    except Stopped as stopped:
        return str(stopped)
    except Ended as ended:
        return ended.judgement.reason
    return trouble


async def _try(driver: Driver, world: World, context: Context) -> str | None:
    """Return what each key was told, or None once one was accepted."""
    operation = reading_operation(world)
    refused, other = [], []
    for environment in world.settings.environments:
        for need in world.access.sufficient(operation, environment):
            try:
                key: Key = await driver.perform(Acquire(need), context)
                exchange = await driver.send(world.request(operation, key, label="calibration"), context)
            except Ended as ended:
                other.append(ended.judgement.reason)
                continue
            if exchange.succeeded or exchange.status == NOT_FOUND:  # accepted; the object need not be there
                return None
            if not exchange.answered:
                raise Stopped(broken(exchange))
            if exchange.broken:
                other.append(broken(exchange))
            else:
                refused.append(f"key {key.id}: {describe_exchange(exchange)}")
    told = [*dict.fromkeys((*refused, *other))] or ["there is no key to try"]
    more = f"; and {len(told) - SHOWN} more like this" if len(told) > SHOWN else ""
    return ("the credentials do not work: " if refused else "") + "; ".join(told[:SHOWN]) + more
