"""CORS: browsers of strangers get nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Exchange, Key, Parts, Probe
from authcontract_conformance.oracle._oracle import broken
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, inconclusive, warn
from authcontract_conformance.world._patterns import bypasses, protected, reading_operation
from authcontract_conformance.world._world import Item, World

#: Nobody's: the name is kept for documentation (RFC 2606).
STRANGER = "https://stranger.example"
ALLOW_ORIGIN, ALLOW_HEADERS = "Access-Control-Allow-Origin", "Access-Control-Allow-Headers"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
CHANGING = ("DELETE", "PATCH", "PUT", "POST")


def _lines(**fields: str) -> tuple[tuple[Parts, Parts], ...]:
    return tuple(((name.replace("_", "-").encode(),), (value.encode(),)) for name, value in fields.items())


# --- CORS-1 --------------------------------------------------------------------------------------------------------


def _from_elsewhere(world: World, *, with_key: bool) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    key: Key | None = (yield from world.key(operation)) if with_key else None
    probe = world.request(operation, key, item, extra=_lines(Origin=STRANGER), label=f"a page of {STRANGER}")
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    allowed = (exchange.header(ALLOW_ORIGIN) or "").strip()
    if allowed not in (STRANGER, "*"):
        return PASSED
    credentials = (exchange.header(ALLOW_CREDENTIALS) or "").strip().lower() == "true"
    got = f"{ALLOW_ORIGIN}: {allowed}" + (f" with {ALLOW_CREDENTIALS}: true" if credentials else "")
    evidence = Evidence(expected=f"no {ALLOW_ORIGIN} for a stranger", got=got, exchange=exchange)
    if credentials and allowed == STRANGER:
        return fail(evidence, "any page may call the API with what its visitor's browser holds, and read the answer")
    return warn(evidence, "any page may read what it gets here, so keys will be put into pages")


def _cors_1(_: World) -> Iterable[Case]:
    yield Case("a read from a page of a stranger", partial(_from_elsewhere, with_key=True))
    yield Case("a refusal to a page of a stranger", partial(_from_elsewhere, with_key=False))


# --- CORS-2 --------------------------------------------------------------------------------------------------------


def _preflight(operation: Operation, world: World) -> Steps:
    attempts = [partial(_preflighted, world, operation, origin) for origin in (STRANGER, "null")]
    return (yield from bypasses(world, operation, attempts))


def _preflighted(world: World, operation: Operation, origin: str, item: Item) -> Probe:
    fields = _lines(
        Origin=origin,
        Access_Control_Request_Method=operation.method,
        Access_Control_Request_Headers="authorization, content-type",
    )
    return world.request(
        operation,
        None,
        item,
        method="OPTIONS",
        canary=world.canary(),
        extra=fields,
        label=f"preflight for {operation.method} from {origin}",
    )


def _cors_2(world: World) -> Iterable[Case]:
    seen = set()
    for operation in protected(world):
        if operation.method in (*CHANGING, "GET") and operation.method not in seen and _watched(world, operation):
            seen.add(operation.method)
            yield Case(f"preflight for {operation.label}", partial(_preflight, operation))


def _watched(world: World, operation: Operation) -> bool:
    """Tell whether an effect, or what is shown, could be seen: on an object that the run makes."""
    steps = world.resources.steps(operation)
    makes = bool(steps) and steps[-1].creator is not None
    return world.access.strongest(operation, world.environment) is not None and (
        makes or (operation.method == "POST" and not steps and world.resources.reader(operation) is not None)
    )


def _nothing_to_watch(world: World) -> str | None:
    return None if any(True for _ in _cors_2(world)) else "nothing would show that a preflight did something"


# --- CORS-3 --------------------------------------------------------------------------------------------------------


def _cors_3(_: World, exchange: Exchange) -> Judgement | None:
    asked = any(b"Access-Control-Request-Headers" in name for name, _ in exchange.probe.headers)
    if not asked or not exchange.succeeded or not exchange.header(ALLOW_ORIGIN):
        return None
    listed = {name.strip().lower() for name in (exchange.header(ALLOW_HEADERS) or "").split(",")}
    if "authorization" in listed:
        return PASSED
    got = f"{ALLOW_HEADERS}: {exchange.header(ALLOW_HEADERS) or '(none)'}"
    evidence = Evidence(expected=f"{ALLOW_HEADERS} that lists authorization", got=got[:100], exchange=exchange)
    return warn(evidence, "`*` does not stand for Authorization, so the pages that are let in cannot send their key")


CLAUSES = (
    Clause(
        id="CORS-1",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP ASVS 3.4.2", "OWASP API8:2023"),
        promise="A page of a stranger may not read what the API answers.",
        why="A server that repeats whatever Origin it is sent lets every page act for its visitor.",
        how="A read and a refusal are asked for with the Origin of a stranger. The same origin back, with credentials "
        "allowed, fails; without, or `*`, is a warning.",
        fix="Send no CORS fields, or list the origins that are yours.",
        cases=_cors_1,
    ),
    Clause(
        id="CORS-2",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.3.7", "Fetch standard, CORS preflight"),
        promise="A preflight does nothing and shows nothing.",
        why="Browsers send it without a key; a router that takes the method from it carries out what was asked about.",
        how="OPTIONS without a key asks about each method by `Access-Control-Request-Method`, on an object of its own. "
        "Any answer passes, a change or protected data fails.",
        fix="Answer preflights before routing, from the list of methods alone.",
        inapplicable=_nothing_to_watch,
        cases=_cors_2,
    ),
    Clause(
        id="CORS-3",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("Fetch standard, CORS non-wildcard request-header name",),
        promise="Where pages of others are let in, they may send their key.",
        why="The wildcard leaves Authorization out, so that it works with curl and with no browser.",
        how="Each answer to a preflight that lets an origin in must name `authorization`; otherwise it is a warning.",
        fix="List `Authorization` in Access-Control-Allow-Headers.",
        passive=_cors_3,
        traffic=("CORS-2",),
        unseen="no preflight is answered with an origin that is let in",
    ),
)
