"""Steps in which two organisations ask for the same: the same address with a query, or the same key of a repetition."""

from __future__ import annotations

from dataclasses import replace

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Parts, Purpose
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, fail, inconclusive, skipped
from authcontract_conformance.world._claims import identity_of
from authcontract_conformance.world._isolation import TELLING, Border, listers, make, on_objects, shows
from authcontract_conformance.world._management import (
    created_like,
    discard,
    learn,
    operation_for,
    shows_key,
)
from authcontract_conformance.world._patterns import reading_operation
from authcontract_conformance.world._resources import find_id
from authcontract_conformance.world._searching import asking
from authcontract_conformance.world._world import Asking, Item, World

#: A cache may keep only what was asked for more than once.
TIMES = 2
#: Header fields by which a client says that a request is the same as an earlier one.
REPEATS = ("Idempotency-Key", "X-Idempotency-Key", "Idempotency-Token", "X-Request-Id")


# --- the same address ------------------------------------------------------------------------------------------------


def _ask(world: World, operation: Operation, border: Border, who: str, number: str | None) -> Asking[Exchange]:
    """Ask for something without an id, as the owner or the stranger; with a number at an address of its own."""
    organisation, environment = (border.owner, border.home) if who == "the owner" else (border.stranger, border.abroad)
    key: Key = yield Acquire(world.need(operation, organisation=organisation, environment=environment))
    probe = world.request(operation, key, environment=environment, label=f"{who} asks for {operation.label}")
    exchange: Exchange = yield probe if number is None else asking(probe, (("limit", number),))
    return exchange


def list_kept(lister: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Ask for a list with a query as its owner, then as the stranger: who must not be given the owner's."""
    member = yield from make(world, lister, border.owner, border.home)
    if member is None:
        return inconclusive(f"no object could be made for {lister.label}")
    first, second = (str(number) for number in world.random.sample(range(11, 100), 2))
    for _ in range(TIMES):
        own = yield from _ask(world, lister, border, "the owner", first)
    theirs = yield from _ask(world, lister, border, "the stranger", first)
    marks = [m for m in (member.canary, member.id) if m and len(m) >= TELLING and own.succeeded and shows(own, m)]
    if not marks:
        return skipped("the owner's list does not show what was made, or no query is accepted")
    if theirs.broken:
        return inconclusive(broken(theirs))
    if not theirs.succeeded or not any(shows(theirs, mark) for mark in marks):
        return PASSED
    elsewhere = yield from _ask(world, lister, border, "the stranger", second)
    if elsewhere.succeeded and any(shows(elsewhere, mark) for mark in marks):
        return inconclusive("the list shows it at an address that its owner never asked for as well")
    return fail(_kept(theirs, own, "the owner's list"), "a list was given to whoever asked next with the same query")


def document_kept(operation: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Ask for what has an id and is named by none, as the owner and then as the stranger.

    The same id is wrong only where both are shown different ones, each the same again, at other addresses.
    """
    for _ in range(TIMES):
        own = yield from _ask(world, operation, border, "the owner", None)
    theirs = yield from _ask(world, operation, border, "the stranger", None)
    for exchange in (own, theirs):
        if exchange.broken:
            return inconclusive(broken(exchange))
    if not own.succeeded or identity_of(own) is None or identity_of(own) != identity_of(theirs):
        return PASSED
    found = []
    numbers = [str(number) for number in world.random.sample(range(11, 100), 4)]
    for who, number in zip(("the owner", "the stranger") * 2, numbers, strict=True):
        found.append(identity_of((yield from _ask(world, operation, border, who, number))))
    ours, others, ours_again, others_again = found
    if ours is None or others is None or ours == others or (ours, others) != (ours_again, others_again):
        return PASSED
    return fail(_kept(theirs, own, "the owner's id"), "what was answered to one organisation was given to the next")


def _kept(theirs: Exchange, own: Exchange, what: str) -> Evidence:
    age = theirs.header("Age")
    kept = "" if age is None else f", Age: {age[:20]}"
    got = f"{describe_exchange(theirs)} with {what}{kept}"
    return Evidence(expected="what belongs to whoever asks", got=got, exchange=theirs, control=own)


# --- the same key of a repetition ------------------------------------------------------------------------------------


def creators(world: World) -> tuple[tuple[Operation, Operation], ...]:
    """Return what makes an object whose reader shows it alone, with that reader; one is enough."""
    for lister in listers(world):
        maker = world.resources.maker(lister)
        readers = [op for op in on_objects(world, ("GET",)) if op.resource.rpartition("/")[0] == lister.resource]
        if maker is not None and maker[0].resource == lister.resource and readers:
            return ((maker[0], readers[0]),)
    return ()


def key_creator(world: World) -> Operation | None:
    """Return the operation that creates keys, if there is one that a key may call."""
    found = operation_for(world, "create")
    return found if found is not None and world.access.strongest(found, world.environment) is not None else None


def _create(  # noqa: PLR0913  who makes what, where, and with which value
    world: World, operation: Operation, organisation: str, environment: str | None, value: str, body: bytes
) -> Asking[Exchange]:
    key: Key = yield Acquire(world.need(operation, organisation=organisation, environment=environment))
    fields: tuple[tuple[Parts, Parts], ...] = tuple(((name.encode(),), (value.encode(),)) for name in REPEATS)
    exchange: Exchange = yield world.request(
        operation,
        key,
        body=body,
        extra=fields,
        environment=environment,
        label=f"{operation.label} with an Idempotency-Key",
    )
    return exchange


def object_repeated(operation: Operation, reader: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Make the same object in both organisations with the same Idempotency-Key: each must get one of its own.

    The stranger was given the owner's object if its id names something that the owner alone can read.
    """
    value = f"repeat-{world.random.getrandbits(64):016x}"
    body = world.settings.sampler.body(operation, world.canary())
    own = yield from _create(world, operation, border.owner, border.home, value, body)
    theirs = yield from _create(world, operation, border.stranger, border.abroad, value, body)
    if own.broken or theirs.broken:
        return inconclusive(broken(own if own.broken else theirs))
    if not own.succeeded:
        return skipped("it is not made with an Idempotency-Key")
    parameter = world.resources.steps(reader)[-1].parameter
    name = find_id(own.json(), parameter)
    if not theirs.succeeded or name is None or find_id(theirs.json(), parameter) != name:
        return PASSED
    read = []
    for organisation, environment in ((border.owner, border.home), (border.stranger, border.abroad)):
        key: Key = yield Acquire(world.need(reader, organisation=organisation, environment=environment))
        item = Item(parameters={parameter: name}, organisation=organisation, environment=environment)
        exchange: Exchange = yield world.request(
            reader, key, item, environment=environment, purpose=Purpose.EFFECT, label="reads what was made"
        )
        read.append(exchange)
    if not read[0].succeeded or read[1].succeeded or read[1].status not in {403, 404}:
        return PASSED  # each has one that is called so
    return fail(_repeated(theirs, own), "somebody else's object was shown for the same Idempotency-Key")


def key_repeated(operation: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Create a key in both organisations with the same Idempotency-Key: neither may be shown the other's."""
    value = f"repeat-{world.random.getrandbits(64):016x}"
    need = world.need(reading_operation(world))
    body = world.settings.sampler.key_body(operation, need)
    own = yield from _create(world, operation, border.owner, border.home, value, body)
    theirs = yield from _create(world, operation, border.stranger, border.abroad, value, body)
    same = own.succeeded and theirs.succeeded and shows_key(world, theirs) and theirs.json() == own.json()
    evidence = _repeated(theirs, own)
    yield from _forget(world, operation, own, replace(need, organisation=border.owner, environment=border.home))
    if not same:
        theirs_need = replace(need, organisation=border.stranger, environment=border.abroad)
        yield from _forget(world, operation, theirs, theirs_need)
    if own.broken or theirs.broken:
        return inconclusive(broken(own if own.broken else theirs))
    if not own.succeeded:
        return skipped("no key is created with an Idempotency-Key")
    if not same:
        return PASSED
    return fail(evidence, "somebody else's key was shown for the same Idempotency-Key")


def _forget(world: World, operation: Operation, exchange: Exchange, need: Need) -> Asking[None]:
    """Let the run know a key that was created, and revoke it."""
    if shows_key(world, exchange):
        manager: Key = yield Acquire(
            world.need(operation, organisation=need.organisation, environment=need.environment)
        )
        key = yield from learn(world, exchange, created_like(manager, need))
        yield from discard(world, key)


def _repeated(theirs: Exchange, own: Exchange) -> Evidence:
    return Evidence(
        expected="one of the caller's own, or a refusal",
        got=f"{describe_exchange(theirs)} with what was made for another organisation",
        exchange=theirs,
        control=own,
    )
