"""TRANS: HTTPS only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from authcontract_policy import Cause, Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Delivery, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Level, fail, inconclusive
from authcontract_conformance.world._patterns import gained, protected, reading_operation
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._world import Asking, Item, World


def _over_plaintext(world: World, operation: Operation, state: str) -> Asking[tuple[Exchange, Probe, str | None]]:
    """Send a request that TLS would serve over plaintext, with a key that is spent on it (R9)."""
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield Acquire(world.need(operation, state=state, own=True))
    probe = replace(world.request(operation, key, item, label=f"plain HTTP, {state} key"), channel="plain")
    exchange: Exchange = yield probe
    return exchange, control.probe, item.canary


def _never_served(operation: Operation, state: str, world: World) -> Steps:
    exchange, _, canary = yield from _over_plaintext(world, operation, state)
    if exchange.delivery in (Delivery.REFUSED, Delivery.CLOSED):
        return PASSED  # the same request was served over TLS just before, so the host is up
    if not exchange.answered:
        return inconclusive(broken(exchange))
    shown = canary is not None and canary.encode() in exchange.body
    if exchange.succeeded or shown:
        return fail(world.expect(exchange.probe).evidence(exchange), "plain HTTP was served")
    return PASSED


def _who_may_most(world: World) -> Need:
    """Return a key that may read, and call as much else as any such key may: what it may not is refused for that."""
    reading, open_to = reading_operation(world), world.access.permits
    needs = world.access.sufficient(reading, world.environment)
    most = max(needs, key=lambda need: sum(open_to(operation, need) for operation in protected(world)))
    return replace(most, own=True)


def _everywhere(world: World) -> Asking[list[tuple[Operation, str, Exchange]]]:
    """Send every operation over plaintext with one key that is spent on it, on objects that do not exist (R9).

    Each comes with the canary that its body carried.
    """
    key: Key = yield Acquire(_who_may_most(world))
    found: list[tuple[Operation, str, Exchange]] = []
    for operation in protected(world):
        if not world.resources.steps(operation) or operation.method == "GET":
            canary = world.canary()
            probe = world.request(operation, key, canary=canary, label=f"{operation.label} over plain HTTP")
            found.append((operation, canary, (yield replace(probe, channel="plain"))))
    return found


def _none_is_served(world: World) -> Steps:
    """Send everything in clear; then look over TLS, once for each reader, whether a refused change was made."""
    sent = yield from _everywhere(world)
    for _, _, exchange in sent:
        if exchange.succeeded:
            return fail(world.expect(exchange.probe).evidence(exchange), "plain HTTP was served")
    nobody = Item(parameters={}, environment=world.environment)
    looks: dict[str, Snapshot] = {}
    for operation, canary, exchange in sent:
        reader = world.resources.reader(operation)
        if reader is None or world.resources.steps(reader) or not world.settings.sampler.carries(operation):
            continue
        if reader.id not in looks:
            looks[reader.id] = yield from world.snapshot(operation, nobody)
        if canary in looks[reader.id].content:
            got = f"{describe_exchange(exchange)}, and {reader.label} over TLS shows that it was done"
            return fail(world.expect(exchange.probe).evidence(exchange, got=got), "plain HTTP was carried out")
    return PASSED


def _none_is_redirected(world: World) -> Steps:
    for _, _, exchange in (yield from _everywhere(world)):
        if 300 <= exchange.status < 400:  # noqa: PLR2004  RFC 9110 section 15.4
            return fail(world.expect(exchange.probe).evidence(exchange), "a plain HTTP request was redirected")
    return PASSED


def _at_the_port_of_tls(world: World) -> Steps:
    """Speak plain HTTP where TLS is expected: whoever mistypes the port must not be served either."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield Acquire(world.need(operation, own=True))
    probe = replace(world.request(operation, key, item, label="plain HTTP at the port of TLS"), channel="clear")
    exchange: Exchange = yield probe
    if exchange.delivery is Delivery.TIMEOUT:
        return inconclusive(broken(exchange))
    shown = gained(exchange, item, control)
    if shown is None:
        return PASSED
    return fail(world.expect(probe).evidence(exchange, control, f"{exchange.status} with {shown}"), "it was served")


def _trans_1(world: World) -> Iterable[Case]:
    operation = reading_operation(world)
    for state in ("active", "unknown"):
        yield Case(f"{operation.label} over plain HTTP, {state} key", partial(_never_served, operation, state))
    writer = next((op for op in protected(world) if op.method == "POST" and not world.resources.steps(op)), None)
    if writer is not None and world.access.strongest(writer, world.environment) is not None:
        yield Case(f"{writer.label} over plain HTTP", partial(_never_served, writer, "active"))
    yield Case("every operation over plain HTTP", _none_is_served)
    yield Case("plain HTTP at the port of TLS", _at_the_port_of_tls)


def _never_redirected(world: World) -> Steps:
    exchange, _, _ = yield from _over_plaintext(world, reading_operation(world), "active")
    if exchange.delivery in (Delivery.REFUSED, Delivery.CLOSED):
        return PASSED
    if not exchange.answered:
        return inconclusive(broken(exchange))
    if 300 <= exchange.status < 400:  # noqa: PLR2004  RFC 9110 section 15.4
        evidence = world.expect(exchange.probe).evidence(exchange)
        return fail(evidence, "a redirect hides that the key has already crossed the network in clear")
    return PASSED


def _trans_2(_: World) -> Iterable[Case]:
    yield Case("a request over plain HTTP", _never_redirected)
    yield Case("every operation over plain HTTP", _none_is_redirected)


def _redirect_is_documented(world: World) -> str | None:
    for row in world.policy.errors.values():
        if Cause.PLAINTEXT in row.when and any(300 <= status < 400 for status in row.statuses):  # noqa: PLR2004
            return "the policy documents a redirect"
    return None


CLAUSES = (
    Clause(
        id="TRANS-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 12.2.1", "draft-ietf-httpapi-privacy"),
        promise="Nothing is served or carried out over plain HTTP.",
        why="Whoever forgot the s has shown the key to everybody on the way, and nothing tells them.",
        how="What works over TLS is sent over the plaintext port, with a key that is used for nothing else "
        "afterwards. A success fails, and so does a change that its list or its reader shows over TLS, whatever the "
        "answer was; no listener, a closed connection and any refusal pass.",
        fix="Let no listener on port 80 reach the API, or let it refuse everything.",
        variants=("V-T01", "V-T04"),
        needs=frozenset({Capability.PLAINTEXT}),
        cases=_trans_1,
    ),
    Clause(
        id="TRANS-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 4.1.2", "draft-ietf-httpapi-privacy"),
        promise="Plain HTTP is refused, not redirected.",
        why="With a redirect the client works, and sends its key in clear with each request for years.",
        how="A request over the plaintext port that is answered by a redirect fails, unless the policy documents one. "
        "The "
        "redirect is not followed.",
        fix="Answer 403 on the plaintext port of an API, or do not listen there.",
        needs=frozenset({Capability.PLAINTEXT}),
        inapplicable=_redirect_is_documented,
        cases=_trans_2,
    ),
)
