"""Faults that no listed request meets: only generated ones, or an order of things that nobody wrote down, show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Body, Contract, Decision, KeyRecord
from authcontract_policy import Cause, Operation, inline

from authcontract_conformance.reference import Call, Outcome, Seams, Server
from authcontract_conformance.samples._instance import merged

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
    def perform(server: Server, call: Call) -> Outcome:
        outcome, operation = seams.perform(server, call), call.reading.operation
        if call.request.method != b"GET" or operation is None or not outcome.body or call.body is Body.INVALID:
            return outcome
        schema = _answer(server.contract, operation)
        return replace(outcome, body=json.dumps(_without_last(schema, json.loads(outcome.body))).encode())

    return replace(seams, perform=perform)


def _without_last(schema: Any, value: Any) -> Any:
    """Return a value without the last field that its schema requires, of itself or else of the first part of it."""
    whole = merged(schema) if isinstance(schema, Mapping) else {}
    if isinstance(value, list):
        return [_without_last(whole.get("items", {}), inner) if at == 0 else inner for at, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    required = [name for name in whole.get("required", ()) if name in value]
    if required:
        return {name: inner for name, inner in value.items() if name != required[-1]}
    properties = whole.get("properties", {})
    for name, inner in value.items():
        less = _without_last(properties.get(name, {}), inner)
        if less != inner:
            return {**value, name: less}
    return value


def _answer(contract: Contract, operation: Operation) -> Mapping[str, Any]:
    """Return the schema of what an operation answers where all is well."""
    answers = (each for status, each in operation.responses.items() if status in {"200", "2XX"})
    schema = next((schema for each in answers for media, schema in each.items() if "json" in media), {})
    return inline(contract.specification, schema)


def _requires(schema: Mapping[str, Any]) -> bool:
    whole = merged(schema)
    parts = (whole.get("items"), *whole.get("properties", {}).values())
    return bool(whole.get("required")) or any(_requires(part) for part in parts if isinstance(part, Mapping))


def _nothing_required(contract: Contract) -> str | None:
    reads = [operation for operation in contract.operations if operation.method == "GET"]
    there = any(_requires(_answer(contract, operation)) for operation in reads)
    return None if there else "the specification requires no field of what is read"


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
        sentence="Responses lack the last field that the specification requires",
        family=Family.IMPLEMENTATION,
        clauses=("FUZZ-2",),
        plant=_incomplete,
        meaningful=_nothing_required,
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
