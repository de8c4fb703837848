"""LEAK: what a response gives away: a key, a trace of the server's insides, which keys were real."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from authcontract_policy import Cause, Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._dead import all_to_be_had
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Parts, bytes_of
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    warn,
)
from authcontract_conformance.world._patterns import protected, reading_operation
from authcontract_conformance.world._world import World

#: What only an unhandled error shows. Each is specific enough that no API says it on purpose.
TRACES: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a Python traceback", re.compile(rb"Traceback \(most recent call last\)")),
    ("a line of a Python traceback", re.compile(rb'File "[^"]{1,200}", line \d+, in ')),
    ("a JavaScript stack", re.compile(rb"\n\s+at [\w.<>$ ]{1,80} ?\(?[^\s()]{1,200}:\d+:\d+\)?")),
    ("a Java stack", re.compile(rb"\n\s+at [\w.$]{3,120}\([\w]{1,60}\.java:\d+\)")),
    ("a Go panic", re.compile(rb"goroutine \d+ \[running\]")),
    ("a PHP error", re.compile(rb"<b>(Fatal error|Warning)</b>: .{1,200} in <b>")),
    ("an SQL error", re.compile(rb"SQLSTATE\[|SQLITE_ERROR|psycopg2?\.|ORA-\d{5}")),
    ("a debug page", re.compile(rb"Werkzeug Debugger|DEBUG = True|Whoops\\Exception")),
)


def _leak_1(world: World, exchange: Exchange) -> Judgement | None:
    presented = exchange.probe.keys
    if not exchange.answered or not presented:
        return None
    vault = world.settings.vault
    text = b"\n".join((exchange.body, *(f"{name}: {value}".encode("latin-1") for name, value in exchange.headers)))
    shown = [key for key in vault.shown(text) if key in presented]
    if not shown:
        return PASSED
    evidence = Evidence(
        expected="a response without any part of the key that was sent",
        got=f"{exchange.status} with nine or more characters of key {shown[0]}",
        exchange=exchange,
    )
    if world.expect(exchange.probe).reading.problem is Cause.MALFORMED_REQUEST:
        # HTTP servers quote the line that they cannot read. No client that works ever sends such a line.
        return warn(evidence, "a line that is no HTTP is quoted in the refusal, and the key with it")
    return fail(evidence, "the response repeats the key")


def _leak_4(_: World, exchange: Exchange) -> Judgement | None:
    if not exchange.answered:
        return None
    for what, pattern in TRACES:
        if pattern.search(exchange.body):
            evidence = Evidence(
                expected="a response that says nothing of how the server is made",
                got=f"{exchange.status} with {what}",
                exchange=exchange,
            )
            return fail(evidence, f"the response shows {what}")
    return PASSED


#: Bodies that no parser likes, each for another reason.
BROKEN: tuple[tuple[str, bytes], ...] = (
    ("cut off", b'{"'),
    ("no UTF-8", b'{"name": "\xff\xfe"}'),
    ("of another type", b"[[[]]]"),
    ("a number without end", b'{"name": ' + b"9" * 400 + b"}"),
    ("deeper than anybody nests", b"[" * 3000 + b"]" * 3000),
)
#: Operations that are tried; a server has one parser for all.
TRIED = 3


def _broken_body(operation: Operation, what: str, body: bytes, world: World) -> Steps:
    item = yield from world.item(operation)
    key: Key = yield from world.key(operation)
    yield world.request(operation, key, item, body=body, label=f"a body that is {what}")
    return PASSED  # the response has been looked at like every other


def _leak_4_cases(world: World) -> Iterable[Case]:
    for operation in [op for op in protected(world) if op.request_body][:TRIED]:
        if world.access.strongest(operation, world.environment) is not None:
            for what, body in BROKEN:
                yield Case(
                    f"{operation.label} with a body that is {what}", partial(_broken_body, operation, what, body)
                )


# --- LEAK-2: keys that are none look alike ---------------------------------------------------------------------------

#: What differs between two answers to the same request: times, identifiers, lengths that follow from them.
UNSTABLE = frozenset({"date", "content-length", "etag", "age", "x-request-id", "x-response-time", "connection"})
NUMBERS = re.compile(rb"[0-9a-fA-F-]{8,}|\d+")


def _alike(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    yield from world.proof(operation, item)
    states = all_to_be_had(world)
    seen: dict[str, list[Exchange]] = {}
    for _ in range(2):
        for state in states:
            key: Key = yield Acquire(world.need(operation, state=state))
            exchange: Exchange = yield world.request(operation, key, item, label=f"{state} key")
            seen.setdefault(state, []).append(exchange)
    unknown, *others = states
    unstable = UNSTABLE | _changing(seen[unknown])
    for state in others:
        if any(exchange.broken for exchange in (*seen[unknown], *seen[state])):
            return inconclusive("the target did not answer each time")
        if _refusals(world, seen[state][0]) != _refusals(world, seen[unknown][0]):
            continue  # the contract itself tells them apart
        here, there = (_face(world, seen[which][0], unstable) for which in (state, unknown))
        if here != there and here == _face(world, seen[state][1], unstable):
            got = "; ".join(
                f"{name} differs" for name, one, other in zip(FACE, here, there, strict=True) if one != other
            )
            evidence = Evidence(
                expected=f"a key that is {state} answered like one that was never issued",
                got=got,
                exchange=seen[state][0],
                control=seen[unknown][0],
            )
            return warn(evidence, "the answer tells who tries keys which of them once opened something")
    return PASSED


FACE = ("the status", "the set of header fields", "the body")


def _refusals(world: World, exchange: Exchange) -> frozenset[tuple[tuple[int, ...], str | None]]:
    return frozenset((decision.statuses, decision.error) for decision in world.expect(exchange.probe).decisions)


def _changing(exchanges: list[Exchange]) -> frozenset[str]:
    """Return the fields that one kind of key gets now and not then."""
    names = [{name.lower() for name, _ in exchange.headers} for exchange in exchanges]
    return frozenset(names[0] ^ names[1])


def _face(world: World, exchange: Exchange, unstable: frozenset[str]) -> tuple[int, frozenset[str], bytes]:
    names = frozenset(name.lower() for name, _ in exchange.headers) - unstable
    return exchange.status, names, NUMBERS.sub(b"", world.settings.vault.hide(exchange.body))


# --- LEAK-5: a key, a name or a value that no parser likes -----------------------------------------------------------

#: What some comparison, decoder or hash raises an error for, each for another reason.
ODD: tuple[tuple[str, bytes], ...] = (
    ("bytes beyond ASCII", b"\xe9\xfc\xdf\xff"),
    ("no UTF-8", b"\xc3\x28\xf0\x9f"),
    ("an emoji", "\N{KEY}".encode()),
    ("longer than bcrypt takes", b"a" * 100),
    ("the form of a token with claims", b"e30.e30.e30"),
    ("base64 that is none", b"====="),
    ("4,000 characters", b"k" * 4000),
)


def _odd_keys(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    sent_as = world.policy.keys.sent_as[0]
    before, _, after = (part.encode() for part in sent_as.template.partition("<key>"))
    for what, text in ODD:
        lines: tuple[tuple[Parts, Parts], ...] = (((sent_as.name.encode(),), (before + text + after,)),)
        exchange: Exchange = yield world.request(operation, None, item, lines=lines, label=f"a key that is {what}")
        if exchange.answered and exchange.broken:  # the driver has sent it three times by now (R6)
            got = f"{exchange.status} for a key that is {what}"
            evidence = Evidence(expected="a refusal", got=got, exchange=exchange, control=proof)
            return warn(evidence, "what a stranger sends for a key must not reach an error that nobody handles")
    return PASSED


#: What some column, number or decoder does not take, as it stands in a path, and in a query.
IN_PATHS: tuple[tuple[str, bytes], ...] = (
    ("300 characters", b"x" * 300),
    ("3,000 characters", b"x" * 3000),
    ("a number of 40 digits", b"9" * 40),
    ("the character 0", b"%00"),
)
IN_QUERIES: tuple[tuple[str, bytes], ...] = (
    ("a number of 40 digits", b"9" * 40),
    ("an emoji", b"%F0%9F%94%91"),
)


def _odd_values(world: World) -> Steps:
    """Send values that nobody expects with a key that may: as the name of an object, and for a query parameter."""
    reading = [op for op in protected(world) if op.method == "GET" and world.access.strongest(op, world.environment)]
    named = reading_operation(world)
    if named.path.endswith("}"):
        for what, text in IN_PATHS:
            found = yield from _with_value(world, named, f"{what} in the path", in_path=text)
            if found is not PASSED:
                return found
    asked = next(((op, name) for op in reading for name in _optional(op) if not world.resources.steps(op)), None)
    if asked is not None:
        operation, name = asked
        for what, text in IN_QUERIES:
            pair = f"{name}=".encode() + text
            found = yield from _with_value(world, operation, f"{what} for `{name}`", in_query=pair)
            if found is not PASSED:
                return found
    return PASSED


def _optional(operation: Operation) -> list[str]:
    """Return the query parameters that a request need not have."""
    return [each.name for each in operation.parameters if each.where == "query" and not each.required]


def _with_value(world: World, operation: Operation, what: str, *, in_path: bytes = b"", in_query: bytes = b"") -> Steps:
    item = yield from world.item(operation)
    key: Key = yield from world.key(operation)
    query = (in_query,) if in_query else ()
    probe = world.request(operation, key, item, query=query, label=what)
    if in_path:
        path, mark, rest = bytes_of(probe.target[:1]).partition(b"?")
        there = path.rpartition(b"/")[0] + b"/" + in_path + mark + rest
        probe = replace(probe, target=(there, *probe.target[1:]))
    exchange: Exchange = yield probe
    if not (exchange.answered and exchange.broken):
        return PASSED
    control = yield from world.control(operation, item)
    if not control.succeeded:
        return inconclusive("the operation is not served with usual values either")
    evidence = Evidence(
        expected="any answer but an error of the server",
        got=f"{exchange.status} for {what}",
        exchange=exchange,
        control=control,
    )
    return warn(evidence, "a value at the edge of what fits reaches an error that nobody handles")


def _leak_5(world: World) -> Iterable[Case]:
    if world.policy.keys.sent_as[0].carrier == "header":
        yield Case("texts that no parser likes in the place of a key", _odd_keys)
    yield Case("values at the edge of what fits, with a key", _odd_values)


CLAUSES = (
    Clause(
        id="LEAK-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 14.2.6", "OWASP ASVS 16.5.1"),
        promise="No response repeats the key that was sent, in whole or in part.",
        why="Responses are logged, cached and pasted into tickets where a request's headers are not.",
        how="Each response's headers and body are searched for any nine characters in a row of the keys in its "
        "request, "
        "whatever their case, also percent-encoded or in base64. A masked form with four characters is fine. Where the "
        "request was no HTTP, which no client sends, it is a warning.",
        fix="Name a key by its id or its last four characters; never put request headers into an error message.",
        passive=_leak_1,
        precedents=(
            "CVE-2022-29266 (APISIX: a secret in an error message)",
            "CVE-2026-48039 (meta-ads-mcp: a token in an error body)",
        ),
        variants=("V-L01",),
        traffic=("AUTH-8", "AUTH-9", "SCOPE-1"),
    ),
    Clause(
        id="LEAK-2",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("CWE-204", "OWASP ASVS 6.3.8"),
        promise="Keys that open nothing are all answered alike.",
        why="Whoever tries leaked keys learns which ones were real, and asks elsewhere for their successors.",
        how="A key that was never issued, a revoked and an expired one ask twice for the same object. Where the policy "
        "gives them one answer, a status, a set of fields or a body that differs each time is a warning; numbers and "
        "identifiers in it may differ.",
        fix="Refuse a key by its absence from the list of valid ones, and word all such refusals in one place.",
        variants=("V-L02",),
        cases=lambda _: [Case("keys that are unknown, revoked and expired", _alike)],
    ),
    Clause(
        id="LEAK-4",
        level=Level.MUST,
        basis=Basis.HARDENING,
        sources=("OWASP ASVS 16.5.1", "CWE-209"),
        promise="No response shows a stack trace, a debug page or a database error.",
        why="They tell an attacker which library to look up, and sometimes the secrets around it.",
        how="Operations with a body get broken ones from a key that may, and each response of the whole run is "
        "searched for "
        "the marks of unhandled errors of common stacks.",
        fix="Turn debugging off, and let the outermost handler answer with the common error body.",
        variants=("V-L04",),
        cases=_leak_4_cases,
        passive=_leak_4,
        traffic=("AUTH-8",),
    ),
    Clause(
        id="LEAK-5",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("CWE-248", "OWASP API8:2023"),
        promise="No text in the place of a key, a name or a value makes the server fail.",
        why="Comparisons that want ASCII, hashes that stop at 72 bytes and columns of 255 raise errors that nobody has "
        "tried.",
        how="Texts that some decoder, comparison or hash cannot take are sent in the place of the key; with a key, "
        "names and values that are too long, too large or of strange characters go into one path and one query. 5xx "
        "three times in a row is a warning; any refusal, or a closed connection, passes.",
        fix="Refuse what has not the form of a key, a name or a value before anything is decoded or looked up; compare "
        "bytes, not texts.",
        variants=("V-C22",),
        cases=_leak_5,
    ),
)
