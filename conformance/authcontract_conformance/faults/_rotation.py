"""Faults of keys that are rotated and revoked out of turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authcontract_engine import Contract, Decision, KeyRecord, KeyState, Object
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Seams, Server, Sight

from ._fault import Family, Fault
from ._management import is_to, unmanaged
from ._tools import altered, answering, one_environment


def _kin(server: Server, record: KeyRecord) -> list[KeyRecord]:
    found = server.keyring.records.all()
    return [other for other in found if other.lineage == record.lineage and other.id != record.id]


def _reuse_ends_new(seams: Seams) -> Seams:
    """Take the rotation of a rotated key for theft, and end what came of it."""

    def after(server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        record = call.sight.record
        if decision.cause is Cause.KEY_STATE and record is not None and is_to(server, call, "rotate"):
            for other in _kin(server, record):
                server.keyring.revoke(other.id, call.now)
        return answer

    return answering(seams, after)


def _newer_revoked(server: Server, record: KeyRecord) -> bool:
    return record.rotated_at is not None and any(other.revoked_at is not None for other in _kin(server, record))


def _old_for_ever(seams: Seams) -> Seams:
    def alter(server: Server, record: KeyRecord, _now: float) -> KeyRecord:
        return replace(record, rotated_at=None, grace=None) if _newer_revoked(server, record) else record

    return altered(seams, alter)


def _old_with_new(seams: Seams) -> Seams:
    def alter(server: Server, record: KeyRecord, now: float) -> KeyRecord:
        return replace(record, revoked_at=now) if _newer_revoked(server, record) else record

    return altered(seams, alter)


def _not_twice(seams: Seams) -> Seams:
    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        if sight.record is None or not is_to(server, call, "rotate"):
            return sight
        old = any(server.contract.state(other, call.now) is KeyState.GRACE for other in _kin(server, sight.record))
        return replace(sight, conflict=sight.conflict or (old and sight.object is Object.OWN))

    return replace(seams, look=look)


def _twice_allowed(contract: Contract) -> str | None:
    rotation = contract.policy.keys.rotation
    allowed = rotation is not None and rotation.while_in_grace == "allowed"
    return unmanaged(contract) or (None if allowed else "the policy does not allow a second rotation")


def _into_the_first_environment(seams: Seams) -> Seams:
    """Take the key that replaces another for one of the first environment, whatever the other one was of."""

    def alter(server: Server, record: KeyRecord, _now: float) -> KeyRecord:
        first = next(iter(server.contract.policy.environments), None)
        return record if first is None or record.id == record.lineage else replace(record, environment=first)

    return altered(seams, alter)


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="old-key-rotated-ends-new",
        sentence="Rotating a key that was rotated already is refused, and ends the new key",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-11",),
        plant=_reuse_ends_new,
        meaningful=unmanaged,
    ),
    Fault(
        name="old-key-for-ever",
        sentence="Revoking the new key makes the old one permanent again",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-11",),
        plant=_old_for_ever,
    ),
    Fault(
        name="old-key-ends-with-new",
        sentence="Revoking the new key ends the old one before its grace is over",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-11",),
        plant=_old_with_new,
    ),
    Fault(
        name="second-rotation-refused",
        sentence="A new key cannot be rotated while the old one lives, although the documentation allows it",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-11",),
        plant=_not_twice,
        meaningful=_twice_allowed,
    ),
    Fault(
        name="rotation-forgets-the-environment",
        sentence="The key that replaces one of the sandbox is one of production",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-3",),
        plant=_into_the_first_environment,
        meaningful=one_environment,
    ),
)
