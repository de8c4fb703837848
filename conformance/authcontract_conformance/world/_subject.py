"""A key under test: used while it lives, so that whatever remembers a key remembers it, and refused once it is dead."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Advance, Exchange, Key, Need, Probe, Wait
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, Word, fail, inconclusive, skipped
from authcontract_conformance.world._patterns import bypass, gained, protected, reading_operation
from authcontract_conformance.world._world import Asking, Ended, Item, World

#: So many refusals in a row, on two connections, before a dead key is believed to be dead (a cache may flap).
REFUSALS = 20
CONNECTIONS = ("first", "second")
ONE, OTHERS = CONNECTIONS[:1], ("third", "fourth")
#: As many are enough where the same key has been believed to be dead before.
AGAIN = 2
#: Seconds beside a deadline in which nothing is judged, where the clock is moved (clauses LIFE-5).
GUARD = 1.0
#: A grace of up to so many seconds is waited for where the clock cannot be moved.
WAITED_FOR = 60.0


class Subject:
    """A key under test, with the request that shows whether it lives."""

    def __init__(self, world: World, operation: Operation, item: Item, key: Key) -> None:
        self.world, self.operation, self.item, self.key = world, operation, item, key
        #: The last answer to a key that lived; a dead one must not get its like.
        self.served: Exchange | None = None

    def with_key(self, key: Key) -> Subject:
        """Return the same request with another key."""
        other = Subject(self.world, self.operation, self.item, key)
        other.served = self.served
        return other

    def probe(self, label: str, connection: str | None = None, key: Key | None = None) -> Probe:
        """Return the canonical request with this key, or with another one."""
        probe = self.world.request(self.operation, key or self.key, self.item, label=label)
        return replace(probe, connection=connection)

    def lives(
        self, label: str, key: Key | None = None, connections: tuple[str, ...] = CONNECTIONS
    ) -> Asking[Judgement | None]:
        """Ask with the key on each connection; None if it is accepted."""
        for connection in connections:
            exchange: Exchange = yield self.probe(label, connection, key)
            if not exchange.succeeded:
                return refused(self.world, exchange, label)
            self.served = exchange
        return None

    def dead(
        self,
        label: str,
        key: Key | None = None,
        refusals: int = REFUSALS,
        connections: tuple[str, ...] = CONNECTIONS,
    ) -> Asking[Judgement | None]:
        """Ask with the key many times on two connections; None if it opens nothing, whatever the answer is."""
        for attempt in range(refusals):
            exchange: Exchange = yield self.probe(label, connections[attempt % len(connections)], key)
            if exchange.broken:
                return inconclusive(broken(exchange))
            if exchange.succeeded and (self.served is None or gained(exchange, self.item, self.served)):
                got = f"{describe_exchange(exchange)} at attempt {attempt + 1}"
                return fail(self.world.expect(exchange.probe).evidence(exchange, got=got), label)
        return None


def refused(world: World, exchange: Exchange, reason: str) -> Judgement:
    """Judge an answer to a key that lives and was not served: a failure only if it is about the key."""
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.status not in world.refusals:
        return inconclusive(f"the key got through, but the request was answered {describe_exchange(exchange)}")
    expectation = world.expect(exchange.probe)
    if expectation.refused and expectation.accepts(exchange):
        return inconclusive("the key's time was over before it was asked for")
    return fail(expectation.evidence(exchange), reason)


def issued(world: World) -> Asking[Subject]:
    """Return a key of its own that has just been issued, with an object to read."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    key: Key = yield Acquire(world.need(operation, own=True))
    return Subject(world, operation, item, key)


def living(world: World, connections: tuple[str, ...] = CONNECTIONS) -> Asking[Subject]:
    """Return a key of its own that reads an object and has just been used; ends the case where it does not work."""
    subject = yield from issued(world)
    yield from settle(world)
    yield from works(subject, connections)
    return subject


def works(subject: Subject, connections: tuple[str, ...] = CONNECTIONS) -> Asking[None]:
    """Use a key before anything is done to it; ends the case where it does not work."""
    alive = yield from subject.lives("before anything is done to it", connections=connections)
    if alive is not None:
        raise Ended(inconclusive(f"calibration: the key did not work before: {alive.reason}"))


def settle(world: World) -> Asking[None]:
    """Wait for as long as the policy lets a change of a key take."""
    if world.policy.keys.takes_effect_within:
        yield Wait(seconds=world.policy.keys.takes_effect_within + GUARD)


def first(*judgements: Judgement | None) -> Judgement:
    """Return the first thing that was said, or that all is well."""
    return next((judgement for judgement in judgements if judgement is not None), PASSED)


def grace(world: World, old: Key) -> float:
    """Return for how many seconds a rotated key lives on."""
    record = world.settings.vault.record(old.id)
    return float(record.grace or 0) if record is not None else 0.0


def let_pass(world: World, seconds: float) -> Asking[None]:
    """Move the clock, or wait where it cannot be moved; `judged_later` says for how long that is done."""
    yield Advance(seconds=seconds) if "clock" in world.settings.capabilities else Wait(seconds=seconds)


def judged_later(world: World, old: Key) -> Judgement | None:
    """Return None where the clock can be moved past a grace, or it is waited for, else say when it ends."""
    if "clock" in world.settings.capabilities or grace(world, old) + GUARD <= WAITED_FOR:
        return None
    ends = dt.datetime.fromtimestamp(world.now() + grace(world, old), dt.UTC)
    return skipped(f"the grace of key {old.id} ends at {ends:%Y-%m-%dT%H:%M:%SZ}; judge it then")


def forbidden(world: World, key: Key) -> Operation | None:
    """Return an operation that some key may call, and this one not under any answer to a silence."""
    for operation in sorted(protected(world), key=lambda each: each.method != "GET"):
        if world.access.permits(operation, key.need) or world.access.strongest(operation, world.environment) is None:
            continue
        if world.expect(world.request(operation, key)).open is None:
            return operation
    return None


def no_more(world: World, key: Key, label: str) -> Asking[Judgement]:
    """Make sure that a key may no more than the oracle knows of it, however it is refused."""
    operation = forbidden(world, key)
    if operation is None:
        return PASSED
    item = yield from world.item(operation)
    probe = world.request(operation, key, item, canary=world.canary(), label=f"{label}, on what it may not")
    judgement = yield from bypass(world, operation, item, probe)
    return replace(judgement, reason=label) if judgement.word is Word.FAIL else judgement


def weakest(world: World) -> Need:
    """Return a key that reads and may do as little else as there is."""
    needs = world.access.sufficient(reading_operation(world), world.environment)
    return min(needs, key=lambda need: sum(world.access.permits(op, need) for op in protected(world)))
