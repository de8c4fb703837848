"""Faults of transport: what is believed of a connection, and what it is worth."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import replace
from typing import Final

from authcontract_engine import Decision
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import WRITING, Onward, carry_out_as, known, may, passing, presented, without

_HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")
_WRITES: Final = frozenset(method.encode() for method in WRITING)


def _as_https(message: Message, onward: Onward) -> Answer:
    """Serve plaintext as if it were TLS; whatever ends the connection in front adds HSTS, and here it does not."""
    answer = onward(replace(message, scheme="https"))
    return without(answer, _HSTS[0]) if message.scheme == "http" else answer


def _believing(name: bytes, value: bytes) -> Plant:
    """Take plaintext for TLS where a field of the request says so."""

    def plant(seams: Seams) -> Seams:
        def application(_server: Server, message: Message, onward: Onward) -> Answer:
            said = (sent.strip().lower() for field, sent in message.head.headers if field.lower() == name)
            return _as_https(message, onward) if value in said else onward(message)

        return passing(seams, application)

    return plant


def _over_clear_http2(seams: Seams) -> Seams:
    """Let whoever asks for an upgrade to HTTP/2 past the check for TLS, which looks at the first protocol only."""

    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        asked = any(n.lower() == b"upgrade" and v.strip().lower() == b"h2c" for n, v in message.head.headers)
        return _as_https(message, onward) if asked else onward(message)

    return passing(seams, proxy)


def _key_first(seams: Seams) -> Seams:
    """Look the key up before the connection is looked at: over plaintext a bad one is called a bad request."""

    def gateway(server: Server, message: Message, onward: Onward) -> Answer:
        if message.scheme == "https":
            return onward(message)
        keys = presented(server, server.seams.parse(server, message))
        if keys and not known(server, keys[0]):
            return Answer(400)
        return onward(message)

    return passing(seams, gateway)


def _refused_but_done(seams: Seams) -> Seams:
    """Look at the connection when the answer is worded: what was asked for in clear has been done by then."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        operation, writes = call.reading.operation, call.request.method in _WRITES
        if decision.cause is Cause.PLAINTEXT and writes and operation is not None and may(server, call.key, operation):
            carry_out_as(server, call, call.request.method)
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _hsts_everywhere(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        answer = onward(message)
        return answer if message.scheme == "https" else replace(answer, headers=(*answer.headers, _HSTS))

    return passing(seams, proxy)


def _old_tls(_server: Server, context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")


FAULTS: Final = (
    Fault(
        name="forwarded-proto-believed",
        sentence="Plain HTTP with `X-Forwarded-Proto: https` passes for HTTPS",
        family=Family.LIBRARY,
        clauses=("TRANS-5",),
        plant=_believing(b"x-forwarded-proto", b"https"),
    ),
    Fault(
        name="front-end-https-believed",
        sentence="Plain HTTP with `Front-End-Https: on` passes for HTTPS",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-5",),
        plant=_believing(b"front-end-https", b"on"),
    ),
    Fault(
        name="clear-http2-passes",
        sentence="Plain HTTP that asks for HTTP/2 passes the check for TLS",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-5",),
        plant=_over_clear_http2,
    ),
    Fault(
        name="plaintext-tells-keys-apart",
        sentence="Over plain HTTP a key that nobody issued is refused in another way than a valid one",
        family=Family.IMPLEMENTATION,
        clauses=("TRANS-3",),
        plant=_key_first,
    ),
    Fault(
        name="plaintext-refused-but-done",
        sentence="A change that is asked for over plain HTTP is refused, and made all the same",
        family=Family.IMPLEMENTATION,
        clauses=("TRANS-1",),
        plant=_refused_but_done,
    ),
    Fault(
        name="hsts-over-plaintext",
        sentence="HSTS is sent over plain HTTP too",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-6",),
        plant=_hsts_everywhere,
    ),
    Fault(
        name="old-tls",
        sentence="TLS 1.0 and 1.1 are agreed to",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-7",),
        plant=lambda seams: replace(seams, secure=_old_tls),
    ),
)
