"""ROUTE-2 to ROUTE-4: which host is meant, and what is no well-formed request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._openings import alone, canonical, narrowest, public_path, reading
from authcontract_conformance.exchange._exchange import HOST, Acquire, Exchange, Key, Need, Parts, Probe
from authcontract_conformance.oracle._verdict import PASSED, Basis, Level, warn
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import Attempt, bypasses, equivalent, gained, reading_operation
from authcontract_conformance.world._world import Item, World

#: A host that is nobody's (RFC 2606).
ELSEWHERE = b"elsewhere.example"


# --- ROUTE-2: absolute-form ----------------------------------------------------------------------------------------


def _absolute(probe: Probe, scheme: bytes, authority: Parts, label: str) -> Probe:
    return replace(probe, target=(scheme + b"://", *authority, *probe.target), label=label)


def _absolute_open(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield from world.key(operation)
    documented, scheme = canonical(world, operation, key, item), world.scheme.encode()
    probe = _absolute(documented, scheme, HOST, "the whole address on the request line")
    reason = "the whole address on the request line is refused, though every server has to accept it"
    return (yield from equivalent(world, probe, control, reason=reason, binding=False))


#: How the whole address is given where it must open nothing.
ADDRESSES: tuple[tuple[str, bytes, Parts], ...] = (
    ("the whole address", b"https", HOST),
    ("the whole address as plain HTTP", b"http", HOST),
    ("the address of localhost", b"https", (b"localhost",)),
    ("the address of another host", b"https", (ELSEWHERE,)),
)


def _absolute_attempt(  # noqa: PLR0913  one address for one request
    world: World, operation: Operation, key: Key | None, label: str, scheme: bytes, authority: Parts, item: Item
) -> Probe:
    probe = _absolute(canonical(world, operation, key, item), scheme, authority, label)
    return alone(probe, f"{label}{', weak key' if key else ''}")


def _absolute_shut(operation: Operation, need: Need | None, world: World) -> Steps:
    key: Key | None = None if need is None else (yield Acquire(need))
    attempts = [partial(_absolute_attempt, world, operation, key, *address) for address in ADDRESSES]
    return (yield from bypasses(world, operation, attempts, method=operation.method))


def _route_2(world: World) -> Iterable[Case]:
    yield Case("a key that may", _absolute_open)
    for operation in reading(world):
        yield Case(f"{operation.label} without a key", partial(_absolute_shut, operation, None))
    closed = narrowest(world)
    if closed is not None:
        yield Case(f"{closed[0].label} with {describe(closed[1])}", partial(_absolute_shut, *closed))


# --- ROUTE-3: Host -------------------------------------------------------------------------------------------------


def _hosts(world: World) -> Iterator[tuple[str, tuple[Parts, ...]]]:
    """Return what stands in the place of the Host line: nothing, two, none of a host's form."""
    public = public_path(world)
    yield "no Host", ()
    yield "an empty Host", ((b"",),)
    yield "two Hosts", (HOST, (ELSEWHERE,))
    yield "two Hosts, its own last", ((ELSEWHERE,), HOST)
    yield "a Host with a public path", ((*HOST, public + b"?"),)
    yield "a Host with a fragment", ((*HOST, public + b"#"),)
    yield "a Host with a user", ((b"x@", *HOST),)
    yield "a Host with a space", ((*HOST, b" ", ELSEWHERE),)


def _good_hosts(world: World) -> Iterator[tuple[str, tuple[Parts, ...]]]:
    """Return Hosts of the right form that an allow-list may not know in this spelling."""
    named = next(iter(world.policy.base_url.values()), None)
    host = (urlsplit(named or "").hostname or "").encode()
    if not re.search(rb"[a-z]", host):
        host = b"localhost"  # an address has no case
    yield "Host in upper case", ((host.upper(),),)
    yield "Host with a dot at its end", ((host + b".",),)
    yield "Host localhost", ((b"localhost",),)
    yield "another Host", ((ELSEWHERE,),)


def _hosted(  # noqa: PLR0913  one Host for one request
    world: World, operation: Operation, key: Key | None, label: str, hosts: tuple[Parts, ...], item: Item
) -> Probe:
    probe = canonical(world, operation, key, item)
    rest = tuple(line for line in probe.headers if line[0] != (b"Host",))
    lines = tuple(((b"Host",), host) for host in hosts)
    return alone(replace(probe, headers=(*lines, *rest)), label)


def _old(world: World, operation: Operation, item: Item) -> Probe:
    probe = _hosted(world, operation, None, "HTTP/1.0 without Host", (), item)
    return replace(probe, protocol="1.0")


def _host_shut(world: World) -> Steps:
    operation = reading_operation(world)
    kinds = (*_hosts(world), *_good_hosts(world))
    attempts: list[Attempt] = [partial(_hosted, world, operation, None, *kind) for kind in kinds]
    return (yield from bypasses(world, operation, [*attempts, partial(_old, world, operation)]))


def _host_refused(world: World) -> Steps:
    """Send what has no clear host with a key that may: carrying it out anyway is a warning."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield from world.key(operation)
    served: list[Exchange] = []
    kinds = [kind for kind in _hosts(world) if kind[0] in ("no Host", "two Hosts", "a Host with a public path")]
    for label, hosts in kinds:
        exchange: Exchange = yield _hosted(world, operation, key, label, hosts, item)
        if gained(exchange, item, control) is not None:
            served.append(exchange)
    if served:
        names = ", ".join(exchange.probe.label for exchange in served)
        expectation = world.expect(served[0].probe)
        return warn(expectation.evidence(served[0], control), f"served, though nobody can say for which host: {names}")
    return PASSED


def links(world: World) -> Steps:
    """Ask for a host that is nobody's, and see whether links in the answers lead there (host header poisoning)."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    key: Key = yield from world.key(operation)
    for who, shown in (("no key", None), ("a key that may", key)):
        label = f"another Host, {who}"
        exchange: Exchange = yield _hosted(world, operation, shown, label, ((ELSEWHERE,),), item)
        links = exchange.body + (exchange.header("Link") or "").encode()
        if exchange.answered and b"//" + ELSEWHERE in links:
            evidence = world.expect(exchange.probe).evidence(exchange, got="a link to the host that the caller named")
            return warn(evidence, "a link leads where the caller's Host says, and a cache may hand it to others")
    return PASSED


def _route_3(_: World) -> Iterable[Case]:
    yield Case("Host without a key", _host_shut)
    yield Case("Host with a key that may", _host_refused)


# --- ROUTE-4: what is no request -----------------------------------------------------------------------------------


def _heads(world: World) -> Iterator[tuple[str, Callable[[Probe], Probe]]]:
    """Return requests that are not well-formed; each is made of the documented one."""
    public = public_path(world)
    yield "a fragment", partial(_retargeted, b"", b"#x")
    yield "a fragment with a suffix", partial(_retargeted, b"", b"#.css")
    yield "a fragment after a public path", partial(_retargeted, public + b"#/..", b"")
    yield "a bare CR in a header", partial(_odd_line, b"x\rX-Y: z")
    yield "a folded header", partial(_odd_line, b"x\r\n y")
    yield "a folded header that looks like another", partial(_odd_line, b"x\r\n X-Y: z")
    yield "a bare LF in a header", partial(_odd_line, b"x\nX-Y: z")
    yield "empty lines before it", _preceded
    yield "HTTP/0.9", _oldest


def _retargeted(before: bytes, after: bytes, probe: Probe) -> Probe:
    first, *rest = probe.target
    path, mark, query = (first if isinstance(first, bytes) else b"").partition(b"?")
    return replace(probe, target=(before + path + after + mark + query, *rest))


def _odd_line(value: bytes, probe: Probe) -> Probe:
    return replace(probe, headers=(*probe.headers, ((b"X-Note",), (value,))))


def _preceded(probe: Probe) -> Probe:
    return replace(probe, method=b"\r\n" + probe.method)


def _oldest(probe: Probe) -> Probe:
    return replace(probe, protocol="0.9", headers=(), body=())


def _no_request(  # noqa: PLR0913  one alteration of one request
    world: World, operation: Operation, key: Key | None, label: str, change: Callable[[Probe], Probe], item: Item
) -> Probe:
    return alone(change(canonical(world, operation, key, item)), label)


def _heads_shut(operation: Operation, need: Need | None, world: World) -> Steps:
    key: Key | None = None if need is None else (yield Acquire(need))
    heads = [(label, change) for label, change in _heads(world) if need is None or "fragment" in label]
    attempts = [partial(_no_request, world, operation, key, label, change) for label, change in heads]
    return (yield from bypasses(world, operation, attempts, method=operation.method))


def _route_4(world: World) -> Iterable[Case]:
    for operation in reading(world):
        yield Case(f"{operation.label} without a key", partial(_heads_shut, operation, None))
    closed = narrowest(world)
    if closed is not None:
        yield Case(f"{closed[0].label} with {describe(closed[1])}", partial(_heads_shut, *closed))


def no_reads(world: World) -> str | None:
    """Say that nothing can be read, where that is so."""
    return None if any(True for _ in reading(world)) else "no operation reads with a key"


CLAUSES = (
    Clause(
        id="ROUTE-2",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9112 section 3.2.2",),
        promise="A whole address on the request line is read as its path, and what else it says is not trusted.",
        why="Scheme and host on the request line are the client's words: whoever trusts them lets strangers name them.",
        how="A key that may sends the whole address: a refusal is a warning. Without a key, and with a key that may "
        "too little, it is sent with the own host, as plain HTTP, for localhost and for another host: an effect or "
        "protected content fails.",
        fix="Take path and query from an absolute address and decide as ever; take the scheme from the connection.",
        variants=("V-P11",),
        inapplicable=no_reads,
        cases=_route_2,
    ),
    Clause(
        id="ROUTE-3",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9112 section 3.2", "RFC 9110 section 7.2"),
        promise="A request whose host nobody can name is refused, and no Host opens a path.",
        why="Frameworks build the address of a request from Host and path, and checked the address; with a path in the "
        "Host that is another address than the one they route.",
        how="Without a key: no Host, an empty one, two, one with a path, a fragment, a user or a space in it, one in "
        "upper case, localhost, another host, and HTTP/1.0 without any; content fails. With a key that may, a success "
        "without a clear host is a warning.",
        fix="Answer 400 to a missing, repeated or malformed Host, and decide on the path of the request line alone.",
        precedents=(
            "CVE-2026-48710 (Starlette: a path in Host)",
            "CVE-2026-48746 (vLLM: the same)",
            "CVE-2026-49468 (LiteLLM: the same)",
            "CVE-2021-39155 (Istio: case of Host)",
        ),
        variants=("V-P12", "V-P16"),
        inapplicable=no_reads,
        cases=_route_3,
    ),
    Clause(
        id="ROUTE-4",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9112 section 2.2", "RFC 9112 section 3.2", "RFC 9112 section 5.2"),
        promise="A request that is not well-formed opens nothing.",
        why="Each server repairs such a request in its own way, and the one that checks may repair it otherwise than "
        "the one that serves.",
        how="Without a key: a fragment on the request line, a bare CR or LF and a folded line in a header, empty lines "
        "before it, a line of HTTP/0.9; fragments also with a key that may too little. It may be refused or repaired; "
        "content or an effect fails.",
        fix="Answer 400, or repair it once, in front of everything that looks at it.",
        precedents=("CVE-2021-39156 (Istio: fragment)", "CVE-2023-45539 (HAProxy: fragment)"),
        variants=("V-P14", "V-P16"),
        inapplicable=no_reads,
        cases=_route_4,
    ),
)
