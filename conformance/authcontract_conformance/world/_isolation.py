"""Steps on objects of somebody else, shared by the clauses on environments and on organisations."""

from __future__ import annotations

from collections.abc import Iterable

from authcontract_engine import Object
from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Purpose
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, fail, inconclusive, skipped
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._resources import find_id
from authcontract_conformance.world._world import Asking, World

FOREIGN = Reality(object=Object.FOREIGN)
#: An id shorter than this may stand in a list by chance.
TELLING = 8


def on_objects(world: World, methods: Iterable[str]) -> tuple[Operation, ...]:
    """Return the operations with these methods that work on one object which a run can make."""
    return tuple(
        operation
        for operation in protected(world)
        if operation.method in methods
        and (steps := world.resources.steps(operation))
        and steps[0].creator in world.operations
        and world.access.strongest(operation, world.environment) is not None
    )


def listers(world: World) -> tuple[Operation, ...]:
    """Return the operations that list objects which a run can make."""
    creatable = {op.path for op in world.operations if op.method == "POST"}
    return tuple(
        operation
        for operation in protected(world)
        if operation.method == "GET" and operation.path in creatable and not world.resources.steps(operation)
    )


def foreign_object(  # noqa: PLR0913  whose object, whose key, in which environments
    operation: Operation, owner: str, home: str | None, stranger: str, abroad: str | None, world: World
) -> Asking[Judgement]:
    """Call an operation on an object of `owner` in `home` with a key of `stranger` in `abroad` that may in its own."""
    item = yield from world.item(operation, owner, home)
    if not item.exists:
        return skipped("no object can be made for it")
    key: Key = yield Acquire(world.need(operation, organisation=stranger, environment=abroad))
    before = yield from world.snapshot(operation, item)
    probe = world.request(
        operation, key, item, canary=world.canary(), environment=abroad, label="an object of somebody else"
    )
    exchange: Exchange = yield probe
    after = yield from world.snapshot(operation, item)
    expectation = world.expect(probe, FOREIGN)
    if (yield from world.took_effect(operation, item, (before, after), probe.canary, operation.method)):
        got = f"{describe_exchange(exchange)}, and {before.reader} shows a change"
        return fail(expectation.evidence(exchange, got=got), "somebody else's object was changed")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded and _shows(exchange, item.canary):
        got = f"{describe_exchange(exchange)} with the object's content"
        return fail(expectation.evidence(exchange, got=got), "somebody else's object was shown")
    control = yield from world.control(operation, item)
    if exchange.status in (403, 404):
        return PASSED
    return expectation.judge(exchange, control)


def foreign_list(  # noqa: PLR0913  whose object, whose key, in which environments
    lister: Operation, owner: str, home: str | None, stranger: str, abroad: str | None, world: World
) -> Asking[Judgement]:
    """Look for an object of `owner` in a list that `stranger` sees; the owner's own list must show it."""
    creator = next(op for op in world.operations if op.method == "POST" and op.path == lister.path)
    maker: Key = yield Acquire(world.need(creator, organisation=owner, environment=home))
    canary = world.canary()
    made: Exchange = yield world.request(creator, maker, canary=canary, purpose=Purpose.FIXTURE)
    name = find_id(made.json(), "id")
    if not made.succeeded or name is None:
        return inconclusive(f"no object could be made by {creator.label}")
    seen_by: dict[str, Exchange] = {}
    for who, organisation, environment in (("owner", owner, home), ("stranger", stranger, abroad)):
        key: Key = yield Acquire(world.need(lister, organisation=organisation, environment=environment))
        seen_by[who] = yield world.request(lister, key, environment=environment, label=f"the {who}'s list")
    marks = [mark for mark in (canary, name) if len(mark) >= TELLING and _shows(seen_by["owner"], mark)]
    if not marks or seen_by["stranger"].broken:
        return inconclusive("the owner's own list does not show the object")
    if any(_shows(seen_by["stranger"], mark) for mark in marks):
        evidence = world.expect(seen_by["stranger"].probe).evidence(
            seen_by["stranger"], seen_by["owner"], "a list with somebody else's object in it"
        )
        return fail(evidence, "a list shows somebody else's object")
    return PASSED


def _shows(exchange: Exchange, mark: str | None) -> bool:
    return mark is not None and mark.encode() in exchange.body
