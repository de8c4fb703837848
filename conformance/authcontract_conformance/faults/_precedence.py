"""Faults of the order of checks: something is looked at, and told, before it is anybody's business."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from authcontract_engine import Body, Contract, Decision, Facts, Object
from authcontract_policy import Cause

from authcontract_conformance.reference import Call, Seams, Server

from ._fault import Family, Fault
from ._tools import at_key, at_scope


def refused_as(server: Server, decision: Decision, cause: Cause) -> Decision:
    """Return the refusal for another cause in the place of one."""
    rows = server.contract.policy.errors.items()
    name, row = next(((n, r) for n, r in rows if cause in r.when), (None, None))
    return decision if row is None else replace(decision, cause=cause, error=name, statuses=row.statuses)


def _paths_first(seams: Seams) -> Seams:
    """Answer strangers by whether there is such a path."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        lost = at_key(decision) and call.reading.place is None
        return refused_as(server, decision, Cause.UNKNOWN_PATH) if lost else decision

    return replace(seams, authorise=authorise)


def _methods_first(seams: Seams) -> Seams:
    """Answer strangers by whether the path has such a method."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        lost = at_key(decision) and call.reading.place is not None and call.reading.operation is None
        return refused_as(server, decision, Cause.METHOD_NOT_ALLOWED) if lost else decision

    return replace(seams, authorise=authorise)


def _bodies_first(seams: Seams) -> Seams:
    """Parse the body of a stranger."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        if decision.cause is not Cause.MISSING or call.reading.operation is None or not call.message.body:
            return decision
        server.inspect(call)
        return refused_as(server, decision, Cause.INVALID_BODY) if call.body is Body.INVALID else decision

    return replace(seams, authorise=authorise)


def _objects_first(seams: Seams) -> Seams:
    """Load the object before the key's rights are looked up."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        if not at_scope(decision) or call.reading.operation is None:
            return decision
        absent = server.seams.look(server, call).object is Object.ABSENT
        return refused_as(server, decision, Cause.UNKNOWN_OBJECT) if absent else decision

    return replace(seams, authorise=authorise)


def _no_cause(cause: Cause, contract: Contract) -> str | None:
    told = any(cause in row.when for row in contract.policy.errors.values())
    return None if told else "the policy has no answer of its own for it"


FAULTS: Final = (
    Fault(
        name="paths-before-keys",
        sentence="A path that does not exist is answered so to those without a key",
        family=Family.LIBRARY,
        clauses=("PREC-1",),
        plant=_paths_first,
        meaningful=partial(_no_cause, Cause.UNKNOWN_PATH),
    ),
    Fault(
        name="methods-before-keys",
        sentence="A method that the path has not is answered so to those without a key",
        family=Family.LIBRARY,
        clauses=("PREC-1",),
        plant=_methods_first,
        meaningful=partial(_no_cause, Cause.METHOD_NOT_ALLOWED),
    ),
    Fault(
        name="bodies-before-keys",
        sentence="The framework validates the body of a request before anybody asks for a key",
        family=Family.LIBRARY,
        clauses=("PREC-1",),
        plant=_bodies_first,
        meaningful=partial(_no_cause, Cause.INVALID_BODY),
    ),
    Fault(
        name="objects-before-rights",
        sentence="The object is loaded before the key's rights are looked up, and one that is missing is answered so",
        family=Family.IMPLEMENTATION,
        clauses=("PREC-4",),
        plant=_objects_first,
        meaningful=partial(_no_cause, Cause.UNKNOWN_OBJECT),
    ),
)
