"""Faults of organisations that see, change or count each other's objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Contract, Decision, Object
from authcontract_policy import CHECK_OF, Cause, Check

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server, Sight
from authcontract_conformance.samples._links import Links

from . import _searches, _shared_caches
from ._claims import believing, moving, organisation
from ._fault import Family, Fault, Plant
from ._tools import answering, served

# --- one operation that does not ask whose object it is --------------------------------------------------------------


def _foreign(server: Server, call: Call) -> bool:
    """Tell whether the object belongs to another organisation, and to the caller's environment."""
    own, theirs = server.store.partition(call.key), call.sight.partition
    return call.sight.item is not None and bool(theirs) and own[0] != theirs[0] and own[1:] == theirs[1:]


def _deleting_unchecked(seams: Seams) -> Seams:
    """Delete whoever's object it is, where objects of this sort are made by the way."""

    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        levels = server.store.plans.of(call.operation).levels
        by_the_way = bool(levels) and not server.store.plans.creates(levels[-1].collection)
        theirs = _foreign(server, replace(call, sight=sight))
        if call.request.method == b"DELETE" and by_the_way and theirs:
            return replace(sight, object=Object.OWN)
        return sight

    return replace(seams, look=look)


# --- refusals that tell ----------------------------------------------------------------------------------------------


def _refused_otherwise(statuses: tuple[int, ...] | None) -> Plant:
    """Refuse somebody else's object as if a scope were missing, or with another code."""

    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            if decision.cause is Cause.FOREIGN_OBJECT and _foreign(server, call):
                if statuses is None:
                    answer = seams.respond(server, call, decision, outcome)
                    return replace(answer, body=answer.body.replace((decision.error or "").encode(), b"not_yours"))
                rows = server.contract.policy.errors.values()
                row = next(row for row in rows if any(CHECK_OF[cause] is Check.SCOPE for cause in row.when))
                cause = next(cause for cause in row.when if CHECK_OF[cause] is Check.SCOPE)
                decision = replace(decision, cause=cause, error=row.name, statuses=row.statuses)
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _refusal_names_object(seams: Seams) -> Seams:
    """Say in the refusal of somebody else's object what is in it."""

    def change(server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        if decision.cause is not Cause.FOREIGN_OBJECT or call.sight.item is None:
            return answer
        inside = " ".join(_strings(call.sight.item.fields))
        free = server.contract.policy.error_format.may_differ
        try:
            body = json.loads(answer.body)
        except ValueError:
            return answer
        return replace(answer, body=json.dumps(_with(body, free, inside)).encode())

    return answering(seams, change)


def _says_something(contract: Contract) -> str | None:
    """Say why a refusal has no room for what is in an object."""
    rows = [row for row in contract.policy.errors.values() if Cause.FOREIGN_OBJECT in row.when]
    found = any(row.says for row in rows) and contract.policy.error_format.may_differ
    return None if found else "the refusal of an object has no text that may differ"


def _with(body: Any, names: frozenset[str], text: str) -> Any:
    if not isinstance(body, Mapping):
        return body
    return {
        name: f"{inner} {text}" if name in names and isinstance(inner, str) else _with(inner, names, text)
        for name, inner in body.items()
    }


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(inner)


# --- names in bodies -------------------------------------------------------------------------------------------------


def _named(server: Server, call: Call) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the objects of other organisations that the body names, each with its partition."""
    sent = call.content if isinstance(call.content, Mapping) else {}
    own = server.store.partition(call.key)
    for where, field, collection in server.store.links.refers(call.operation):
        path = tuple(collection.split("/"))
        for partition in server.store.data.partitions() if where == "body" and field in sent else ():
            members = server.store.data.collection(partition, path, collection, call.now)
            if partition[0] != own[0] and partition[1:] == own[1:] and str(sent[field]) in members:
                yield members[str(sent[field])], partition


def _said_into_foreign(seams: Seams) -> Seams:
    """Add to the object that the body names, whoever's it is."""

    def perform(server: Server, call: Call) -> Outcome:
        if server.store.links.produces(call.operation) is not None:
            for _, partition in _named(server, call):
                return seams.perform(server, replace(call, sight=Sight(partition=partition)))
        return seams.perform(server, call)

    return replace(seams, perform=perform)


def _named_is_changed(seams: Seams) -> Seams:
    """Write what was sent to the object that the body names, whoever's it is."""

    def perform(server: Server, call: Call) -> Outcome:
        outcome = seams.perform(server, call)
        if server.store.links.produces(call.operation) is None:
            for item, _ in _named(server, call):
                sent = next((text for text in _strings(call.content) if text != item.id), "")
                name = next((name for name, value in item.fields.items() if isinstance(value, str)), None)
                item.change({} if name is None else {name: sent}, call.now)
        return outcome

    return replace(seams, perform=perform)


def _named_is_shown(seams: Seams) -> Seams:
    """Show in the answer the object that the body names, whoever's it is."""

    def perform(server: Server, call: Call) -> Outcome:
        outcome = seams.perform(server, call)
        for item, _ in _named(server, call):
            body = json.loads(outcome.body)
            if isinstance(body, dict):
                return replace(outcome, body=json.dumps({**body, "about": item.fields}).encode())
        return outcome

    return replace(seams, perform=perform)


def _refers(contract: Contract) -> str | None:
    """Say why nothing can be named in a body."""
    links = Links(contract.specification)
    found = any(where == "body" for operation in contract.operations for where, _, _ in links.refers(operation))
    return None if found else "no body names an object"


def _adds_to_named(contract: Contract) -> str | None:
    """Say why nothing is added to an object that a body names."""
    links = Links(contract.specification)
    creatable = {operation.path for operation in contract.operations if operation.method == "POST"}
    found = any(
        links.produces(operation) == collection and collection not in creatable
        for operation in contract.operations
        for where, _, collection in links.refers(operation)
        if where == "body"
    )
    return None if found else "nothing is added to an object that a body names"


def _makes_by_the_way(contract: Contract) -> str | None:
    """Say why nothing is made by the way that can be deleted."""
    made = Links(contract.specification).producers
    creatable = {operation.path for operation in contract.operations if operation.method == "POST"}
    deletable = {op.path.rpartition("/")[0] for op in contract.operations if op.method == "DELETE"}
    return None if deletable & made.keys() - creatable else "nothing is made by the way that can be deleted"


# --- nested objects --------------------------------------------------------------------------------------------------


def _child_by_id_alone(seams: Seams) -> Seams:
    """Find the innermost object by its id among everybody's, once the parent was the caller's own."""

    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        levels = server.store.plans.of(call.operation).levels
        parameters = call.reading.path_parameters
        if sight.object is not Object.ABSENT or len(levels) < 2:  # noqa: PLR2004  parent and child
            return sight
        for _, partition, item in _children(server, call):
            if item.id == parameters.get(levels[-1].parameter):
                return Sight(Object.OWN, item, partition)
        return sight

    def perform(server: Server, call: Call) -> Outcome:
        """Delete it where it really is."""
        outcome = seams.perform(server, call)
        for path, partition, item in tuple(_children(server, call)) if call.request.method == b"DELETE" else ():
            if item is call.sight.item and item is not None:
                server.store.data.remove(partition, path, item.id)
        return outcome

    return replace(seams, look=look, perform=perform)


def _children(server: Server, call: Call) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Any]]:
    plan = server.store.plans.of(call.operation)
    template = plan.levels[-1].collection.split("/") if plan.levels else []
    for partition, path, item in server.store.data.everything():
        same = len(path) == len(template) and all(
            want.startswith("{") or want == have for want, have in zip(template, path, strict=True)
        )
        if same:
            yield path, partition, item


def _nests(contract: Contract) -> str | None:
    found = any(operation.path.count("{") > 1 for operation in contract.operations)
    return None if found else "no object lies inside another"


FAULTS: Final = (
    Fault(
        name="deleting-unchecked-where-made-by-the-way",
        sentence="Objects that another operation made can be deleted by whoever knows their id",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-1",),
        plant=_deleting_unchecked,
        meaningful=_makes_by_the_way,
    ),
    Fault(
        name="foreign-object-is-forbidden",
        sentence="Another organisation's object is answered as forbidden, one that does not exist as not found",
        family=Family.LIBRARY,
        clauses=("TEN-2",),
        plant=_refused_otherwise((403,)),
    ),
    Fault(
        name="foreign-object-has-its-own-code",
        sentence="Another organisation's object is answered with a code of its own",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-2",),
        plant=_refused_otherwise(None),
    ),
    Fault(
        name="said-into-foreign-object",
        sentence="What is sent goes into the object that the body names, whoever's it is",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-4",),
        plant=_said_into_foreign,
        meaningful=_adds_to_named,
    ),
    Fault(
        name="named-object-is-changed",
        sentence="An action writes to the object that its body names, whoever's it is",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-4",),
        plant=_named_is_changed,
        meaningful=_refers,
    ),
    Fault(
        name="named-object-is-shown",
        sentence="The object that a body names is written out in the answer, whoever's it is",
        family=Family.LIBRARY,
        clauses=("TEN-4",),
        plant=_named_is_shown,
        meaningful=_refers,
    ),
    Fault(
        name="organisation-from-a-field",
        sentence="`X-Org-Id` decides whose objects a key works on",
        family=Family.DEPLOYMENT,
        clauses=("TEN-4",),
        plant=believing("organisation", "field", "X-Org-Id", organisation),
    ),
    Fault(
        name="organisation-from-the-query",
        sentence="`?org_id=` decides whose objects a key works on",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-4",),
        plant=believing("organisation", "query", "org_id", organisation),
    ),
    Fault(
        name="organisation-from-the-body",
        sentence="`org_id` in a body decides whose object it becomes",
        family=Family.LIBRARY,
        clauses=("TEN-4",),
        plant=believing("organisation", "member", "org_id", organisation),
    ),
    Fault(
        name="object-moved-by-its-body",
        sentence="`org_id` in a change of one's own object moves it to that organisation",
        family=Family.LIBRARY,
        clauses=("TEN-4",),
        plant=moving("organisation", "org_id", organisation),
        meaningful=served("PATCH", "PUT"),
    ),
    Fault(
        name="child-by-its-id-alone",
        sentence="With a parent of one's own in the path, a child is fetched by its id among everybody's",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-5",),
        plant=_child_by_id_alone,
        meaningful=_nests,
    ),
    Fault(
        name="refusal-shows-the-object",
        sentence="The refusal of somebody else's object says what is in it",
        family=Family.IMPLEMENTATION,
        clauses=("LEAK-7",),
        plant=_refusal_names_object,
        meaningful=_says_something,
    ),
    *_searches.FAULTS,
    *_shared_caches.FAULTS,
)
