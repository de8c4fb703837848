"""Patterns that clauses share: above all the denial with its controls, which no clause does in its own way."""

from __future__ import annotations

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Exchange, Probe
from authcontract_conformance.oracle._oracle import USUAL, Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, Word, fail, inconclusive, unspecified
from authcontract_conformance.world._world import SAFE, Asking, Ended, Item, World


def protected(world: World) -> tuple[Operation, ...]:
    """Return the operations that need a key."""
    return tuple(operation for operation in world.operations if not world.access.public(operation))


def reading_operation(world: World) -> Operation:
    """Return an operation that reads with a key, and shows planted data if any does; ends the case if none does."""
    found = [op for op in protected(world) if op.method == "GET" and world.access.strongest(op, world.environment)]
    if not found:
        raise Ended(inconclusive("the contract has no operation that reads with a key"))
    return max(found, key=lambda operation: _worth(world, operation))


def _worth(world: World, operation: Operation) -> tuple[bool, bool, int]:
    """Rank operations: one that shows an object that we can make is worth most; then one without parameters."""
    steps = world.resources.steps(operation)
    planted = len(steps) == 1 and steps[0].creator is not None and operation.path.endswith("}")
    return planted, not steps, -len(operation.path)


def denial(  # noqa: PLR0913  what is denied, on what, and what is known of it
    world: World,
    operation: Operation,
    item: Item,
    probe: Probe,
    *,
    reality: Reality = USUAL,
    control: Exchange | None = None,
) -> Asking[Judgement]:
    """Send a probe that must get nowhere, and judge it by its effect first, then by its answer (R1 to R4).

    The victim is read before and after. An effect fails whatever the answer was; without one, the answer must be the
    refusal that the contract computes. A refusal proves nothing unless the same request works with a key that may:
    `control` is that request if it was sent already; otherwise it is sent before what reads, and after what changes, on
    another object made in the same way, since the victim may be spent.
    """
    method = probe.method.decode("latin-1")
    if control is None and method in SAFE:
        control = yield from world.control(operation, item)  # first, so that a cache has what it must not show
    before = yield from world.snapshot(operation, item, method)
    exchange: Exchange = yield probe
    after = yield from world.snapshot(operation, item, method)
    expectation = world.expect(probe, reality)
    done = yield from world.took_effect(operation, item, (before, after), probe.canary, method)
    if control is None:
        spare = (yield from world.item(operation, item.organisation, item.environment)) if item.own else item
        control = yield from world.control(operation, spare)
    if not expectation.refused:
        return inconclusive(f"the contract does not refuse it: {expectation.describe()}")
    if expectation.open is not None and (exchange.succeeded or done):
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    if done:
        got = f"{describe_exchange(exchange)}, and {before.reader} shows that it was done"
        return fail(expectation.evidence(exchange, control, got), "the request was carried out")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded and item.canary and item.canary.encode() in exchange.body:
        got = f"{describe_exchange(exchange)} with the object's content"
        return fail(expectation.evidence(exchange, control, got), "protected data was shown")
    if not control.succeeded and exchange.status == control.status:
        return inconclusive(_itself(control))
    return expectation.judge(exchange, control)


def _itself(control: Exchange) -> str:
    return f"a key that may is answered {describe_exchange(control)} too: the request itself is at fault"


def equivalent(
    world: World, probe: Probe, control: Exchange, *, reason: str, binding: bool = True
) -> Asking[Judgement]:
    """Send a probe that a standard requires to be treated like the canonical request `control` (class EQUIV)."""
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded:
        return PASSED
    if exchange.status == control.status:
        return inconclusive(_itself(control))
    evidence = world.expect(control.probe).evidence(exchange, control)
    return Judgement(word=Word.FAIL if binding else Word.WARN, reason=reason, evidence=evidence)
