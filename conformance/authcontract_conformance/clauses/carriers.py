"""AUTH: where else a request may try to say who it is, and must not be heard."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from typing import Any

from authcontract_policy import Cause, Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._each import Keys, each, open_to_some, some, turned, unless_open
from authcontract_conformance.clauses._ways import (
    HEADERS,
    QUERY_NAMES,
    SCHEMES,
    TRUST,
    apart,
    bare,
    by,
    claiming,
    everything,
    in_form,
    in_headers,
    in_query,
    undocumented,
)
from authcontract_conformance.clauses.presentation import no_header
from authcontract_conformance.exchange._exchange import Acquire, Action, Credential, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Level,
    fail,
    inconclusive,
    unspecified,
    warn,
)
from authcontract_conformance.world._patterns import (
    Attempt,
    bypasses,
    glance,
    protected,
    reading_operation,
)
from authcontract_conformance.world._world import Item, World


def _unheard(world: World, operation: Operation, keys: Keys) -> Generator[Action, Any, bool]:
    """Send a key in every undocumented place and every claim at once; tell whether that is refused as without a key.

    If it is, nobody listens to any of them there, and the three clauses that ask need no request of their own.
    """
    place = ("unheard", f"{operation.id} {world.environment} {world.protocol}")
    if place not in world.settings.spent:
        key = yield from keys(world.need(operation, own=True))
        nobody = Item(parameters={}, environment=world.environment)
        probe = everything(world, operation, key, undocumented(world, HEADERS), _query_names(world), nobody)
        exchange: Exchange = yield probe
        expectation = world.expect(probe)
        known = world.settings.proven.get((operation.id, world.environment, world.protocol))
        quiet = not exchange.broken and expectation.refused and expectation.accepts(exchange)
        if known is None or not known.succeeded:
            return False
        world.settings.spent[place] = quiet
    return bool(world.settings.spent[place])


# --- AUTH-10: the query ---------------------------------------------------------------------------------------------


def _query_names(world: World) -> tuple[str, ...]:
    offered = {sent_as.name for sent_as in world.policy.keys.sent_as if sent_as.carrier == "query"}
    return tuple(name for name in QUERY_NAMES if name not in offered)


def _one_name_each(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, own=True))
    attempts: list[Attempt] = [partial(in_query, world, operation, key, (name,)) for name in _query_names(world)]
    judged = yield from bypasses(world, operation, attempts)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, None)))


def _query_of(world: World, operation: Operation, keys: Keys) -> Steps:
    if (yield from _unheard(world, operation, keys)):
        return PASSED
    key = yield from keys(world.need(operation, own=True))
    names = _query_names(world)
    alone: list[Attempt] = [partial(in_query, world, operation, key, (name,)) for name in names]
    judged = yield from glance(world, operation, partial(in_query, world, operation, key, names), alone)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, None)))


def _auth_10(world: World) -> Iterable[Case]:
    yield Case("a key in the query", _one_name_each)
    yield Case("a key in the query of each operation", partial(each, turned(some(open_to_some(world)), 0), _query_of))


# --- AUTH-11: other headers, cookies, forms and schemes -------------------------------------------------------------


def _other_schemes(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, own=True))
    attempts: list[Attempt] = [partial(by, world, operation, key, way) for way in undocumented(world, SCHEMES)]
    judged = yield from bypasses(world, operation, attempts)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, None)))


def _in_a_form(operation: Operation, world: World) -> Steps:
    key: Key = yield Acquire(world.need(operation, own=True))
    judged = yield from bypasses(world, operation, [partial(in_form, world, operation, key)])
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, None)))


def _headers_of(world: World, operation: Operation, keys: Keys) -> Steps:
    if operation != reading_operation(world) and (yield from _unheard(world, operation, keys)):
        return PASSED
    key = yield from keys(world.need(operation, own=True))
    ways = undocumented(world, HEADERS)
    alone: list[Attempt] = [partial(in_headers, world, operation, key, (way,)) for way in ways]
    judged = yield from glance(world, operation, partial(in_headers, world, operation, key, ways), alone)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, None)))


def _auth_11(world: World) -> Iterable[Case]:
    yield Case("a key under another scheme", _other_schemes)
    operations = open_to_some(world)
    for method in ("GET", "POST"):
        # What takes no body is not refused for the form's sake.
        fitting = [op for op in operations if op.method == method]
        chosen = next((op for op in fitting if not op.request_body), next(iter(fitting), None))
        if chosen is not None:
            yield Case(f"a key in a form, {chosen.label}", partial(_in_a_form, chosen))
    yield Case("a key in other headers of each operation", partial(each, turned(some(operations), 1), _headers_of))


# --- AUTH-12: conflicting credentials -------------------------------------------------------------------------------


def _on_two_lines(world: World, operation: Operation, item: Item, keys: tuple[Key, Key], label: str) -> Probe:
    lines = tuple(part for key in keys for part in world.present(Credential(key.id)))
    return world.request(operation, keys[0], item, lines=lines, canary=world.canary(), label=label)


def _unknown_and_valid(operation: Operation, first: str, world: World) -> Steps:
    """Send an unknown key and a valid one, each on a line of its own."""
    item = yield from world.item(operation)
    valid: Key = yield Acquire(world.need(operation))
    unknown: Key = yield Acquire(world.need(operation, state="unknown"))
    order = (valid, unknown) if first == "valid" else (unknown, valid)
    probe = _on_two_lines(world, operation, item, order, f"{operation.label}, two lines, the {first} key first")
    return (yield from _ambiguous(world, operation, item, probe))


def _two_lines_of(world: World, operation: Operation, keys: Keys, first: str = "unknown") -> Steps:
    """Send two keys to an operation, and look closely only if that is not refused as it should be."""
    valid = yield from keys(world.need(operation))
    unknown = yield from keys(world.need(operation, state="unknown"))
    order = (valid, unknown) if first == "valid" else (unknown, valid)
    item = Item(parameters={}, environment=world.environment)
    if (operation.id, world.environment, world.protocol) not in world.settings.proven:
        item = yield from world.item(operation)
    yield from world.proof(operation, item)
    exchange: Exchange = yield _on_two_lines(world, operation, item, order, f"{operation.label}, two keys")
    if exchange.status in REFUSED:
        return PASSED
    return (yield from _unknown_and_valid(operation, first, world))


def _joined(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    valid: Key = yield Acquire(world.need(operation))
    unknown: Key = yield Acquire(world.need(operation, state="unknown"))
    (name, first), (_, second) = (world.present(Credential(key.id))[0] for key in (unknown, valid))
    lines = ((name, (*first, b", ", *second)),)
    probe = world.request(operation, valid, item, lines=lines, label="two keys on one line")
    return (yield from _ambiguous(world, operation, item, probe))


def _weak_and_strong(operation: Operation, weak: Need, first: str, world: World) -> Steps:
    """Send a key that may and one that may not, on an operation that tells them apart."""
    item = yield from world.item(operation)
    strong_key: Key = yield Acquire(world.need(operation))
    weak_key: Key = yield Acquire(weak)
    order = (weak_key, strong_key) if first == "weak" else (strong_key, weak_key)
    probe = _on_two_lines(world, operation, item, order, f"two keys, the {first}er first")
    return (yield from _ambiguous(world, operation, item, probe))


#: How a request with two credentials may be refused: as one that is wrong, or as one without a credential.
REFUSED = (400, 401)


def _ambiguous(world: World, operation: Operation, item: Item, probe: Probe) -> Steps:
    """Judge two credentials in one request: any 400 or 401 will do; acceptance is what the contract makes of it."""
    proof = yield from world.proof(operation, item)
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.status in REFUSED:
        return PASSED
    expectation = world.expect(probe)
    if not exchange.succeeded:
        return unspecified(f"refused in another way: {describe_exchange(exchange)}")
    if expectation.allowed or not proof.succeeded:
        return PASSED if expectation.allowed else inconclusive("a key that may was not served either")
    if expectation.open is not None:
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    control = yield from world.control(operation, (yield from world.another(operation, item)))
    rows = [row.name for row in world.policy.errors.values() if Cause.CONFLICTING in row.when]
    stated = any(not world.assumed(("errors", name)) for name in rows)
    reason = "two different credentials were accepted, so that a proxy and the application may each follow another"
    evidence = expectation.evidence(exchange, control)
    return fail(evidence, reason) if stated else warn(evidence, reason)


def _auth_12(world: World) -> Iterable[Case]:
    yield Case("two keys on one line", _joined)
    for first, start in (("unknown", 0), ("valid", 1)):
        # Each operation is tried in one order, and every other one in the other.
        chosen = some(open_to_some(world))[start::2]
        yield Case(
            f"two lines, the {first} key first",
            partial(each, chosen, partial(_two_lines_of, first=first)),
            again=False,
        )
    for operation in protected(world):
        weak = next(iter(world.access.insufficient(operation, world.environment)), None)
        if weak is not None and operation.method == "GET":
            for first in ("weak", "strong"):
                subject = f"{operation.label}, the {first}er key first"
                yield Case(subject, partial(_weak_and_strong, operation, weak, first))
            return


# --- AUTH-15: headers that claim a right ----------------------------------------------------------------------------


def _claims_of(world: World, operation: Operation, keys: Keys, *, with_key: bool) -> Steps:
    """Claim every right at once, without a key or with one that may not."""
    key: Key | None = None
    if with_key:
        need = next(iter(world.access.insufficient(operation, world.environment)), None)
        if need is None:
            return PASSED
        key = yield from keys(need)
    elif operation != reading_operation(world) and (yield from _unheard(world, operation, keys)):
        return PASSED
    alone: list[Attempt] = [partial(claiming, world, operation, key, (claim,)) for claim in TRUST]
    judged = yield from glance(world, operation, partial(claiming, world, operation, key, TRUST), alone)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, key)))


def _claims_apart(who: str, world: World) -> Steps:
    """Claim rights one after the other where one header would hide another."""
    operation, key = reading_operation(world), None
    if who != "no key":
        closed = yield from _closed_to_somebody(world)
        if closed is None:
            return PASSED
        operation, key = closed
    attempts: list[Attempt] = [partial(claiming, world, operation, key, (claim,)) for claim in apart(world)]
    judged = yield from bypasses(world, operation, attempts)
    return (yield from unless_open(world, operation, judged, partial(bare, world, operation, key)))


def _closed_to_somebody(world: World) -> Generator[Action, Any, tuple[Operation, Key] | None]:
    """Return an operation and a key that may not call it, whatever the silences are answered; reading is cheaper."""
    for operation in sorted(open_to_some(world), key=lambda op: op.method != "GET"):
        for need in world.access.insufficient(operation, world.environment)[:1]:
            key: Key = yield Acquire(need)
            expectation = world.expect(world.request(operation, key))
            if expectation.refused and expectation.open is None:
                return operation, key
    return None


def _auth_15(world: World) -> Iterable[Case]:
    operations = turned(some(open_to_some(world)), 2)
    yield Case("rights claimed without a key", partial(each, operations, partial(_claims_of, with_key=False)))
    yield Case("rights claimed with a key that may not", partial(each, operations, partial(_claims_of, with_key=True)))
    for who in ("no key", "a key that may not"):
        yield Case(f"headers that hide each other, {who}", partial(_claims_apart, who))


CLAUSES: tuple[Clause, ...] = (
    Clause(
        id="AUTH-10",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9700 section 4.3.2", "OWASP ASVS 14.2.1"),
        promise="A key in the query string opens nothing.",
        why="Query strings end in logs, histories and Referer headers.",
        how="A key of its own is sent under each name that frameworks know (`access_token`, `api_key` …) and nowhere "
        "else: one by one to one operation, all at once to each. Any refusal will do; whoever gets anything fails.",
        fix="Read keys from the documented place only.",
        precedents=(
            "GitHub, 2020 (API: keys in the query were switched off)",
            "CVE-2026-47768 (nebula-mesh: a new key stood in the address of a redirect)",
        ),
        variants=("V-C12",),
        cases=_auth_10,
    ),
    Clause(
        id="AUTH-11",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 6.3.4", "RFC 6750 section 2"),
        promise="A key in a cookie, a form, another header or under another scheme opens nothing.",
        why="A way in that nobody documented is one that nobody watches: cookies bring forged requests with them, and "
        "proxies log headers that they do not know as secret.",
        how="A key of its own is sent in every header and cookie that frameworks know, all at once, to each "
        "operation; under other schemes and in a form to one. Any refusal will do; whoever gets anything fails, and "
        "the header that did it is found one by one.",
        fix="Take the key from the documented header and scheme, and ask no library to look anywhere else.",
        variants=("V-C08", "V-C09", "V-C13"),
        cases=_auth_11,
    ),
    Clause(
        id="AUTH-12",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 5.3", "RFC 6750 section 3.1"),
        promise="Two different credentials in one request gain nothing.",
        why="Where a proxy follows the first and the application the last, the pair is a way around both.",
        how="An unknown key and a valid one, in one order or the other to each operation and on one line, and a "
        "weaker key with a stronger one: 400 and 401 pass; acceptance fails where the documentation says what a "
        "conflict answers; where the policy says it by itself, or only assumes it, it is a warning.",
        fix="Refuse a request that carries more than one credential before looking any of them up.",
        precedents=("irees pull request 23 (proxy: two lines joined by a comma, of which the last key counted)",),
        variants=("V-C10", "V-C11"),
        inapplicable=no_header,
        cases=_auth_12,
        again_over_http2=True,
    ),
    Clause(
        id="AUTH-15",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 4.1.3", "OWASP ASVS 6.3.4"),
        promise="No other header says who somebody is or what they may do.",
        why="Proxies tell the programs behind them in headers who is calling; anybody can write the same headers.",
        how="Headers that claim a user, a role, an internal caller, a near address or a debugging session are sent to "
        "each operation, all at once, without a key and with one that may not. Whoever gets anything fails; then each "
        "header is tried by itself. Those that would hide another one are sent to one operation one by one.",
        fix="Strip such headers at the edge, also in their spelling with underscores, and believe none behind it.",
        precedents=(
            "CVE-2026-30820 (Flowise: x-request-from)",
            "CVE-2025-29927 (Next.js: x-middleware-subrequest)",
            "CVE-2025-64484 (oauth2-proxy: underscores)",
            "CVE-2015-0219 (Django: underscores)",
            "CVE-2025-48865 (Fabio: Connection names headers to drop)",
            "CVE-2024-47070 (authentik: X-Forwarded-For that cannot be read)",
        ),
        variants=("V-C28", "V-C29", "V-C30"),
        cases=_auth_15,
    ),
)
