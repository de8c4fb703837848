"""Other ways to dress the same request, which must change nothing about who may send it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Exchange, Parts, Probe, bytes_of
from authcontract_conformance.oracle._oracle import Expectation

Line: TypeAlias = tuple[Parts, Parts]
TAKING = (b"POST", b"PUT", b"PATCH")
#: What a correct server may say to a dressing before it looks at keys: that it does not give such answers (RFC 9110
#: section 15.5.7), does not take such bodies, or misses one.
NOT_GIVEN = 406
NO_SUCH_TYPE = frozenset({400, 415})
BODY_MISSED = frozenset({400, 411, 415, 422})


@dataclass(frozen=True, slots=True)
class Dressing:
    """One way to send the same request."""

    what: str
    change: Callable[[Probe], Probe]


def _without(probe: Probe, *names: bytes) -> tuple[Line, ...]:
    return tuple(line for line in probe.headers if bytes_of(line[0]).lower() not in names)


def _accepting(value: bytes | None) -> Callable[[Probe], Probe]:
    """Return what asks for this kind of answer; None: for none."""

    def change(probe: Probe) -> Probe:
        if value is None:
            return replace(probe, headers=_without(probe, b"accept"))
        lines = ((n, (value,)) if bytes_of(n).lower() == b"accept" else (n, v) for n, v in probe.headers)
        return replace(probe, headers=tuple(lines))

    return change


def _with_charset(probe: Probe) -> Probe:
    lines = (
        (n, (*v, b"; charset=utf-8")) if bytes_of(n).lower() == b"content-type" else (n, v) for n, v in probe.headers
    )
    return replace(probe, headers=tuple(lines))


def _without_body(probe: Probe) -> Probe:
    kept = _without(probe, b"content-type", b"content-length")
    return replace(probe, body=(), headers=(*kept, ((b"Content-Length",), (b"0",))))


CHARSET = Dressing("its content type with a charset", _with_charset)
NO_BODY = Dressing("without its body", _without_body)
#: What the answer is asked to be; curl asks for anything, and many a library for nothing.
ANSWERS = (
    Dressing("any answer accepted", _accepting(b"*/*")),
    Dressing("an HTML page accepted", _accepting(b"text/html")),
    Dressing("no Accept", _accepting(None)),
)


def contents(operation: Operation) -> tuple[Dressing, ...]:
    """Return the other ways to send what the operation takes; none where it takes nothing."""
    if not operation.request_body:
        return ()
    json = all("json" in media for media in operation.request_body)
    return (*((CHARSET,) if json else ()), *(() if operation.body_required else (NO_BODY,)))


def dressings(operations: Iterable[Operation], least: int = 1) -> dict[str, tuple[Dressing, ...]]:
    """Return, by operation, how to dress it, a way for each other content: the answers take turns by method.

    What is sent and what is asked for depend on each other nowhere, so that one request tries both.
    """
    turns: dict[str, int] = {}
    found: dict[str, tuple[Dressing, ...]] = {}
    for operation in operations:
        others = contents(operation)
        both: list[Dressing] = []
        for number in range(max(least, len(others))):
            turn = turns[operation.method] = turns.get(operation.method, -1) + 1
            answer = ANSWERS[turn % len(ANSWERS)]
            both.append(_both(others[number % len(others)], answer) if others else answer)
        found[operation.id] = tuple(both)
    return found


def _both(content: Dressing, answer: Dressing) -> Dressing:
    return Dressing(f"{content.what}, {answer.what}", lambda probe: answer.change(content.change(probe)))


def not_taken(exchange: Exchange, expectation: Expectation) -> bool:
    """Tell whether a dressed request was refused for its dress, or rightly with a page where a page was asked for."""
    if exchange.succeeded or exchange.broken:
        return False
    probe = exchange.probe
    fields = {bytes_of(name).lower(): bytes_of(value) for name, value in probe.headers}
    found: set[int] = set()
    if fields.get(b"accept") == b"text/html":
        found |= {NOT_GIVEN, *(status for decision in expectation.decisions for status in decision.statuses)}
    if b"charset=" in fields.get(b"content-type", b""):
        found |= NO_SUCH_TYPE
    if probe.method in TAKING and b"content-type" not in fields:
        found |= BODY_MISSED
    return exchange.status in found
