"""ROUTE: one path has one spelling, and no other opens what that one keeps shut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TypeAlias
from urllib.parse import urlsplit

from authcontract_policy import Operation

from authcontract_conformance.clauses import _authority
from authcontract_conformance.clauses._authority import no_reads
from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.clauses._openings import almost, answerable, canonical, narrowest, public_path, reading
from authcontract_conformance.clauses._spellings import (
    GATED,
    ROUTED,
    SPELLINGS,
    Spelling,
    place,
    some,
    spelled,
    with_too_little,
)
from authcontract_conformance.clauses.http2 import over_http2
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Parts, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    SEVERITY,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    warn,
)
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import Attempt, bypasses, gained, protected, reading_operation
from authcontract_conformance.world._world import SAFE, Asking, Item, World

#: Up to so many operations are each tried with every common spelling.
MANY = 60
#: So many of more are tried, evenly chosen, with so few spellings each.
CHOSEN, FEW = 150, 2
#: Common spellings for each operation where there are not many.
USUAL = 3
#: Who asks, and how the path is spelled; None: somebody without a key.
Try: TypeAlias = tuple[Need | None, Spelling]


# --- ROUTE-1: spellings --------------------------------------------------------------------------------------------


def _otherwise(world: World, operation: Operation, key: Key | None, spelling: Spelling, item: Item) -> Probe:
    """Return the request with its path spelled otherwise; as it is where the path cannot be spelled so."""
    probe = canonical(world, operation, key, item)
    here = place(probe, operation, world.contract.base_path(world.environment), public_path(world))
    return spelled(probe, spelling, here) or replace(probe, label="as documented")


def _spelled(operation: Operation, tries: Sequence[Try], world: World) -> Steps:
    attempts: list[Attempt] = []
    for need, spelling in tries:
        key: Key | None = None if need is None else (yield Acquire(need))
        attempts.append(partial(_otherwise, world, operation, key, spelling))
    return (yield from bypasses(world, operation, attempts, method=operation.method))


def _tried(world: World) -> Iterator[tuple[Operation, tuple[Try, ...]]]:
    """Return each operation with how it is asked for: what shares a case is there for certain, or not at all.

    Of very many operations only some are tried, and those in few spellings.
    """
    operations, reader = answerable(world), next(iter(reading(world)), None)
    many = len(operations) > MANY
    step = max(1, len(operations) // CHOSEN) if many else 1
    wanted = FEW if many else USUAL
    everything = Capability.KEY_MANAGEMENT in world.settings.capabilities
    for number, operation in enumerate(operations[::step]):
        need = almost(world, operation)
        keyless, keyed = with_too_little(number, wanted) if need and everything else (some(number, wanted), ROUTED[:1])
        nobodys: tuple[Try, ...] = tuple((None, each) for each in keyless) if operation != reader else ()
        somebodys: tuple[Try, ...] = tuple((need, each) for each in keyed) if need is not None else ()
        yield from (
            ((operation, (*nobodys, *somebodys)),)
            if everything
            else (
                (operation, nobodys),
                (operation, somebodys),
            )
        )
    if reader is not None:
        yield reader, tuple((None, each) for each in SPELLINGS)
    closed = narrowest(world)
    if closed is not None:
        yield closed[0], tuple((closed[1], each) for each in GATED)


def _route_1(world: World) -> Iterable[Case]:
    for operation, tries in _tried(world):
        holders = dict.fromkeys("no key" if need is None else describe(need) for need, _ in tries)
        if tries:
            subject = f"{operation.label} with {' or '.join(holders)}, in {len(tries)} spellings"
            yield Case(subject, partial(_spelled, operation, tries))
    for operation, need, open_one in _elsewhere(world):
        who = "without a key" if need is None else f"with {describe(need)}"
        yield Case(f"{operation.label} {who}, named by a header", partial(_named, operation, need, open_one))
    yield from over_http2(world)


# --- ROUTE-1: a path in a header -----------------------------------------------------------------------------------

#: Headers in which a proxy tells an application which path was asked for, and some applications believe anybody.
FORWARDED = ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path")


def _elsewhere(world: World) -> Iterator[tuple[Operation, Need | None, Operation | None]]:
    """Return what is closed to somebody, with what is open to them by the same method; None: no path of the API."""
    yield from ((operation, None, None) for operation in reading(world))
    # What changes shows by its effect, whatever the answer looks like.
    ranked = sorted(answerable(world), key=lambda operation: (operation.method in SAFE, operation.method == "DELETE"))
    others = protected(world)
    pairs = (
        (operation, need, other)
        for operation in ranked
        if world.resources.reader(operation) is not None
        for need in world.access.insufficient(operation, world.environment)
        for other in others
        if other.method == operation.method and world.access.permits(other, need)
    )
    yield from islice(pairs, 1)


def _named(operation: Operation, need: Need | None, other: Operation | None, world: World) -> Steps:
    """Ask for what is open on the request line, and for what is closed in a header."""
    item = yield from world.item(operation)
    key: Key | None = None if need is None else (yield Acquire(need))
    proof = yield from world.proof(operation, item)
    documented = canonical(world, operation, key, item)
    line = b"/" if other is None else (yield from _line(world, other))
    first = documented.target[0]
    wanted = first if isinstance(first, bytes) else b""
    above, _, last = wanted.rpartition(b"/")
    names = tuple(((name.encode(),), (wanted,)) for name in FORWARDED)
    probes = (
        _with(documented, line, names, "the path in a header"),
        _with(documented, b"/" + last, (((b"X-Forwarded-Prefix",), (above,)),), "the path's beginning in a header"),
    )
    before = yield from world.snapshot(operation, item)
    exchanges: list[Exchange] = []
    for probe in probes:
        exchanges.append((yield probe))  # noqa: PERF401  a comprehension cannot yield
    after = yield from world.snapshot(operation, item)
    done = yield from world.took_effect(operation, item, (before, after), documented.canary, operation.method)
    shown = next((each for each in exchanges if _shows(world, each, item, proof, other)), None)
    if not done and shown is None:
        return PASSED
    guilty = shown or exchanges[0]
    what = f"{before.reader} shows that it was done" if done else "it shows what was planted there"
    got = f"{describe_exchange(guilty)}, and {what}"
    evidence = Evidence(expected=f"nothing of {operation.label}", got=got, exchange=guilty, control=proof)
    return fail(evidence, "a header named the path that was followed")


def _shows(world: World, exchange: Exchange, item: Item, proof: Exchange, other: Operation | None) -> bool:
    """Tell whether an answer shows what is closed; where the request line is open only the planted mark does."""
    if other is not None or world.expect(exchange.probe).allowed:
        return item.canary is not None and item.canary.encode() in exchange.body
    return gained(exchange, item, proof) is not None


def _line(world: World, operation: Operation) -> Asking[bytes]:
    """Return the path of an operation on an object of its own."""
    item = yield from world.item(operation)
    first = world.request(operation, None, item).target[0]
    return first if isinstance(first, bytes) else b"/"


def _with(probe: Probe, line: bytes, extra: tuple[tuple[Parts, Parts], ...], label: str) -> Probe:
    first, *rest = probe.target
    query = first.partition(b"?")[1:] if isinstance(first, bytes) and rest else ()
    return replace(probe, target=(line + b"".join(query), *rest), headers=(*probe.headers, *extra), label=label)


# --- ROUTE-5: the same for everybody -------------------------------------------------------------------------------

#: Spellings that a router may well be lenient about: then for everybody.
LENIENT = ("a slash at its end", "its last segment in upper case", "a doubled slash before its end")
#: Keys that are compared.
KEYS = 3


def _alike(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    yield from world.proof(operation, item)
    keys: list[Key] = []
    for need in _readers(world, operation):
        keys.append((yield Acquire(need)))  # noqa: PERF401  a comprehension cannot yield
    judged: list[Judgement] = []
    for spelling in (spelling for spelling in SPELLINGS if spelling.what in LENIENT):
        exchanges: list[Exchange] = []
        for key in keys:
            probe = _otherwise(world, operation, key, spelling, item)
            exchanges.append((yield probe))
        judged.append(_compared(exchanges, world.scheme))
    return min(judged, key=lambda judgement: SEVERITY.index(judgement.word), default=PASSED)


def _readers(world: World, operation: Operation) -> Iterable[Need]:
    """Return keys that may read, those that may write too among them."""
    own = world.access.sufficient(operation, world.environment)[:KEYS]
    changing = (other for other in answerable(world) if other.method not in SAFE)
    writers = (world.access.strongest(other, world.environment) for other in changing)
    more = (need for need in writers if need is not None and world.access.permits(operation, need))
    return dict.fromkeys((*own, *islice(more, 1)))


def _compared(exchanges: Sequence[Exchange], scheme: str) -> Judgement:
    """Judge the answers to one spelling with several keys that may: alike, and no redirect to where a key is lost."""
    lost = next((exchange for exchange in exchanges if exchange.broken), None)
    if lost is not None:
        return inconclusive(broken(lost))
    first = exchanges[0]
    for exchange in exchanges:
        problem = _led_astray(exchange, scheme)
        if problem is not None:
            expected = f"a redirect to the same host over {scheme.upper()}, or none"
            return warn(Evidence(expected=expected, got=f"{exchange.status} to {problem}", exchange=exchange), problem)
        if exchange.status // 100 != first.status // 100:
            got = f"{describe_exchange(exchange)} where another key that may gets {describe_exchange(first)}"
            evidence = Evidence(expected="the same for every key that may", got=got, exchange=exchange, control=first)
            return warn(evidence, f"{exchange.probe.label}: whether it is found depends on the key")
    return PASSED


def _led_astray(exchange: Exchange, scheme: str) -> str | None:
    """Return where a redirect takes a key that must not go there, or None.

    Plain HTTP is no worse than what was asked, where the target itself is called by it.
    """
    location = exchange.header("Location")
    if location is None or exchange.status // 100 != 3:  # noqa: PLR2004  RFC 9110 section 15.4
        return None
    try:
        wanted, own = urlsplit(location), urlsplit(f"//{exchange.authority}")
        host = wanted.hostname
    except ValueError:
        return "no address at all"
    if wanted.scheme == "http" and scheme == "https":
        return "plain HTTP"
    return "another host" if host is not None and host != own.hostname else None


def _route_5(_: World) -> Iterable[Case]:
    yield Case("lenient spellings with every key that may", _alike)
    yield Case("links for another Host", _authority.links)


CLAUSES = (
    Clause(
        id="ROUTE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("CWE-551", "CWE-647", "OWASP ASVS 4.1.3", "RFC 3986 section 6"),
        promise="No other spelling of a path opens what the documented one keeps shut.",
        why="What checks and what routes often read a path in two ways, and the difference is a door.",
        how="Each operation is asked for in the spellings that routers forgive most: a slash at the end and a suffix "
        "with a key that may almost, doubled slashes, upper case, encoded letters and dot segments without one, by "
        "turns. One that reads is asked for in every spelling of the table, one that a weak key may not call in those "
        "that gates stumble over; then the path stands in a proxy's header. Any answer will do, except the content, "
        "the change, or what a key that may sees.",
        fix="Decide on the very path that is routed, after it was decoded once; refuse what has two readings.",
        precedents=(
            "CVE-2016-5007 (Spring Security: a slash or space at the end)",
            "CVE-2021-31920 (Istio: doubled slashes)",
            "GHSA-x732-6j76-qmhm (better-auth: doubled slashes)",
            "CVE-2025-32431 (Traefik: /../)",
            "CVE-2019-9901 (Envoy: dot segments)",
            "CVE-2021-28164 (Jetty: %2e)",
            "CVE-2026-22031 (@fastify/middie: encoded letters)",
            "CVE-2024-31621 (Flowise: upper case)",
            "CVE-2022-22978 (Spring Security: line feeds)",
            "CVE-2025-54576 (oauth2-proxy: the query)",
            "CVE-2018-14773 (Symfony: X-Original-URL)",
        ),
        variants=(
            "V-P01",
            "V-P02",
            "V-P03",
            "V-P04",
            "V-P05",
            "V-P06",
            "V-P07",
            "V-P08",
            "V-P09",
            "V-P10",
            "V-P13",
            "V-P15",
        ),
        cases=_route_1,
    ),
    *_authority.CLAUSES,
    Clause(
        id="ROUTE-5",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("RFC 9110 section 15.4.9", "RFC 9110 section 15.4"),
        promise="Where a path is read leniently, it is so for every key, and no redirect or link leads a key astray.",
        why="A router that treats keys differently has two tables, and a redirect to plain HTTP sends the key along.",
        how="A slash at the end, upper case and a doubled slash are tried with each key that may read. All must be "
        "served, redirected or refused alike; a redirect may lead only to the same host over HTTPS, and no link to a "
        "host that only the caller's Host names. Anything else is a warning.",
        fix="Let one router decide before any key is looked at, redirect by path alone, and make links of a "
        "configured host.",
        precedents=("CVE-2012-4520 (Django: links of the caller's Host)",),
        variants=("V-P01", "V-P02", "V-P07"),
        inapplicable=no_reads,
        cases=_route_5,
    ),
)
