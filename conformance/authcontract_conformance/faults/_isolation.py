"""Faults of environments and organisations that see each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Contract, Decision, Object
from authcontract_policy import Cause

from authcontract_conformance.reference import Call, Outcome, Seams, Server, Sight

from ._claims import believing, environment
from ._fault import Family, Fault, Plant
from ._tools import answering, lenient, served

_READING: Final = frozenset({b"GET", b"HEAD"})


def _differs(server: Server, call: Call, sight: Sight) -> tuple[str, ...]:
    """Return the dimensions in which somebody else's object is somebody else's."""
    own = server.store.partition(call.key)
    pairs = zip(server.store.isolation, own, sight.partition, strict=False)
    return tuple(dimension for dimension, ours, theirs in pairs if ours != theirs)


def _blind(dimension: str, when: Callable[[Server, Call], bool]) -> Plant:
    """Take an object for the caller's own where only this dimension differs."""

    def plant(seams: Seams) -> Seams:
        def look(server: Server, call: Call) -> Sight:
            sight = seams.look(server, call)
            foreign = sight.object is Object.FOREIGN and sight.item is not None
            if foreign and _differs(server, call, sight) == (dimension,) and when(server, call):
                return replace(sight, object=Object.OWN)
            return sight

        return replace(seams, look=look)

    return plant


def _in_first(server: Server, call: Call) -> bool:
    """Tell whether the caller's key belongs to the first environment, the one that matters."""
    environments = server.contract.policy.environments
    return call.key is not None and bool(environments) and call.key.environment == environments[0]


def _reads(_server: Server, call: Call) -> bool:
    return call.request.method in _READING


def _changes(_server: Server, call: Call) -> bool:
    return call.request.method not in _READING


def both_lists(dimension: str, when: Callable[[Server, Call], bool]) -> Plant:
    """Show the items of everybody who differs in this dimension only in one list."""

    def plant(seams: Seams) -> Seams:
        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            if server.keyring.manages(call.operation) or not when(server, call):
                return outcome
            own = server.store.partition(call.key)
            for other in server.store.data.partitions():
                sight = Sight(partition=other)
                if other != own and _differs(server, call, sight) == (dimension,):
                    theirs = seams.perform(server, replace(call, sight=sight))
                    outcome = replace(outcome, body=joined(outcome.body, theirs.body))
            return outcome

        return replace(seams, perform=perform)

    return plant


def joined(ours: bytes, theirs: bytes) -> bytes:
    """Return a list's answer with the items of another one in it."""
    return json.dumps(_join(json.loads(ours), json.loads(theirs))).encode()


def _join(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, list) and isinstance(theirs, list):
        return ours + theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {name: _join(value, theirs.get(name)) for name, value in ours.items()}
    return ours


def is_list(server: Server, call: Call) -> bool:
    """Tell whether a call asks for a list."""
    return call.request.method == b"GET" and server.store.shapes.lists(call.operation)


def _first_list(server: Server, call: Call) -> bool:
    return is_list(server, call) and _in_first(server, call)


def _prefixes(server: Server) -> tuple[str, ...]:
    kinds = server.contract.policy.keys.kinds.values()
    return tuple(prefix for kind in kinds if kind.prefix is not None for prefix in kind.prefix.values())


def _with_prefix(server: Server, tail: bytes) -> bytes | None:
    """Return the issued key that is one of the prefixes with this tail."""
    for prefix in _prefixes(server):
        key = prefix.encode() + tail
        if server.keyring.records.by_digest(hashlib.sha256(key).hexdigest()) is not None:
            return key
    return None


def _prefix_cut_off(seams: Seams) -> Seams:
    def correct(server: Server, key: bytes) -> bytes | None:
        used = next((prefix for prefix in _prefixes(server) if key.startswith(prefix.encode())), None)
        return None if used is None else _with_prefix(server, key[len(used) :])

    return lenient(seams, correct)


def _prefix_unread(seams: Seams) -> Seams:
    def correct(server: Server, key: bytes) -> bytes | None:
        lengths = {len(prefix) for prefix in _prefixes(server)}
        tails = (key, key.rpartition(b"_")[2], *(key[length:] for length in lengths))
        known = any(key.startswith(prefix.encode()) for prefix in _prefixes(server))
        return None if known else next(filter(None, (_with_prefix(server, tail) for tail in tails)), None)

    return lenient(seams, correct)


def _deleted_unseen(seams: Seams) -> Seams:
    def after(server: Server, call: Call, decision: Decision, answer: Any) -> Any:
        foreign = decision.cause is Cause.FOREIGN_OBJECT and call.sight.item is not None
        if foreign and call.request.method == b"DELETE":
            server.seams.perform(server, call)
        return answer

    return answering(seams, after)


def _one_environment(contract: Contract) -> str | None:
    if contract.policy.base_url.dimension is not None:
        return "each environment has an address of its own, which refuses the keys of the others"
    return None if len(contract.policy.environments) > 1 else "the policy knows one environment"


FAULTS: Final = (
    Fault(
        name="sandbox-reads-production",
        sentence="A key of another environment reads the first environment's objects by their id",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-1",),
        plant=_blind("environment", lambda s, c: _reads(s, c) and not _in_first(s, c)),
    ),
    Fault(
        name="sandbox-changes-production",
        sentence="A key of another environment changes and deletes the first environment's objects",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-2",),
        plant=_blind("environment", lambda s, c: _changes(s, c) and not _in_first(s, c)),
    ),
    Fault(
        name="production-lists-sandbox",
        sentence="Lists of the first environment show the objects of the others",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-3",),
        plant=both_lists("environment", _first_list),
    ),
    Fault(
        name="production-changes-sandbox",
        sentence="A key of the first environment changes and deletes the objects of the others",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-3",),
        plant=_blind("environment", lambda s, c: _changes(s, c) and _in_first(s, c)),
    ),
    Fault(
        name="prefix-cut-off",
        sentence="The prefix is cut off before a key is looked up, so that another one does as well",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-4",),
        plant=_prefix_cut_off,
    ),
    Fault(
        name="any-prefix",
        sentence="A prefix that does not exist is read over",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-5",),
        plant=_prefix_unread,
    ),
    Fault(
        name="foreign-object-shown",
        sentence="Another organisation's object is shown to whoever knows its id",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-1",),
        plant=_blind("organisation", _reads),
    ),
    Fault(
        name="foreign-object-changed",
        sentence="Another organisation's object is changed by whoever knows its id",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-1",),
        plant=_blind("organisation", lambda _s, call: call.request.method in {b"PATCH", b"PUT"}),
        meaningful=served("PATCH", "PUT"),
    ),
    Fault(
        name="foreign-object-deleted-unseen",
        sentence="Deleting another organisation's object answers 404, and the object is gone",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-1",),
        plant=_deleted_unseen,
    ),
    Fault(
        name="lists-of-everybody",
        sentence="Lists forget to ask whose objects they show",
        family=Family.LIBRARY,
        clauses=("TEN-1",),
        plant=both_lists("organisation", is_list),
    ),
    Fault(
        name="environment-from-a-field",
        sentence="`X-Environment` decides which environment's objects a key works on",
        family=Family.DEPLOYMENT,
        clauses=("ENV-6",),
        plant=believing("environment", "field", "X-Environment", environment),
        meaningful=_one_environment,
    ),
    Fault(
        name="environment-from-the-query",
        sentence="`?mode=` decides which environment's objects a key works on",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-6",),
        plant=believing("environment", "query", "mode", environment),
        meaningful=_one_environment,
    ),
    Fault(
        name="environment-from-the-body",
        sentence="`stage` in a body decides in which environment an object is made",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-6",),
        plant=believing("environment", "member", "stage", environment),
        meaningful=_one_environment,
    ),
)
