"""PREC: what is found out first, where several things are wrong at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from authcontract_engine import Body, Object
from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._openings import answerable
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Judgement,
    Level,
    inconclusive,
    unspecified,
    warn,
)
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import summed
from authcontract_conformance.world._world import Item, World

#: A segment that no specification has.
NOWHERE = "authcontract-no-such-path"
#: Up to so many operations are each tried; of more, so many.
MANY = 60


# --- PREC-1: a stranger learns that a key is missing, and no more ---------------------------------------------------


def _strange(world: World) -> Iterable[tuple[Probe, Reality]]:
    """Return requests without a key that have something else wrong with them too."""
    operations = answerable(world)
    nobody = Item(parameters={}, environment=world.environment)
    first = next((op for op in operations if op.method == "GET"), operations[0])
    known = world.request(first, None, nobody)
    base = world.contract.base_path(world.environment)
    where = (f"{base}/{NOWHERE}".encode(),)
    yield replace(known, target=where, label="a path that is not there"), Reality()
    taken = {op.method for op in world.contract.specification.operations if op.path == first.path}
    other = next((method for method in ("DELETE", "PATCH", "PUT", "POST") if method not in taken), None)
    if other is not None:
        yield world.request(first, None, nobody, method=other, label=f"{other}, which the path has not"), Reality()
    sent = next((op for op in operations if op.request_body), None)
    if sent is not None:
        broken_body = world.request(sent, None, nobody, body=b'{"', label="a broken body")
        yield broken_body, Reality(body=Body.INVALID, object="unknown")
    inside = next((op for op in operations if "{" in op.path), None)
    if inside is not None:
        absent = world.request(inside, None, nobody, label="an object that is not there")
        yield absent, Reality(object=Object.ABSENT)


def _nothing_learnt(world: World) -> Steps:
    judged: list[tuple[str, Judgement]] = []
    probes = list(_strange(world))
    for probe, reality in probes:
        exchange: Exchange = yield probe
        judged.append((probe.label, _told(world, exchange, reality)))
    return summed(judged, len(probes))


def _told(world: World, exchange: Exchange, reality: Reality) -> Judgement:
    if exchange.broken:
        return inconclusive(broken(exchange))
    expectation = world.expect(exchange.probe, reality)
    if expectation.allowed or expectation.accepts(exchange) or exchange.status in (401, 403):
        return PASSED
    silence = expectation.silence(exchange)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target answers {describe_exchange(exchange)}")
    both = expectation.two_silences(exchange)
    if both is not None:
        return unspecified(f"{both} are only assumed; the target answers {describe_exchange(exchange)}")
    reason = "without a key, something else than that is answered"
    return warn(expectation.evidence(exchange), reason)


def _prec_1(world: World) -> Iterable[Case]:
    if answerable(world):
        yield Case("requests without a key that are wrong otherwise too", _nothing_learnt)


# --- PREC-4: rights before objects ---------------------------------------------------------------------------------


def _absent(operation: Operation, need: Need, world: World) -> Steps:
    """Ask with too little for what is not there; only where that is not refused as documented, for what is there."""
    key: Key = yield Acquire(need)
    nobody = Item(parameters={}, environment=world.environment)
    probe = world.request(operation, key, nobody, canary=world.canary(), label="an object that is not there")
    exchange: Exchange = yield probe
    expectation = world.expect(probe, Reality(object=Object.ABSENT))
    if exchange.broken:
        return inconclusive(broken(exchange))
    if expectation.accepts(exchange):
        return PASSED
    item = yield from world.item(operation)
    if not item.exists:
        return inconclusive("there is no object to compare with")
    there: Exchange = yield world.request(operation, key, item, canary=world.canary(), label="an object that is there")
    if there.broken:
        return inconclusive(broken(there))
    if there.status == exchange.status:
        return PASSED
    silence = expectation.silence(exchange)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target answers {describe_exchange(exchange)}")
    got = f"{describe_exchange(exchange)} where it is {describe_exchange(there)} for an object that is there"
    return warn(expectation.evidence(exchange, there, got), "a key that may not call it learns which objects there are")


def _prec_4(world: World) -> Iterable[Case]:
    found = [
        (operation, need)
        for operation in answerable(world)
        for need in world.access.insufficient(operation, world.environment)[:1]
        if "{" in operation.path
    ]
    for operation, need in found[:: -(-len(found) // MANY) or 1]:
        yield Case(f"{operation.label} with {describe(need)}", partial(_absent, operation, need))


def _nobody_denied(world: World) -> str | None:
    return None if any(True for _ in _prec_4(world)) else "no operation on one object is closed to any key"


CLAUSES = (
    Clause(
        id="PREC-1",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("OWASP API8:2023", "RFC 9110 section 15.5.2"),
        promise="Who shows no key learns that a key is missing, whatever else is wrong.",
        why="Different answers draw strangers a map: which paths there are, which methods, what a body must hold.",
        how="Without a key: a path that is not there, a method that the path has not, a broken body, "
        " an object that is not there. The answer must be what the policy's order of checks makes of it; any "
        "other is a warning.",
        fix="Look for a key before routing, or let the router answer strangers as it answers those without a key.",
        cases=_prec_1,
    ),
    Clause(
        id="PREC-4",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "CWE-204"),
        promise="Who may not call an operation is told so, whether the object is there or not.",
        why="An object that is looked up before the key's rights tells anybody with a key which ids exist.",
        how="A key that may too little asks for an object that is not there. The refusal for the missing right passes; "
        "otherwise the same is asked of an object that is there, and a difference is a warning.",
        fix="Check the scope before the object is loaded.",
        variants=("V-L05",),
        inapplicable=_nobody_denied,
        cases=_prec_4,
    ),
)
