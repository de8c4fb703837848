"""Before anything is judged: does the target answer, and does any key work (R1)? Mistakes of the set-up end here."""

from __future__ import annotations

from authcontract_conformance._patterns import reading_operation
from authcontract_conformance._oracle import broken, describe_exchange
from authcontract_conformance._world import Ended, World
from authcontract_conformance.driver._driver import Context, Driver, Stopped


async def calibration(driver: Driver, world: World) -> str | None:
    """Return why nothing can be judged, or None once one key has read something."""
    context = Context(clause="calibration", subject="", world=world)
    operation = reading_operation(world)
    tried = []
    for environment in world.settings.environments:
        for need in world.access.sufficient(operation, environment):
            try:
                key = await driver.perform(_acquire(need), context)
                exchange = await driver.send(world.request(operation, key, label="calibration"), context)
            except Ended as ended:
                tried.append(ended.judgement.reason)
                continue
            except Stopped as stopped:
                return str(stopped)
            if exchange.succeeded or exchange.status == 404:  # noqa: PLR2004  accepted, and the object is not there
                return None
            if not exchange.answered:
                return f"the target does not answer: {exchange.problem}"
            tried.append(broken(exchange) if exchange.broken else f"key {key.id}: {describe_exchange(exchange)}")
    return "the credentials do not work: " + "; ".join(dict.fromkeys(tried)) if tried else "no key to try"


def _acquire(need: object) -> object:
    from authcontract_conformance._exchange import Acquire  # noqa: PLC0415

    return Acquire(need)
