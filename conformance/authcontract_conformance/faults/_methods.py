"""Faults of methods and of transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from authcontract_engine import Decision, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import Onward, at_key, at_scope, carry_out_as, lets, passing, values


def _head_open(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return call.request.method == b"HEAD" and at_key(decision)

    return lets(seams, through)


def _head_any_scope(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return call.request.method == b"HEAD" and at_scope(decision)

    return lets(seams, through)


def _put_is_patch(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        return replace(request, method=b"PATCH") if request.method == b"PUT" else request

    return replace(seams, parse=parse)


def _unknown_is_get(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        missing = server.contract.read(request).operation is None
        return replace(request, method=b"GET") if missing and request.method != b"HEAD" else request

    return replace(seams, parse=parse)


def _overriding(wanted: Callable[[Request], bytes | None]) -> Plant:
    """Carry out another method than the one that was authorised."""

    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            method = wanted(call.request)
            if method is not None and call.key is not None and not at_key(decision):
                carry_out_as(server, call, method)
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _by_header(request: Request) -> bytes | None:
    return next(iter(values(request, "X-HTTP-Method-Override")), None)


def _by_query(request: Request) -> bytes | None:
    query = parse_qsl(request.target.partition(b"?")[2].decode("latin-1"))
    return next((value.upper().encode("latin-1") for name, value in query if name == "_method"), None)


def _plaintext_served(seams: Seams) -> Seams:
    def tls_ends_elsewhere(_server: Server, message: Message, onward: Onward) -> Answer:
        return onward(replace(message, scheme="https"))

    return passing(seams, tls_ends_elsewhere)


def _plaintext_reads(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return decision.cause is Cause.PLAINTEXT and call.request.method == b"GET" and call.key is not None

    return lets(seams, through)


def _plaintext_redirected(seams: Seams) -> Seams:
    def proxy(server: Server, message: Message, onward: Onward) -> Answer:
        if message.scheme == "https":
            return onward(message)
        bases = server.contract.policy.base_url.values()
        host = urlsplit(bases[0]).netloc if bases else "localhost"
        return Answer(301, (("Location", f"https://{host}{message.head.target.decode('latin-1')}"),))

    return passing(seams, proxy)


FAULTS: Final = (
    Fault(
        name="head-without-key",
        sentence="HEAD needs no key",
        family=Family.LIBRARY,
        clauses=("METH-1",),
        plant=_head_open,
    ),
    Fault(
        name="head-for-any-scope",
        sentence="HEAD asks for a key, and for no scope",
        family=Family.IMPLEMENTATION,
        clauses=("METH-1",),
        plant=_head_any_scope,
    ),
    Fault(
        name="put-is-patch",
        sentence="PUT, which nobody documented, is carried out like PATCH",
        family=Family.LIBRARY,
        clauses=("METH-2",),
        plant=_put_is_patch,
    ),
    Fault(
        name="any-method-reads",
        sentence="A method that a path does not know is served like GET",
        family=Family.LIBRARY,
        clauses=("METH-2",),
        plant=_unknown_is_get,
    ),
    Fault(
        name="method-override-by-header",
        sentence="X-HTTP-Method-Override is followed after the method on the request line was authorised",
        family=Family.LIBRARY,
        clauses=("METH-6",),
        plant=_overriding(_by_header),
    ),
    Fault(
        name="method-override-by-query",
        sentence="`?_method=` is followed after the method on the request line was authorised",
        family=Family.LIBRARY,
        clauses=("METH-6",),
        plant=_overriding(_by_query),
    ),
    Fault(
        name="plaintext-served",
        sentence="Plain HTTP is served like HTTPS",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-1",),
        plant=_plaintext_served,
    ),
    Fault(
        name="plaintext-read",
        sentence="Plain HTTP is refused for everything except GET with a key",
        family=Family.IMPLEMENTATION,
        clauses=("TRANS-1",),
        plant=_plaintext_reads,
    ),
    Fault(
        name="plaintext-redirected",
        sentence="Plain HTTP is redirected to HTTPS, after the key has crossed the network",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-2",),
        plant=_plaintext_redirected,
    ),
)
