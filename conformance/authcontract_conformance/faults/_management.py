"""Faults of managing keys: who may, what they show, and what is done out of turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Contract, Decision, Facts, KeyRecord, KeyState, Object
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server, Sight

from ._fault import Family, Fault, Plant
from ._tools import altered, answering, at_scope, lenient, lets, one_environment, remembering, rewritten

#: Seconds after which a replica knows of a new key.
_LEARNS_WITHIN: Final = 5
_LIVING: Final = frozenset({KeyState.ACTIVE, KeyState.GRACE})


def is_to(server: Server, call: Call, what: str) -> bool:
    """Tell whether a call is to create, rotate or revoke a key."""
    managed = server.contract.policy.keys.managed_by
    operation = call.reading.operation
    return managed is not None and operation is not None and operation.id == getattr(managed, what)


def lists_keys(server: Server, call: Call) -> bool:
    """Tell whether a call is to list keys."""
    managed = server.contract.policy.keys.managed_by
    creator = server.contract.specification.operation(managed.create or "") if managed is not None else None
    operation = call.reading.operation
    return creator is not None and operation is not None and (operation.method, operation.path) == ("GET", creator.path)


def unmanaged(contract: Contract) -> str | None:
    """Say that the API has no operations for keys."""
    managed = contract.policy.keys.managed_by
    whole = managed is not None and managed.create and managed.rotate and managed.revoke
    return None if whole else "the API has no operations that manage keys"


# --- who may manage keys -------------------------------------------------------------------------------------------


def _itself(seams: Seams) -> Seams:
    def through(server: Server, call: Call, decision: Decision) -> bool:
        own = call.key is not None and call.key.id in call.reading.path_parameters.values()
        return own and at_scope(decision) and is_to(server, call, "rotate")

    return lets(seams, through)


def _anybody_rotates(seams: Seams) -> Seams:
    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        foreign = sight.object is Object.FOREIGN and is_to(server, call, "rotate")
        return replace(sight, object=Object.OWN) if foreign else sight

    return replace(seams, look=look)


def _revoked_unseen(seams: Seams) -> Seams:
    def after(server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        record = call.sight.record
        if decision.cause is Cause.FOREIGN_OBJECT and record is not None and is_to(server, call, "revoke"):
            server.keyring.revoke(record.id, call.now)
        return answer

    return answering(seams, after)


def _anybody_creates(seams: Seams) -> Seams:
    return lets(seams, lambda server, call, decision: at_scope(decision) and is_to(server, call, "create"))


def _all_listed(seams: Seams) -> Seams:
    """List the keys of every organisation and environment."""

    def perform(server: Server, call: Call) -> Outcome:
        outcome = seams.perform(server, call)
        if not lists_keys(server, call) or call.key is None:
            return outcome
        shown = json.loads(outcome.body)
        places = {(each.organisation, each.environment): each for each in server.keyring.records.all()}
        for record in places.values():
            if (record.organisation, record.environment) != (call.key.organisation, call.key.environment):
                theirs = seams.perform(server, replace(call, key=record))
                shown = _joined(shown, json.loads(theirs.body))
        return replace(outcome, body=json.dumps(shown).encode())

    return replace(seams, perform=perform)


def _joined(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, list) and isinstance(theirs, list):
        return ours + theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {name: _joined(value, theirs.get(name)) for name, value in ours.items()}
    return ours


# --- what is shown of a key ------------------------------------------------------------------------------------------


def _last_four(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)

    def correct(_server: Server, key: bytes) -> bytes | None:
        return next((secret for secret in secrets.values() if secret[-4:] == key[-4:] and len(key) < len(secret)), None)

    return lenient(seams, lambda server, key: correct(server, key) if len(key) == len(b"last") else None)


def _always_active(seams: Seams) -> Seams:
    def change(server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
        return rewritten(answer, _said_active) if lists_keys(server, call) else answer

    return answering(seams, change)


def _said_active(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "active" if name in {"state", "status"} and inner == "revoked" else _said_active(inner)
            for name, inner in value.items()
        }
    return [_said_active(inner) for inner in value] if isinstance(value, list) else value


# --- revoking twice, and nobody ------------------------------------------------------------------------------------


def _toggled(seams: Seams) -> Seams:
    def perform(server: Server, call: Call) -> Outcome:
        record = call.sight.record
        outcome = seams.perform(server, call)
        if record is not None and record.revoked_at is not None and is_to(server, call, "revoke"):
            server.keyring.records.put(replace(record, revoked_at=None))
        return outcome

    return replace(seams, perform=perform)


def _by_beginning(seams: Seams) -> Seams:
    """Revoke the first key whose id begins as the one that was named."""

    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        named = next(reversed(list(call.reading.path_parameters.values())), "")
        if sight.object is not Object.ABSENT or not named or not is_to(server, call, "revoke"):
            return sight
        mine = server.store.partition(call.key)
        keys = (each for each in server.keyring.records.all() if server.store.partition(each) == mine)
        found = next((each for each in keys if each.id.startswith(named)), None)
        return sight if found is None else Sight(record=found)

    return replace(seams, look=look)


# --- whom an end touches, and what it does not -----------------------------------------------------------------------


def _ends_with(touched: Callable[[KeyRecord, KeyRecord], bool]) -> Plant:
    """End a key when another one was revoked that is near it in some way."""

    def plant(seams: Seams) -> Seams:
        def alter(server: Server, record: KeyRecord, now: float) -> KeyRecord:
            ended = any(
                other.revoked_at is not None and other.revoked_at >= record.issued_at and touched(other, record)
                for other in server.keyring.records.all()
            )
            return replace(record, revoked_at=now) if ended else record

        return altered(seams, alter)

    return plant


def _beside(other: KeyRecord, record: KeyRecord) -> bool:
    return other.organisation == record.organisation and other.lineage != record.lineage


def _across(other: KeyRecord, record: KeyRecord) -> bool:
    return other.organisation == record.organisation and other.environment != record.environment


def _decided_before(methods: frozenset[bytes]) -> Plant:
    """Remember which key was let through where, and ask no more."""

    def plant(seams: Seams) -> Seams:
        seen: set[tuple[str, str, bytes]] = set()

        def authorise(server: Server, call: Call, facts: Facts) -> Decision:
            decision = seams.authorise(server, call, facts)
            operation = call.reading.operation
            if call.key is None or operation is None or call.request.method not in methods:
                return decision
            place = (call.key.id, operation.id, call.request.method)
            if server.contract.state(call.key, call.now) in _LIVING:
                seen.update({place} if decision.allowed else ())
                return decision
            if place not in seen:
                return decision
            alive = replace(call.key, revoked_at=None, rotated_at=None, expires_at=None)
            return seams.authorise(server, call, replace(facts, key=alive))

        return replace(seams, authorise=authorise)

    return plant


def _made_later(seams: Seams) -> Seams:
    """Know a key that the API made only after a while, in which a replica learns of it."""
    made: dict[str, float] = {}

    def perform(server: Server, call: Call) -> Outcome:
        before = {record.id for record in server.keyring.records.all()}
        outcome = seams.perform(server, call)
        if is_to(server, call, "create"):
            made.update((record.id, call.now) for record in server.keyring.records.all() if record.id not in before)
        return outcome

    def alter(_server: Server, record: KeyRecord, now: float) -> KeyRecord | None:
        return None if record.id in made and now < made[record.id] + _LEARNS_WITHIN else record

    return replace(altered(seams, alter), perform=perform)


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="made-key-late",
        sentence="A key that the API made is not known for the first seconds, until a replica has learnt of it",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-1",),
        plant=_made_later,
        meaningful=unmanaged,
    ),
    Fault(
        name="any-key-rotates-itself",
        sentence="Any key may rotate the key of its own id, whatever its scope",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-10",),
        plant=_itself,
        meaningful=unmanaged,
    ),
    Fault(
        name="anybody-rotates-by-id",
        sentence="Rotating looks a key up by its id and does not ask whose it is",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-10",),
        plant=_anybody_rotates,
        meaningful=unmanaged,
    ),
    Fault(
        name="foreign-key-revoked-unseen",
        sentence="Revoking somebody else's key answers that there is none, and the key is dead",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-10",),
        plant=_revoked_unseen,
        meaningful=unmanaged,
    ),
    Fault(
        name="readers-create-keys",
        sentence="Any key may create another one, with more rights than it has",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-10",),
        plant=_anybody_creates,
        meaningful=unmanaged,
    ),
    Fault(
        name="keys-of-everybody-listed",
        sentence="The list of keys shows those of every organisation",
        family=Family.LIBRARY,
        clauses=("LIFE-10",),
        plant=_all_listed,
        meaningful=unmanaged,
    ),
    Fault(
        name="last-four-work-as-key",
        sentence="A key is known by its last four characters, as the list of keys shows them",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-2",),
        plant=_last_four,
        meaningful=unmanaged,
    ),
    Fault(
        name="revoked-key-listed-as-active",
        sentence="The list of keys says of revoked ones that they are active",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-13",),
        plant=_always_active,
        meaningful=unmanaged,
    ),
    Fault(
        name="revoking-twice-revives",
        sentence="Revoking switches a key off, and on again the second time",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-13",),
        plant=_toggled,
        meaningful=unmanaged,
    ),
    Fault(
        name="revoked-by-part-of-id",
        sentence="An id that nobody has revokes the first key whose id begins like it",
        family=Family.LIBRARY,
        clauses=("LIFE-13",),
        plant=_by_beginning,
        meaningful=unmanaged,
    ),
    Fault(
        name="revoking-takes-organisation",
        sentence="Revoking a key ends every key of its organisation",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-9",),
        plant=_ends_with(_beside),
    ),
    Fault(
        name="revoking-crosses-environments",
        sentence="Revoking a key ends its organisation's keys of the other environments",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-9",),
        plant=_ends_with(_across),
        meaningful=one_environment,
    ),
    Fault(
        name="writing-decided-before",
        sentence="That a key may write is remembered, and goes on to hold when the key is dead",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-8",),
        plant=_decided_before(frozenset({b"POST", b"PUT", b"PATCH", b"DELETE"})),
    ),
    Fault(
        name="head-decided-before",
        sentence="A proxy answers HEAD for a key that it let through before, dead or not",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-8",),
        plant=_decided_before(frozenset({b"HEAD"})),
    ),
)
