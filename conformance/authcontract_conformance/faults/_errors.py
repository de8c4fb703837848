"""Faults of what refusals say, and of what no answer may show."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Body, Decision
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import Onward, answering, at_key, at_scope, is_refused_key, passing, presented, rewritten, texts, without

_CHALLENGE: Final = "WWW-Authenticate"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


def _no_challenge(seams: Seams) -> Seams:
    return answering(seams, lambda _s, _c, _d, answer: without(answer, _CHALLENGE))


def _challenge_once(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        return without(answer, _CHALLENGE) if is_refused_key(decision.cause) else answer

    return answering(seams, change)


def _stripped_by_proxy(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        return without(onward(message), _CHALLENGE)

    return passing(seams, proxy)


def _is_documented(decision: Decision) -> bool:
    """Tell whether the refusal is one whose body every policy states: for the key, or for what it may not."""
    return at_key(decision) or at_scope(decision)


def _other_code(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        if decision.error is None or not _is_documented(decision):
            return answer
        code = decision.error
        return rewritten(answer, lambda body: texts(body, lambda text: text.replace(code, "access_denied")))

    return answering(seams, change)


def _plain_text(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        if not _is_documented(decision):
            return answer
        bare = without(answer, "Content-Type")
        return replace(bare, headers=(("Content-Type", "text/plain"), *bare.headers), body=b"Access denied")

    return answering(seams, change)


def _unwrapped(body: dict[str, Any]) -> dict[str, Any]:
    """Return an error without its envelope; one that has none loses its first member instead."""
    name, inner = next(iter(body.items()), ("", None))
    if isinstance(inner, dict):
        return inner
    return {other: value for other, value in body.items() if other != name}


def _no_envelope(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        return rewritten(answer, _unwrapped) if _is_documented(decision) else answer

    return answering(seams, change)


def _status_for(cause: Cause, status: int) -> Plant:
    def plant(seams: Seams) -> Seams:
        def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
            return replace(answer, status=status) if decision.cause is cause else answer

        return answering(seams, change)

    return plant


def _says_key(seams: Seams) -> Seams:
    def change(server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        keys = presented(server, call.request)
        if not keys or not is_refused_key(decision.cause):
            return answer
        said = f"no such key: {keys[0].decode('latin-1')}"
        return rewritten(answer, lambda body: {**body, "reason": said})

    return answering(seams, change)


def _key_in_header(seams: Seams) -> Seams:
    def change(server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
        keys = presented(server, call.request)
        said = base64.b64encode(keys[0]).decode() if keys else "-"
        return replace(answer, headers=(*answer.headers, ("X-Debug-Caller", said)))

    return answering(seams, change)


_TRACE: Final = """Traceback (most recent call last):
  File "/srv/app/handlers.py", line 48, in create
    payload = json.loads(request.body)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
"""


def _traceback(seams: Seams) -> Seams:
    def change(_server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
        return (
            Answer(500, (("Content-Type", "text/plain"),), _TRACE.encode())
            if call.body is Body.INVALID and call.message.body
            else answer
        )

    return answering(seams, change)


def _debug_page(seams: Seams) -> Seams:
    page = f"<h1>Unauthorized</h1><pre>{_TRACE}</pre>".encode()

    def change(_server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        if not is_refused_key(decision.cause) or call.reading.presented.digest is not None:
            return answer
        bare = without(answer, "Content-Type")
        return replace(bare, headers=(("Content-Type", "text/html"), *bare.headers), body=page)

    return answering(seams, change)


def _links_by_host(seams: Seams) -> Seams:
    def change(_server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
        host = next((value for name, value in call.request.headers if name.lower() == b"host"), b"")
        link = f'<https://{host.strip().decode("latin-1")}/docs>; rel="help"'
        return replace(answer, headers=(*answer.headers, ("Link", link)))

    return answering(seams, change)


FAULTS: Final = (
    Fault(
        name="no-challenge",
        sentence="A 401 does not say how to authenticate",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-1",),
        plant=_no_challenge,
    ),
    Fault(
        name="challenge-for-beginners-only",
        sentence="Only a caller without any key is told how to authenticate, one with a bad key is not",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-1",),
        plant=_challenge_once,
    ),
    Fault(
        name="challenge-lost-on-the-way",
        sentence="A proxy in front removes WWW-Authenticate from what passes",
        family=Family.DEPLOYMENT,
        clauses=("ERR-1",),
        plant=_stripped_by_proxy,
    ),
    Fault(
        name="other-error-code",
        sentence="Refusals for the key or its rights carry an error code that nobody documented",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-5",),
        plant=_other_code,
    ),
    Fault(
        name="error-as-text",
        sentence="Refusals for the key or its rights are a line of plain text",
        family=Family.LIBRARY,
        clauses=("ERR-5",),
        plant=_plain_text,
    ),
    Fault(
        name="error-without-envelope",
        sentence="Refusals for the key or its rights lack the outermost level of the documented body",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-5",),
        plant=_no_envelope,
    ),
    Fault(
        name="403-without-key",
        sentence="A request without a key is answered 403, as some frameworks do by themselves",
        family=Family.LIBRARY,
        clauses=("ERR-9", "AUTH-1"),
        plant=_status_for(Cause.MISSING, _FORBIDDEN),
    ),
    Fault(
        name="401-for-missing-scope",
        sentence="A good key that may not do what it asks is answered 401, so that clients ask for a new one",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-9", "SCOPE-1"),
        plant=_status_for(Cause.INSUFFICIENT_SCOPE, _UNAUTHORIZED),
    ),
    Fault(
        name="404-for-missing-scope",
        sentence="What a key may not do is answered as if it were not there",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-1",),
        plant=_status_for(Cause.INSUFFICIENT_SCOPE, _NOT_FOUND),
    ),
    Fault(
        name="key-in-message",
        sentence="A refusal quotes the key that was sent",
        family=Family.IMPLEMENTATION,
        clauses=("LEAK-1",),
        plant=_says_key,
    ),
    Fault(
        name="key-in-debug-header",
        sentence="Every answer carries the caller's key in base64, in a header that somebody forgot",
        family=Family.DEPLOYMENT,
        clauses=("LEAK-1",),
        plant=_key_in_header,
    ),
    Fault(
        name="traceback-for-bad-body",
        sentence="A body that cannot be read is answered with the stack of the parser",
        family=Family.LIBRARY,
        clauses=("LEAK-4",),
        plant=_traceback,
    ),
    Fault(
        name="debug-page-for-bad-key",
        sentence="A key that does not look like one is answered with the debug page that was to be off in production",
        family=Family.DEPLOYMENT,
        clauses=("LEAK-4", "ERR-5"),
        plant=_debug_page,
    ),
    Fault(
        name="links-by-host",
        sentence="Links in answers are made of the Host that the caller sends",
        family=Family.LIBRARY,
        clauses=("ROUTE-5",),
        plant=_links_by_host,
    ),
)
