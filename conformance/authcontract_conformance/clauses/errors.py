"""ERR: what a refusal looks like. All are passive: they look at every response of the whole run."""

from __future__ import annotations

import re

from authcontract_engine import Rule

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._oracle import Reality, body_differences, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, warn
from authcontract_conformance.world._world import World

UNAUTHORIZED, FORBIDDEN = 401, 403
#: Refusals whose body the application makes too, though documentation seldom shows it; a parser's own 400 is none.
OTHERS = (404, 405, 409, 429)
#: auth-scheme of RFC 9110 section 11.1, at the start of a challenge.
_CHALLENGE = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s|,|$)")
_ANYTHING = Reality(object="unknown", body="unknown", usage="unknown")


def _err_1(_: World, exchange: Exchange) -> Judgement | None:
    if exchange.status != UNAUTHORIZED:
        return None
    challenge = exchange.header("WWW-Authenticate")
    if challenge is not None and _CHALLENGE.match(challenge.strip()):
        return PASSED
    got = "401 without WWW-Authenticate" if challenge is None else f"401 with WWW-Authenticate: {challenge[:60]!r}"
    return fail(
        Evidence(expected="401 with WWW-Authenticate and a challenge in it", got=got, exchange=exchange),
        "clients learn from the challenge how to authenticate",
    )


def _err_5(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.status not in (UNAUTHORIZED, FORBIDDEN, *OTHERS) or exchange.probe.method == b"HEAD":
        return None
    expectation = world.expect(exchange.probe, _ANYTHING)
    if not any(exchange.status in decision.statuses for decision in expectation.decisions):
        return None  # another clause says that this refusal itself is wrong
    differences = body_differences(exchange, expectation)
    if not differences:
        return PASSED
    rule = next((_error_rule(d.error) for d in expectation.decisions if exchange.status in d.statuses), None)
    evidence = Evidence(
        expected=f"{exchange.status} with the documented error body",
        got="; ".join(differences[:3]),
        exchange=exchange,
        rule=rule,
    )
    if exchange.status in OTHERS:
        return warn(evidence, "this refusal has not the error body that the others have")
    return fail(evidence, "the error body is not what the documentation shows")


def _error_rule(error: str | None) -> Rule | None:
    return Rule(path=("errors", error)) if error else None


def _err_9(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.status not in (UNAUTHORIZED, FORBIDDEN):
        return None
    expectation = world.expect(exchange.probe, _ANYTHING)
    refusals = [decision for decision in expectation.decisions if not decision.allowed]
    statuses = {status for decision in refusals for status in decision.statuses}
    other = FORBIDDEN if exchange.status == UNAUTHORIZED else UNAUTHORIZED
    if exchange.status in statuses:
        return PASSED
    if other not in statuses:
        return None
    got = describe_exchange(exchange)
    return fail(expectation.evidence(exchange, got=got), "401 and 403 are swapped")


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
        passive=_err_1,
        traffic=("AUTH-1", "AUTH-8"),
    ),
    Clause(
        id="ERR-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A refusal has the documented error body.",
        why="Clients branch on the code in the body; a framework's own error page breaks them.",
        how="Each 401 and 403 of the whole run is compared with the body that the policy gives for its cause, and a "
        "404, 405, 409 or 429 that differs is a warning. Texts that the policy calls examples may differ, more fields "
        "may be there, HEAD has no body.",
        fix="Make one function build every error body, and register it for the framework's own errors too.",
        passive=_err_5,
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1"),
    ),
    Clause(
        id="ERR-9",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 15.5.2", "RFC 9110 section 15.5.4"),
        promise="401 is for a key that is missing or no good, 403 for a good key that may not.",
        why="A client that gets 401 asks for another key, one that gets 403 asks for more rights.",
        how="Each 401 and 403 of the whole run is held against what the contract says of its request.",
        fix="Decide who is asking before you decide what they may do, and answer each with its own status.",
        passive=_err_9,
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1"),
    ),
)
