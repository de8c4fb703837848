"""Faults of creating keys: what they are made of, and what can be asked for on the side."""

from __future__ import annotations

import hashlib
import json
import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeAlias

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Operation

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._management import is_to, unmanaged
from ._tools import remembering, served

#: What was asked for on the side, by name.
_Asked: TypeAlias = Mapping[str, Any]
_DIGITS: Final = "0123456789abcdef"


# --- what keys are made of -----------------------------------------------------------------------------------------


def _made_of(secret: Callable[[str, int], str]) -> Plant:
    """Give created keys another secret: `secret` gets the key as it was drawn, and its number."""

    def plant(seams: Seams) -> Seams:
        seams, secrets = remembering(seams)
        numbers = count(1)

        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            if not is_to(server, call, "create"):
                return outcome
            record = server.keyring.records.all()[-1]
            drawn = secrets[record.id].decode("latin-1")
            kind = server.contract.policy.keys.kinds[record.kind]
            known = [p for p in (kind.prefix.values() if kind.prefix is not None else ()) if drawn.startswith(p)]
            prefix = max(known, key=len, default="")
            made = prefix + secret(drawn[len(prefix) :], next(numbers))
            secrets[record.id] = made.encode("latin-1")
            digest = hashlib.sha256(secrets[record.id]).hexdigest()
            server.keyring.records.put(replace(record, digest=digest))
            return replace(outcome, body=outcome.body.replace(drawn.encode(), made.encode()))

        return replace(seams, perform=perform)

    return plant


def _short(drawn: str, _number: int) -> str:
    return "".join(random.choice(_DIGITS) for _ in range(8)).rjust(len(drawn), "0")


def _begun_alike(drawn: str, _number: int) -> str:
    return ("0k" * len(drawn))[:12] + drawn[12:]


# --- asked for on the side -------------------------------------------------------------------------------------------


def _addressed(message: Message, operation: Operation) -> bool:
    """Tell whether a message is for an operation, by its method and the end of its path."""
    path = message.head.target.partition(b"?")[0].decode("latin-1").split("/")
    template = operation.path.strip("/").split("/")
    pairs = zip(path[-len(template) :], template, strict=False)
    fits = all(here == there or there.startswith("{") for here, there in pairs)
    return fits and len(path) > len(template) and message.head.method.decode("latin-1") == operation.method


def _heeding(
    operations: Callable[[Server], tuple[Operation, ...]],
    take: Callable[[dict[str, Any], Server], tuple[dict[str, Any], _Asked]],
    heed: Callable[[Server, Call, _Asked], None],
) -> Plant:
    """Take something out of a body before it is looked at, and heed it once the operation is done."""

    def plant(seams: Seams) -> Seams:
        asked: dict[str, Any] = {}

        def transport(server: Server, message: Message) -> Answer:
            asked.clear()
            if any(_addressed(message, operation) for operation in operations(server)):
                body = _object(message.body)
                if body is not None:
                    rest, taken = take(body, server)
                    asked.update(taken)
                    content = b"" if taken and not rest else json.dumps(rest).encode() if taken else message.body
                    message = replace(message, body=content)
            return seams.transport(server, message)

        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            if asked:
                heed(server, call, asked)
            return outcome

        return replace(seams, transport=transport, perform=perform)

    return plant


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _named(server: Server, *roles: str) -> tuple[Operation, ...]:
    managed = server.contract.policy.keys.managed_by
    names = [getattr(managed, role) for role in roles] if managed is not None else []
    found = [server.contract.specification.operation(name) for name in names if name]
    return tuple(operation for operation in found if operation is not None)


def _fields(*names: str) -> Callable[[dict[str, Any], Server], tuple[dict[str, Any], _Asked]]:
    def take(body: dict[str, Any], _server: Server) -> tuple[dict[str, Any], _Asked]:
        rest = {name: value for name, value in body.items() if name not in names}
        return rest, {name: value for name, value in body.items() if name in names}

    return take


def _aside(role: str, change: Callable[[Server, KeyRecord, Any], KeyRecord], *names: str) -> Plant:
    """Set what a body asks for in a key that is made, although nobody documented it."""

    def heed(server: Server, _call: Call, asked: _Asked) -> None:
        record = server.keyring.records.all()[-1]
        server.keyring.records.put(change(server, record, next(iter(asked.values()))))

    def plant(seams: Seams) -> Seams:
        return _heeding(lambda server: _named(server, role), _fields(*names), heed)(seams)

    return plant


def _scopes_of(server: Server, record: KeyRecord, asked: Any) -> KeyRecord:
    found = asked if isinstance(asked, list) else [asked]
    return replace(record, scopes=frozenset(map(str, found)) & frozenset(server.contract.resolution.scopes))


def _environment_of(_server: Server, record: KeyRecord, asked: Any) -> KeyRecord:
    return replace(record, environment=str(asked))


def _organisation_of(_server: Server, record: KeyRecord, asked: Any) -> KeyRecord:
    return replace(record, organisation=str(asked))


def _plan_of(_server: Server, record: KeyRecord, asked: Any) -> KeyRecord:
    return replace(record, plan=str(asked))


def _always_of_the_first(seams: Seams) -> Seams:
    def perform(server: Server, call: Call) -> Outcome:
        before = {record.id for record in server.keyring.records.all()}
        outcome = seams.perform(server, call)
        for record in server.keyring.records.all() if is_to(server, call, "create") else ():
            if record.id not in before:
                first = server.contract.policy.environments[0]
                server.keyring.records.put(replace(record, environment=first))
        return outcome

    return replace(seams, perform=perform)


def _not_isolated(contract: Contract) -> str | None:
    isolated = "environment" in contract.policy.isolation
    return _one_environment(contract) or (None if isolated else "the contract does not isolate environments")


def _one_environment(contract: Contract) -> str | None:
    several = len(contract.policy.environments) > 1
    return unmanaged(contract) or (None if several else "the contract has one environment")


def _no_plans(contract: Contract) -> str | None:
    return unmanaged(contract) or (None if contract.policy.plans else "the contract has no plans")


def _updates(server: Server) -> tuple[Operation, ...]:
    ours = {operation.id for operation in _named(server, "create", "rotate", "revoke")}
    found = (op for op in server.contract.operations if op.method in {"PATCH", "PUT"} and op.id not in ours)
    return tuple(found)


def _caller_widened(_seams: Seams) -> Seams:
    """Copy `scopes` of any body into the record of the key that sends it."""

    def heed(server: Server, call: Call, asked: _Asked) -> None:
        record = None if call.key is None else server.keyring.records.get(call.key.id)
        if record is not None:
            server.keyring.records.put(_scopes_of(server, record, asked["scopes"]))

    return _heeding(_updates, _fields("scopes"), heed)(_seams)


# --- what is nearly a scope ------------------------------------------------------------------------------------------


def _nearly(understood: Callable[[frozenset[str], Any], frozenset[str]]) -> Plant:
    """Accept any scope when a key is created, and understand it in a way of one's own."""

    def take(body: dict[str, Any], server: Server) -> tuple[dict[str, Any], _Asked]:
        known = sorted(server.contract.resolution.scopes)
        field = "scopes" if "scopes" in body else "scope"
        odd = field in body and (not isinstance(body[field], str) or body[field] not in known)
        return ({**body, field: known[-1]}, {"scope": body[field]}) if odd else (body, {})

    def heed(server: Server, _call: Call, asked: _Asked) -> None:
        record = server.keyring.records.all()[-1]
        scopes = understood(frozenset(server.contract.resolution.scopes), asked["scope"])
        server.keyring.records.put(replace(record, scopes=scopes))

    return _heeding(lambda server: _named(server, "create"), take, heed)


def _unrestricted(known: frozenset[str], _asked: Any) -> frozenset[str]:
    return known


def _in_lists(known: frozenset[str], asked: Any) -> frozenset[str]:
    return known & frozenset(map(str, asked)) if isinstance(asked, list) else frozenset()


def _by_beginning(known: frozenset[str], asked: Any) -> frozenset[str]:
    return frozenset(scope for scope in known if isinstance(asked, str) and scope.startswith(asked.strip().lower()))


def _by_part(known: frozenset[str], asked: Any) -> frozenset[str]:
    return frozenset(scope for scope in known if isinstance(asked, str) and scope in asked)


def _one_scope(contract: Contract) -> str | None:
    single = any(kind.holds == "one scope" for kind in contract.policy.keys.kinds.values())
    return unmanaged(contract) or (None if single else "no key holds just one scope")


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="keys-are-numbered",
        sentence="Keys are numbers that count up",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-14",),
        plant=_made_of(lambda drawn, number: str(number).rjust(len(drawn), "0")),
        meaningful=unmanaged,
    ),
    Fault(
        name="keys-of-32-bits",
        sentence="Keys are random numbers of 32 bits, filled up with zeros",
        family=Family.LIBRARY,
        clauses=("LIFE-14",),
        plant=_made_of(_short),
        meaningful=unmanaged,
    ),
    Fault(
        name="keys-begin-alike",
        sentence="The first twelve characters of every key are the same",
        family=Family.IMPLEMENTATION,
        clauses=("LIFE-14",),
        plant=_made_of(_begun_alike),
        meaningful=unmanaged,
    ),
    Fault(
        name="scopes-beside-scope",
        sentence="A key is created with `scopes` of the body, which is not documented, beside `scope`",
        family=Family.LIBRARY,
        clauses=("SCOPE-7",),
        plant=_aside("create", _scopes_of, "scopes"),
        meaningful=unmanaged,
    ),
    Fault(
        name="scope-in-rotation",
        sentence="The new key gets the scope that the body of the rotation asks for",
        family=Family.LIBRARY,
        clauses=("SCOPE-7",),
        plant=_aside("rotate", _scopes_of, "scope"),
        meaningful=unmanaged,
    ),
    Fault(
        name="environment-in-body",
        sentence="A key is created for the environment that the body names",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-7",),
        plant=_aside("create", _environment_of, "environment", "env"),
        meaningful=_one_environment,
    ),
    Fault(
        name="created-key-of-first-environment",
        sentence="A key that the API creates belongs to the first environment, wherever the key is from that asks",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-1",),
        plant=_always_of_the_first,
        meaningful=_not_isolated,
    ),
    Fault(
        name="organisation-in-body",
        sentence="A key is created for the organisation that the body names",
        family=Family.LIBRARY,
        clauses=("SCOPE-7",),
        plant=_aside("create", _organisation_of, "organization_id"),
        meaningful=unmanaged,
    ),
    Fault(
        name="plan-in-body",
        sentence="A key is created with the plan that the body names",
        family=Family.LIBRARY,
        clauses=("SCOPE-7",),
        plant=_aside("create", _plan_of, "plan"),
        meaningful=_no_plans,
    ),
    Fault(
        name="caller-widened-by-body",
        sentence="`scopes` in the body of a change is written into the record of the key that sends it",
        family=Family.LIBRARY,
        clauses=("SCOPE-7",),
        plant=_caller_widened,
        meaningful=served("PATCH", "PUT"),
    ),
    Fault(
        name="unknown-scope-restricts-nothing",
        sentence="A key with a scope that the server does not know may everything",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-8",),
        plant=_nearly(_unrestricted),
        meaningful=unmanaged,
    ),
    Fault(
        name="several-scopes-in-a-list",
        sentence="A list of scopes is taken where a key has one",
        family=Family.LIBRARY,
        clauses=("SCOPE-8",),
        plant=_nearly(_in_lists),
        meaningful=_one_scope,
    ),
    Fault(
        name="scope-by-its-beginning",
        sentence="A key may what any scope gives that begins like its own, and the empty one begins them all",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-8",),
        plant=_nearly(_by_beginning),
        meaningful=unmanaged,
    ),
    Fault(
        name="scope-by-part",
        sentence="A key may what a scope gives that is a part of its own text",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-8",),
        plant=_nearly(_by_part),
        meaningful=_one_scope,
    ),
)
