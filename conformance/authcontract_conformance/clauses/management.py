"""LIFE: who may manage which keys, and what becomes of keys that are rotated and revoked out of turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from authcontract_engine import Object, Rule
from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.clauses.lifecycle import entries
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import USUAL, Expectation, Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    unspecified,
    warn,
)
from authcontract_conformance.world._management import (
    by_operation,
    created_like,
    key_body,
    key_lister,
    learn,
    manager_of,
    managing,
    operation_for,
    revoke,
    shows_key,
)
from authcontract_conformance.world._patterns import reading_operation
from authcontract_conformance.world._subject import (
    AGAIN,
    ONE,
    Subject,
    living,
    settle,
)
from authcontract_conformance.world._world import Asking, World

MANAGED_BY = ("keys", "managed_by")
FOREIGN = Reality(object=Object.FOREIGN)
ABSENT = Reality(object=Object.ABSENT)
#: Texts and fields by which a list says that a key works.
STATES = ("state", "status")
FLAGS: Mapping[str, bool] = {"active": True, "enabled": True, "valid": True, "revoked": False, "disabled": False}
#: An id shorter than this may stand in a list by chance.
TELLING = 8

# --- LIFE-10: who may manage keys ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Caller:
    """Somebody who may not touch the victim's key: which key it uses, and whose the victim's is for it."""

    need: Need
    reality: Reality = USUAL
    #: True: the key that it tries to manage is its own.
    itself: bool = False


def _meddling(who: str, world: World) -> Steps:
    """Let somebody rotate and revoke a key that is none of its business, then use that key."""
    victim = yield from living(world, ONE)
    caller = _caller(who, world)
    acting: Key = yield Acquire(replace(caller.need, own=caller.itself))
    if caller.itself:
        victim = victim.with_key(acting)
    key = victim.key
    before = yield from _listed(world, key)
    sent: list[tuple[Exchange, Expectation]] = []
    for what in ("rotate", "revoke"):
        operation = operation_for(world, what)
        if operation is None:
            continue
        probe = managing(world, operation, acting, key.id, label=f"{who} {what}s a key that is not its to manage")
        expectation = world.expect(probe, caller.reality)
        if not expectation.refused:
            continue
        exchange: Exchange = yield probe
        sent.append((exchange, expectation))
        if shows_key(world, exchange):
            judgement = yield from _new_key(world, victim, key, exchange, expectation)
            if judgement is not None:
                return judgement
    after = yield from _listed(world, key)
    return (yield from _unharmed(world, victim, sent, (before, after)))


def _caller(who: str, world: World) -> _Caller:
    operation = operation_for(world, "rotate") or operation_for(world, "revoke")
    assert operation is not None  # noqa: S101  without one the clause means nothing
    match who:
        case "a key of another organisation":
            return _Caller(world.need(operation, organisation="B"), FOREIGN)
        case "a key of another environment":
            return _Caller(world.need(operation, environment=world.settings.environments[1]), FOREIGN)
    return _Caller(_powerless(world, operation), itself="itself" in who)


def _powerless(world: World, operation: Operation) -> Need:
    """Return a key that may not call an operation, and may read if there is one."""
    lacking = world.access.insufficient(operation, world.environment)
    reading = reading_operation(world)
    return next((need for need in lacking if world.access.permits(reading, need)), lacking[-1])


def _new_key(
    world: World, victim: Subject, key: Key, exchange: Exchange, expectation: Expectation
) -> Asking[Judgement | None]:
    """Use the key that somebody was given who may not have one; None where it opens nothing."""
    stolen = yield from learn(world, exchange, key)
    used: Exchange = yield victim.probe("a key that was given to somebody who may not manage keys", key=stolen)
    open_ = expectation.open
    if open_ is not None:
        return unspecified(f"{open_} is only assumed; the target answers {describe_exchange(exchange)}")
    if used.succeeded:
        got = f"{describe_exchange(exchange)} with a key that works"
        return fail(expectation.evidence(exchange, used, got), "somebody who may not manage keys was given one")
    return None


def _listed(world: World, key: Key) -> Asking[str | None]:
    """Return what its owner's list says of a key, or None where it says nothing."""
    lister = key_lister(world)
    if lister is None:
        return None
    entry = yield from _entry(world, lister, key)
    return None if entry is None else repr(sorted(entry.items(), key=str))


def _entry(world: World, lister: Operation, key: Key) -> Asking[Mapping[str, Any] | None]:
    manager = yield from manager_of(world, lister, key)
    listed: Exchange = yield world.request(lister, manager, label="the owner's list of keys")
    return next(entries(listed.json(), key.id), None)


def _unharmed(
    world: World,
    victim: Subject,
    sent: list[tuple[Exchange, Expectation]],
    looks: tuple[str | None, str | None],
) -> Asking[Judgement]:
    """Make sure that a key is as it was before somebody meddled with it."""
    if not sent:
        return unspecified("the contract lets such a key manage keys")
    exchange, expectation = next((pair for pair in sent if pair[0].succeeded), sent[-1])
    probe = victim.probe("the key that somebody tried to manage")
    used: Exchange = yield probe
    before, after = looks
    changed = before is not None and before != after
    if changed:  # believed only if it stays so: a list may show when a key was last used
        changed = (yield from _listed(world, victim.key)) == after and not used.broken
    dead = not used.succeeded and not used.broken and used.status in world.refusals and world.expect(probe).allowed
    if expectation.open is not None and (changed or dead):
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    if dead:
        got = f"{describe_exchange(exchange)}, and the key is answered {describe_exchange(used)}"
        return fail(expectation.evidence(exchange, used, got), "a key was ended by somebody who may not manage it")
    if changed:
        got = f"{describe_exchange(exchange)}, and the owner's list shows the key changed"
        return fail(expectation.evidence(exchange, used, got), "a key was changed by somebody who may not manage it")
    if any(answer.broken for answer, _ in sent) or used.broken:
        return inconclusive(broken(next((answer for answer, _ in sent if answer.broken), used)))
    return PASSED


def _making(world: World) -> Steps:
    """Let a key that may not create keys create one, with all that there is to ask for."""
    operation = operation_for(world, "create")
    assert operation is not None  # noqa: S101  the case is made only where there is one
    victim = yield from living(world, ONE)
    caller: Key = yield Acquire(_powerless(world, operation))
    wanted = world.need(operation)
    body = key_body(world, operation, wanted)
    exchange: Exchange = yield world.request(operation, caller, body=body, label="a key that may not makes another")
    expectation = world.expect(exchange.probe)
    if not expectation.refused:
        return unspecified("the contract lets such a key create keys")
    if shows_key(world, exchange):
        made = created_like(caller, replace(wanted, scopes=frozenset(), own=True))
        return (yield from _new_key(world, victim, made, exchange, expectation)) or PASSED
    return inconclusive(broken(exchange)) if exchange.broken else PASSED


def _foreign_list(who: str, world: World) -> Steps:
    """Look for a key of one organisation and environment in the list of somebody else."""
    lister = key_lister(world)
    assert lister is not None  # noqa: S101  the case is made only where there is one
    key: Key = yield Acquire(world.need(lister, own=True))
    own = yield from _entry(world, lister, key)
    if own is None or len(key.id) < TELLING:
        return inconclusive("the owner's own list does not show the key")
    stranger: Key = yield Acquire(_caller(who, world).need)
    listed: Exchange = yield world.request(lister, stranger, label=f"{who} lists keys")
    if next(entries(listed.json(), key.id), None) is not None:
        evidence = world.expect(listed.probe).evidence(listed, got="a list with somebody else's key in it")
        return fail(evidence, "a list shows somebody else's key")
    return inconclusive(broken(listed)) if listed.broken else PASSED


def _life_10(world: World) -> Iterable[Case]:
    operation = operation_for(world, "rotate") or operation_for(world, "revoke")
    if operation is not None and world.access.insufficient(operation, world.environment):
        yield Case("a key that may not manage keys, on another", partial(_meddling, "a key that may not"))
        yield Case("a key that may not manage keys, on itself", partial(_meddling, "a key that may not, itself,"))
    creator = operation_for(world, "create")
    if creator is not None and world.access.insufficient(creator, world.environment):
        yield Case("a key that may not create keys", _making)
    if operation is None:
        return
    strangers = []
    if "organisation" in world.policy.isolation and "second organisation" in world.settings.capabilities:
        strangers.append("a key of another organisation")
    if "environment" in world.policy.isolation and len(world.settings.environments) > 1:
        strangers.append("a key of another environment")
    for who in strangers:
        yield Case(f"{who}, on a key's id", partial(_meddling, who))
        if key_lister(world) is not None:
            yield Case(f"{who}, in the list of keys", partial(_foreign_list, who))


def _no_operations(world: World) -> str | None:
    named = any(operation_for(world, what) for what in ("create", "rotate", "revoke"))
    return None if named else "no operation of the API manages keys"


# --- LIFE-13: twice, and nobody -------------------------------------------------------------------------------------


def _revoked_twice(world: World) -> Steps:
    operation = operation_for(world, "revoke")
    assert operation is not None  # noqa: S101  without one the clause means nothing
    subject = yield from living(world, ONE)
    lister = key_lister(world)
    before = None if lister is None else (yield from _entry(world, lister, subject.key))
    yield from revoke(world, subject.key)
    yield from settle(world)
    after = None if lister is None else (yield from _entry(world, lister, subject.key))
    again = yield from by_operation(world, operation, subject.key)
    yield from settle(world)
    over = yield from subject.dead("a key that was revoked twice", refusals=AGAIN)
    if over is not None:
        return over
    if again.broken:
        return inconclusive(broken(again))
    return _shown_as_dead(world, before, after, again)


def _shown_as_dead(
    world: World, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, exchange: Exchange
) -> Judgement:
    """Warn where the list still says of a revoked key, in so many words, that it works."""
    if before is None or after is None:
        return PASSED
    same = [name for name in STATES if isinstance(before.get(name), str) and before[name] == after.get(name)]
    flags = [name for name, works in FLAGS.items() if after.get(name) is works]
    if not same and not flags:
        return PASSED
    name = (same or flags)[0]
    evidence = Evidence(
        expected="a key that is not shown, or as one that is dead",
        got=f"`{name}` is {after[name]!r}, as before",
        exchange=exchange,
        rule=Rule(path=MANAGED_BY, source=world.policy.source(MANAGED_BY)),
    )
    return warn(evidence, "the list of keys shows a revoked key as one that works")


def _cut_short(identity: str) -> tuple[str, ...]:
    """Return ids that nobody has, and that a careless look-up takes for this one."""
    changed = identity.swapcase()
    return tuple(dict.fromkeys(text for text in (identity[:-1], f"{identity}x", changed) if text not in ("", identity)))


def _unknown_ids(world: World) -> Steps:
    operation = operation_for(world, "revoke")
    assert operation is not None  # noqa: S101  without one the clause means nothing
    subject = yield from living(world, ONE)
    manager = yield from manager_of(world, operation, subject.key)
    sent: list[Probe] = [
        managing(world, operation, manager, identity, label="revokes a key by an id that nobody has")
        for identity in _cut_short(subject.key.id)
    ]
    answers: list[Exchange] = []
    for probe in sent:
        answers.append((yield probe))  # noqa: PERF401  a comprehension cannot yield
    yield from settle(world)
    harmed = yield from subject.lives("a key whose id is nearly the revoked one", connections=ONE)
    if harmed is not None:
        return harmed
    for exchange in answers:
        if exchange.broken:
            return inconclusive(broken(exchange))
        judgement = world.expect(exchange.probe, ABSENT).judge(exchange)
        if judgement is not PASSED:
            return unspecified(f"an id that nobody has is answered {describe_exchange(exchange)}")
    return PASSED


def _life_13(_: World) -> Iterable[Case]:
    yield Case("a key revoked twice", _revoked_twice)
    yield Case("ids that nobody has", _unknown_ids)


def _no_revoking(world: World) -> str | None:
    return None if operation_for(world, "revoke") else "no operation of the API revokes keys"


_MANAGED = frozenset({Capability.KEY_MANAGEMENT})

CLAUSES: tuple[Clause, ...] = (
    Clause(
        id="LIFE-10",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP API5:2023", "OWASP ASVS 8.4.1"),
        promise="Only keys that may manage keys do, and only those of their own organisation and environment.",
        why="Ids of keys are no secret: whoever may rotate by id has every key, whoever may revoke has every outage.",
        how="A key that may not manage keys rotates and revokes another one, and itself, and creates one; keys of "
        "another organisation and environment rotate and revoke a key by its id and look for it in their list. Then "
        "the key is used and its owner's list read. Whatever was answered: a key that died or changed, or a new one "
        "that works, is a failure.",
        fix="Ask for scope, organisation and environment before the key is looked up by its id, with no exception "
        "for a key's own id.",
        precedents=(
            "CVE-2026-56225 (Capgo: any key rotated by its id)",
            "CVE-2026-30945 (StudioCMS: keys of others revoked by their id)",
            "CVE-2026-21621 (hexpm: a key that may read made one that may everything)",
        ),
        variants=("V-L06", "V-L07"),
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_operations,
        cases=_life_10,
    ),
    Clause(
        id="LIFE-13",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Revoking twice changes nothing more, and an id that nobody has revokes nobody's key.",
        why="Scripts that clean up run twice, and with mistyped ids.",
        how="A key is revoked twice and must stay dead; ids that differ from a living key's by a character or by "
        "case are revoked, and that key must live. A list that says of a revoked key that it works is a warning.",
        fix="Set the time of revocation once, where the whole id is equal, and show the state that requests meet.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_revoking,
        cases=_life_13,
    ),
)
