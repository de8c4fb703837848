"""Faults that no listed request meets: only generated ones, or an order of things that nobody wrote down, show them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Body, Contract, Decision, KeyRecord
from authcontract_policy import Cause

from authcontract_conformance.reference import Call, Outcome, Seams, Server

from ._fault import Family, Fault
from ._tools import altered, at_key, lets

_ACCEPTED: Final = 202
#: Keys that there are of one after it was rotated and its successor too.
_ROTATED_TWICE: Final = 3


def _unreadable(call: Call) -> bool:
    """Tell whether a body came that is no JSON."""
    if not call.message.body:
        return False
    try:
        json.loads(call.message.body)
    except ValueError:
        return True
    return False


def _queued(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return at_key(decision) and _unreadable(call)

    def perform(server: Server, call: Call) -> Outcome:
        return Outcome(_ACCEPTED) if _unreadable(call) else seams.perform(server, call)

    return replace(lets(seams, through), perform=perform)


def _parameters_fall_back(seams: Seams) -> Seams:
    """Serve a read with parameters of the wrong type by an error handler that sits in front of the check for keys."""

    def through(server: Server, call: Call, decision: Decision) -> bool:
        if decision.cause is not Cause.MISSING or call.request.method != b"GET" or b"?" not in call.request.target:
            return False
        server.inspect(call)
        return call.body is Body.INVALID

    return lets(seams, through)


def _incomplete(seams: Seams) -> Seams:
    def without_last(value: Any) -> Any:
        return dict(list(value.items())[:-1]) if isinstance(value, dict) else [value]

    def perform(server: Server, call: Call) -> Outcome:
        outcome = seams.perform(server, call)
        if call.request.method != b"GET" or not outcome.body or call.body is Body.INVALID:
            return outcome
        return replace(outcome, body=json.dumps(without_last(json.loads(outcome.body))).encode())

    return replace(seams, perform=perform)


def _revived(seams: Seams) -> Seams:
    def alter(server: Server, record: KeyRecord, _now: float) -> KeyRecord:
        kin = [other for other in server.keyring.records.all() if other.lineage == record.lineage]
        first = record.id == record.lineage
        return replace(record, revoked_at=None) if first and len(kin) >= _ROTATED_TWICE else record

    return altered(seams, alter)


def _no_query(contract: Contract) -> str | None:
    """Say that nothing that reads with a key has parameters in its query, which alone can be wrong and found."""
    reads = [op for op in contract.operations if op.method == "GET" and not contract.permit(op, None, None).allowed]
    there = any(parameter.where == "query" for operation in reads for parameter in operation.parameters)
    return None if there else "nothing that reads with a key has parameters in its query"


FAULTS: Final = (
    Fault(
        name="unreadable-body-needs-no-key",
        sentence="A body that cannot be read is put in a queue for later, before anybody looks at the key",
        family=Family.LIBRARY,
        clauses=("FUZZ-1",),
        plant=_queued,
    ),
    Fault(
        name="wrong-parameter-needs-no-key",
        sentence="A read whose parameters are of the wrong type is served before anybody asks for a key",
        family=Family.LIBRARY,
        clauses=("FUZZ-1",),
        plant=_parameters_fall_back,
        meaningful=_no_query,
    ),
    Fault(
        name="response-lacks-a-field",
        sentence="Responses lack the last field that the specification documents",
        family=Family.IMPLEMENTATION,
        clauses=("FUZZ-2",),
        plant=_incomplete,
    ),
    Fault(
        name="second-rotation-revives",
        sentence="Rotating a second time brings the first key back, although it was revoked",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-M",),
        plant=_revived,
        meaningful=lambda contract: None if contract.policy.keys.rotation else "keys of this contract are not rotated",
    ),
)
