"""Patterns that clauses share: above all the denial with its controls, which no clause does in its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Delivery, Exchange, Probe
from authcontract_conformance.oracle._oracle import USUAL, Expectation, Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Judgement,
    Word,
    fail,
    inconclusive,
    unspecified,
    worst,
)
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._world import SAFE, Asking, Ended, Item, Victim, World


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
    planted = len(steps) == 1 and steps[0].creator is not None and operation.resource.endswith("}")
    return planted, not steps, -len(operation.path)


#: Tells of an answer whether it refuses a request as well as the refusal that the contract computes.
Refusal: TypeAlias = Callable[[Exchange, Expectation], bool]


def never(_exchange: Exchange, _expectation: Expectation) -> bool:
    """Take no other refusal than the one that the contract computes."""
    return False


def denial(  # noqa: PLR0913  what is denied, on what, and what is known of it
    world: World,
    operation: Operation,
    item: Item,
    probe: Probe,
    *,
    reality: Reality = USUAL,
    control: Exchange | None = None,
    also: Refusal = never,
) -> Asking[Judgement]:
    """Send a probe that must get nowhere, and judge it by its effect first, then by its answer (R1 to R4).

    The victim is read before and after. An effect fails whatever the answer was; without one, the answer must be the
    refusal that the contract computes. A refusal proves nothing unless the same request works with a key that may:
    one such request of the run is enough to believe a refusal that is as expected. Before anything else is said, it is
    sent once more (`control`), on the victim where it only reads, else on an object made in the same way. `also` tells
    what refuses it as well, so long as nothing was done or shown.
    """
    proof = control or (yield from world.proof(operation, item))  # before the probe: a cache has what it must not show
    seen = yield from _watched(world, operation, item, (probe,), probe.method.decode("latin-1"))
    exchange, expectation = seen.exchanges[0], world.expect(probe, reality)
    if not seen.done and _refused(exchange, item, expectation) and proof.succeeded:
        return PASSED
    if control is None:
        control = yield from world.control(operation, (yield from world.another(operation, item)))
    if not expectation.refused:
        return inconclusive(f"the contract does not refuse it: {expectation.describe()}")
    if expectation.open is not None and (exchange.succeeded or seen.done):
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    if seen.done:
        got = f"{describe_exchange(exchange)}, and {seen.reader} shows that it was done"
        return fail(expectation.evidence(exchange, control, got), "the request was carried out")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded and item.canary and item.canary.encode() in exchange.body:
        got = f"{describe_exchange(exchange)} with the object's content"
        return fail(expectation.evidence(exchange, control, got), "protected data was shown")
    if also(exchange, expectation):
        return PASSED
    if not control.succeeded and exchange.status == control.status:
        return inconclusive(_itself(control))
    return expectation.judge(exchange, control)


def bypass(
    world: World, operation: Operation, item: Item, probe: Probe, *, method: str | None = None
) -> Asking[Judgement]:
    """Send a probe that may be answered in any way but must gain nothing (class DENY, R2 and R3).

    What is tried leaves open how a correct server refuses it: as a bad request, a path that is not there, a redirect.
    So only an effect, the victim's content, or an answer like the one to a key that may is held against it; the last
    two only where the contract would not let this very request through. `method` is the one whose effect is looked
    for, the operation's own by default.
    """
    proof = yield from world.proof(operation, item)
    seen = yield from _watched(world, operation, item, (probe,), method or operation.method)
    exchange, expectation = seen.exchanges[0], world.expect(probe)
    gain = f"{seen.reader} shows that it was done" if seen.done else _gained(world, exchange, item, proof)
    if gain is None:
        return inconclusive(broken(exchange)) if exchange.delivery is Delivery.TIMEOUT else PASSED
    control = yield from world.control(operation, (yield from world.another(operation, item)))
    if expectation.open is not None:
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    got = f"{describe_exchange(exchange)}, {'and ' if seen.done else 'with '}{gain}"
    reason = "the request was carried out" if seen.done else "protected data was shown"
    return fail(expectation.evidence(exchange, control, got), reason)


#: Makes a probe for the object that it is to be tried on; its label tells it from the others.
Attempt: TypeAlias = Callable[[Item], Probe]


def denials(
    world: World,
    operation: Operation,
    attempts: Sequence[Attempt],
    *,
    environment: str | None = None,
    also: Refusal = never,
) -> Asking[Judgement]:
    """Send probes that must each get nowhere, as `denial` judges them, all on one victim.

    Where each is refused as expected and the victim stays as it was, that is all; otherwise each that is suspicious is
    tried alone, on a victim of its own, and judged by that (Decided 4). An attempt must be refused by the contract.
    """

    def quiet(exchange: Exchange, item: Item, _: Exchange) -> bool:
        expectation = world.expect(exchange.probe)
        return _refused(exchange, item, expectation) or (
            also(exchange, expectation) and expectation.refused and not _shown(exchange, item)
        )

    alone = partial(denial, world, operation, also=also)
    return (yield from _all_on_one(world, operation, attempts, quiet, alone, None, environment))


def bypasses(
    world: World,
    operation: Operation,
    attempts: Sequence[Attempt],
    *,
    method: str | None = None,
    environment: str | None = None,
) -> Asking[Judgement]:
    """Send probes that must each gain nothing, as `bypass` judges them, all on one victim; see `denials`."""

    def quiet(exchange: Exchange, item: Item, proof: Exchange) -> bool:
        return exchange.delivery is not Delivery.TIMEOUT and _gained(world, exchange, item, proof) is None

    alone = partial(bypass, world, operation, method=method)
    return (yield from _all_on_one(world, operation, attempts, quiet, alone, method, environment))


def trials(
    world: World,
    operation: Operation,
    attempts: Sequence[Attempt],
    judge: Callable[[Exchange, str | None], Judgement],
    *,
    method: str,
) -> Asking[Judgement]:
    """Send probes on one victim and let `judge` say what an answer means; see `denials`.

    It is called with what shows that the probe was carried out, or None where nothing does. `method` is the one whose
    effect is looked for.
    """

    def quiet(exchange: Exchange, _item: Item, _proof: Exchange) -> bool:
        return judge(exchange, None).word is Word.PASS

    def alone(item: Item, probe: Probe) -> Asking[Judgement]:
        seen = yield from _watched(world, operation, item, (probe,), method)
        return judge(seen.exchanges[0], seen.reader if seen.done else None)

    return (yield from _all_on_one(world, operation, attempts, quiet, alone, method, None))


def _all_on_one(  # noqa: PLR0913  what is tried, and how it is judged together and alone
    world: World,
    operation: Operation,
    attempts: Sequence[Attempt],
    quiet: Callable[[Exchange, Item, Exchange], bool],
    alone: Callable[[Item, Probe], Asking[Judgement]],
    method: str | None,
    environment: str | None,
) -> Asking[Judgement]:
    kept = _take(world, operation, environment)
    item = kept.item if kept is not None else (yield from world.item(operation, environment=environment))
    # What only reads is proved first, so that a cache has what it must not show; a change is proved on the victim
    # itself once it withstood, which shows that this very request would have worked.
    probes = tuple(attempt(item) for attempt in attempts)
    watched = method or next((m for p in probes if (m := p.method.decode("latin-1")) not in SAFE), operation.method)
    if watched not in SAFE and operation.method in SAFE:
        item = yield from world.fresh(operation, environment=environment)  # others look at the one that was given
        probes = tuple(attempt(item) for attempt in attempts)
    proof = world.proven(operation, item)
    proved = proof is not None
    if proof is None and operation.method in SAFE:
        proof = yield from world.proof(operation, item)
    seen = yield from _watched(world, operation, item, probes, watched, None if kept is None else kept.look)
    if proof is None:
        fresh = (yield from world.another(operation, item)) if seen.done else item
        proof = yield from world.control(operation, fresh)
    suspects = [
        attempt
        for attempt, exchange in zip(attempts, seen.exchanges, strict=True)
        if seen.done or not proof.succeeded or not quiet(exchange, item, proof)
    ]
    if not suspects and proved:
        _give_back(world, operation, environment, Victim(item=item, look=seen.after))
    judged: list[tuple[str, Judgement]] = []
    for attempt in suspects:
        own = yield from world.fresh(operation, environment=environment)
        probe = attempt(own)
        judged.append((probe.label, (yield from alone(own, probe))))
    if seen.done and not any(judgement.word in (Word.FAIL, Word.UNSPECIFIED) for _, judgement in judged):
        together = f"{seen.reader} shows a change after {len(probes)} requests together, and after none of them alone"
        return inconclusive(together)
    return summed(judged, len(probes))


def _take(world: World, operation: Operation, environment: str | None) -> Victim | None:
    """Take a victim that others tried to reach in vain, so that nobody else has it meanwhile.

    The last look at it stands for the first one of whoever takes it. Should it have changed by itself since, then all
    who tried are suspicious, and each is judged on an object that nobody had before.
    """
    if operation.method in SAFE:
        return None  # all who look are shown the same one
    kept = world.settings.untouched.get(world.sort(operation, environment))
    return kept.pop() if kept else None


def _give_back(world: World, operation: Operation, environment: str | None, victim: Victim) -> None:
    if victim.item.own and operation.method not in SAFE:
        world.settings.untouched.setdefault(world.sort(operation, environment), []).append(victim)


def glance(world: World, operation: Operation, together: Attempt, alone: Sequence[Attempt]) -> Asking[Judgement]:
    """Send one request that tries many things at once, and look closely only if it is not plainly refused.

    It costs a request for each operation, so that a route with a habit of its own is found. Nobody looks for an effect
    behind the refusal that the contract computes; whoever promises that there is none must use `denials`.
    """
    kept = _take(world, operation, None)
    nobody = Item(parameters={}, environment=world.environment)
    proof = world.proven(operation, nobody)
    if kept is not None:
        item = kept.item
    elif proof is not None:
        item = nobody
    else:
        item = yield from world.item(operation)
        proof = world.proven(operation, item)
    if proof is None:
        proof = yield from world.proof(operation, item)
    exchange: Exchange = yield together(item)
    if proof.succeeded and _refused(exchange, item, world.expect(exchange.probe)):
        _give_back(world, operation, None, Victim(item=item, look=None if kept is None else kept.look))
        return PASSED
    judged = yield from bypasses(world, operation, (together,))
    if judged.word is not Word.FAIL:
        return judged
    split = yield from bypasses(world, operation, alone)
    return split if split.word is Word.FAIL else judged


def summed(judged: Sequence[tuple[str, Judgement]], tried: int) -> Judgement:
    """Return the worst judgement; where several are as bad, its reason names them."""
    if not judged:
        return PASSED
    word = worst(judgement for _, judgement in judged)
    same = [(label, judgement) for label, judgement in judged if judgement.word is word]
    first = same[0][1]
    if len(same) == 1:
        return first
    names = "; ".join(label for label, _ in same[:NAMED]) + ("; …" if len(same) > NAMED else "")
    ways = f"{len(same)} of {tried} ways: {names}"
    return replace(first, reason=f"{first.reason} ({ways})" if first.reason else ways)


#: So many ways are named in a reason.
NAMED = 4


@dataclass(frozen=True, slots=True)
class _Seen:
    """What came of probes on one victim: the exchanges, whether any was carried out, and who showed it."""

    exchanges: tuple[Exchange, ...]
    done: bool
    reader: str | None
    after: Snapshot


def _watched(  # noqa: PLR0913  the victim, what is tried on it, and what is known of it
    world: World,
    operation: Operation,
    item: Item,
    probes: tuple[Probe, ...],
    method: str,
    before: Snapshot | None = None,
) -> Asking[_Seen]:
    """Send probes between two looks at the victim.

    What is not the case's own shows an effect by a probe's canary and by nothing else: nobody looks at it before, and
    nobody at all where no probe carries one.
    """
    canaries = [probe.canary for probe in probes if probe.canary is not None]
    nothing = Snapshot(reader=None)
    if item.own and (before is None or before.reader is None or method in SAFE):
        before = yield from world.snapshot(operation, item, method)
    exchanges: list[Exchange] = []
    for probe in probes:
        exchanges.append((yield probe))  # noqa: PERF401  a comprehension cannot yield
    after = (yield from world.snapshot(operation, item, method)) if item.own or canaries else nothing
    first = before if item.own and before is not None else replace(after, own=False, content="")
    canary = next((c for c in canaries if c in after.content and c not in first.content), None)
    done = yield from world.took_effect(operation, item, (first, after), canary, method)
    return _Seen(tuple(exchanges), done, after.reader, after)


def _refused(exchange: Exchange, item: Item, expectation: Expectation) -> bool:
    """Tell whether the answer is just the refusal that the contract computes."""
    shown = _shown(exchange, item)
    return not exchange.broken and not shown and expectation.refused and expectation.accepts(exchange)


def _shown(exchange: Exchange, item: Item) -> bool:
    return item.canary is not None and item.canary.encode() in exchange.body


def _gained(world: World, exchange: Exchange, item: Item, control: Exchange) -> str | None:
    found = gained(exchange, item, control)
    return None if found is None or world.expect(exchange.probe).allowed else found


def gained(exchange: Exchange, item: Item, control: Exchange) -> str | None:
    """Return what a response shows that only a key that may should see, or None.

    A page for everybody with status 200 shows nothing (R2): it is the victim's content that counts, and, where the
    victim has no mark, an answer of the same form as the one to a key that may.
    """
    if item.canary is not None and item.canary.encode() in exchange.body:
        return "the object's content"
    if not exchange.succeeded or not control.succeeded or not exchange.body:
        return None
    here, there = exchange.json(), control.json()
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        same = bool(there) and here.keys() == there.keys()
    else:
        same = exchange.body == control.body
    return "an answer like the one to a key that may" if same else None


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
