"""ERR: what a refusal says of the way to authenticate. All look at every response of the whole run."""

from __future__ import annotations

from authcontract_policy import Cause

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.clauses._promised import below_base
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._challenge import Challenge, challenges
from authcontract_conformance.oracle._oracle import ANYTHING
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, warn
from authcontract_conformance.world._world import World

UNAUTHORIZED, FORBIDDEN = 401, 403
FIELD = "WWW-Authenticate"
#: Errors that RFC 6750 section 3.1 gives to a refused key; a broken request is one with 400.
OF_A_KEY = frozenset({"invalid_token", "invalid_request"})


def _offered(exchange: Exchange) -> tuple[Challenge, ...] | None:
    return challenges(value for name, value in exchange.headers if name.lower() == FIELD.lower())


def _sent(exchange: Exchange) -> str:
    text = exchange.header(FIELD)
    return f"{exchange.status} without {FIELD}" if text is None else f"{exchange.status} with {FIELD}: {text[:80]}"


def _scheme(world: World) -> str | None:
    """Return the auth-scheme that clients have to use, in lower case, if keys are sent with one."""
    for sent_as in world.policy.keys.sent_as:
        scheme, space, _ = sent_as.template.partition(" ")
        if sent_as.carrier == "header" and sent_as.name.lower() == "authorization" and space and "<" not in scheme:
            return scheme.lower()
    return None


def _no_scheme(world: World) -> str | None:
    return None if _scheme(world) else "keys are not sent by a scheme of the Authorization field"


def _no_bearer(world: World) -> str | None:
    return None if _scheme(world) == "bearer" else "keys are not sent as Bearer tokens"


# --- ERR-1 and ERR-2 -----------------------------------------------------------------------------------------------


def _err_1(_: World, exchange: Exchange) -> Judgement | None:
    if exchange.status != UNAUTHORIZED:
        return None
    if _offered(exchange):
        return PASSED
    evidence = Evidence(expected=f"401 with {FIELD} and a challenge in it", got=_sent(exchange), exchange=exchange)
    return fail(evidence, "clients learn from the challenge how to authenticate")


def _err_2(world: World, exchange: Exchange) -> Judgement | None:
    offered = _offered(exchange) if exchange.status == UNAUTHORIZED else None
    scheme = _scheme(world)
    if not offered or scheme is None:
        return None  # ERR-1 speaks of one that is missing
    if any(challenge.scheme == scheme for challenge in offered):
        return PASSED
    evidence = Evidence(expected=f"a challenge that offers {scheme.title()}", got=_sent(exchange), exchange=exchange)
    return fail(evidence, "the challenge offers another way than the documented one")


# --- ERR-3 and ERR-4: what a Bearer challenge says -----------------------------------------------------------------


def _err_3(_: World, exchange: Exchange) -> Judgement | None:
    bearer = _bearer(exchange)
    if bearer is None or exchange.status != UNAUTHORIZED:
        return None
    bare = [name for name in ("realm", "error", "scope") if name in bearer.parameters and name not in bearer.quoted]
    if bearer.parameters and "realm" not in bare:
        return PASSED
    expected = "Bearer with a parameter, its realm in quotes"
    evidence = Evidence(expected=expected, got=_sent(exchange), exchange=exchange)
    return warn(evidence, "strict clients refuse a challenge that is not in the form of RFC 6750")


def _err_4(world: World, exchange: Exchange) -> Judgement | None:
    bearer = _bearer(exchange)
    if bearer is None or exchange.status not in (UNAUTHORIZED, FORBIDDEN):
        return None
    error = bearer.parameters.get("error")
    causes = {d.cause for d in world.expect(exchange.probe, ANYTHING).decisions if exchange.status in d.statuses}
    if error is None or not causes:
        return PASSED
    if causes == {Cause.MISSING}:
        expected = "no `error`, since no key was sent"
    elif exchange.status == FORBIDDEN:
        if error == "insufficient_scope":
            return PASSED
        expected = 'error="insufficient_scope"'
    elif Cause.MISSING in causes or error in OF_A_KEY:
        return PASSED
    else:
        expected = 'error="invalid_token"'
    evidence = Evidence(expected=expected, got=_sent(exchange), exchange=exchange)
    return warn(evidence, "clients act on the error: they fetch another key, or ask for more rights")


def _bearer(exchange: Exchange) -> Challenge | None:
    return next((challenge for challenge in _offered(exchange) or () if challenge.scheme == "bearer"), None)


CLAUSES = (
    Clause(
        id="ERR-1",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 11.6.1", "RFC 9110 section 15.5.2"),
        promise="Every 401 says how to authenticate, in WWW-Authenticate.",
        why="RFC 9110 makes it part of what 401 means; clients and proxies look for it.",
        how="Each 401 of the whole run is looked at. One without a challenge fails.",
        fix="Send `WWW-Authenticate` with every 401, the one of the outermost error handler included.",
        passive=below_base(_err_1),
        traffic=("AUTH-1", "AUTH-8"),
    ),
    Clause(
        id="ERR-2",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 11.6.1", "RFC 6750 section 3"),
        promise="The challenge of a 401 offers the scheme that clients are to use.",
        why="A framework's default offers Basic, and browsers then ask their users for a password.",
        how="Each challenge of the run that can be read is looked at. One that does not offer the documented scheme, "
        "in any case, fails; others may stand beside it.",
        fix="Let whatever refuses a key word the challenge, for the scheme that it accepts.",
        inapplicable=_no_scheme,
        passive=below_base(_err_2),
        traffic=("AUTH-1", "AUTH-8"),
    ),
    Clause(
        id="ERR-3",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 6750 section 3", "RFC 9110 section 11.5"),
        promise="A Bearer challenge has a parameter, and its realm stands in quotes.",
        why="RFC 6750 asks for one at least, and some clients parse no other form.",
        how="Each Bearer challenge of the run is looked at; a bare `Bearer` or an unquoted realm is a warning.",
        fix='Send `Bearer realm="…"`.',
        inapplicable=_no_bearer,
        passive=below_base(_err_3),
        traffic=("AUTH-1", "AUTH-8"),
    ),
    Clause(
        id="ERR-4",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 6750 section 3.1",),
        promise="The error in a Bearer challenge fits what was wrong.",
        why="`invalid_token` makes clients throw their key away; without a key there is none to throw away.",
        how="Where a challenge names an error, a request without a key must get none, a refused key `invalid_token`, "
        "and missing rights `insufficient_scope`. Another one is a warning; none is never wrong.",
        fix="Word the challenge from the cause of the refusal, or leave the error out.",
        inapplicable=_no_bearer,
        passive=below_base(_err_4),
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1"),
    ),
)
