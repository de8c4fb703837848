"""Steps that ask for one address with a key, then without one and with a stranger's: what a shared cache hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Part, Parts, Probe, Purpose
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, fail, inconclusive
from authcontract_conformance.world._isolation import shows
from authcontract_conformance.world._patterns import reading_operation
from authcontract_conformance.world._world import Asking, Item, World

#: Makes another address of a request's target.
Change: TypeAlias = Callable[[Parts], Parts]


def _path(end: bytes) -> Change:
    """Put something behind the path, before the query."""

    def change(target: Parts) -> Parts:
        first = target[0]
        assert isinstance(first, bytes)  # noqa: S101  a key in the query stands behind the path
        path, mark, query = first.partition(b"?")
        return (path + end + mark + query, *target[1:])

    return change


def _query(text: bytes) -> Change:
    def change(target: Parts) -> Parts:
        first: Part = target[0]
        assert isinstance(first, bytes)  # noqa: S101  see above
        return (first + (b"&" if b"?" in first else b"?") + text, *target[1:])

    return change


#: Addresses that a cache may take for something to keep: as it is, and in the dress of a file that is everybody's.
ADDRESSES: tuple[tuple[str, Change], ...] = (
    ("its own address", _path(b"")),
    ("its address with `?cb=1.css`", _query(b"cb=1.css")),
    ("its address with `/x.css`", _path(b"/x.css")),
    ("its address with `;x.css`", _path(b";x.css")),
)
#: A cache may keep only what was asked for more than once.
TIMES = 2


def kept_from_others(stranger: str | None, world: World) -> Asking[Judgement]:
    """Ask for an object with its owner's key, then at the same address without a key and with a stranger's."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    if item.canary is None:
        return inconclusive("no object could be made that is known again")
    owner: Key = yield Acquire(world.need(operation))
    others = yield from _others(world, operation, item, stranger)
    own = world.request(operation, owner, item, purpose=Purpose.FIXTURE)
    for name, change in ADDRESSES:
        for _ in range(TIMES):
            mine: Exchange = yield replace(own, target=change(own.target), label=f"the owner asks for {name}")
        for who, probe in others:
            exchange: Exchange = yield replace(probe, target=change(probe.target), label=f"{who} asks for {name}")
            if exchange.succeeded and shows(exchange, item.canary):
                if (yield from _shown_anyway(world, operation, probe, item, change)):
                    return inconclusive(f"{who} is shown what its owner never asked for as well")
                age = exchange.header("Age")
                kept = "" if age is None else f", Age: {age[:20]}"
                got = f"{describe_exchange(exchange)} with the object's content{kept}"
                evidence = Evidence(
                    expected="the object's content for its owner alone",
                    got=got,
                    exchange=exchange,
                    control=mine,
                    rule=world.expect(probe).rule,
                )
                return fail(evidence, f"{who} was given what its owner had asked for, at {name}")
    return PASSED


def _shown_anyway(world: World, operation: Operation, probe: Probe, item: Item, change: Change) -> Asking[bool]:
    """Tell whether somebody is shown an object at an address at which nobody asked for it before: no cache can."""
    fresh = yield from world.item(operation)
    old, new = (tuple(each.parameters.values())[-1].encode() for each in (item, fresh))
    target = tuple(part.replace(old, new) if isinstance(part, bytes) else part for part in probe.target)
    exchange: Exchange = yield replace(probe, target=change(target), label="an object that its owner never asked for")
    return exchange.succeeded and shows(exchange, fresh.canary)


def _others(
    world: World, operation: Operation, item: Item, stranger: str | None
) -> Asking[tuple[tuple[str, Probe], ...]]:
    found = [("somebody without a key", world.request(operation, None, item))]
    if stranger is not None:
        key: Key = yield Acquire(world.need(operation, organisation=stranger))
        found.append(("another organisation", world.request(operation, key, item)))
    return tuple(found)
