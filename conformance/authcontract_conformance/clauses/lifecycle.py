"""LIFE: a key's life: issued, rotated, in grace, expired, revoked (clauses 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from authcontract_engine import Rule
from authcontract_policy import Dimension, Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Advance, Exchange, Key, Need, Probe, Wait
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, inconclusive
from authcontract_conformance.world._management import create, operation_for, revoke, rotate
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import denial, protected, reading_operation
from authcontract_conformance.world._world import Asking, Ended, Item, World

#: So many refusals in a row, on two connections, before a dead key is believed to be dead (a cache may flap).
REFUSALS = 20
CONNECTIONS = ("first", "second")
#: Keys with different rights that are rotated; more would tell nothing new.
KINDS = 6
#: Seconds beside a deadline in which nothing is judged, where the clock is moved (clauses LIFE-5).
GUARD = 1.0
#: Seconds after which a cached look-up shows, beside the deadline itself.
LATER = (30.0, 3600.0)


class _Subject:
    """A key under test, with the request that shows whether it lives."""

    def __init__(self, world: World, operation: Operation, item: Item, key: Key) -> None:
        self.world, self.operation, self.item, self.key = world, operation, item, key

    def probe(self, label: str, connection: str | None = None, key: Key | None = None) -> Probe:
        """Return the canonical request with this key, or with another one."""
        probe = self.world.request(self.operation, key or self.key, self.item, label=label)
        return replace(probe, connection=connection)

    def lives(self, label: str, key: Key | None = None) -> Asking[Judgement | None]:
        """Ask with the key, on each connection, so that whatever remembers a key remembers it; None if accepted."""
        for connection in CONNECTIONS:
            exchange: Exchange = yield self.probe(label, connection, key)
            if not exchange.succeeded:
                return _refused(self.world, exchange, label)
        return None

    def dead(self, label: str, key: Key | None = None) -> Asking[Judgement | None]:
        """Ask with the key many times on two connections; None if it is refused each time."""
        for attempt in range(REFUSALS):
            exchange: Exchange = yield self.probe(label, CONNECTIONS[attempt % len(CONNECTIONS)], key)
            if exchange.broken:
                return inconclusive(broken(exchange))
            if exchange.succeeded:
                got = f"{describe_exchange(exchange)} at attempt {attempt + 1}"
                return fail(self.world.expect(exchange.probe).evidence(exchange, got=got), label)
        return None


def _refused(world: World, exchange: Exchange, reason: str) -> Judgement:
    """Judge an answer to a key that lives and was not served: a failure only if it is about the key."""
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.status not in world.refusals:
        return inconclusive(f"the key got through, but the request was answered {describe_exchange(exchange)}")
    return fail(world.expect(exchange.probe).evidence(exchange), reason)


def _issued(world: World) -> Asking[_Subject]:
    """Return a key of its own that has just been issued, with an object to read."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    key: Key = yield Acquire(world.need(operation, own=True))
    return _Subject(world, operation, item, key)


def _subject(world: World) -> Asking[_Subject]:
    """Return a key of its own that reads an object and has just been used; ends the case where it does not work."""
    subject = yield from _issued(world)
    yield from _settle(world)
    alive = yield from subject.lives("before anything is done to it")
    if alive is not None:
        raise Ended(inconclusive(f"calibration: the key did not work before: {alive.reason}"))
    return subject


def _settle(world: World) -> Asking[None]:
    """Wait for as long as the policy lets a change of a key take."""
    if world.policy.keys.takes_effect_within:
        yield Wait(seconds=world.policy.keys.takes_effect_within + GUARD)


def _first(*judgements: Judgement | None) -> Judgement:
    return next((judgement for judgement in judgements if judgement is not None), PASSED)


def _life_1(world: World) -> Steps:
    subject = yield from _issued(world)
    exchange: Exchange = yield subject.probe("a key just issued")
    if not exchange.succeeded:
        yield from _settle(world)
        late: Exchange = yield subject.probe("a key just issued, after the time that it may take")
        if not late.succeeded:
            return _refused(world, late, "a new key does not work")
    return (yield from _keeps_scope(world, subject.key, "a key just issued"))


def _keeps_scope(world: World, key: Key, label: str) -> Steps:
    """Ask for one operation that the key may not call under any answer to a silence, one that reads if there is one."""
    for operation in sorted(protected(world), key=lambda each: each.method != "GET"):
        if world.access.permits(operation, key.need) or world.access.strongest(operation, world.environment) is None:
            continue
        item = yield from world.item(operation)
        probe = world.request(operation, key, item, canary=world.canary(), label=f"{label}, on what it may not")
        if world.expect(probe).open is None:
            return (yield from denial(world, operation, item, probe))
    return PASSED


def _life_2(world: World) -> Steps:
    operation = operation_for(world, "create")
    lister = next(
        (op for op in world.operations if operation and op.method == "GET" and op.path == operation.path), None
    )
    if operation is None or lister is None:
        return inconclusive("no operation lists keys")
    need = world.need(reading_operation(world), own=True)
    key, _ = yield from create(world, operation, need)
    manager: Key = yield Acquire(world.need(lister))
    listed: Exchange = yield world.request(lister, manager, label="lists keys after one was created")
    reader = world.resources.reader(
        next((op for op in world.operations if op.path.startswith(f"{operation.path}/")), operation)
    )
    shown: list[Exchange] = [listed]
    if reader is not None and reader is not lister:
        item = Item(parameters={world.resources.steps(reader)[-1].parameter: key.id})
        shown.append((yield world.request(reader, manager, item, label="shows a key after it was created")))
    for exchange in shown:
        if exchange.broken:
            return inconclusive(broken(exchange))
        if key.id in world.settings.vault.shown(exchange.body):
            evidence = Evidence(
                expected="keys without their secrets, nor any nine characters of them",
                got=f"{exchange.status} with the secret of a key that was created before",
                exchange=exchange,
                rule=_shown_once(world),
            )
            return fail(evidence, "a key is shown again after its creation")
    return PASSED


def _shown_once(world: World) -> Rule:
    path = ("keys", "shown_once")
    return Rule(path=path, source=world.policy.source(path))


def _keeps_rights(need: Need, world: World) -> Steps:
    """Rotate a key that holds just this; the new one must reach what only such keys reach, and no more."""
    operation = max(_reached(world, need), key=lambda op: sum(not world.access.permits(op, n) for n in _needs(world)))
    item = yield from world.item(operation)
    key: Key = yield Acquire(replace(need, own=True))
    subject = _Subject(world, operation, item, key)
    alive = yield from subject.lives("before rotation")
    if alive is not None:
        return inconclusive("calibration: the key did not work before")
    new = yield from rotate(world, key)
    yield from _settle(world)
    if world.settings.vault.same(new.id, key.id):
        exchange: Exchange = yield subject.probe("after rotation")
        evidence = Evidence(expected="a different key", got="the same key", exchange=exchange, rule=_rotation(world))
        return fail(evidence, "rotation gave the same key again")
    kept = yield from subject.lives("the new key on what the old one could", new)
    if kept is not None:
        return kept
    return (yield from _keeps_scope(world, new, "the new key"))


def _reached(world: World, need: Need) -> list[Operation]:
    """Return the reading operations that such a key may call."""
    reading = (operation for operation in protected(world) if operation.method == "GET")
    return [operation for operation in reading if world.access.permits(operation, need)]


def _needs(world: World) -> tuple[Need, ...]:
    """Return the different keys that read something, a few of them."""
    reading = (operation for operation in protected(world) if operation.method == "GET")
    found = dict.fromkeys(n for op in reading for n in world.access.sufficient(op, world.environment))
    return tuple(found)[:KINDS]


def _life_3(world: World) -> Iterable[Case]:
    for need in _needs(world):
        yield Case(f"a rotated {describe(need)}", partial(_keeps_rights, need))


def _rotation(world: World) -> Rule:
    path = ("keys", "rotation", "grace")
    return Rule(path=path, source=world.policy.source(path))


def _grace(world: World, old: Key) -> float:
    record = world.settings.vault.record(old.id)
    return float(record.grace or 0) if record is not None else 0.0


def _life_4(world: World) -> Steps:
    subject = yield from _subject(world)
    new = yield from rotate(world, subject.key)
    yield from _settle(world)
    early = yield from subject.lives("the old key right after rotation")
    fresh = yield from subject.lives("the new key right after rotation", new)
    if early or fresh or "clock" not in world.settings.capabilities:
        return _first(early, fresh)
    yield Advance(seconds=max(0.0, _grace(world, subject.key) - GUARD - _waited(world)))
    late = yield from subject.lives("the old key just before its grace ends")
    return _first(late, (yield from subject.lives("the new key just before the old one's grace ends", new)))


def _waited(world: World) -> float:
    return world.policy.keys.takes_effect_within + GUARD if world.policy.keys.takes_effect_within else 0.0


def _life_5(world: World) -> Steps:
    subject = yield from _subject(world)
    new = yield from rotate(world, subject.key)
    yield from subject.lives("the old key in its grace")
    yield Advance(seconds=_grace(world, subject.key) + GUARD)
    yield from _settle(world)
    over = yield from subject.dead("the old key after its grace")
    return _first(over, (yield from subject.lives("the new key after the old one's grace", new)))


def _life_6(world: World) -> Steps:
    subject = yield from _subject(world)
    new = yield from rotate(world, subject.key)
    yield from _settle(world)
    yield from subject.lives("the old key in its grace")
    yield from revoke(world, subject.key)
    yield from _settle(world)
    over = yield from subject.dead("the old key after it was revoked")
    return _first(over, (yield from subject.lives("the new key after the old one was revoked", new)))


def _life_7(world: World) -> Steps:
    subject = yield from _subject(world)
    yield from revoke(world, subject.key)
    yield from _settle(world)
    over = yield from subject.dead("the key after it was revoked")
    if over is not None or "clock" not in world.settings.capabilities:
        return _first(over)
    for seconds in LATER:
        yield Advance(seconds=seconds)
        over = yield from subject.dead(f"the key {seconds:g} seconds later")
        if over is not None:
            return over
    return PASSED


def _one(subject: str, steps: Callable[[World], Steps]) -> Callable[[World], Iterable[Case]]:
    def cases(_: World) -> Iterable[Case]:
        yield Case(subject, steps)

    return cases


def _no_rotation(world: World) -> str | None:
    return None if world.policy.keys.rotation else "the policy says nothing of rotation"


def _not_shown_once(world: World) -> str | None:
    shown_once = world.policy.keys.shown_once
    headings = {Dimension.ENVIRONMENT: world.environment}
    if shown_once is None or not shown_once.lookup(headings):
        return "the policy does not say that a key is shown once"
    return None if operation_for(world, "create") else "no operation of the API creates keys"


_MANAGED = frozenset({Capability.KEY_MANAGEMENT})
_TIMED = frozenset({Capability.KEY_MANAGEMENT, Capability.CLOCK})

CLAUSES = (
    Clause(
        id="LIFE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A new key works at once, with the scope that it was given and no other.",
        why="A deployment that has to wait for its key is a deployment that fails at night.",
        how="A key is issued and used: it must read, and must not do what its scope does not give. If it is refused, "
        "it is "
        "tried again after the time that the policy lets it take.",
        fix="Write the key where every node looks before the response that shows it is sent.",
        needs=_MANAGED,
        alone=True,
        cases=_one("a key just issued", _life_1),
    ),
    Clause(
        id="LIFE-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A key is shown when it is created and never again.",
        why="A list that shows keys turns one stolen key into all of them.",
        how="A key is created by the API; then the list of keys, and the key itself where it can be read, must not "
        "show nine "
        "characters of it.",
        fix="Keep a digest of the key, so that there is nothing to show.",
        inapplicable=_not_shown_once,
        cases=_one("a key that was created", _life_2),
    ),
    Clause(
        id="LIFE-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Rotation gives another key with the same rights.",
        why="A rotated key that may less breaks its client, one that may more is a way up.",
        how="A key is rotated; the new one must differ, read the same object, and be refused what the old one was.",
        fix="Copy scope, environment and organisation from the old record.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_life_3,
    ),
    Clause(
        id="LIFE-4",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="While the grace lasts, the old and the new key both work.",
        why="Rotation without downtime is the promise; a client that still has the old key must not notice.",
        how="A key is rotated; both must work at once, and with a clock that can be moved also a second before the "
        "grace "
        "ends.",
        fix="Give the old key a deadline instead of revoking it.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_one("a key in its grace", _life_4),
    ),
    Clause(
        id="LIFE-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="After the grace the old key is dead, and the new one works.",
        why="A grace that never ends keeps the leaked key alive for which somebody rotated.",
        how="A key is rotated and the clock moved to a second after the grace: the old key must be refused twenty "
        "times on "
        "two connections, the new one must work. The instant itself is not judged.",
        fix="Compare the deadline with the clock on each request, in the same place as every other state of a key.",
        needs=_TIMED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_one("a key after its grace", _life_5),
    ),
    Clause(
        id="LIFE-6",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="The old key can be revoked before its grace ends, and the new one lives on.",
        why="Whoever rotates because of a leak cannot wait a day.",
        how="A rotated key is used, then revoked: it must be refused twenty times in a row on two connections, and "
        "the new "
        "one must work.",
        fix="Let revocation outrank grace, and touch one record only.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_one("a key revoked in its grace", _life_6),
    ),
    Clause(
        id="LIFE-7",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 8.3.2",),
        promise="A revoked key is refused at once and for ever.",
        why="Look-ups are cached; keys have been accepted for minutes to days after they were deleted.",
        how="A key is used, so that every cache knows it, then revoked: twenty refusals in a row on two connections, "
        "and "
        "again half a minute and an hour later where the clock can be moved.",
        fix="Drop the key from every cache when it is revoked, or keep entries for no longer than the policy says.",
        needs=_MANAGED,
        alone=True,
        cases=_one("a key that was revoked", _life_7),
    ),
)
