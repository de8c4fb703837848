"""The stages of the server as values: a fault replaces one of them, and the correct server has no `if fault`.

Each stage is a function that gets the server first. What stands here is right; `faults/` holds what is wrong.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from authcontract_engine import Charge, Decision, Facts, KeyRecord, Reading, Request, Reservation

from ._call import Call, Identity, Outcome, Sight
from ._message import Answer, Message

if TYPE_CHECKING:
    from ._server import Server

Secure: TypeAlias = "Callable[[Server, ssl.SSLContext], None]"
Transport: TypeAlias = "Callable[[Server, Message], Answer]"
Parse: TypeAlias = "Callable[[Server, Message], Request]"
Authenticate: TypeAlias = "Callable[[Server, Request, float], Identity]"
Route: TypeAlias = "Callable[[Server, Request, Reading], Reading]"
Authorise: TypeAlias = "Callable[[Server, Call, Facts], Decision]"
Price: TypeAlias = "Callable[[Server, Call], tuple[Charge, ...]]"
Limit: TypeAlias = "Callable[[Server, Call, tuple[Charge, ...]], Reservation]"
Look: TypeAlias = "Callable[[Server, Call], Sight]"
Perform: TypeAlias = "Callable[[Server, Call], Outcome]"
Respond: TypeAlias = "Callable[[Server, Call, Decision, Outcome | None], Answer]"
Keep: TypeAlias = "Callable[[Server, KeyRecord, bytes], None]"

#: RFC 9110 section 15.5.15; the other `too_large` is a header field (RFC 6585 section 5).
_URI_TOO_LONG = 414


def secure(_server: Server, context: ssl.SSLContext) -> None:
    """Leave TLS as it is: 1.2 at least."""


def transport(server: Server, message: Message) -> Answer:
    """Hand the message on, as a deployment with nothing in front of the server does."""
    return server.handle(message)


def parse(_server: Server, message: Message) -> Request:
    """Return the request exactly as it came."""
    head = message.head
    return Request(
        scheme=message.scheme,
        peer=message.peer,
        environment=message.environment,
        method=head.method,
        target=head.target,
        headers=head.headers,
        problem=head.problem,
    )


def authenticate(server: Server, request: Request, _now: float) -> Identity:
    """Return what the request says and the record of exactly the key that it presents."""
    reading = server.contract.read(request)
    digest = reading.presented.digest
    return Identity(reading, None if digest is None else server.keyring.records.by_digest(digest))


def route(_server: Server, _request: Request, reading: Reading) -> Reading:
    """Take the operation that method and path name, and no other."""
    return reading


def authorise(server: Server, call: Call, facts: Facts) -> Decision:
    """Decide by the contract."""
    return server.contract.decide(call.reading, facts)


def charge(server: Server, call: Call) -> tuple[Charge, ...]:
    """Say what the request may cost: of which limits, and with whom it is counted."""
    return server.contract.charges(call.reading, call.key, call.now)


def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
    """Take what the request may cost from every limit that counts it, or from none."""
    return server.limiter.reserve(charges, call.now)


def look(server: Server, call: Call) -> Sight:
    """Look the addressed object up, with its owner."""
    if server.keyring.manages(call.operation):
        return server.keyring.look(call)
    return server.store.look(call)


def perform(server: Server, call: Call) -> Outcome:
    """Carry the operation out."""
    if server.keyring.manages(call.operation):
        return server.keyring.perform(call)
    return server.store.perform(call)


def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
    """Word the answer: the documented one, or the refusal that the contract renders."""
    if outcome is not None:
        secure = call.message.scheme == "https"
        headers = server.contract.headers(call.reading, call.facts, secure=secure)
        kind = () if outcome.media_type is None else (("Content-Type", outcome.media_type),)
        # RFC 9110 section 9.3.7; an operation of its own has its documented answer instead.
        allow = () if call.reading.operation is not None else (("Allow", ", ".join(call.reading.allowed_methods)),)
        return Answer(outcome.status, (*kind, *allow, *headers), outcome.body)
    if call.message.head.long_target and _URI_TOO_LONG in decision.statuses:
        rest = tuple(status for status in decision.statuses if status != _URI_TOO_LONG)
        decision = replace(decision, statuses=(_URI_TOO_LONG, *rest))
    refusal = server.contract.refuse(decision, call.reading, call.facts, request_id=secrets.token_hex(8))
    return Answer(refusal.status, refusal.headers, refusal.body)


def keep(_server: Server, _record: KeyRecord, _secret: bytes) -> None:
    """Keep nothing of a secret: its digest in the record is enough to know it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """Every stage, in the order in which a request meets them; store is `look`, `perform` and `keep`."""

    secure: Secure = secure
    transport: Transport = transport
    parse: Parse = parse
    authenticate: Authenticate = authenticate
    route: Route = route
    authorise: Authorise = authorise
    charge: Price = charge
    limit: Limit = limit
    look: Look = look
    perform: Perform = perform
    keep: Keep = keep
    respond: Respond = respond


CORRECT = Seams()
