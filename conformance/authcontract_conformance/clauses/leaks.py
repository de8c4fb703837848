"""LEAK: what must never stand in a response. All are passive: they look at every response of the whole run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Exchange, Key
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail
from authcontract_conformance.world._patterns import protected
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
        "whatever their case, also percent-encoded or in base64. A masked form with four characters is fine.",
        fix="Name a key by its id or its last four characters; never put request headers into an error message.",
        passive=_leak_1,
        traffic=("AUTH-8", "AUTH-9", "SCOPE-1"),
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
        cases=_leak_4_cases,
        passive=_leak_4,
        traffic=("AUTH-8",),
    ),
)
