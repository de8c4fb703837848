"""Paths and names as only HTTP/2 can say them, for the promise that no other spelling opens what one keeps shut.

Where HTTP/1.1 has one line, HTTP/2 has four pseudo-headers, and a front end that turns them back into a line decides
what it says (RFC 9113 section 8.3.1). Each trick is a set of fields, sent exactly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability, Case, Steps
from authcontract_conformance.exchange._exchange import HOST, Exchange, Parts, Probe, bytes_of
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Word, fail
from authcontract_conformance.world._patterns import Attempt, bypasses, reading_operation
from authcontract_conformance.world._world import Item, World

#: A path that a proxy may let everybody see, where the contract has none.
PUBLIC = b"/health"
#: A name that proxies often trust: requests to it come from themselves.
ELSEWHERE = b"localhost"


@dataclass(frozen=True, slots=True)
class Request:
    """What a trick is made of: the fields of the canonical request, apart."""

    method: bytes
    path: Parts
    #: A path that needs no key.
    public: bytes
    rest: tuple[tuple[Parts, Parts], ...]


Field = tuple[bytes, Parts]


@dataclass(frozen=True, slots=True)
class Trick:
    """One way to say it: what is special, and the pseudo-headers, or whatever else stands first."""

    what: str
    fields: Callable[[Request], tuple[Field, ...]]
    #: True: a public path is asked for as well, and its answer shows nothing.
    public: bool = False


def _usual(request: Request, path: Parts, *, scheme: Parts = (b"https",), name: Parts = HOST) -> tuple[Field, ...]:
    return ((b":method", (request.method,)), (b":scheme", scheme), (b":authority", name), (b":path", path))


TRICKS = (
    Trick("a fragment behind the path", lambda r: _usual(r, (*r.path, b"#x"))),
    Trick(
        "a public path, and the way back behind its fragment",
        lambda r: _usual(r, (r.public, b"#/..", *r.path)),
        public=True,
    ),
    Trick("a URL for a path", lambda r: _usual(r, (b"https://", *HOST, *r.path))),
    Trick("a URL of elsewhere for a path", lambda r: _usual(r, (b"http://", ELSEWHERE, *r.path))),
    Trick("a path without its first slash", lambda r: _usual(r, (bytes_of(r.path).lstrip(b"/"),))),
    Trick("an empty path", lambda r: _usual(r, ())),
    Trick("another name beside Host", lambda r: (*_usual(r, r.path, name=(ELSEWHERE,)), (b"host", HOST))),
    Trick("Host of elsewhere beside the name", lambda r: (*_usual(r, r.path), (b"host", (ELSEWHERE,)))),
    Trick("two names", lambda r: (*_usual(r, r.path), (b":authority", (ELSEWHERE,)))),
    Trick("two paths, the public one first", lambda r: (*_usual(r, (r.public,)), (b":path", r.path)), public=True),
    Trick("two paths, the public one last", lambda r: (*_usual(r, r.path), (b":path", (r.public,))), public=True),
    Trick(
        "a URL for a scheme",
        lambda r: _usual(r, (r.public,), scheme=(b"https://", *HOST, *r.path, b"?")),
        public=True,
    ),
)


def exactly(probe: Probe, fields: tuple[Field, ...], label: str) -> Probe:
    """Return the probe as these fields, then its own header lines but Host; its target stays what is meant."""
    own = tuple(
        ((bytes_of(name).lower(),), value) for name, value in probe.headers if bytes_of(name).lower() != b"host"
    )
    first = tuple(((name,), value) for name, value in fields)
    return replace(probe, headers=(*first, *own), protocol="2", label=label)


def _attempt(world: World, operation: Operation, trick: Trick, item: Item) -> Probe:
    """Return the canonical request without a key, said in this way."""
    probe = world.request(operation, None, item)
    request = Request(probe.method, probe.target, _public(world), probe.headers)
    return exactly(probe, trick.fields(request), trick.what)


def _public(world: World) -> bytes:
    base = world.contract.base_path(world.environment).encode()
    found = (op for op in world.operations if world.access.public(op) and op.method == "GET" and "{" not in op.path)
    return base + next((op.path.encode() for op in found), PUBLIC)


def _tricks(world: World) -> Steps:
    operation = reading_operation(world)
    attempts: list[Attempt] = [partial(_attempt, world, operation, trick) for trick in TRICKS if not trick.public]
    judged = yield from bypasses(world, operation, attempts)
    return judged if judged.word is not Word.PASS else (yield from _openly(world, operation))


def _openly(world: World, operation: Operation) -> Steps:
    """Try what asks for something public too: only what was planted in the object tells whose answer came."""
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    for trick in (trick for trick in TRICKS if trick.public and item.canary is not None):
        exchange: Exchange = yield _attempt(world, operation, trick, item)
        if item.canary is not None and item.canary.encode() in exchange.body:
            got = f"{describe_exchange(exchange)} with the object's content"
            expected = f"nothing of {operation.label}"
            evidence = Evidence(expected=expected, got=got, exchange=exchange, control=proof)
            return fail(evidence, "protected data was shown")
    return PASSED


def over_http2(world: World) -> Iterable[Case]:
    """Return what there is to try where the target offers HTTP/2."""
    if Capability.HTTP2 in world.settings.capabilities:
        yield Case("paths and names as only HTTP/2 says them", _tricks, protocol="2")
