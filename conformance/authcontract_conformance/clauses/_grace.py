"""What a rotated key and the one that replaces it may, beside reading in the first environment."""

from __future__ import annotations

from dataclasses import replace

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, fail, inconclusive
from authcontract_conformance.world._management import operation_for, rotate
from authcontract_conformance.world._patterns import protected, reading_operation
from authcontract_conformance.world._subject import ONE, Subject, first, settle
from authcontract_conformance.world._world import World

#: Methods that change something, those first that can be repeated on one object.
CHANGING = ("PATCH", "PUT", "POST")


def changes(world: World) -> Steps:
    """Change something with both keys, since an old key that only reads any more does not work."""
    found = _changing(world)
    if found is None:
        return PASSED
    operation, need = found
    item = yield from world.item(operation)
    key: Key = yield Acquire(replace(need, own=True))
    subject = Subject(world, operation, item, key)
    alive = yield from subject.lives("before it is rotated, on what it may change", connections=ONE)
    if alive is not None:
        return inconclusive(f"calibration: the key did not work before: {alive.reason}")
    new = yield from rotate(world, key)
    yield from settle(world)
    old = yield from subject.lives("the old key in its grace, on what it may change", connections=ONE)
    return first(old, (yield from subject.lives("the new key, on what the old one may change", new, ONE)))


def stays(environment: str, world: World) -> Steps:
    """Rotate a key of another environment; the new one must see what the old one saw there."""
    operation = reading_operation(world)
    item = yield from world.item(operation, environment=environment)
    need = world.need(operation, environment=environment)
    key: Key = yield Acquire(replace(need, own=True))
    subject = Subject(world, operation, item, key)
    alive = yield from subject.lives("before rotation", connections=ONE)
    if alive is not None or not item.own:
        return inconclusive("calibration: the key reads no object of its own environment")
    new = yield from rotate(world, key)
    yield from settle(world)
    exchange: Exchange = yield subject.probe("the new key on what the old one could read", key=new)
    if exchange.succeeded:
        return PASSED
    if exchange.broken:
        return inconclusive(broken(exchange))
    sister: Key = yield Acquire(need)
    control: Exchange = yield subject.probe("another key of the same environment", key=sister)
    if not control.succeeded:
        return inconclusive(f"another key of the same environment is answered {describe_exchange(control)} too")
    expectation = world.expect(exchange.probe)
    return fail(expectation.evidence(exchange, control), "the new key does not see what the old one saw")


def _changing(world: World) -> tuple[Operation, Need] | None:
    """Return an operation that changes what the run makes, or makes something, and a key that may call it."""
    tasks = (operation_for(world, task) for task in ("create", "rotate", "revoke"))
    of_keys = [operation.path for operation in tasks if operation is not None]
    found = [op for op in protected(world) if op.method in CHANGING and op.path not in of_keys]
    for operation in sorted(found, key=lambda op: CHANGING.index(op.method)):
        steps = world.resources.steps(operation)
        ours = all(step.creator is not None for step in steps) and (steps or operation.method == "POST")
        need = world.access.strongest(operation, world.environment)
        if ours and need is not None:
            return operation, need
    return None
