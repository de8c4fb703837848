"""The generated requests of one run: drawn once, since drawing is dearer than sending, and shared by all senders."""

from __future__ import annotations

from functools import lru_cache

from authcontract_engine import Contract

from authcontract_conformance.world._world import World

from ._schemathesis import Counts, Generated, Schemas

#: Where the clock cannot be moved, each request may cost a minute's quota: fewer are drawn.
CAREFUL = Counts(positive=1, negative=1, coverage=2, operations=20)


@lru_cache(maxsize=1)
def schemas(contract: Contract) -> Schemas:
    """Return the specification as Schemathesis reads it."""
    return Schemas(contract.specification.document.value)


def corpus(world: World) -> tuple[Generated, ...]:
    """Return the generated requests for the operations that may be called on this target."""
    counts = Counts() if "clock" in world.settings.capabilities else CAREFUL
    return _drawn(world.contract, tuple(op.id for op in world.operations), world.settings.seed, counts)


@lru_cache(maxsize=1)
def _drawn(contract: Contract, operations: tuple[str, ...], seed: int, counts: Counts) -> tuple[Generated, ...]:
    return schemas(contract).corpus(operations, seed, counts)
