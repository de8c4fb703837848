"""Faults of what a key may do, and of the order in which that is found out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from authcontract_engine import Body, Contract, Decision, Facts
from authcontract_policy import Cause, Operation

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server

from . import _exposed
from ._fault import Family, Fault, Plant
from ._tools import at_scope, carry_out, carry_out_as, chosen, closed, lets, may, may_write, served, values


def _writers_delete(seams: Seams) -> Seams:
    def through(server: Server, call: Call, decision: Decision) -> bool:
        deletes = call.request.method == b"DELETE"
        return deletes and decision.cause is Cause.INSUFFICIENT_SCOPE and may_write(server, call.key)

    return lets(seams, through)


def _hardest(server: Server) -> Operation | None:
    """Return the reading operation that the fewest scopes suffice for, of those that need any."""
    resolution = server.contract.resolution

    def openness(operation: Operation) -> int:
        grant = resolution.grants.get((operation.id, None))
        wanted = frozenset().union(*(grant.alternatives or ())) if grant is not None else frozenset()
        return sum(1 for scope in resolution.scopes if wanted & resolution.closure[scope])

    reading = [operation for operation in closed(server) if operation.method == "GET" and openness(operation)]
    return min(reading, key=openness, default=None)


def _one_open(seams: Seams) -> Seams:
    def through(server: Server, call: Call, decision: Decision) -> bool:
        return decision.cause is Cause.INSUFFICIENT_SCOPE and call.reading.operation == _hardest(server)

    return lets(seams, through)


def _one_shut(seams: Seams) -> Seams:
    """Refuse the last reading operation as if the key lacked a scope."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        shut = next((op for op in reversed(closed(server)) if op.method == "GET"), None)
        if not decision.allowed or call.reading.operation != shut:
            return decision
        powerless = None if call.key is None else replace(call.key, scopes=frozenset())
        return seams.authorise(server, call, replace(facts, key=powerless))

    return replace(seams, authorise=authorise)


def _done_though_denied(method: str) -> Plant:
    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            if at_scope(decision) and call.request.method == method.encode():
                carry_out(server, call)
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _readers_patch(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return call.request.method == b"PATCH" and decision.cause is Cause.INSUFFICIENT_SCOPE

    return lets(seams, through)


def _get_with_body(seams: Seams) -> Seams:
    def perform(server: Server, call: Call) -> Outcome:
        item = call.sight.item
        if call.request.method in {b"GET", b"HEAD"} and item is not None and call.message.body:
            sent = json.loads(call.message.body)
            item.change(sent if isinstance(sent, dict) else {}, call.now)
        return seams.perform(server, call)

    return replace(seams, perform=perform)


def _post_on_item(seams: Seams) -> Seams:
    """Serve a POST that nobody documented by the handler that changes the item, before any right is looked up."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        if decision.cause is Cause.METHOD_NOT_ALLOWED and call.request.method == b"POST" and call.key is not None:
            carry_out_as(server, call, b"PATCH")
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _validated_first(seams: Seams) -> Seams:
    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        if not at_scope(decision) or call.reading.operation is None:
            return decision
        server.inspect(call)
        return _refused_for_body(server, decision) if call.body is Body.INVALID else decision

    return replace(seams, authorise=authorise)


def _refused_for_body(server: Server, decision: Decision) -> Decision:
    """Return the refusal for a bad body in the place of another one."""
    rows = server.contract.policy.errors.items()
    name, row = next(((n, r) for n, r in rows if Cause.INVALID_BODY in r.when), (None, None))
    return replace(decision, cause=Cause.INVALID_BODY, error=name, statuses=row.statuses if row is not None else (400,))


def _put_by_readers(seams: Seams) -> Seams:
    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        if call.request.method == b"PUT" and call.key is not None and not may_write(server, call.key):
            carry_out_as(server, call, b"PATCH")
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _with_charset(seams: Seams) -> Seams:
    """Look at rights only where the content type is just the documented one, without a parameter."""

    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return at_scope(decision) and any(b";" in value for value in values(call.request, "Content-Type"))

    return lets(seams, through)


def _without_body(seams: Seams) -> Seams:
    """Look at rights where the body is read, which is nowhere where none came."""

    def through(_server: Server, call: Call, decision: Decision) -> bool:
        takes = call.reading.operation is not None and bool(call.reading.operation.request_body)
        return takes and not call.message.body and at_scope(decision)

    return lets(seams, through)


def _no_optional_body(contract: Contract) -> str | None:
    there = any(op.request_body and not op.body_required for op in contract.operations)
    return None if there else "every body is required"


def _by_plan(seams: Seams) -> Seams:
    """Let keys on the last plan send what they may not."""

    def through(server: Server, call: Call, decision: Decision) -> bool:
        best = call.key is not None and call.key.plan == server.contract.policy.plans[-1]
        return best and call.request.method == b"POST" and at_scope(decision)

    return lets(seams, through)


def _no_plans(contract: Contract) -> str | None:
    return None if len(contract.policy.plans) > 1 else "there are no plans"


def _wrong_scope(seams: Seams) -> Seams:
    """Look, for the first POST, whether the key has another scope than the one that it needs."""

    def through(server: Server, call: Call, decision: Decision) -> bool:
        operation, key = call.reading.operation, call.key
        if operation is None or key is None or operation != chosen(server, "POST") or not at_scope(decision):
            return False
        scopes = sorted(server.contract.resolution.scopes)
        wrong = [scope for scope in scopes if not may(server, replace(key, scopes=frozenset({scope})), operation)]
        return bool(wrong) and wrong[-1] in key.scopes

    return lets(seams, through)


FAULTS: Final = (
    Fault(
        name="rights-unread-with-charset",
        sentence="A request whose content type says a charset is not looked at for what its key may",
        family=Family.LIBRARY,
        clauses=("SCOPE-1",),
        plant=_with_charset,
        meaningful=served("POST", "PUT", "PATCH"),
    ),
    Fault(
        name="rights-unread-without-body",
        sentence="A request that brings no body, where one is taken, is not looked at for what its key may",
        family=Family.LIBRARY,
        clauses=("SCOPE-1",),
        plant=_without_body,
        meaningful=_no_optional_body,
    ),
    Fault(
        name="best-plan-may-post",
        sentence="Keys on the last plan may POST whatever their scope",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_by_plan,
        meaningful=_no_plans,
    ),
    Fault(
        name="wrong-scope-on-one-route",
        sentence="The first operation with POST asks for another scope than the documented one",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_wrong_scope,
        meaningful=served("POST"),
    ),
    Fault(
        name="writers-may-delete",
        sentence="Whoever may change something may delete everything",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_writers_delete,
    ),
    Fault(
        name="one-operation-open",
        sentence="The reading operation that asks for most is open to every key",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_one_open,
    ),
    Fault(
        name="one-operation-shut",
        sentence="One reading operation is refused to keys that may call it",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_one_shut,
    ),
    Fault(
        name="deleted-though-denied",
        sentence="A DELETE that the key may not send is answered 403, and the object is gone",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1", "SCOPE-2"),
        plant=_done_though_denied("DELETE"),
    ),
    Fault(
        name="changed-though-denied",
        sentence="A PATCH that the key may not send is answered 403, and the object has changed",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1", "SCOPE-2"),
        plant=_done_though_denied("PATCH"),
        meaningful=served("PATCH"),
    ),
    Fault(
        name="readers-may-patch",
        sentence="A key that may only read can change objects by PATCH",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1", "SCOPE-2"),
        plant=_readers_patch,
        meaningful=served("PATCH"),
    ),
    Fault(
        name="post-before-rights",
        sentence="An undocumented POST on an object changes it and is then answered as if it did not exist",
        family=Family.LIBRARY,
        clauses=("SCOPE-2",),
        plant=_post_on_item,
    ),
    Fault(
        name="get-with-body-writes",
        sentence="A GET that carries a body changes the object by it",
        family=Family.LIBRARY,
        clauses=("SCOPE-2",),
        plant=_get_with_body,
    ),
    Fault(
        name="put-by-readers",
        sentence="PUT, which nobody documented, changes an object for keys that may change nothing",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-2",),
        plant=_put_by_readers,
    ),
    Fault(
        name="body-before-scope",
        sentence="The framework validates the body before the key's rights are looked up",
        family=Family.LIBRARY,
        clauses=("SCOPE-5",),
        plant=_validated_first,
    ),
    *_exposed.FAULTS,
)
