"""Faults of how pages of others are let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authcontract_engine import Decision
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server

from ._fault import Family, Fault
from ._tools import Onward, answering, carry_out_as, passing, values

#: The one origin that a deployment lets in.
_OWN: Final = "https://app.example"


def _named(message: Message, name: bytes) -> bytes:
    return next((value.strip() for field, value in message.head.headers if field.lower() == name), b"")


def _with(answer: Answer, *lines: tuple[str, str]) -> Answer:
    return replace(answer, headers=(*answer.headers, *lines))


def _reflecting(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        origin, answer = _named(message, b"origin"), onward(message)
        if not origin or message.head.method == b"OPTIONS":
            return answer
        allowed = ("Access-Control-Allow-Origin", origin.decode("latin-1"))
        return _with(answer, allowed, ("Access-Control-Allow-Credentials", "true"))

    return passing(seams, proxy)


def _pages_kept_out(seams: Seams) -> Seams:
    """Refuse what a page sends without a key by 403, in front of whoever would ask for the key."""

    def change(_server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        page = bool(_named(call.message, b"origin"))
        return replace(answer, status=403) if page and decision.cause is Cause.MISSING else answer

    return answering(seams, change)


def _for_all(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        return _with(onward(message), ("Access-Control-Allow-Origin", "*"))

    return passing(seams, proxy)


def _preflight_carried_out(seams: Seams) -> Seams:
    """Route a preflight by the method that it asks about, as if that were sent; nobody has asked for a key by then."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        asked = next(iter(values(call.request, "Access-Control-Request-Method")), b"").upper()
        if call.request.method == b"OPTIONS" and asked in {b"DELETE", b"PATCH", b"PUT"}:
            carry_out_as(server, call, asked)
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _own_pages_without_key(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        if message.head.method != b"OPTIONS" or not _named(message, b"access-control-request-method"):
            return onward(message)
        return _with(
            replace(onward(message), status=204, body=b""),
            ("Access-Control-Allow-Origin", _OWN),
            ("Access-Control-Allow-Methods", "GET, POST"),
            ("Access-Control-Allow-Headers", "*"),
        )

    return passing(seams, proxy)


FAULTS: Final = (
    Fault(
        name="any-origin-with-credentials",
        sentence="Whatever origin asks is let in, with credentials",
        family=Family.LIBRARY,
        clauses=("CORS-1",),
        plant=_reflecting,
    ),
    Fault(
        name="pages-without-key-are-forbidden",
        sentence="A page of a stranger without a key gets 403, as if its key lacked a scope",
        family=Family.LIBRARY,
        clauses=("ERR-9",),
        plant=_pages_kept_out,
    ),
    Fault(
        name="every-page-may-read",
        sentence="Every answer lets every page read it",
        family=Family.DEPLOYMENT,
        clauses=("CORS-1",),
        plant=_for_all,
    ),
    Fault(
        name="preflight-is-carried-out",
        sentence="A preflight that asks about DELETE or a change is carried out, without a key",
        family=Family.LIBRARY,
        clauses=("CORS-2",),
        plant=_preflight_carried_out,
    ),
    Fault(
        name="pages-cannot-send-their-key",
        sentence="Pages are let in with every field by `*`, which leaves Authorization out",
        family=Family.LIBRARY,
        clauses=("CORS-3",),
        plant=_own_pages_without_key,
    ),
)
