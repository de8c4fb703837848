"""Steps on objects of somebody else, shared by the clauses on environments and on organisations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from authcontract_engine import Object
from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Purpose
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, fail, inconclusive, skipped, worst
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._resources import fields_of, find_field, find_id
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._world import SAFE, Asking, Item, World

T = TypeVar("T")
FOREIGN = Reality(object=Object.FOREIGN)
#: An id shorter than this may stand in a list by chance.
TELLING = 8
#: Sorts of objects, or lists, that one clause tries; beyond it every so many of them.
MANY = 16
#: How an object that is not one's own is refused.
HIDDEN = frozenset({403, 404})
#: What only looks comes first, what takes the object away comes last.
_ORDER = ("GET", "PATCH", "PUT", "POST", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """Whose object it is and who reaches for it, each with the environment of the keys."""

    owner: str
    home: str | None
    stranger: str
    abroad: str | None

    @property
    def whose(self) -> str:
        """Say whose object the stranger reaches for."""
        return "another environment's" if self.owner == self.stranger else "somebody else's"


def border_of(world: World) -> Border:
    """Return the border between two organisations, in the environment that matters."""
    return Border(owner="A", home=world.environment, stranger="B", abroad=world.environment)


def some(found: Sequence[T], most: int = MANY) -> tuple[T, ...]:
    """Return all of them, or, where there are many, every so many."""
    return tuple(found[:: max(1, -(-len(found) // most))])


def _data(world: World) -> tuple[Operation, ...]:
    """Return the operations that need a key and do not manage keys: whose keys those are is LIFE-10's concern."""
    named = world.policy.keys.managed_by
    ids = () if named is None else (named.create, named.rotate, named.revoke)
    paths = [f"{operation.resource}/" for operation in world.contract.operations if operation.id in ids]
    return tuple(op for op in protected(world) if not any(path.startswith(f"{op.resource}/") for path in paths))


def on_objects(world: World, methods: Iterable[str]) -> tuple[Operation, ...]:
    """Return the operations with these methods that work on one object which a run can make."""
    return tuple(
        operation
        for operation in _data(world)
        if operation.method in methods
        and (steps := world.resources.steps(operation))
        and all(step.maker in world.operations for step in steps)
        and world.access.strongest(operation, world.environment) is not None
    )


def sorts(world: World, methods: Iterable[str]) -> dict[str, tuple[Operation, ...]]:
    """Return the operations on objects by the sort of object, in the order in which one object can bear them."""
    found: dict[tuple[str, ...], list[Operation]] = {}
    for operation in on_objects(world, methods):
        place = tuple(f"{step.collection}/{{{step.parameter}}}" for step in world.resources.steps(operation))
        found.setdefault(place, []).append(operation)
    return {
        place[-1]: tuple(sorted(found[place], key=lambda operation: _ORDER.index(operation.method)))
        for place in some(tuple(found))
    }


def listers(world: World) -> tuple[Operation, ...]:
    """Return the operations that list objects which a run can make."""
    found = tuple(
        operation
        for operation in _data(world)
        if operation.method == "GET"
        and not world.resources.steps(operation)
        and world.resources.links.lists(operation)
        and (maker := world.resources.maker(operation)) is not None
        and maker[0] in world.operations
        and world.access.strongest(operation, world.environment) is not None
    )
    return some(found)


NONE_MADE = "no object can be made for it, and one that is found may be there for everybody"


def made(item: Item) -> bool:
    """Tell whether an object was made by the run: another one may have the same name on both sides of a border."""
    return item.exists and (item.own or item.canary is not None)


# --- one object ----------------------------------------------------------------------------------------------------


def foreign_objects(operations: Sequence[Operation], border: Border, world: World) -> Asking[Judgement]:
    """Call operations on one object of the owner with the stranger's keys, each of which may call it on its own.

    Where each is refused and the owner's object stays as it was, that is all; otherwise what is suspicious is done
    again alone, to an object of its own, and that is judged.
    """
    item = yield from world.item(operations[0], border.owner, border.home)
    if not made(item):
        return skipped(NONE_MADE)
    if not item.own and not world.settings.disposable:
        operations = [operation for operation in operations if operation.method in SAFE]
    before = yield from looks(world, operations, item)
    if not any(look.answered for _, look in before.values()):  # then nothing shows that it is there, and whose
        for operation in operations:
            yield from world.proof(operation, item)
    exchanges: list[tuple[Operation, Exchange]] = []
    for operation in operations:
        exchanges.append((operation, (yield from reach(world, operation, item, border))))  # noqa: PERF401  it yields
    for _, exchange in exchanges:
        world.expect(exchange.probe, FOREIGN).accepts(exchange)  # whichever refusal it is, it answers a silence
    canaries = [exchange.probe.canary for _, exchange in exchanges]
    touched = yield from changed(world, item, before, canaries)
    suspects = [
        operation
        for operation, exchange in exchanges
        if (touched and operation.method not in SAFE) or exchange.status not in HIDDEN or _reveals(exchange, item)
    ]
    judged = []
    for operation in suspects:
        judged.append((operation.label, (yield from foreign_object(operation, border, world))))  # noqa: PERF401  yields
    if touched and not any(judgement.word == "fail" for _, judgement in judged):
        return inconclusive("the object changed after all requests together, and after none of them alone")
    return summed(judged)


def reach(world: World, operation: Operation, item: Item, border: Border) -> Asking[Exchange]:
    """Call an operation on the owner's object with a key of the stranger that may call it."""
    key: Key = yield Acquire(world.need(operation, organisation=border.stranger, environment=border.abroad))
    exchange: Exchange = yield world.request(
        operation, key, item, canary=world.canary(), environment=border.abroad, label="an object of somebody else"
    )
    return exchange


def looks(world: World, operations: Iterable[Operation], item: Item) -> Asking[dict[str, tuple[Operation, Snapshot]]]:
    """Look at an object through each reader of what these operations would change."""
    found: dict[str, tuple[Operation, Snapshot]] = {}
    for operation in operations:
        listing = world.resources.listing(operation)
        reader = world.resources.reader(operation) if listing is None else listing.lister
        if reader is not None and operation.method not in SAFE and reader.id not in found:
            found[reader.id] = operation, (yield from world.snapshot(operation, item))
    return found


def changed(
    world: World, item: Item, before: dict[str, tuple[Operation, Snapshot]], canaries: Iterable[str | None]
) -> Asking[bool]:
    """Tell whether any reader shows now that something was done to the object since."""
    sent = [canary for canary in canaries if canary is not None]
    for operation, first in before.values():
        second = yield from world.snapshot(operation, item)
        canary = next((each for each in sent if each in second.content and each not in first.content), None)
        if (yield from world.took_effect(operation, item, (first, second), canary, operation.method)):
            return True
    return False


def foreign_object(operation: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Call one operation on an object of the owner with a key of the stranger that may call it on its own."""
    item = yield from world.item(operation, border.owner, border.home)
    if not made(item):
        return skipped(NONE_MADE)
    before = yield from world.snapshot(operation, item)
    exchange = yield from reach(world, operation, item, border)
    after = yield from world.snapshot(operation, item)
    expectation = world.expect(exchange.probe, FOREIGN)
    if (yield from world.took_effect(operation, item, (before, after), exchange.probe.canary, operation.method)):
        got = f"{describe_exchange(exchange)}, and {before.reader} shows a change"
        return fail(expectation.evidence(exchange, got=got), f"{border.whose} object was changed")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded and shows(exchange, item.canary):
        got = f"{describe_exchange(exchange)} with the object's content"
        return fail(expectation.evidence(exchange, got=got), f"{border.whose} object was shown")
    control = yield from world.control(operation, item)
    if exchange.status in HIDDEN:
        return PASSED
    return expectation.judge(exchange, control)


def _reveals(exchange: Exchange, item: Item) -> bool:
    return exchange.succeeded and shows(exchange, item.canary)


# --- lists ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """An object that was made to be looked for: its id, where the answer names it, and the canary that was sent."""

    id: str | None
    canary: str
    #: What the answer says of it in texts and numbers.
    fields: Mapping[str, str]


def make(world: World, lister: Operation, organisation: str, environment: str | None) -> Asking[Made | None]:
    """Make a member of a list; None where that fails."""
    maker = world.resources.maker(lister)
    assert maker is not None  # noqa: S101  it is asked only of lists whose members can be made
    key: Key = yield Acquire(world.need(maker[0], organisation=organisation, environment=environment))
    canary = world.canary()
    exchange: Exchange = yield world.request(maker[0], key, canary=canary, purpose=Purpose.FIXTURE)
    if not exchange.succeeded:
        return None
    by_the_way = maker[0].resource != lister.resource
    body = exchange.json()
    return Made((find_field if by_the_way else find_id)(body, maker[1]), canary, fields_of(body))


def foreign_list(lister: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Look for an object of the owner in a list that the stranger sees; the owner's own list must show it."""
    member = yield from make(world, lister, border.owner, border.home)
    if member is None:
        return inconclusive(f"no object could be made for {lister.label}")
    seen_by: dict[str, Exchange] = {}
    for who, organisation, environment in (
        ("owner", border.owner, border.home),
        ("stranger", border.stranger, border.abroad),
    ):
        key: Key = yield Acquire(world.need(lister, organisation=organisation, environment=environment))
        seen_by[who] = yield world.request(lister, key, environment=environment, label=f"the {who}'s list")
    marks = [m for m in (member.canary, member.id) if m and len(m) >= TELLING and shows(seen_by["owner"], m)]
    if not marks and member.id is None:
        return skipped(f"nothing tells what was made for {lister.label} from others")
    if not marks or seen_by["stranger"].broken:
        return inconclusive("the owner's own list does not show the object")
    if any(shows(seen_by["stranger"], mark) for mark in marks):
        got = f"{describe_exchange(seen_by['stranger'])} with {border.whose} object in it"
        evidence = world.expect(seen_by["stranger"].probe).evidence(seen_by["stranger"], seen_by["owner"], got)
        return fail(replace(evidence, expected="a list without it"), f"a list shows {border.whose} object")
    return PASSED


# --- judging -------------------------------------------------------------------------------------------------------


def shows(exchange: Exchange, mark: str | None) -> bool:
    """Tell whether a mark stands in a response."""
    return mark is not None and mark.encode() in exchange.body


def summed(judged: Sequence[tuple[str, Judgement]]) -> Judgement:
    """Return the worst judgement, its reason with what it is about."""
    word = worst(judgement for _, judgement in judged) if judged else PASSED.word
    about = [(label, judgement) for label, judgement in judged if judgement.word is word]
    if not about or word is PASSED.word:
        return PASSED
    names = ", ".join(label for label, _ in about)
    return replace(about[0][1], reason=f"{names}: {about[0][1].reason}")
