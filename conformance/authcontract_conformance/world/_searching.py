"""Steps that look for somebody else's object by what it says: searches anywhere, and the filters of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import broken
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, fail, inconclusive, skipped
from authcontract_conformance.world._isolation import TELLING, Border, Made, listers, make, shows, some
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Asking, World

Pairs: TypeAlias = tuple[tuple[str, str], ...]

#: Parameters by which lists are searched, where nobody documents any, and ends of the paths of searches with a body.
SEARCH = ("q", "query", "search", "filter")
#: Searches beside the lists that one run tries.
MOST = 4


def asking(probe: Probe, pairs: Sequence[tuple[str, str]]) -> Probe:
    """Return a request with these query parameters instead of its own of the same names."""
    first, *rest = probe.target
    assert isinstance(first, bytes)  # noqa: S101  a key in the query stands behind the path
    path, _, old = first.partition(b"?")
    names = {name for name, _ in pairs}
    kept = [(name, value) for name, value in parse_qsl(old.decode()) if name not in names]
    joint = (b"&",) if rest and not old else ()
    return replace(probe, target=(path + b"?" + urlencode([*kept, *pairs]).encode(), *joint, *rest))


def searches(world: World) -> tuple[tuple[Operation, Operation], ...]:
    """Return what searches without being a list of what can be made, each with the list that it may search."""
    lists = listers(world)
    found = [
        (operation, next((each for each in lists if operation.resource.startswith(f"{each.resource}/")), lists[0]))
        for operation in protected(world)
        if lists
        and not world.resources.steps(operation)
        and _searches(world, operation)
        and world.access.strongest(operation, world.environment) is not None
    ]
    return some(found, MOST)


def _searches(world: World, operation: Operation) -> bool:
    links = world.resources.links
    if operation.method == "GET":
        return world.resources.maker(operation) is None and bool(links.texts(operation))
    last = operation.resource.rpartition("/")[2].lower()
    carried = operation.method == "POST" and world.settings.sampler.carries(operation)
    return last in SEARCH and carried and links.lists(operation)


def searched_elsewhere(operation: Operation, lister: Operation, border: Border, world: World) -> Asking[Judgement]:
    """Search for an object of the owner as the stranger, who must not find it, and as the owner."""
    made = yield from make(world, lister, border.owner, border.home)
    if made is None:
        return inconclusive(f"no object could be made for {lister.label}")
    if made.id is None or len(made.id) < TELLING:
        return skipped("no id, or one so short that it may stand in an answer by chance")
    found: list[Exchange] = []
    for organisation, environment in ((border.stranger, border.abroad), (border.owner, border.home)):
        key: Key = yield Acquire(world.need(operation, organisation=organisation, environment=environment))
        label = "searches for an object of A"
        probe = world.request(operation, key, canary=made.canary, environment=environment, label=label)
        names = world.resources.links.texts(operation)
        found.append((yield asking(probe, [(name, made.canary) for name in names]) if names else probe))
    theirs, own = found
    # By its id alone: an answer may say again what was searched for.
    if theirs.succeeded and shows(theirs, made.id):
        evidence = Evidence(
            expected="no object of another organisation",
            got=f"{theirs.status} with somebody else's object in it",
            exchange=theirs,
            control=own,
        )
        return fail(evidence, "a search finds somebody else's object")
    if theirs.broken or own.broken:
        return inconclusive(broken(theirs if theirs.broken else own))
    return PASSED if shows(own, made.id) else skipped("its owner does not find it by this search either")


def filters(world: World, lister: Operation, made: Made) -> tuple[Pairs, ...]:
    """Return what a list may be filtered by: what the object says itself, and the first documented values."""
    documented = [parameter.name for parameter in lister.parameters if parameter.where == "query"]
    own = tuple((name, made.fields[name]) for name in documented if name in made.fields)
    first = tuple(world.resources.links.choices(lister).items())
    return tuple(dict.fromkeys(pairs for pairs in (own, first) if pairs))
