"""LIFE: what a dead key is still good for, and whom its end touches: nothing, and nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Judgement, Level, fail, inconclusive
from authcontract_conformance.world._management import revoke, rotate
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import gained, protected
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._subject import GUARD, Subject, grace, judged_later, let_pass, settle, works
from authcontract_conformance.world._world import Asking, Ended, Item, World

#: One connection, opened while the key lived; a server that asks for the key once for each never notices its end.
KEPT = "kept"
#: What a request with another method than GET may be sent as, so that every sort of operation is tried.
READING = ("GET", "HEAD")
#: Operations on which a key that dies by itself is tried.
BOTH = 2

# --- LIFE-8: wherever a key is needed ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a key was used while it lived, with the object that it is tried on when it is dead."""

    operation: Operation
    method: str
    item: Item
    warm: Exchange


def _sampled(world: World) -> tuple[Need, tuple[Operation, ...]]:
    """Return one operation for each method, and the key that may call the most of them."""
    managing = world.policy.keys.managed_by
    ours = {managing.create, managing.rotate, managing.revoke} if managing else set()
    by_method: dict[str, Operation] = {}
    for operation in sorted(protected(world), key=lambda op: (op.id in ours, *_trouble(world, op))):
        if world.access.strongest(operation, world.environment) is not None:
            by_method.setdefault(operation.method, operation)
    needs = [n for op in by_method.values() for n in world.access.sufficient(op, world.environment)]
    if not needs:
        raise Ended(inconclusive("the contract has no operation that needs a key"))
    together = frozenset().union(*(need.scopes for need in needs))
    several = [replace(n, scopes=together) for n in needs if world.policy.keys.kinds[n.kind].holds == "several scopes"]
    need = max((*needs, *several), key=lambda n: sum(world.access.permits(op, n) for op in by_method.values()))
    return need, tuple(op for op in by_method.values() if world.access.permits(op, need))


def _trouble(world: World, operation: Operation) -> tuple[bool, bool, int]:
    """Rank operations: first those on an object that can be made and takes a mark, then those with short paths."""
    steps = world.resources.steps(operation)
    marked = bool(steps) and steps[0].creator is not None and world.settings.sampler.carries(steps[0].creator)
    takes = operation.method in {"GET", "DELETE"} or world.settings.sampler.carries(operation)
    return not takes, bool(steps) and not marked, len(steps)


def _everywhere(death: str, world: World) -> Steps:
    need, operations = _sampled(world)
    if death != "revoked":  # one that reads and one that writes; that each route asks is shown by the other case
        operations = operations[:BOTH]
    key: Key = yield Acquire(replace(need, own=True))
    yield from settle(world)
    places: list[_Place] = []
    for operation in operations:
        places += yield from _used(world, operation, key)
    later = yield from _die(world, key, death)
    if later is not None:
        return later
    for place in places:
        judgement = yield from _still(world, place, key, death)
        if judgement is not None:
            return judgement
    return PASSED


def _used(world: World, operation: Operation, key: Key) -> Asking[list[_Place]]:
    """Use the key on an operation, with HEAD too where it reads; ends the case where it does not get through."""
    item = yield from world.item(operation)
    places: list[_Place] = []
    for method in READING if operation.method == "GET" else (operation.method,):
        probe = world.request(
            operation, key, item, method=method, canary=world.canary(), label=f"{method} while the key lives"
        )
        warm: Exchange = yield replace(probe, connection=KEPT)
        if method == operation.method and (warm.broken or warm.status in world.refusals):
            reason = broken(warm) if warm.broken else f"got {describe_exchange(warm)}"
            raise Ended(inconclusive(f"calibration: {operation.label} with a key that may: {reason}"))
        victim = (yield from world.item(operation)) if method == "DELETE" else item
        places.append(_Place(operation, method, victim, warm))
    return places


def _die(world: World, key: Key, death: str) -> Asking[Judgement | None]:
    """End the key by revoking it, or by letting its grace pass; returns why that cannot be."""
    if death == "revoked":
        yield from revoke(world, key)
    else:
        yield from rotate(world, key)
        later = judged_later(world, key)
        if later is not None:
            return later
        yield from let_pass(world, grace(world, key) + GUARD)
    yield from settle(world)
    return None


def _still(world: World, place: _Place, key: Key, death: str) -> Asking[Judgement | None]:
    """Try a place with the dead key on the connection that it used, and look whether anything came of it."""
    probe = _again(world, place, key)
    before = yield from world.snapshot(place.operation, place.item, place.method)
    exchange: Exchange = yield probe
    after = yield from world.snapshot(place.operation, place.item, place.method)
    if (yield from world.took_effect(place.operation, place.item, (before, after), probe.canary, place.method)):
        return _accused(world, exchange, place, death, f", and {before.reader} shows that it was done")
    if exchange.broken:
        return inconclusive(broken(exchange))
    bare = place.method == "HEAD" and (yield from _more_than_nobody(world, place, exchange))
    if bare or _like(exchange, place, after):
        return _accused(world, exchange, place, death, "")
    return None


def _again(world: World, place: _Place, key: Key) -> Probe:
    probe = world.request(
        place.operation,
        key,
        place.item,
        method=place.method,
        canary=world.canary(),
        label=f"{place.method} after the key's end",
    )
    return replace(probe, connection=KEPT)


def _more_than_nobody(world: World, place: _Place, exchange: Exchange) -> Asking[bool]:
    """Tell whether an answer without a body is better than the one to somebody without a key."""
    if not exchange.succeeded or not place.warm.succeeded:
        return False
    nobody: Exchange = yield world.request(place.operation, None, place.item, method=place.method, label="no key")
    return not nobody.broken and not nobody.succeeded


def _like(exchange: Exchange, place: _Place, after: Snapshot) -> bool:
    """Tell whether a dead key is answered as the living one was: a page for everybody, or a polite 204, is not."""
    if not exchange.succeeded or not place.warm.succeeded:
        return False
    if after.reader is not None and not place.warm.body:
        return False
    return gained(exchange, place.item, place.warm) is not None


def _accused(world: World, exchange: Exchange, place: _Place, death: str, more: str) -> Judgement:
    evidence = world.expect(exchange.probe).evidence(exchange, place.warm, f"{describe_exchange(exchange)}{more}")
    return fail(evidence, f"{place.method} {place.operation.path} takes the {death} key, which it knew")


def _life_8(world: World) -> Iterable[Case]:
    yield Case("a key that was used everywhere and revoked", partial(_everywhere, "revoked"))
    if world.policy.keys.rotation is not None:
        yield Case("a key that was used everywhere and expired", partial(_everywhere, "expired"))


# --- LIFE-9: nobody else's end --------------------------------------------------------------------------------------


def plain_reading(world: World) -> Operation:
    """Return an operation that reads without an object if there is one, open to the most keys."""
    found = [op for op in protected(world) if op.method == "GET" and world.access.strongest(op, world.environment)]
    if not found:
        raise Ended(inconclusive("the contract has no operation that reads with a key"))
    fewest = min(len(world.resources.steps(op)) for op in found)
    plain = [op for op in found if len(world.resources.steps(op)) == fewest]
    return max(plain, key=lambda op: len(world.access.sufficient(op, world.environment)))


def _only_itself(others: Callable[[World, Operation], Iterable[Need]], world: World) -> Steps:
    operation = plain_reading(world)
    subjects: list[Subject] = []
    for need in (replace(world.need(operation), own=True), *others(world, operation)):
        item = yield from world.item(operation, need.organisation, need.environment)
        key: Key = yield Acquire(need)
        subjects.append(Subject(world, operation, item, key))
    yield from settle(world)
    for subject in subjects:
        yield from works(subject, ("kept",))
    revoked, *bystanders = subjects
    yield from revoke(world, revoked.key)
    yield from settle(world)
    for subject in bystanders:
        ended = yield from subject.lives(
            f"{describe(subject.key.need)} after another key was revoked", connections=("kept",)
        )
        if ended is not None:
            return ended
    return PASSED


def _beside(world: World, operation: Operation) -> Iterable[Need]:
    """Return a key just like the revoked one, and one with other rights, of the same organisation and environment."""
    needs = world.access.sufficient(operation, world.environment)
    yield from (replace(need, own=True) for need in (needs[0], *needs[1:2]))


def _elsewhere(world: World, operation: Operation) -> Iterable[Need]:
    for environment in world.settings.environments[1:]:
        yield world.need(operation, environment=environment, own=True)


def _of_another(world: World, operation: Operation) -> Iterable[Need]:
    yield world.need(operation, organisation="B", own=True)


def _life_9(world: World) -> Iterable[Case]:
    yield Case("other keys of the organisation", partial(_only_itself, _beside))
    if len(world.settings.environments) > 1:
        yield Case("keys of other environments", partial(_only_itself, _elsewhere))
    if "second organisation" in world.settings.capabilities:
        yield Case("keys of another organisation", partial(_only_itself, _of_another))


_MANAGED = frozenset({Capability.KEY_MANAGEMENT})

CLAUSES = (
    Clause(
        id="LIFE-8",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 7.4.1",),
        promise="A dead key is refused wherever a key is needed, also where it was used before.",
        why="One route that asks its own cache, or one method that skips the check, and revoking has changed nothing.",
        how="A key is used on one operation for each method, and with HEAD, over a connection that stays open. Then it "
        "is revoked, and all is sent again over that connection; another one's grace passes, and two of them are. An "
        "effect, the object's content or an answer like the living key's is a failure.",
        fix="Ask for the key's state in one place, on each request, before anything is looked up in a cache.",
        precedents=("CVE-2026-46554 (NocoDB: deleted tokens accepted from a cache for days)",),
        variants=("V-C24",),
        needs=_MANAGED,
        alone=True,
        cases=_life_8,
    ),
    Clause(
        id="LIFE-9",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Revoking a key ends that key and no other.",
        why="Whoever revokes a leaked key must not take production down, and must not be able to take others down.",
        how="Keys beside the revoked one are used before and after: one just like it, one with other rights, those of "
        "other environments and of another organisation. Each must still work.",
        fix="Name the one record by its id where it is revoked, with organisation and environment beside it.",
        needs=_MANAGED,
        alone=True,
        cases=_life_9,
    ),
)
