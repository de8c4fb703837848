"""Steps that tell whether what one organisation is shown follows what another one does: figures, searches and pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, fail, inconclusive, skipped
from authcontract_conformance.world._isolation import (
    TELLING,
    Border,
    Made,
    listers,
    make,
    shows,
    some,
)
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._searching import SEARCH, asking, filters
from authcontract_conformance.world._world import Asking, World

#: Parameters by which lists are turned over where nobody documents any.
PAGES = (("page", "2"), ("offset", "1"), ("limit", "100"), ("per_page", "100"))


def figures(world: World) -> tuple[Operation, ...]:
    """Return what can be read without naming an object."""
    return some(
        tuple(
            operation
            for operation in protected(world)
            if operation.method == "GET"
            and not world.resources.steps(operation)
            and world.access.strongest(operation, world.environment) is not None
        )
    )


def counts_stand_still(border: Border, world: World) -> Asking[Judgement]:
    """Read everything as the stranger before and after the owner makes objects: nothing of it may follow.

    What moves is believed only if it moves again by twice as much when twice as much is made, and not when nothing is.
    """
    readers, lists = figures(world), listers(world)
    first = yield from _read(world, readers, border)
    made = yield from _make(world, lists, border, 1)
    if not made:
        return inconclusive("no object could be made")
    second = yield from _read(world, readers, border)
    for before, after in zip(first, second, strict=True):
        marks = [mark for each in made for mark in (each.canary, each.id) if mark and len(mark) >= TELLING]
        if after.succeeded and any(shows(after, mark) for mark in marks):
            evidence = _evidence(border, after, before, f"with {border.whose} object in it")
            return fail(evidence, f"it shows {border.whose} object")
    moving = [i for i, pair in enumerate(zip(first, second, strict=True)) if _moved(*pair, len(made))]
    if not moving:
        return PASSED if any(exchange.succeeded for exchange in second) else inconclusive("nothing can be read")
    chosen = [readers[i] for i in moving]
    twice = yield from _make(world, lists, border, 2)
    third = yield from _read(world, chosen, border)
    fourth = yield from _read(world, chosen, border)
    if len(twice) == 2 * len(made):
        for i, later, last in zip(moving, third, fourth, strict=True):
            still = _numbers(last.json())
            for place, moved in _moved(first[i], second[i], len(made)).items():
                again = _moved(second[i], later, len(twice)).get(place)
                if again == 2 * moved and still.get(place) == _numbers(later.json()).get(place):
                    got = f"where `{place or 'the list'}` grew by {moved} and then by {again}"
                    return fail(_evidence(border, later, first[i], got), f"it counts {border.whose} objects")
    return PASSED


def _read(world: World, readers: Sequence[Operation], border: Border) -> Asking[tuple[Exchange, ...]]:
    found: list[Exchange] = []
    for reader in readers:
        key: Key = yield Acquire(world.need(reader, organisation=border.stranger, environment=border.abroad))
        label = "what is shown on the other side"
        found.append((yield world.request(reader, key, environment=border.abroad, label=label)))
    return tuple(found)


def _make(world: World, lists: Sequence[Operation], border: Border, times: int) -> Asking[tuple[Made, ...]]:
    found: list[Made] = []
    for lister in lists:
        for _ in range(times):
            made = yield from make(world, lister, border.owner, border.home)
            found += [] if made is None else [made]
    return tuple(found)


def _moved(before: Exchange, after: Exchange, most: int) -> Mapping[str, int]:
    """Return the numbers that grew by no more than the objects that were made, with how much."""
    if not before.succeeded or not after.succeeded:
        return {}
    old, new = _numbers(before.json()), _numbers(after.json())
    return {place: new[place] - old[place] for place in old.keys() & new.keys() if 0 < new[place] - old[place] <= most}


def _numbers(body: Any) -> dict[str, int]:
    return dict(_walk(body, ""))


def _walk(value: Any, place: str) -> Iterator[tuple[str, int]]:
    """Yield every whole number with its place; of a list only how long it is."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _walk(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        yield place, len(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield place, value


def _evidence(border: Border, exchange: Exchange, control: Exchange, got: str) -> Evidence:
    other = "environment" if border.owner == border.stranger else "organisation"
    expected = f"the same whatever is made in another {other}"
    return Evidence(expected=expected, got=f"{exchange.status} {got}", exchange=exchange, control=control)


def searched_and_paged(lister: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Search and filter a list as the stranger for an object of the owner, and turn its pages."""
    made = yield from make(world, lister, border.owner, border.home)
    if made is None:
        return inconclusive(f"no object could be made for {lister.label}")
    if made.id is None or len(made.id) < TELLING:
        return skipped("no id, or one so short that it may stand in a list by chance")
    documented = world.resources.links.texts(lister)
    searches = [tuple((name, made.canary) for name in names) for names in (documented, SEARCH) if names]
    filtered = filters(world, lister, made)
    key: Key = yield Acquire(world.need(lister, organisation=border.stranger, environment=border.abroad))
    for pairs in (*searches, *filtered, PAGES):
        sifted = "filters it" if pairs in filtered else "searches for somebody else's object"
        label = "turns the pages" if pairs is PAGES else sifted
        exchange: Exchange = yield asking(world.request(lister, key, environment=border.abroad, label=label), pairs)
        # By its id alone: an answer may say again what was searched for.
        if exchange.succeeded and shows(exchange, made.id):
            evidence = Evidence(
                expected="no object of another organisation",
                got=f"{exchange.status} with somebody else's object in it",
                exchange=exchange,
            )
            return fail(evidence, f"it shows somebody else's object to whoever {label}")
    return PASSED
