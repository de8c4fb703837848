"""Faults of a key's life: issuing, rotating, revoking, and what happens when time passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from authcontract_engine import Decision, Facts, KeyRecord, KeyState, Request

from authcontract_conformance.reference import Call, Identity, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import WRITING, altered, remembering

_HOUR: Final = 3600.0
#: Seconds for which the careless cache believes what it saw, beyond what the policy lets a change of a key take.
_CACHE: Final = 60.0


def _cached_for(server: Server) -> float:
    return _CACHE + (server.contract.policy.keys.takes_effect_within or 0)


def _late(seams: Seams) -> Seams:
    listed: dict[str, tuple[float, frozenset[str]]] = {}

    def unknown_at_first(server: Server, record: KeyRecord, now: float) -> KeyRecord | None:
        since, known = listed.get(record.organisation, (-_cached_for(server), frozenset()))
        if now >= since + _cached_for(server):
            keys = server.keyring.records.all()
            known = frozenset(each.id for each in keys if each.organisation == record.organisation)
            listed[record.organisation] = (now, known)
        return record if record.id in known else None

    return altered(seams, unknown_at_first)


def _shown_again(*, own: bool) -> Plant:
    """Show keys with their secrets where they are listed; the caller's own only if `own`."""

    def plant(seams: Seams) -> Seams:
        seams, secrets = remembering(seams)

        def show(value: Any, but: str) -> Any:
            if isinstance(value, list):
                return [show(inner, but) for inner in value]
            if not isinstance(value, dict):
                return value
            shown = {name: show(inner, but) for name, inner in value.items()}
            secret = secrets.get(str(value.get("id")))
            return shown if secret is None or value["id"] == but else {**shown, "secret": secret.decode()}

        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            if call.request.method != b"GET" or not server.keyring.manages(call.operation):
                return outcome
            but = "" if own or call.key is None else call.key.id
            return replace(outcome, body=json.dumps(show(json.loads(outcome.body), but)).encode())

        return replace(seams, perform=perform)

    return plant


def _is_successor(record: KeyRecord) -> bool:
    return record.lineage not in {"", record.id}


def _successor_gets(choose: Callable[[Server, KeyRecord], frozenset[str]]) -> Plant:
    """Give the new key other scopes than the old one had."""

    def plant(seams: Seams) -> Seams:
        def alter(server: Server, record: KeyRecord, _now: float) -> KeyRecord:
            return replace(record, scopes=choose(server, record)) if _is_successor(record) else record

        return altered(seams, alter)

    return plant


def _none(_server: Server, _record: KeyRecord) -> frozenset[str]:
    return frozenset()


def _most(server: Server, _record: KeyRecord) -> frozenset[str]:
    return frozenset(server.contract.resolution.scopes)


def _while_in_grace(change: Callable[[KeyRecord], KeyRecord]) -> Plant:
    def plant(seams: Seams) -> Seams:
        def alter(_server: Server, record: KeyRecord, _now: float) -> KeyRecord:
            return record if record.rotated_at is None else change(record)

        return altered(seams, alter)

    return plant


def _longer(record: KeyRecord) -> KeyRecord:
    return replace(record, grace=(record.grace or 0.0) + _HOUR)


def _shorter(record: KeyRecord) -> KeyRecord:
    return replace(record, grace=max(0.0, (record.grace or 0.0) - _HOUR))


def _at_once(record: KeyRecord) -> KeyRecord:
    return replace(record, grace=0.0)


def _only_reads(seams: Seams) -> Seams:
    """Refuse an old key whatever changes something, as if it lacked a scope."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        rotated = call.key is not None and call.key.rotated_at is not None
        if not rotated or not decision.allowed or call.request.method.decode() not in WRITING:
            return decision
        powerless = None if call.key is None else replace(call.key, scopes=frozenset())
        return seams.authorise(server, call, replace(facts, key=powerless))

    return replace(seams, authorise=authorise)


def _revoking_waits(record: KeyRecord) -> KeyRecord:
    return replace(record, revoked_at=None)


def _kin(server: Server, record: KeyRecord) -> list[KeyRecord]:
    return [
        other for other in server.keyring.records.all() if other.lineage == record.lineage and other.id != record.id
    ]


def _falls_with_old(seams: Seams) -> Seams:
    def alter(server: Server, record: KeyRecord, _now: float) -> KeyRecord:
        revoked = [other.revoked_at for other in _kin(server, record) if other.revoked_at is not None]
        return replace(record, revoked_at=min(revoked)) if revoked else record

    return altered(seams, alter)


def _ends_with_old(seams: Seams) -> Seams:
    def alter(server: Server, record: KeyRecord, now: float) -> KeyRecord:
        over = any(server.contract.state(other, now) is KeyState.EXPIRED for other in _kin(server, record))
        return replace(record, revoked_at=now) if over else record

    return altered(seams, alter)


def _cached(seams: Seams) -> Seams:
    believed: dict[str, tuple[float, KeyRecord]] = {}

    def remember(server: Server, record: KeyRecord, now: float) -> KeyRecord:
        since, old = believed.get(record.id, (now, record))
        if server.contract.state(record, now) in {KeyState.ACTIVE, KeyState.GRACE} or now > since + _cached_for(server):
            believed[record.id] = (now, record)
            return record
        return old

    return altered(seams, remember)


def _returns(seams: Seams) -> Seams:
    """Take a revoked key for a living one once the entry that says so has run out."""

    def forget(_server: Server, record: KeyRecord, now: float) -> KeyRecord:
        over = record.revoked_at is not None and now > record.revoked_at + _HOUR / 2
        return replace(record, revoked_at=None) if over else record

    return altered(seams, forget)


def _for_connection(seams: Seams, believed_as: Callable[[KeyRecord], KeyRecord] = lambda record: record) -> Seams:
    believed: dict[tuple[int, str], KeyRecord] = {}
    current = 0

    def transport(server: Server, message: Any) -> Any:
        nonlocal current
        current = message.connection
        return seams.transport(server, message)

    def authenticate(server: Server, request: Request, now: float) -> Identity:
        identity = seams.authenticate(server, request, now)
        key = identity.key
        if key is None:
            return identity
        if server.contract.state(key, now) in {KeyState.ACTIVE, KeyState.GRACE}:
            believed[current, key.id] = believed_as(key)
            return identity
        return Identity(identity.reading, believed.get((current, key.id), key))

    return replace(seams, transport=transport, authenticate=authenticate)


def _on_objects(plant: Plant, when: Callable[[Server, KeyRecord, float], bool] = lambda *_: True) -> Plant:
    """Let a defect show only where an object is read by its id, as where such requests have a handler of their own."""

    def planted(seams: Seams) -> Seams:
        wrong = plant(seams)

        def authenticate(server: Server, request: Request, now: float) -> Identity:
            identity, right = wrong.authenticate(server, request, now), seams.authenticate(server, request, now)
            shows = request.method == b"GET" and right.reading.path_parameters and right.key is not None
            return identity if shows and right.key is not None and when(server, right.key, now) else right

        return replace(wrong, authenticate=authenticate)

    return planted


def _expired(server: Server, record: KeyRecord, now: float) -> bool:
    return record.revoked_at is None and server.contract.state(record, now) not in {KeyState.ACTIVE, KeyState.GRACE}


def _undated(record: KeyRecord) -> KeyRecord:
    """Return a key without the moments at which it ends."""
    return replace(record, rotated_at=None, expires_at=None)


def _revoked_in_grace(_server: Server, record: KeyRecord, _now: float) -> bool:
    return record.rotated_at is not None and record.revoked_at is not None


def _least(server: Server, record: KeyRecord) -> frozenset[str]:
    closure = server.contract.resolution.closure
    return frozenset(sorted(closure, key=lambda scope: (len(closure[scope]), scope))[:1]) if closure else record.scopes


def _reading_only(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        identity = seams.authenticate(server, request, now)
        if identity.key is None or request.method not in {b"GET", b"HEAD"}:
            return identity
        return Identity(identity.reading, replace(identity.key, revoked_at=None))

    return replace(seams, authenticate=authenticate)


FAULTS: Final = (
    Fault(
        name="new-key-late",
        sentence="An organisation's keys are cached for a minute too long, so that one issued meanwhile is not known",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-1",),
        plant=_late,
    ),
    Fault(
        name="key-shown-again",
        sentence="The list of keys shows them in full",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-2",),
        plant=_shown_again(own=True),
    ),
    Fault(
        name="other-keys-shown-again",
        sentence="The list of keys shows every key in full but the caller's own",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-2",),
        plant=_shown_again(own=False),
    ),
    Fault(
        name="rotation-drops-scope",
        sentence="The new key is issued without the scope of the one that it replaces",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-3",),
        plant=_successor_gets(_none),
    ),
    Fault(
        name="rotation-widens-scope",
        sentence="The new key may everything, whatever the one that it replaces could",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-3",),
        plant=_successor_gets(_most),
    ),
    Fault(
        name="rotation-gives-the-least-scope",
        sentence="The new key may only what the weakest key may, whatever the one that it replaces could",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-3",),
        plant=_successor_gets(_least),
    ),
    Fault(
        name="no-grace",
        sentence="The old key dies when it is rotated",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-4",),
        plant=_while_in_grace(_at_once),
    ),
    Fault(
        name="old-key-only-reads",
        sentence="Once it is rotated, the old key reads and changes nothing any more",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-4",),
        plant=_only_reads,
    ),
    Fault(
        name="grace-an-hour-short",
        sentence="The old key dies an hour before its grace is over",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-4",),
        plant=_while_in_grace(_shorter),
    ),
    Fault(
        name="grace-an-hour-long",
        sentence="The old key lives for an hour after its grace",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-5",),
        plant=_while_in_grace(_longer),
    ),
    Fault(
        name="new-key-ends-with-old",
        sentence="When the old key's grace is over the new one stops as well",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-5",),
        plant=_ends_with_old,
    ),
    Fault(
        name="expired-key-keeps-its-connection",
        sentence="Objects are read on an open connection after the grace of the key that opened it",
        family=Family.LIBRARY,
        clauses=("LIFE-5",),
        plant=_on_objects(partial(_for_connection, believed_as=_undated), _expired),
    ),
    Fault(
        name="old-key-keeps-its-connection",
        sentence="Objects are read on an open connection with an old key that was revoked in its grace",
        family=Family.LIBRARY,
        clauses=("LIFE-6",),
        plant=_on_objects(_for_connection, _revoked_in_grace),
    ),
    Fault(
        name="revoked-key-reads-objects-again",
        sentence="Where objects are read, revoked keys stand in a list of half an hour and live again after it",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-7",),
        plant=_on_objects(_returns),
    ),
    Fault(
        name="revoking-waits-for-grace",
        sentence="Revoking an old key early does nothing until its grace is over",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-6",),
        plant=_while_in_grace(_revoking_waits),
    ),
    Fault(
        name="revoking-takes-both",
        sentence="Revoking the old key revokes the new one with it",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-6",),
        plant=_falls_with_old,
    ),
    Fault(
        name="revocation-cached",
        sentence="A key that was used is believed for a minute longer than it may be after it was revoked",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-7",),
        plant=_cached,
    ),
    Fault(
        name="revoked-key-returns",
        sentence="Revoked keys stand in a list of half an hour, and live again when they drop out of it",
        family=Family.DEPLOYMENT,
        clauses=("LIFE-7",),
        plant=_returns,
    ),
    Fault(
        name="revoked-on-new-connections-only",
        sentence="On a connection that is open already a revoked key goes on working",
        family=Family.LIBRARY,
        clauses=("LIFE-7",),
        plant=_for_connection,
    ),
    Fault(
        name="revoked-key-reads",
        sentence="Whether a key was revoked is asked where something is changed, and forgotten where it is read",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-7",),
        plant=_reading_only,
    ),
)
