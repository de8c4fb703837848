"""What faults share: finding and replacing the presented key, and what a key may do by the contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from authcontract_engine import Body, Contract, Decision, Facts, KeyRecord, Request
from authcontract_policy import CHECK_OF, Cause, Check, Operation, SentAs

from authcontract_conformance.reference import Answer, Call, Identity, Message, Seams, Server

from ._fault import Family, Fault, Plant

#: The way on from something that stands in front of a server.
Onward: TypeAlias = Callable[[Message], Answer]

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def simple(name: str, sentence: str, clause: str, plant: Plant, family: Family = Family.IMPLEMENTATION) -> Fault:
    """Return a fault that one clause catches."""
    return Fault(name=name, sentence=sentence, family=family, clauses=(clause,), plant=plant)


def served(*methods: str) -> Callable[[Contract], str | None]:
    """Return what says of a contract, where it is so, that it has no operation by any of these methods."""

    def meaningful(contract: Contract) -> str | None:
        there = any(operation.method in methods for operation in contract.operations)
        return None if there else f"no operation is a {' or '.join(methods)}"

    return meaningful


# --- the presented key ---------------------------------------------------------------------------------------------


def header(server: Server) -> SentAs | None:
    """Return the documented header line that carries a key, or None where keys travel in the query."""
    return next((way for way in server.contract.policy.keys.sent_as if way.carrier == "header"), None)


def values(request: Request, name: str) -> tuple[bytes, ...]:
    """Return the values of a header, whitespace around them left out."""
    wanted = name.lower().encode()
    return tuple(value.strip(b" \t") for key, value in request.headers if key.lower() == wanted)


def presented(server: Server, request: Request) -> tuple[bytes, ...]:
    """Return every key that the documented header carries, scheme left out."""
    way = header(server)
    if way is None:
        return ()
    scheme = way.template.partition("<key>")[0].encode()
    return tuple(
        value[len(scheme) :].strip(b" ")
        for value in values(request, way.name)
        if value.lower().startswith(scheme.lower())
    )


def presenting(server: Server, request: Request, *keys: bytes) -> Request:
    """Return the request as if it carried these keys, each on a line of its own as documented."""
    way = header(server)
    if way is None:
        return request
    name = way.name.lower().encode()
    rest = tuple(line for line in request.headers if line[0].lower() != name)
    lines = tuple((way.name.encode(), way.template.encode().replace(b"<key>", key)) for key in keys)
    return replace(request, headers=rest + lines)


def known(server: Server, key: bytes) -> bool:
    """Tell whether exactly this key was issued."""
    return server.keyring.records.by_digest(hashlib.sha256(key).hexdigest()) is not None


def lenient(seams: Seams, correct: Callable[[Server, bytes], bytes | None]) -> Seams:
    """Take a key that was never issued for another one: `correct` returns the issued key that it is taken for."""

    def authenticate(server: Server, request: Request, now: float) -> Identity:
        keys = presented(server, request)
        if len(keys) == 1 and not known(server, keys[0]):
            meant = correct(server, keys[0])
            if meant is not None:
                request = presenting(server, request, meant)
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def remembering(seams: Seams) -> tuple[Seams, dict[str, bytes]]:
    """Keep the secrets of all keys, which a correct server forgets; id -> key."""
    secrets: dict[str, bytes] = {}

    def keep(_server: Server, record: KeyRecord, secret: bytes) -> None:
        secrets[record.id] = secret

    return replace(seams, keep=keep), secrets


def altered(seams: Seams, alter: Callable[[Server, KeyRecord, float], KeyRecord | None]) -> Seams:
    """Believe something else of a key than what its record says."""

    def authenticate(server: Server, request: Request, now: float) -> Identity:
        identity = seams.authenticate(server, request, now)
        key = None if identity.key is None else alter(server, identity.key, now)
        return Identity(identity.reading, key)

    return replace(seams, authenticate=authenticate)


# --- decisions -----------------------------------------------------------------------------------------------------


def allowed(decision: Decision, call: Call) -> Decision:
    """Return the decision that lets the call through."""
    return Decision(allowed=True, operation=call.reading.operation, rule=decision.rule)


def lets(seams: Seams, through: Callable[[Server, Call, Decision], bool]) -> Seams:
    """Let some calls through that the contract refuses."""

    def authorise(server: Server, call: Call, facts: Facts) -> Decision:
        decision = seams.authorise(server, call, facts)
        if decision.allowed or call.reading.operation is None or not through(server, call, decision):
            return decision
        return allowed(decision, call)

    return replace(seams, authorise=authorise)


def at_key(decision: Decision) -> bool:
    """Tell whether a request was refused for its key."""
    return decision.cause is not None and CHECK_OF[decision.cause] is Check.KEY


def at_scope(decision: Decision) -> bool:
    """Tell whether a request was refused for what its key may not."""
    return decision.cause is not None and CHECK_OF[decision.cause] is Check.SCOPE


def may(server: Server, key: KeyRecord | None, operation: Operation) -> bool:
    """Tell whether such a key may call an operation, by the contract."""
    return server.contract.permit(operation, key, None).allowed


def takes_a_right(contract: Contract, operation: Operation) -> bool:
    """Tell whether some key may not call an operation, for lack of a scope."""
    kinds, scopes = contract.policy.keys.kinds.values(), contract.resolution.scopes
    several = [(kind, frozenset[str]()) for kind in kinds if kind.holds == "several scopes"]
    weak = [*several, *((kind, frozenset({scope})) for kind in kinds if kind.holds == "one scope" for scope in scopes)]
    keys = (KeyRecord(id="", digest="", kind=kind.name, scopes=held, issued_at=0.0) for kind, held in weak)
    return any(not contract.permit(operation, key, None).allowed for key in keys)


def may_write(server: Server, key: KeyRecord | None) -> bool:
    """Tell whether a key may call any operation that changes something."""
    return any(may(server, key, op) for op in server.contract.operations if op.method in WRITING)


def closed(server: Server) -> tuple[Operation, ...]:
    """Return the operations that need a key."""
    return tuple(op for op in server.contract.operations if not may(server, None, op))


def chosen(server: Server, method: str) -> Operation | None:
    """Return the first operation with this method that needs a key."""
    return next((op for op in closed(server) if op.method == method), None)


def last_closed(server: Server) -> Operation | None:
    """Return the last operation that needs a key."""
    found = closed(server)
    return found[-1] if found else None


def carry_out(server: Server, call: Call) -> None:
    """Do what the call asks for, whatever was decided."""
    server.inspect(call)
    server.seams.perform(server, call)


def carry_out_as(server: Server, call: Call, method: bytes) -> None:
    """Do what the same request with another method asks for, if there is such an operation and its body will do."""
    request = replace(call.request, method=method)
    reading = server.seams.authenticate(server, request, call.now).reading
    if reading.operation is not None:
        other = replace(call, request=request, reading=reading)
        server.inspect(other)
        if other.body is Body.VALID:
            server.seams.perform(server, other)


# --- answers -------------------------------------------------------------------------------------------------------


def answering(seams: Seams, change: Callable[[Server, Call, Decision, Answer], Answer]) -> Seams:
    """Change answers after they were worded."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Any) -> Answer:
        return change(server, call, decision, seams.respond(server, call, decision, outcome))

    return replace(seams, respond=respond)


def passing(seams: Seams, change: Callable[[Server, Message, Onward], Answer]) -> Seams:
    """Put something in front of the server: it gets the message and the way on."""

    def transport(server: Server, message: Message) -> Answer:
        return change(server, message, lambda onward: seams.transport(server, onward))

    return replace(seams, transport=transport)


def without(answer: Answer, *names: str) -> Answer:
    """Return the answer without some headers."""
    lower = {name.lower() for name in names}
    return replace(answer, headers=tuple(line for line in answer.headers if line[0].lower() not in lower))


def rewritten(answer: Answer, change: Callable[[dict[str, Any]], Any]) -> Answer:
    """Return the answer with its JSON object changed; as it is where the body is none."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return answer
    return replace(answer, body=json.dumps(change(value)).encode()) if isinstance(value, dict) else answer


def texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: texts(inner, change) for name, inner in value.items()}
    return [texts(inner, change) for inner in value] if isinstance(value, list) else value


def is_refused_key(cause: Cause | None) -> bool:
    """Tell whether a refusal is about a key that was sent."""
    return cause in {Cause.MALFORMED, Cause.UNKNOWN, Cause.EXPIRED, Cause.REVOKED, Cause.WRONG_ENVIRONMENT}


# --- what a contract makes meaningful ------------------------------------------------------------------------------


def two_keys_unsaid(contract: Contract) -> str | None:
    """Say that nothing is promised of two keys in one request, so that nothing of it can fail."""
    stated = any(Cause.CONFLICTING in row.when for row in contract.policy.errors.values())
    return None if stated else "the contract does not say what two keys in one request are answered"


def no_end_of_keys(contract: Contract) -> str | None:
    """Say that no key of the contract ever ends by itself."""
    keys = contract.policy.keys
    ends = keys.rotation is not None or any(kind.lifetime is not None for kind in keys.kinds.values())
    return None if ends else "keys of this contract do not end by themselves"


def shared_by_organisations(contract: Contract) -> str | None:
    """Say that the contract does not keep organisations apart, so that what one reads may be another's."""
    apart = "organisation" in contract.policy.isolation
    return None if apart else "the policy does not isolate organisations"


def one_environment(contract: Contract) -> str | None:
    """Say that the contract has no second environment."""
    return None if len(contract.policy.environments) > 1 else "the contract has one environment"
