"""Managing keys as a customer does: by the API's own operations where the policy names them, else by hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import (
    Acquire,
    Exchange,
    Key,
    Learn,
    Need,
    Probe,
    Purpose,
    Revoke,
    Rotate,
)
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import inconclusive, skipped
from authcontract_conformance.samples._sample import SCOPE_FIELDS
from authcontract_conformance.world._world import Asking, Ended, Item, World

#: A text this long without a space can be a secret where no prefix tells.
SECRET_LENGTH = 20
#: The lineage of a record like that of its creator: what is created, and not rotated, shares nobody's requests.
BEGINS_ONE = "(begins one)"
NO_BARE_KEY = "the API creates no key without a scope"
#: Statuses by which a server says that there is no such key to be had.
NOT_LIKE_THAT = (400, 403, 404, 409, 422)
SECRET_NAMES = ("secret", "key", "token", "api_key", "value")


def operation_for(world: World, what: str) -> Operation | None:
    """Return the operation that creates, rotates or revokes keys, if the policy names one that may be called here."""
    managed_by = world.policy.keys.managed_by
    name = getattr(managed_by, what) if managed_by is not None else None
    found = world.contract.specification.operation(name) if name else None
    return found if found in world.operations else None


def key_lister(world: World) -> Operation | None:
    """Return the operation that lists keys: it stands where they are created."""
    creator = operation_for(world, "create")
    found = (op for op in world.operations if creator and op.method == "GET" and op.resource == creator.resource)
    return next(found, None)


def rotate(world: World, key: Key) -> Asking[Key]:
    """Rotate a key and return the new one; the oracle knows both afterwards."""
    operation = operation_for(world, "rotate")
    if operation is None:
        rotated: Key = yield Rotate(key)
        return rotated
    exchange = yield from by_operation(world, operation, key)
    if not exchange.succeeded:
        raise Ended(inconclusive(_not_done(operation, exchange)))
    return (yield from rotated_by(world, exchange, key))


def rotated_by(world: World, exchange: Exchange, key: Key) -> Asking[Key]:
    """Return the new key that a response shows, and let the oracle know what became of the old one."""
    new = yield from learn(world, exchange, key)
    rotation = world.policy.keys.rotation
    grace = (rotation.grace.exact or rotation.grace.at_most) if rotation else None
    old = world.settings.vault.record(key.id) or key.record
    world.settings.vault.update(replace(old, rotated_at=world.now(), grace=grace))
    return new


def revoke(world: World, key: Key) -> Asking[None]:
    """Revoke a key."""
    operation = operation_for(world, "revoke")
    if operation is None:
        yield Revoke(key)
        return
    exchange = yield from by_operation(world, operation, key)
    if not exchange.succeeded:
        raise Ended(inconclusive(_not_done(operation, exchange)))
    revoked_by(world, key)


def revoked_by(world: World, key: Key) -> None:
    """Let the oracle know that a key was revoked; it stays dead from when that was first."""
    old = world.settings.vault.record(key.id) or key.record
    if old.revoked_at is None:
        world.settings.vault.update(replace(old, revoked_at=world.now()))


def discard(world: World, key: Key) -> Asking[None]:
    """Revoke a key that should not be there, if it can be: one that was made for somebody else cannot."""
    operation = operation_for(world, "revoke")
    if operation is not None and (yield from by_operation(world, operation, key)).succeeded:
        revoked_by(world, key)


def create(world: World, operation: Operation, need: Need) -> Asking[tuple[Key, Exchange]]:
    """Create a key by the API's own operation; returns it with the response that showed it."""
    manager: Key = yield Acquire(world.need(operation, organisation=need.organisation, environment=need.environment))
    if need.organisation == "A" and None not in (need.plan, manager.record.plan) and manager.record.plan != need.plan:
        raise Ended(skipped(f"keys that the API creates are on the plan of their organisation: {manager.record.plan}"))
    body = key_body(world, operation, need)
    exchange: Exchange = yield world.request(operation, manager, body=body, label="creates a key")
    if _bare(world, need) and exchange.status is not None and exchange.status in NOT_LIKE_THAT:
        raise Ended(skipped(NO_BARE_KEY))
    if not exchange.succeeded:
        raise Ended(inconclusive(_not_done(operation, exchange)))
    like = created_like(manager, need)
    told = told_of_key(world, exchange)
    other = _another(world, need, told)
    if other is not None:
        # It stands in the response, so it is known for what it is, and used for nothing.
        scopes = like.record.scopes if told.scopes is None else told.scopes
        yield from learn(world, exchange, replace(like, record=replace(like.record, scopes=scopes)))
        raise Ended(skipped(f"{operation.label} makes another key than was asked for: {other}"))
    return (yield from learn(world, exchange, like)), exchange


def key_body(world: World, operation: Operation, need: Need) -> bytes:
    """Return a body that asks for such a key; ends the case where the API has no way to ask for a key with no scope."""
    sampler, bare = world.settings.sampler, _bare(world, need)
    if bare and not sampler.scopeless(operation):
        raise Ended(skipped(NO_BARE_KEY))
    return sampler.key_body(operation, need, bare=bare)


def _bare(world: World, need: Need) -> bool:
    """Tell whether a key is to hold no scope at all, where keys of its kind hold some."""
    return not need.scopes and world.policy.keys.kinds[need.kind].holds != "every scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a response says of the key that it shows; None: nothing."""

    scopes: frozenset[str] | None = None
    environment: str | None = None
    plan: str | None = None


def told_of_key(world: World, exchange: Exchange) -> Told:
    """Return what the response that shows a key says of it, in the contract's own words and no others."""
    value = exchange.json()
    found = next(secrets(value, world), None)
    if found is None:
        return Told()
    around = [*_mappings(found[1]), *_mappings(value)]
    scopes = (_scopes(world, about[name]) for about in around for name in SCOPE_FIELDS if name in about)
    environments = world.policy.environments
    return Told(
        scopes=next((each for each in scopes if each is not None), None),
        environment=_word(around, "environment", environments),
        plan=_word(around, "plan", world.policy.plans),
    )


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Return an object and those in it; lists are about others, too."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _mappings(inner)


def _word(around: list[Mapping[str, Any]], name: str, known: Iterable[str]) -> str | None:
    words = (about[name] for about in around if isinstance(about.get(name), str))
    return next((word for word in words if word in known), None)


def _scopes(world: World, value: Any) -> frozenset[str] | None:
    """Return the scopes that a value names, or None where it speaks of something else."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    known = world.contract.resolution.scopes
    if "*" in words:
        return frozenset(known)
    named = frozenset(word for word in words if word in known)
    return named if named or value == [] else None


def _another(world: World, need: Need, told: Told) -> str | None:
    """Say how a key is another than the one that was needed, if its response says so."""
    asked = need.scopes if need.scopes or _bare(world, need) else None
    if None not in (asked, told.scopes) and _reach(world, asked) != _reach(world, told.scopes):
        return f"with {_listed(told.scopes)}, not {_listed(asked)}"
    for wanted, got in ((need.environment, told.environment), (need.plan, told.plan)):
        if None not in (wanted, got) and wanted != got:
            return f"{got}, not {wanted}"
    return None


def _reach(world: World, scopes: frozenset[str] | None) -> frozenset[str]:
    """Return all that these scopes include; whether a server names what is included makes no other key."""
    closure = world.contract.resolution.closure
    return frozenset(scopes or ()).union(*(closure[scope] for scope in scopes or ()))


def _listed(scopes: frozenset[str] | None) -> str:
    return " + ".join(sorted(scopes or ())) or "no scope"


def created_like(manager: Key, need: Need) -> Key:
    """Return what a key must be that `manager` creates with the scopes of this need."""
    record = replace(manager.record, scopes=need.scopes, lineage=BEGINS_ONE)
    return Key(record, replace(need, plan=record.plan or need.plan))


def managing(  # noqa: PLR0913  who does what to which key, and with what
    world: World, operation: Operation, caller: Key, identity: str, *, body: bytes | None = None, label: str = ""
) -> Probe:
    """Return the request by which a caller has an operation done to the key of this id."""
    parameter = world.resources.steps(operation)[-1].parameter
    item = Item(parameters={parameter: identity})
    return world.request(operation, caller, item, body=body, label=label or f"manages key {identity}")


def manager_of(world: World, operation: Operation, key: Key) -> Asking[Key]:
    """Return another key of the same organisation and environment that may call the operation."""
    need = world.need(operation, organisation=key.need.organisation, environment=key.need.environment)
    manager: Key = yield Acquire(replace(need, own=False))
    return manager


def by_operation(world: World, operation: Operation, key: Key) -> Asking[Exchange]:
    """Call a key-managing operation on a key, with another key of the same organisation and environment that may."""
    manager = yield from manager_of(world, operation, key)
    exchange: Exchange = yield replace(managing(world, operation, manager, key.id), purpose=Purpose.FIXTURE)
    return exchange


def _not_done(operation: Operation, exchange: Exchange) -> str:
    reason = broken(exchange) if exchange.broken else f"it answered {describe_exchange(exchange)}"
    return f"{operation.label} did not do its work: {reason}"


def shows_key(world: World, exchange: Exchange) -> bool:
    """Tell whether a response shows a key in full."""
    return exchange.succeeded and next(secrets(exchange.json(), world), None) is not None


def learn(world: World, exchange: Exchange, like: Key) -> Asking[Key]:
    """Return the key that a response shows, taken to be as `like`; ends the case where it shows none."""
    found = next(secrets(exchange.json(), world), None)
    if found is None:
        raise Ended(inconclusive(f"the response to {exchange.probe.operation} shows no key"))
    path, holder = found
    # A target that calls a key by its secret, or by no readable name, is not followed in that.
    told = str(holder.get("id", ""))
    identity = (
        told if told.isprintable() and told and holder[str(path[-1])] not in told else f"{like.id}-{exchange.number}"
    )
    record = replace(
        like.record,
        id=identity,
        digest="",
        issued_at=world.now(),
        rotated_at=None,
        grace=None,
        revoked_at=None,
        lineage="" if like.record.lineage == BEGINS_ONE else like.record.lineage or like.id,
    )
    learnt: Key = yield Learn(exchange=exchange, path=path, record=record, need=like.need)
    return learnt


def secrets(
    value: Any, world: World, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """Return where a response shows a key, with the object that holds it."""
    prefixes = tuple(p for kind in world.policy.keys.kinds.values() if kind.prefix for p in kind.prefix.values())
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str) and len(inner) >= SECRET_LENGTH and " " not in inner and inner.isprintable():
                known = inner.startswith(prefixes) if prefixes else name.lower() in SECRET_NAMES
                if known:
                    yield (*path, name), value
            else:
                yield from secrets(inner, world, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secrets(inner, world, (*path, index))
