"""ERR: what a refusal looks like. All look at every response of the whole run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from authcontract_engine import Reading, Rule

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.clauses._promised import below_base
from authcontract_conformance.exchange._exchange import Exchange, Probe, bytes_of
from authcontract_conformance.oracle._oracle import ANYTHING, body_differences, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, warn
from authcontract_conformance.world._world import World

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_ALLOWED, UPGRADE_REQUIRED = 400, 401, 403, 405, 426
#: Refusals that are for the key or its rights, whose body documentation shows.
AT_KEY = (UNAUTHORIZED, FORBIDDEN)
#: Refusals that whoever parses HTTP may make before the application sees anything.
BY_PARSERS = frozenset({BAD_REQUEST, 408, 411, 412, 413, 414, 417, 421, 426, 431})
#: Fields by which a parser frames and routes a request; each of them may stand there once.
FRAMING = (b"host", b"content-length")
#: Fields that ask something of the connection, which parsers and proxies may refuse.
AT_PARSERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer", b"http2-settings"})
#: Methods that web servers refuse before they look for what the path names, nginx with a 405 and nothing else: CONNECT
#: asks for a tunnel and names no resource (RFC 9110 section 9.3.6), TRACE is switched off for security (9.3.8).
WHOLESALE = frozenset({b"CONNECT", b"TRACE"})
#: Bytes of a request's head that no parser finds too many.
USUAL_HEAD = 2000


def _err_5(world: World, exchange: Exchange) -> Judgement | None:
    refused = 400 <= exchange.status < 500  # noqa: PLR2004  RFC 9110 section 15.5
    if not refused or exchange.probe.method == b"HEAD":
        return None
    if exchange.status not in AT_KEY and _anything_goes(world, exchange.status):
        return None
    expectation = world.expect(exchange.probe, ANYTHING)
    if exchange.status in BY_PARSERS and not _plain(exchange.probe, expectation.reading):
        return None
    if not any(exchange.status in decision.statuses for decision in expectation.decisions):
        return None  # another clause says that this refusal itself is wrong
    if _page_as_asked(exchange):
        return None
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
    if exchange.status in AT_KEY:
        return fail(evidence, "the error body is not what the documentation shows")
    return warn(evidence, "this refusal has not the error body that the others have")


def _page_as_asked(exchange: Exchange) -> bool:
    """Tell whether it is an HTML page, which the request said to take and nothing else."""
    asked = any(bytes_of(n).lower() == b"accept" and bytes_of(v) == b"text/html" for n, v in exchange.probe.headers)
    return asked and (exchange.header("Content-Type") or "").lower().startswith("text/html")


def _anything_goes(world: World, status: int) -> bool:
    """Tell whether the policy has a refusal with this status and any body: the target may have meant that one."""
    return any(row.body == "any" and status in row.statuses for row in world.policy.errors.values())


def _plain(probe: Probe, reading: Reading) -> bool:
    """Tell whether a request is HTTP that every parser takes, so that the application itself must have refused it."""
    request = reading.request
    names = [name.lower() for name, _ in request.headers]
    written = (request.target, *(part for line in request.headers for part in line))
    return (
        reading.problem is None
        and reading.operation is not None
        and probe.protocol in ("1.1", "2")
        and probe.channel == "tls"
        and not probe.exact
        and request.target.startswith(b"/")
        and all(names.count(name) <= 1 for name in FRAMING)
        and AT_PARSERS.isdisjoint(names)
        and len(b"".join(written)) < USUAL_HEAD
        and all(piece.decode("latin-1").isprintable() and piece.isascii() for piece in written)
    )


def _error_rule(error: str | None) -> Rule | None:
    return Rule(path=("errors", error)) if error else None


def _err_9(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.status not in (UNAUTHORIZED, FORBIDDEN):
        return None
    expectation = world.expect(exchange.probe, ANYTHING)
    refusals = [decision for decision in expectation.decisions if not decision.allowed]
    statuses = {status for decision in refusals for status in decision.statuses}
    other = FORBIDDEN if exchange.status == UNAUTHORIZED else UNAUTHORIZED
    if exchange.status in statuses:
        return PASSED
    if other not in statuses:
        return None
    got = describe_exchange(exchange)
    return fail(expectation.evidence(exchange, got=got), "401 and 403 are swapped")


# --- ERR-7 and ERR-8: the content type -------------------------------------------------------------------------------

PROBLEM = "application/problem+json"


def _media_type(exchange: Exchange) -> str:
    return (exchange.header("Content-Type") or "").partition(";")[0].strip().lower()


def _err_7(world: World, exchange: Exchange) -> Judgement | None:
    promised = world.policy.error_format.content_type
    refused = 400 <= exchange.status < 500  # noqa: PLR2004  RFC 9110 section 15.5
    if not refused or not exchange.body or "json" not in promised or exchange.json() is None:
        return None
    media_type = _media_type(exchange)
    if media_type == "application/json" or media_type.endswith("+json"):
        return PASSED
    got = f"{exchange.status} with JSON called {media_type or 'nothing'}"
    evidence = Evidence(expected=f"{exchange.status} called {promised}", got=got, exchange=exchange)
    return warn(evidence, "clients that go by Content-Type do not read this error")


def _err_8(_: World, exchange: Exchange) -> Judgement | None:
    value = exchange.json()
    if _media_type(exchange) != PROBLEM or not isinstance(value, Mapping):
        return None
    status, kind = value.get("status", exchange.status), value.get("type", "about:blank")
    wrong = []
    if status != exchange.status:
        wrong.append(f"`status` is {json.dumps(status)[:20]} in a response with {exchange.status}")
    if not isinstance(kind, str) or any(character.isspace() or character in '<>"' for character in kind):
        wrong.append("`type` is no URI reference")
    if not wrong:
        return PASSED
    evidence = Evidence(expected="a problem document that fits its response", got="; ".join(wrong), exchange=exchange)
    return fail(evidence, "the problem document says something else than its response")


# --- ERR-10 and ERR-12: fields that a status brings along ------------------------------------------------------------


def _err_10(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.status != NOT_ALLOWED:
        return None
    allow = exchange.header("Allow")
    if allow is None:
        evidence = Evidence(expected="405 with Allow", got="405 without Allow", exchange=exchange)
        if exchange.probe.method in WHOLESALE:
            return warn(evidence, "405 has to say which methods there are, though nobody asks after this one")
        return fail(evidence, "405 has to say which methods there are")
    missing = sorted(_proven_methods(world, exchange) - {method.strip().upper() for method in allow.split(",")})
    if not missing:
        return PASSED
    expected = f"405 with Allow that lists {', '.join(missing)}, which this path has served"
    return warn(Evidence(expected=expected, got=f"Allow: {allow[:60]}", exchange=exchange), "Allow leaves a method out")


def _proven_methods(world: World, exchange: Exchange) -> frozenset[str]:
    """Return the methods that the path of this request was seen to serve, if the request is spelled as documented."""
    specification = world.contract.specification
    operation = specification.operation(exchange.probe.operation) if exchange.probe.operation else None
    target = b"".join(part for part in exchange.probe.target if isinstance(part, bytes))
    if operation is None or not _fits(target.partition(b"?")[0].decode("latin-1"), operation.path):
        return frozenset()
    served = [specification.operation(name) for name, *_ in world.settings.proven]
    return frozenset(other.method for other in served if other is not None and other.path == operation.path)


def _fits(path: str, template: str) -> bool:
    """Tell whether a request's path ends like the template."""
    wanted = template.split("/")
    found = path.split("/")
    if len(found) < len(wanted):
        return False
    # The first piece of a template is empty, while the base URL's last one stands there.
    pairs = zip(found[-len(wanted) + 1 :], wanted[1:], strict=True)
    return all(have == want or (want.startswith("{") and have != "") for have, want in pairs)


def _err_12(_: World, exchange: Exchange) -> Judgement | None:
    if exchange.status != UPGRADE_REQUIRED:
        return None
    if exchange.header("Upgrade"):
        return PASSED
    evidence = Evidence(expected="426 with Upgrade", got="426 without Upgrade", exchange=exchange)
    return fail(evidence, "426 has to say which protocol is required")


CLAUSES = (
    Clause(
        id="ERR-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A refusal has the documented error body.",
        why="Clients branch on the code in the body; a framework's own error page breaks them.",
        how="Each 401 and 403 of the whole run is compared with the body that the policy gives for its cause, and "
        "another refusal that differs is a warning, unless a parser may have made it, or the policy has one with that "
        "status and any body. Texts that the policy calls examples may differ, more fields "
        "may be there, HEAD has no body.",
        fix="Make one function build every error body, and register it for the framework's own errors too.",
        passive=below_base(_err_5),
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
        passive=below_base(_err_9),
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1", "CORS-1"),
    ),
    Clause(
        id="ERR-7",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 4.1.1",),
        promise="An error in JSON is called JSON.",
        why="Clients choose their parser by Content-Type, and browsers show an error called HTML as a page.",
        how="Each refusal of the run whose body is JSON is looked at; another Content-Type than JSON, or none, is a "
        "warning. What is no JSON at all is ERR-5's.",
        fix="Set the type where the body is made, for the framework's own errors too.",
        passive=_err_7,
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1"),
    ),
    Clause(
        id="ERR-8",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9457 section 3.1.2",),
        promise="A problem document says the same status as its response.",
        why="Who reads the body believes one number, who reads the status line another.",
        how="Each response of the run called `application/problem+json` is looked at: a `status` other than the "
        "response's, or a `type` that is no URI reference, fails.",
        fix="Fill `status` from the response that is sent, last of all.",
        passive=_err_8,
        traffic=("AUTH-1", "AUTH-8", "SCOPE-1"),
        unseen="no response is a problem document",
    ),
    Clause(
        id="ERR-10",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 15.5.6", "RFC 9110 section 10.2.1"),
        promise="405 says which methods there are, in Allow.",
        why="It is how a client tells a wrong method from a wrong address.",
        how="Each 405 of the run is looked at. Without Allow it fails, or is a warning for CONNECT and TRACE, which "
        "web servers refuse for every path alike; an Allow that leaves out a method that the same path has served is a "
        "warning.",
        fix="Let the router answer 405, which knows its routes.",
        passive=below_base(_err_10),
        traffic=("METH-2",),
        unseen="no response says 405",
    ),
    Clause(
        id="ERR-12",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 15.5.22",),
        promise="426 says what to upgrade to, in Upgrade.",
        why="Without it the client knows that something is wrong with its protocol, and not what.",
        how="Each 426 of the run is looked at, above all those over plain HTTP. Without Upgrade it fails.",
        fix="Send `Upgrade: TLS/1.2, HTTP/1.1` with 426, or refuse with 403.",
        passive=_err_12,
        traffic=("TRANS-1",),
        unseen="no response says 426",
    ),
)
