"""Faults of what a refusal says besides its error: the challenge, the content type, the fields of its status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from authcontract_engine import Contract, Decision
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import Onward, answering, at_key, passing, rewritten, without

_CHALLENGE: Final = "WWW-Authenticate"
_UNAUTHORIZED, _FORBIDDEN, _NOT_ALLOWED = 401, 403, 405
_JSON: Final = "application/json"


def retyped(answer: Answer, media_type: str) -> Answer:
    """Return the answer under another content type."""
    return replace(answer, headers=(("Content-Type", media_type), *without(answer, "Content-Type").headers))


def _challenging(text: str, *statuses: int) -> Plant:
    """Send another challenge with these statuses."""

    def plant(seams: Seams) -> Seams:
        def change(_server: Server, _call: Call, _decision: Decision, answer: Answer) -> Answer:
            if answer.status not in statuses:
                return answer
            return replace(answer, headers=(*without(answer, _CHALLENGE).headers, (_CHALLENGE, text)))

        return answering(seams, change)

    return plant


def _always_invalid_token(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        if decision.cause is not Cause.MISSING:
            return answer
        challenge = (_CHALLENGE, 'Bearer realm="api", error="invalid_token"')
        return replace(answer, headers=(*without(answer, _CHALLENGE).headers, challenge))

    return answering(seams, change)


def _called_html(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        return retyped(answer, "text/html; charset=utf-8") if at_key(decision) else answer

    return answering(seams, change)


def _problem(status: Any, kind: str) -> Plant:
    """Add the members of a problem document to each refusal for the key."""

    def plant(seams: Seams) -> Seams:
        def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
            if not at_key(decision):
                return answer
            whole = rewritten(answer, lambda body: {**body, "type": kind, "status": status})
            return retyped(whole, "application/problem+json")

        return answering(seams, change)

    return plant


def _without_allow(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        answer = onward(message)
        return without(answer, "Allow") if answer.status == _NOT_ALLOWED else answer

    return passing(seams, proxy)


def _upgrade_unsaid(seams: Seams) -> Seams:
    def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
        return onward(message) if message.scheme == "https" else Answer(426)

    return passing(seams, proxy)


def _scheme_is_bearer(contract: Contract) -> str | None:
    for way in contract.policy.keys.sent_as:
        if way.carrier == "header" and way.template.lower().startswith("bearer "):
            return None
    return "keys are not sent as Bearer tokens"


def _errors_are_json(contract: Contract) -> str | None:
    return None if contract.policy.error_format.content_type == _JSON else "errors are not promised to be JSON"


def _has_405(contract: Contract) -> str | None:
    causes = (row.when for row in contract.policy.errors.values() if _NOT_ALLOWED in row.statuses)
    found = any(Cause.METHOD_NOT_ALLOWED in when for when in causes)
    return None if found else "no refusal of the contract says 405"


FAULTS: Final = (
    Fault(
        name="challenge-for-basic",
        sentence="A 401 offers Basic, as the framework does by default, and not what the documentation says",
        family=Family.LIBRARY,
        clauses=("ERR-2",),
        plant=_challenging('Basic realm="restricted"', _UNAUTHORIZED),
        meaningful=_scheme_is_bearer,
    ),
    Fault(
        name="challenge-without-parameter",
        sentence="A 401 says `Bearer` and nothing else",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-3",),
        plant=_challenging("Bearer", _UNAUTHORIZED),
        meaningful=_scheme_is_bearer,
    ),
    Fault(
        name="invalid-token-without-token",
        sentence="A request without a key is told that its token is invalid",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-4",),
        plant=_always_invalid_token,
        meaningful=_scheme_is_bearer,
    ),
    Fault(
        name="missing-scope-is-invalid-token",
        sentence="A good key that may not is told that it is invalid, so its client throws it away",
        family=Family.LIBRARY,
        clauses=("ERR-4",),
        plant=_challenging('Bearer realm="api", error="invalid_token"', _FORBIDDEN),
        meaningful=_scheme_is_bearer,
    ),
    Fault(
        name="error-called-html",
        sentence="Refusals for the key are JSON under the content type of a page",
        family=Family.LIBRARY,
        clauses=("ERR-7",),
        plant=_called_html,
        meaningful=_errors_are_json,
    ),
    Fault(
        name="problem-says-200",
        sentence="Refusals for the key are problem documents whose status is 200",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-8",),
        plant=_problem(200, "about:blank"),
        meaningful=_errors_are_json,
    ),
    Fault(
        name="problem-type-is-a-sentence",
        sentence="Refusals for the key are problem documents whose type is a sentence",
        family=Family.IMPLEMENTATION,
        clauses=("ERR-8",),
        plant=_problem(_UNAUTHORIZED, "Not a valid key"),
        meaningful=_errors_are_json,
    ),
    Fault(
        name="405-without-allow",
        sentence="A proxy removes Allow from a 405",
        family=Family.DEPLOYMENT,
        clauses=("ERR-10",),
        plant=_without_allow,
        meaningful=_has_405,
    ),
    Fault(
        name="426-without-upgrade",
        sentence="Plain HTTP is refused with 426, which does not say what to upgrade to",
        family=Family.DEPLOYMENT,
        clauses=("ERR-12",),
        plant=_upgrade_unsaid,
    ),
)
