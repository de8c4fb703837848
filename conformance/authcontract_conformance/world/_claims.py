"""Steps in which a request claims to belong elsewhere: to another organisation or another environment than its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Parts, Probe, Purpose
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, fail, inconclusive
from authcontract_conformance.world._isolation import (
    FOREIGN,
    Border,
    changed,
    listers,
    looks,
    made,
    on_objects,
    shows,
    summed,
)
from authcontract_conformance.world._world import SAFE, Asking, Item, World

Attempt: TypeAlias = Callable[[Item], Probe]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says of where it belongs: header fields, query parameters and members of its body."""

    fields: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    members: Mapping[str, Any]

    @property
    def lines(self) -> tuple[tuple[Parts, Parts], ...]:
        """Return the header fields as lines of a request."""
        return tuple(((name.encode(),), (value.encode("latin-1", "ignore"),)) for name, value in self.fields)

    @property
    def text(self) -> Parts:
        """Return the query parameters, encoded."""
        return (urlencode(self.query).encode(),)


def sort_of_list(world: World) -> tuple[Operation, tuple[Operation, ...]] | None:
    """Return a list whose members can be made and read alone, with the operations on them; None if there is none."""
    for lister in listers(world):
        found = tuple(
            operation
            for operation in on_objects(world, ("GET", "PATCH", "PUT", "DELETE"))
            if operation.resource.rpartition("/")[0] == lister.resource
        )
        if any(operation.method == "GET" for operation in found):
            return lister, found
    return None


def claimed(border: Border, claim: Claim, world: World) -> Asking[Judgement]:
    """Try to see, change and make objects on the owner's side of the border by what the stranger's requests claim.

    One object of the owner bears it all; what seems to be done to it is done again, each to an object of its own.
    """
    found = sort_of_list(world)
    assert found is not None  # noqa: S101  the clause is inapplicable otherwise
    lister, operations = found
    reader = next(operation for operation in operations if operation.method == "GET")
    item = yield from world.item(reader, border.owner, border.home)
    writers = tuple(operation for operation in operations if operation.method not in SAFE)
    if not item.own and not world.settings.disposable:
        writers = ()
    before = yield from looks(world, writers, item)
    seen = [look.content for _, look in before.values() if look.answered]
    if not seen:
        own = yield from _ask(world, reader, item, border.owner, border.home)
        seen = [own.body.decode("latin-1")] if own.succeeded else []
    if item.canary is None or not any(item.canary in content for content in seen):
        return inconclusive(f"{reader.label} does not show its owner what was put into the object")
    judged: list[tuple[str, Judgement]] = []
    for operation in (reader, lister):
        for ways in _ways(claim):
            exchange = yield from _claiming(world, operation, item, border, **ways)
            judged.append((exchange.probe.label, (yield from _shown(world, operation, exchange, item, border))))
    for operation in writers:
        for ways in _ways(claim):
            yield from _claiming(world, operation, item, border, **ways)
    if (yield from changed(world, item, before, ())):
        judged += yield from _one_by_one(world, writers, reader, border, claim)
    judged += yield from _made_elsewhere(world, lister, border, claim)
    return summed(judged)


def _ways(claim: Claim) -> tuple[Mapping[str, Any], ...]:
    return {"extra": claim.lines, "label": "a header field"}, {"query": claim.text, "label": "a query parameter"}


def _ask(
    world: World, operation: Operation, item: Item | None, organisation: str, environment: str | None
) -> Asking[Exchange]:
    key: Key = yield Acquire(world.need(operation, organisation=organisation, environment=environment))
    exchange: Exchange = yield world.request(
        operation, key, item, environment=environment, purpose=Purpose.EFFECT, label="the owner's own look"
    )
    return exchange


def _claiming(world: World, operation: Operation, item: Item | None, border: Border, **ways: Any) -> Asking[Exchange]:
    key: Key = yield Acquire(world.need(operation, organisation=border.stranger, environment=border.abroad))
    label = f"{operation.label} that claims to belong elsewhere in {ways.pop('label')}"
    exchange: Exchange = yield world.request(
        operation, key, item, environment=border.abroad, label=label, **{"canary": world.canary(), **ways}
    )
    return exchange


def _shown(world: World, operation: Operation, exchange: Exchange, item: Item, border: Border) -> Asking[Judgement]:
    if not exchange.succeeded or not shows(exchange, item.canary):
        return PASSED
    plain = yield from _claiming(world, operation, item, border, label="nothing")
    if plain.succeeded and shows(plain, item.canary):
        return inconclusive("it is shown without any claim as well")
    got = f"{describe_exchange(exchange)} with the object's content"
    return fail(world.expect(exchange.probe, FOREIGN).evidence(exchange, plain, got), "what it claims was believed")


def _one_by_one(
    world: World, writers: Iterable[Operation], reader: Operation, border: Border, claim: Claim
) -> Asking[list[tuple[str, Judgement]]]:
    judged = []
    for operation in writers:
        for ways in ({"label": "nothing"}, *_ways(claim)):
            item = yield from world.item(reader, border.owner, border.home)
            before = yield from looks(world, (operation,), item)
            exchange = yield from _claiming(world, operation, item, border, **ways)
            if not (yield from changed(world, item, before, (exchange.probe.canary,))):
                continue
            if len(ways) == 1:  # then a claim that does it proves nothing
                judged.append((exchange.probe.label, inconclusive("it is changed without any claim as well")))
                break
            got = f"{describe_exchange(exchange)}, and its owner sees a change"
            evidence = world.expect(exchange.probe, FOREIGN).evidence(exchange, got=got)
            judged.append((exchange.probe.label, fail(evidence, "what it claims was believed")))
    return judged


def _made_elsewhere(
    world: World, lister: Operation, border: Border, claim: Claim
) -> Asking[list[tuple[str, Judgement]]]:
    """Make objects that claim to belong to the owner, or change some to, and look for them in the owner's list."""
    maker = world.resources.maker(lister)
    assert maker is not None  # noqa: S101  see `listers`
    sent = yield from _moved(world, lister, border, claim)
    for ways in (*_ways(claim), *_in_body(world, maker[0], claim), {"label": "nothing"}):
        sent.append((yield from _claiming(world, maker[0], None, border, **ways)))
    if not any(exchange.succeeded for exchange in sent):
        return []
    seen = yield from _ask(world, lister, None, border.owner, border.home)
    if not seen.succeeded or shows(seen, sent[-1].probe.canary):
        return []  # whatever anybody makes stands there
    judged = []
    for exchange in sent[:-1]:
        if exchange.succeeded and shows(seen, exchange.probe.canary):
            evidence = world.expect(exchange.probe).evidence(
                exchange, seen, f"{describe_exchange(exchange)}, and it stands in the owner's list"
            )
            judged.append((exchange.probe.label, fail(evidence, "what it claims was believed")))
    return judged


def _moved(world: World, lister: Operation, border: Border, claim: Claim) -> Asking[list[Exchange]]:
    """Change objects of the stranger's own so that they claim to belong to the owner."""
    found: list[Exchange] = []
    for operation in on_objects(world, ("PATCH", "PUT")):
        if operation.resource.rpartition("/")[0] != lister.resource:
            continue
        for ways in _in_body(world, operation, claim):
            item = yield from world.item(operation, border.stranger, border.abroad)
            if made(item) and item.own:
                found.append((yield from _claiming(world, operation, item, border, **ways)))
    return found


def _in_body(world: World, maker: Operation, claim: Claim) -> tuple[Mapping[str, Any], ...]:
    canary = world.canary()
    try:
        body = json.loads(world.settings.sampler.body(maker, canary))
    except ValueError:
        return ()
    if not isinstance(body, dict):
        return ()
    content = json.dumps({**body, **claim.members}).encode()
    return ({"body": content, "canary": canary, "label": "a member of its body"},)


# --- what to claim -------------------------------------------------------------------------------------------------

_ORGANISATION = ("organization", "organisation", "org", "tenant", "account", "workspace", "team")
_ENVIRONMENT = ("environment", "env", "mode", "stage")


def organisation_claim(name: str) -> Claim:
    """Return the claim to belong to an organisation, in the words that programs use for it."""
    return Claim(
        fields=tuple((f"X-{word.capitalize()}-Id", name) for word in _ORGANISATION),
        query=tuple((f"{word}_id", name) for word in _ORGANISATION),
        members={f"{word}_id": name for word in _ORGANISATION},
    )


def environment_claim(name: str, short: str | None) -> Claim:
    """Return the claim to belong to an environment, by its name and by what the prefix of its keys calls it."""
    words = tuple(dict.fromkeys((name, short or name)))
    pairs = [(word, words[number % len(words)]) for number, word in enumerate(_ENVIRONMENT)]
    live = {} if short is None else {f"{short}mode": True, short: True}
    texts = [(word, "true") for word in live]
    return Claim(
        fields=(*((f"X-{word.capitalize()}", value) for word, value in pairs), ("X-Env", words[-1])),
        query=(*pairs, *texts),
        members={**dict(pairs), **live},
    )


def organisation_names(world: World, organisation: str, other: str) -> Asking[tuple[str, ...]]:
    """Return what an organisation is called: the ids of its own documents, and what its keys say.

    A document of one's own is what is read without naming it and calls itself otherwise to another organisation.
    """
    found: list[str] = []
    documents = [op for op in world.operations if op.method == "GET" and world.resources.is_document(op)]
    for operation in documents[:2]:
        if world.access.strongest(operation, world.environment) is None or world.access.public(operation):
            continue
        ours = yield from _ask(world, operation, None, organisation, world.environment)
        theirs = yield from _ask(world, operation, None, other, world.environment)
        name, another = (identity_of(exchange) for exchange in (ours, theirs))
        if name is not None and another is not None and name != another:
            found.append(name)
    return tuple(dict.fromkeys(found))


def identity_of(exchange: Exchange) -> str | None:
    """Return what the object in a response, or the first one inside of it, calls itself."""
    body = exchange.json()
    inner = [body, *body.values()] if isinstance(body, Mapping) else []
    values = (holder.get(name) for holder in inner if isinstance(holder, Mapping) for name in ("id", "uuid"))
    return next((str(value) for value in values if isinstance(value, str | int) and value), None)


def claims_of(world: World, border: Border) -> Asking[Judgement]:
    """Claim to belong to the owner's organisation, by each name that it has."""
    names = yield from organisation_names(world, border.owner, border.stranger)
    if not names:
        key: Key = yield Acquire(world.need(world.operations[0], organisation=border.owner, environment=border.home))
        names = (key.record.organisation or border.owner,)
    judged = []
    for name in names:
        judged.append((f"as `{name}`", (yield from claimed(border, organisation_claim(name), world))))  # noqa: PERF401  yields
    return summed(judged)
