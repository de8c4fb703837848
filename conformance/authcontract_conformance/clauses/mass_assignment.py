"""SCOPE-7: what nobody documented and a body says all the same: scopes, plans, environments, organisations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from authcontract_policy import Dimension, Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    skipped,
)
from authcontract_conformance.world._management import (
    created_like,
    discard,
    key_body,
    learn,
    manager_of,
    managing,
    operation_for,
    rotated_by,
    shows_key,
)
from authcontract_conformance.world._patterns import protected, reading_operation
from authcontract_conformance.world._resources import find_id
from authcontract_conformance.world._subject import no_more, weakest
from authcontract_conformance.world._world import Asking, Item, World

#: So many fields of a wish are tried by themselves where all together are refused.
LIKELIEST = 2
#: What widens most; of the others a writer's bodies try all together only.
WIDENING = ("more scopes", "another organisation")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody asks for on the side: fields of a body, and what would change by them."""

    what: str
    fields: Mapping[str, Any]


def _wishes(world: World, operation: Operation, other: Key | None) -> tuple[_Wish, ...]:
    """Return what could be asked for, in the policy's own words and the usual ones; nothing that is documented."""
    scopes = sorted(world.contract.resolution.scopes)
    strongest = max(scopes, key=lambda s: len(world.contract.resolution.closure[s]), default="admin")
    environment = next(iter(world.settings.environments[1:]), None)
    found = [
        _Wish(
            "more scopes",
            {
                **dict.fromkeys(("scopes", "permissions", "roles", "granted_scopes"), scopes),
                **dict.fromkeys(("scope", "role"), strongest),
                "is_admin": True,
            },
        )
    ]
    if environment is not None:
        found.append(_Wish("another environment", dict.fromkeys(("environment", "env", "mode"), environment)))
    if other is not None:
        names = ("organization", "org", "organisation", "tenant", "account", "workspace")
        ids = {f"{name}{suffix}": other.record.organisation for suffix in ("_id", "") for name in names}
        found.append(_Wish("another organisation", ids))
    if world.policy.plans:
        plan = max(world.policy.plans, key=lambda p: _room(world, p))
        found.append(_Wish("another plan", {"plan": plan, "tier": plan, "rate_limit": 10**6}))
    documented = world.settings.sampler.fields(operation)
    told = ((wish.what, {n: v for n, v in wish.fields.items() if n not in documented}) for wish in found)
    return tuple(_Wish(what, fields) for what, fields in told if fields)


def _room(world: World, plan: str) -> int:
    """Return how much a plan allows, so that the largest can be asked for."""
    tables = [limit.requests for limit in world.policy.rate_limits.values() if limit.requests is not None]
    headings = [{Dimension.PLAN: plan, Dimension.SCOPE: scope} for scope in world.contract.resolution.scopes]
    rows = (table.lookup(heading) for table in tables for heading in headings)
    return sum(row for row in rows if isinstance(row, int))


def _created_with(what: str, world: World) -> Steps:
    """Create a key and ask for more on the side; a key that is made must be what it would be without."""
    operation = operation_for(world, "create")
    assert operation is not None  # noqa: S101  the case is made only where there is one
    other = yield from _other(world, operation)
    wish = next(wish for wish in _wishes(world, operation, other) if wish.what == what)
    need = replace(weakest(world), own=True)
    manager: Key = yield Acquire(world.need(operation))
    plain = json.loads(key_body(world, operation, need))
    for fields in (wish.fields, *_alone(wish)):
        exchange: Exchange = yield world.request(
            operation,
            manager,
            body=json.dumps({**plain, **fields}).encode(),
            label=f"creates a key and asks for {what}: {', '.join(fields)}",
        )
        if exchange.broken:
            return inconclusive(broken(exchange))
        if shows_key(world, exchange):
            made = yield from learn(world, exchange, created_like(manager, need))
            judgement = yield from _gained(world, made, other, what, exchange)
            yield from discard(world, made)
            return judgement
    return PASSED


def _alone(wish: _Wish) -> list[Mapping[str, Any]]:
    """Return the likeliest fields of a wish by themselves, for servers that refuse some names and heed others."""
    return [{name: value} for name, value in list(wish.fields.items())[:LIKELIEST]]


def _other(world: World, operation: Operation) -> Asking[Key | None]:
    """Return a key of another organisation, whose name can be asked for."""
    if "second organisation" not in world.settings.capabilities:
        return None
    key: Key = yield Acquire(world.need(operation, organisation="B"))
    return key


def _gained(world: World, made: Key, other: Key | None, what: str, exchange: Exchange) -> Asking[Judgement]:
    """Try whether a key got what was asked for on the side."""
    if what == "more scopes":
        return (yield from no_more(world, made, "a key that was made with more scopes on the side"))
    if what == "another plan":
        return (yield from _roomier(world, made, exchange))
    organisation = "B" if what == "another organisation" and other is not None else "A"
    environment = world.settings.environments[1] if what == "another environment" else world.environment
    operation = reading_operation(world)
    item = yield from world.item(operation, organisation, environment)
    probe = world.request(operation, made, item, environment=environment, label=f"the made key in {what}")
    shown: Exchange = yield probe
    if item.canary is None:
        return skipped("no object can be made by which it would show")
    if item.canary.encode() in shown.body:
        got = f"{describe_exchange(shown)} with the content of an object of {what}"
        evidence = replace(world.expect(probe).evidence(shown, exchange, got), expected="nothing of it")
        return fail(evidence, f"a key can be made for {what}")
    return inconclusive(broken(shown)) if shown.broken else PASSED


def _limit_fields(world: World) -> tuple[str, ...]:
    """Return the header fields that tell a limit and nothing that changes by itself."""
    volatile = ("<remaining>", "<reset_in>", "<reset_at>", "<used>")
    return tuple(
        name
        for limit in world.policy.rate_limits.values()
        for name, text in limit.headers.items()
        if "<limit>" in text and not any(word in text for word in volatile)
    )


def _roomier(world: World, made: Key, exchange: Exchange) -> Asking[Judgement]:
    """Compare the limit that a response tells a made key with that of a key like it, if responses tell any."""
    operation = reading_operation(world)
    usual: Key = yield Acquire(made.need)
    told: list[Exchange] = []
    for key in (usual, made):
        told.append((yield world.request(operation, key, label="what limit is told")))  # noqa: PERF401  cannot yield
    for name in _limit_fields(world):
        before, after = (each.header(name) for each in told)
        if before is not None and after is not None and before != after:
            got = f"{name}: {after}, where a key like it has {before}"
            evidence = Evidence(expected=f"{name}: {before}", got=got, exchange=told[1], control=exchange)
            return fail(evidence, "a key can be made with another plan")
    return PASSED


def _rotated_with(world: World) -> Steps:
    """Rotate a key and ask for more scopes on the side."""
    operation = operation_for(world, "rotate")
    assert operation is not None  # noqa: S101  the case is made only where there is one
    key: Key = yield Acquire(replace(weakest(world), own=True))
    wish = _wishes(world, operation, None)[0]
    manager = yield from manager_of(world, operation, key)
    body = json.dumps(wish.fields).encode()
    probe = managing(world, operation, manager, key.id, body=body, label="rotates a key and asks for more scopes")
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    if not shows_key(world, exchange):
        return PASSED
    new = yield from rotated_by(world, exchange, key)
    return (yield from no_more(world, new, "a key that was rotated with more scopes on the side"))


def _writers(world: World) -> tuple[Operation, ...]:
    """Return an operation that creates ordinary objects, one that changes them and one that changes settings."""
    managed = world.policy.keys.managed_by
    ours = {managed.create, managed.rotate, managed.revoke} if managed is not None else set()
    found: dict[tuple[str, bool], Operation] = {}
    for operation in protected(world):
        carries = operation.method in {"POST", "PUT", "PATCH"} and world.settings.sampler.carries(operation)
        if carries and operation.id not in ours and world.access.strongest(operation, world.environment) is not None:
            found.setdefault((operation.method, bool(world.resources.steps(operation))), operation)
    return tuple(found.values())


def _written_with(operation: Operation, world: World) -> Steps:
    """Write an ordinary object and ask for everything on the side: the key may no more than before, nor elsewhere."""
    other = yield from _other(world, operation)
    needs = world.access.sufficient(operation, world.environment)
    need = min(needs, key=lambda n: sum(world.access.permits(op, n) for op in protected(world)))
    key: Key = yield Acquire(replace(need, own=True))
    item = yield from world.item(operation)
    canary = world.canary()
    wishes = _wishes(world, operation, other)
    plain = json.loads(world.settings.sampler.body(operation, canary))
    together = {name: value for wish in wishes for name, value in wish.fields.items()}
    for fields in (together, *(_alone(wish)[0] for wish in wishes if wish.what in WIDENING)):
        exchange: Exchange = yield world.request(
            operation,
            key,
            item,
            body=json.dumps({**fields, **plain}).encode(),
            label=f"writes and asks for more: {', '.join(fields)}",
        )
        if exchange.broken:
            return inconclusive(broken(exchange))
        if exchange.succeeded:
            break
    else:
        return PASSED
    more = yield from no_more(world, key, "a key that asked for more while it wrote")
    if more.word is not Word.PASS:
        return more
    return (yield from _astray(world, operation, item, exchange, canary))


def _astray(world: World, operation: Operation, item: Item, exchange: Exchange, canary: str) -> Asking[Judgement]:
    """Look for what was written where the writer has no business."""
    reader = next((op for op in world.operations if op.method == "GET" and _shows_one(world, op, operation)), None)
    if reader is None:
        return PASSED
    parameter = world.resources.steps(reader)[-1].parameter
    name = item.parameters.get(parameter) or find_id(exchange.json(), parameter)
    if name is None:
        return PASSED
    where = [("B", world.environment)] if "second organisation" in world.settings.capabilities else []
    where += [("A", environment) for environment in world.settings.environments[1:]]
    for organisation, environment in where:
        stranger: Key = yield Acquire(world.need(reader, organisation=organisation, environment=environment))
        seen: Exchange = yield world.request(
            reader,
            stranger,
            Item(parameters={**item.parameters, parameter: name}),
            environment=environment,
            label="looks for it elsewhere",
        )
        if canary.encode() in seen.body:
            evidence = world.expect(exchange.probe).evidence(exchange, seen, "it is there for somebody else")
            evidence = replace(evidence, expected="an object of the writer's own")
            return fail(evidence, "an object was written for somebody else")
    return PASSED


def _shows_one(world: World, reader: Operation, writer: Operation) -> bool:
    """Tell whether an operation shows the one object that a writer creates or changes."""
    steps = world.resources.steps(reader)
    collection = writer.path.rpartition("/")[0] if writer.path.endswith("}") else writer.path
    return bool(steps) and reader.path.endswith("}") and steps[-1].collection == collection


def _scope_7(world: World) -> Iterable[Case]:
    operation = operation_for(world, "create")
    if operation is not None and isinstance(json.loads(world.settings.sampler.body(operation) or b"null"), dict):
        asked = [wish.what for wish in _wishes(world, operation, None)]
        if "second organisation" in world.settings.capabilities:
            asked.append("another organisation")
        for what in asked:
            yield Case(f"a key created with {what} on the side", partial(_created_with, what))
    if operation_for(world, "rotate") is not None:
        yield Case("a key rotated with more scopes on the side", _rotated_with)
    for writer in _writers(world):
        yield Case(f"{writer.label} with everything on the side", partial(_written_with, writer))


def _nothing_is_written(world: World) -> str | None:
    named = operation_for(world, "create") or operation_for(world, "rotate") or _writers(world)
    return None if named else "no operation writes anything"


CLAUSES = (
    Clause(
        id="SCOPE-7",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API3:2023", "OWASP ASVS 15.3.3"),
        promise="No field in a body gives a key more than it was meant to have.",
        why="Frameworks copy fields of a body into records; one that nobody documented can be the one that decides.",
        how="A key is created, a key rotated and ordinary objects written with fields that nobody documented: scopes, "
        "another environment and organisation, a larger plan. Refusing them and overlooking them are both right. A "
        "key that may more, reads elsewhere or is told a larger limit, and an object that is there for somebody else, "
        "are failures.",
        fix="Name the fields that a body may set, and take scope, plan, environment and organisation from the key.",
        needs=frozenset({Capability.KEY_MANAGEMENT}),
        inapplicable=_nothing_is_written,
        cases=_scope_7,
    ),
)
