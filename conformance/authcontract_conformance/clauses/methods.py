"""METH: which method counts, and that nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Parts
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Judgement, Level, Word, fail, inconclusive
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import World

KNOWN = ("GET", "POST", "PUT", "PATCH", "DELETE")
CHANGING = frozenset({"PUT", "PATCH", "DELETE"})
NOT_SUPPORTED = (403, 405, 501)


# --- METH-1: HEAD --------------------------------------------------------------------------------------------------


def _head(operation: Operation, who: str, need: Need | None, world: World) -> Steps:
    """HEAD must not open what GET keeps shut, whoever asks."""
    item = yield from world.item(operation)
    key: Key | None = (yield Acquire(need)) if need is not None else None
    get: Exchange = yield world.request(operation, key, item, label=f"GET, {who}")
    probe = world.request(operation, key, item, method="HEAD", label=f"HEAD, {who}")
    head: Exchange = yield probe
    if get.broken or head.broken:
        return inconclusive(broken(get if get.broken else head))
    expectation = world.expect(probe)
    if head.succeeded and not get.succeeded:
        got = f"{describe_exchange(head)} where GET answers {describe_exchange(get)}"
        return fail(expectation.evidence(head, get, got), "HEAD opens what GET keeps shut")
    if head.status == get.status or head.status in NOT_SUPPORTED:
        return PASSED
    reason = f"HEAD answers {head.status}, GET {get.status}"
    return Judgement(word=Word.WARN, reason=reason, evidence=expectation.evidence(head, get))


def _meth_1(world: World) -> Iterable[Case]:
    for operation in protected(world):
        if operation.method == "GET":
            yield Case(f"{operation.path} without a key", partial(_head, operation, "no key", None))
            for need in world.access.insufficient(operation, world.environment)[:1]:
                yield Case(f"{operation.path} with too little", partial(_head, operation, "a key that may not", need))
            for need in world.access.sufficient(operation, world.environment)[:1]:
                yield Case(f"{operation.path} with a key", partial(_head, operation, "a key that may", need))


# --- METH-2: methods that are not there ----------------------------------------------------------------------------


def _undocumented(operation: Operation, method: str, world: World) -> Steps:
    item = yield from world.item(operation)
    if method in CHANGING and world.resources.steps(operation):
        world.spare(item)
    key: Key = yield from world.key(operation)
    content = world.settings.sampler.content(operation, method, world.canary())
    before = yield from world.snapshot(operation, item, method)
    probe = world.request(operation, key, item, method=method, body=content, label=f"{method} is not documented here")
    exchange: Exchange = yield probe
    after = yield from world.snapshot(operation, item, method)
    expectation = world.expect(probe)
    if (yield from world.took_effect(operation, item, (before, after), probe.canary, method)):
        got = f"{describe_exchange(exchange)}, and {before.reader} shows a change"
        return fail(expectation.evidence(exchange, got=got), "an undocumented method was carried out")
    judgement = expectation.judge(exchange, reason="an undocumented method is served")
    if judgement.word is Word.FAIL and not exchange.succeeded:
        return Judgement(
            word=Word.WARN, reason="refused, but not as a method that is not there", evidence=judgement.evidence
        )
    return judgement


def _meth_2(world: World) -> Iterable[Case]:
    documented = {(op.method, op.path) for op in world.contract.specification.operations}
    seen = set()
    for operation in protected(world):
        if operation.method != "GET" or operation.path in seen or world.resources.reader(operation) is None:
            continue
        seen.add(operation.path)
        for method in KNOWN:
            if (method, operation.path) not in documented:
                yield Case(f"{method} {operation.path}", partial(_undocumented, operation, method))


# --- METH-6: overrides ---------------------------------------------------------------------------------------------

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


def _overridden(operation: Operation, need: Need, verb: str, header: str | None, world: World) -> Steps:
    """Ask for a method that the key may not use by a header, or in the query, of one that it may send."""
    item = yield from world.item(operation)
    if world.resources.steps(operation):
        world.spare(item)
    key: Key = yield Acquire(need)
    canary = world.canary()
    reader = world.resources.reader(operation)
    if reader is None:
        return inconclusive("nothing shows whether the object changed")
    extra: tuple[tuple[Parts, Parts], ...] = ()
    query: Parts = ()
    body = world.settings.sampler.content(operation, operation.method, canary) if verb == "POST" else b""
    if header is None:
        query = (b"_method=" + operation.method.encode(),)
    else:
        extra = (((header.encode(),), (operation.method.encode(),)),)
    before = yield from world.snapshot(operation, item)
    how = f"{header}: {operation.method}" if header else f"?_method={operation.method}"
    probe = world.request(
        operation, key, item, method=verb, body=body, extra=extra, query=query, label=f"{verb} with {how}"
    )
    exchange: Exchange = yield probe
    after = yield from world.snapshot(operation, item)
    if not (yield from world.took_effect(operation, item, (before, after), probe.canary, operation.method)):
        return inconclusive(broken(exchange)) if exchange.broken else PASSED
    expectation = world.expect(probe)
    got = f"{describe_exchange(exchange)}, and {before.reader} shows that it was done"
    return fail(expectation.evidence(exchange, got=got), f"{operation.method} was carried out under another method")


def _meth_6(world: World) -> Iterable[Case]:
    chosen: dict[str, tuple[Operation, Need]] = {}
    for operation in protected(world):
        needs = world.access.insufficient(operation, world.environment)
        if operation.method in ("DELETE", "PATCH", "PUT") and needs and world.resources.reader(operation):
            chosen.setdefault(operation.method, (operation, needs[-1]))
    for operation, need in chosen.values():
        for verb in ("GET", "POST"):
            for header in (*OVERRIDES, None):
                how = f"by {header}" if header else "by ?_method="
                subject = f"{operation.label} asked for {how} of {verb}"
                yield Case(subject, partial(_overridden, operation, need, verb, header))


def _nothing_denied(world: World) -> str | None:
    return None if any(True for _ in _meth_6(world)) else "no changing operation is closed to any key"


def _no_reads(world: World) -> str | None:
    return None if any(op.method == "GET" for op in protected(world)) else "no operation reads with a key"


CLAUSES = (
    Clause(
        id="METH-1",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.3.2",),
        promise="HEAD is refused whenever GET is.",
        why="Checks that list GET and POST let HEAD through; once it deleted a role, once it granted access.",
        how="Each operation that reads is asked for by GET and by HEAD without a key, with a key that may not, and "
        "with one "
        "that may. HEAD may answer like GET or say that it is not supported; a success where GET is refused fails.",
        fix="Route HEAD through the same checks as GET.",
        inapplicable=_no_reads,
        cases=_meth_1,
    ),
    Clause(
        id="METH-2",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 15.5.6",),
        promise="A method that is not documented for a path is not carried out, and answers that it is not there.",
        why="Generated controllers serve PUT beside PATCH, and nobody wrote a rule for it.",
        how="With the strongest key each undocumented method is sent to each object. A change fails, 405 passes, "
        "another "
        "refusal is a warning.",
        fix="List the methods of each route, and answer 405 with `Allow` to the others.",
        inapplicable=_no_reads,
        cases=_meth_2,
    ),
    Clause(
        id="METH-6",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("CVE-2023-30845", "CVE-2019-10913"),
        promise="The method on the request line is the one that counts.",
        why="Frameworks let a header or a form field name another method, after the proxy has checked the first.",
        how="A key that may not change an object asks for the change by `X-HTTP-Method-Override` and its kin, and by "
        "`?_method=`, of GET and of POST. The object must stay as it was.",
        fix="Turn method override off, or apply it before rights are checked.",
        inapplicable=_nothing_denied,
        cases=_meth_6,
    ),
)
