"""Steps in which a request names an object of somebody else off its path, or inside of an object of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, fail, inconclusive, skipped
from authcontract_conformance.world._isolation import (
    FOREIGN,
    NONE_MADE,
    border_of,
    changed,
    looks,
    made,
    on_objects,
    reach,
    shows,
    some,
)
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Asking, Item, World

#: What may come of naming somebody else's object, however the request is answered.
AS_IT_WAS = "the other organisation's object stays as it was"
EVERY = ("GET", "PATCH", "PUT", "DELETE", "POST")


def referring(operation: Operation, where: str, field: str, target: Operation, world: World) -> Asking[Judgement]:
    """Name the owner's object in a request of the stranger that is otherwise about the stranger's own."""
    border = border_of(world)
    item = yield from world.item(target, border.owner, border.home)
    if not made(item):
        return skipped(NONE_MADE)
    world.spare(item)
    name = item.parameters[world.resources.steps(target)[-1].parameter]
    own = yield from world.item(operation, border.stranger, border.abroad)
    writer = next((op for op in on_objects(world, ("PATCH", "PUT", "DELETE")) if op.path == target.path), target)
    before = yield from looks(world, (writer,), item)
    key: Key = yield Acquire(world.need(operation, organisation=border.stranger, environment=border.abroad))
    exchange: Exchange = yield _naming(world, operation, key, own, where, field, name)
    if (yield from changed(world, item, before, (exchange.probe.canary,))):
        got = f"{describe_exchange(exchange)}, and the owner sees a change"
        evidence = world.expect(exchange.probe, FOREIGN).evidence(exchange, got=got)
        return fail(replace(evidence, expected=AS_IT_WAS), f"`{field}` reached somebody else's object")
    if exchange.succeeded and shows(exchange, item.canary):
        got = f"{describe_exchange(exchange)} with the content of the object that `{field}` names"
        evidence = world.expect(exchange.probe, FOREIGN).evidence(exchange, got=got)
        return fail(replace(evidence, expected="nothing of what is in it"), "somebody else's object was shown")
    return inconclusive(broken(exchange)) if exchange.broken else PASSED


def _naming(  # noqa: PLR0913  who sends what, and the field with the name in it
    world: World, operation: Operation, key: Key, own: Item, where: str, field: str, name: str
) -> Probe:
    label = f"`{field}` names an object of somebody else"
    if where == "query":
        return world.request(operation, key, own, query=(f"{field}={name}".encode(),), label=label)
    canary = world.canary()
    body = json.loads(world.settings.sampler.body(operation, canary) or b"{}")
    content = json.dumps({**(body if isinstance(body, dict) else {}), field: name}).encode()
    return world.request(operation, key, own, body=content, canary=canary, label=label)


def references(world: World) -> Iterable[tuple[Operation, str, str, Operation]]:
    targets: dict[str, Operation] = {}
    for operation in on_objects(world, EVERY):
        steps = world.resources.steps(operation)
        if len(steps) == 1 and operation.method != "DELETE":
            targets.setdefault(steps[0].collection, operation)
    for operation in protected(world):
        for where, field, collection in world.resources.links.refers(operation):
            target = targets.get(collection)
            if target is not None and world.access.strongest(operation, world.environment) is not None:
                yield operation, where, field, target


# --- nested paths -----------------------------------------------------------------------------------------------------


def nested(world: World) -> tuple[Operation, ...]:
    """Return operations on an object inside of another one, where both can be made."""
    found = [op for op in on_objects(world, EVERY) if len(world.resources.steps(op)) > 1]
    return some([operation for operation in found if _beside(world, operation) is not None], 6)


def _beside(world: World, operation: Operation) -> Operation | None:
    """Return an operation that works on the outer object alone."""
    place = [(step.parameter, step.collection) for step in world.resources.steps(operation)[:-1]]
    candidates = (op for op in world.operations if op.path.startswith(_outer_path(operation)) and op.method != "DELETE")
    return next(
        (op for op in candidates if [(s.parameter, s.collection) for s in world.resources.steps(op)] == place), None
    )


def _outer_path(operation: Operation) -> str:
    """Return the path up to the parameter before the last."""
    return operation.path[: operation.path.rindex("/{")].rpartition("}")[0] + "}"


def other_parent(operation: Operation, world: World) -> Asking[Judgement]:
    border = border_of(world)
    outer = _beside(world, operation)
    assert outer is not None  # noqa: S101  see `nested`
    child = yield from world.item(operation, border.owner, border.home)
    parent = yield from world.item(outer, border.stranger, border.abroad)
    if not made(child) or not made(parent):
        return skipped(NONE_MADE)
    before = yield from looks(world, (operation,), child)
    mixed = replace(child, parameters={**child.parameters, **parent.parameters})
    exchange = yield from reach(world, operation, mixed, border)
    if (yield from changed(world, child, before, (exchange.probe.canary,))):
        got = f"{describe_exchange(exchange)}, and the owner sees a change"
        evidence = world.expect(exchange.probe, FOREIGN).evidence(exchange, got=got)
        return fail(evidence, "an object of somebody else was reached through a parent of one's own")
    if exchange.succeeded and shows(exchange, child.canary):
        got = f"{describe_exchange(exchange)} with the object's content"
        evidence = world.expect(exchange.probe, FOREIGN).evidence(exchange, got=got)
        return fail(evidence, "an object of somebody else was shown through a parent of one's own")
    return inconclusive(broken(exchange)) if exchange.broken else PASSED
