"""What the clauses on routes share: what to ask for, who may not have it, and requests that go alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability
from authcontract_conformance.exchange._exchange import Key, Need, Probe
from authcontract_conformance.world._patterns import protected, reading_operation
from authcontract_conformance.world._world import Item, World

#: A path that a proxy may let everybody see, where the contract has none.
PUBLIC = b"/health"


def public_path(world: World) -> bytes:
    """Return a path that needs no key."""
    found = next((op for op in world.operations if world.access.public(op) and op.method == "GET"), None)
    if found is None or "{" in found.path:
        return world.contract.base_path(world.environment).encode() + PUBLIC
    return (world.contract.base_path(world.environment) + found.path).encode()


def canonical(world: World, operation: Operation, key: Key | None, item: Item) -> Probe:
    """Return the documented request, with a mark of its own where it can carry one."""
    return world.request(operation, key, item, canary=world.canary())


def alone(probe: Probe, label: str) -> Probe:
    """Return a probe on a connection of its own: who reads it in two ways must not answer a later request with it.

    It is sent once, since hanging up is a refusal that no second attempt changes.
    """
    return replace(probe, label=label, connection=label, paced=False)


def answerable(world: World) -> list[Operation]:
    """Return the operations that need a key and that some key may call."""
    return [op for op in protected(world) if world.access.strongest(op, world.environment) is not None]


def narrowest(world: World) -> tuple[Operation, Need] | None:
    """Return an operation with a key that may not call it, one that reads if there is one, and shows what it reads."""
    found = [
        (operation, need)
        for operation in answerable(world)
        for need in world.access.insufficient(operation, world.environment)[-1:]
    ]
    return min(found, key=lambda pair: (pair[0].method != "GET", -len(pair[0].path.split("{"))), default=None)


def almost(world: World, operation: Operation) -> Need | None:
    """Return a key that may not call an operation, and more than any other such key of what is near it, if any may not.

    Nobody but a check of just this right keeps it out.
    """
    everything = Capability.KEY_MANAGEMENT in world.settings.capabilities
    needs = world.access.insufficient(operation, world.environment, wide=everything)
    near = [op for op in world.operations if op.path in (operation.path, operation.path.rpartition("/")[0])]
    return max(reversed(needs), key=lambda need: sum(world.access.permits(op, need) for op in near), default=None)


def reading(world: World) -> Iterator[Operation]:
    """Return the operation that shows most of what it reads, if any reads."""
    if any(op.method == "GET" for op in answerable(world)):
        yield reading_operation(world)
