"""METH: which method counts, and that nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._openings import almost
from authcontract_conformance.clauses._undocumented import KNOWN, cases, one_for_each_path
from authcontract_conformance.exchange._exchange import Acquire, Delivery, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Judgement,
    Level,
    fail,
    inconclusive,
    warn,
)
from authcontract_conformance.world._patterns import (
    Attempt,
    bypasses,
    gained,
    protected,
    reading_operation,
    trials,
)
from authcontract_conformance.world._world import Item, World

NOT_SUPPORTED = (403, 405, 501)


# --- METH-1: HEAD --------------------------------------------------------------------------------------------------


def _head(operation: Operation, who: str, need: Need | None, world: World) -> Steps:
    """HEAD must not open what GET keeps shut, whoever asks; GET is asked only where HEAD alone tells nothing."""
    item = yield from world.item(operation)
    key: Key | None = (yield Acquire(need)) if need is not None else None
    probe = world.request(operation, key, item, method="HEAD", label=f"HEAD, {who}")
    head: Exchange = yield probe
    asked = world.request(operation, key, item, label=f"GET, {who}")
    if head.broken:
        return inconclusive(broken(head))
    # Where HEAD answers what the contract says of GET, or is not supported, GET can add nothing.
    if head.status in NOT_SUPPORTED or world.expect(asked).accepts(head):
        return PASSED
    get: Exchange = yield asked
    if get.broken:
        return inconclusive(broken(get))
    expectation = world.expect(probe)
    if head.succeeded and not get.succeeded:
        got = f"{describe_exchange(head)} where GET answers {describe_exchange(get)}"
        return fail(expectation.evidence(head, get, got), "HEAD opens what GET keeps shut")
    if head.status == get.status:
        return PASSED
    return warn(expectation.evidence(head, get), f"HEAD answers {head.status}, GET {get.status}")


def _head_changes_nothing(operation: Operation, world: World) -> Steps:
    """HEAD with the body of a change, with a key that may make it, and read what stands there."""
    key: Key = yield Acquire(and_read(world, operation))

    def send(item: Item) -> Probe:
        world.spare(item)
        label = f"HEAD on {operation.path} with the body of {operation.method}"
        return world.request(operation, key, item, method="HEAD", canary=world.canary(), label=label)

    judge = partial(not_done, world, f"HEAD did what {operation.method} does")
    return (yield from trials(world, operation, [send], judge, method=operation.method))


def _meth_1(world: World) -> Iterable[Case]:
    for operation in protected(world):
        if operation.method == "GET":
            yield Case(f"{operation.path} without a key", partial(_head, operation, "no key", None))
            for need in world.access.insufficient(operation, world.environment)[:1]:
                yield Case(f"{operation.path} with too little", partial(_head, operation, "a key that may not", need))
            for need in world.access.sufficient(operation, world.environment)[:1]:
                yield Case(f"{operation.path} with a key", partial(_head, operation, "a key that may", need))
    for operation in first_and_last(world):
        yield Case(f"HEAD in the place of {operation.label}", partial(_head_changes_nothing, operation))


def not_done(world: World, reason: str, exchange: Exchange, shown_by: str | None) -> Judgement:
    """Fail where something shows that a request was carried out; any answer will do."""
    if shown_by is None:
        lost = exchange.delivery is Delivery.TIMEOUT
        return inconclusive(broken(exchange)) if lost else PASSED
    got = f"{describe_exchange(exchange)}, and {shown_by} shows that it was done"
    return fail(world.expect(exchange.probe).evidence(exchange, got=got), reason)


def and_read(world: World, operation: Operation) -> Need:
    """Return a key that may call an operation and GET on its path, where there is such a key."""
    reading = [op for op in world.operations if op.method == "GET" and op.path == operation.path]
    return world.access.for_all((operation, *reading), world.environment) or world.need(operation)


def _showing(world: World) -> list[Operation]:
    """Return the operations, first those of which it is seen best what they did.

    That is a list with what was made, known by its canary, or an object that was made for the case.
    """

    def hidden(operation: Operation) -> bool:
        if operation.method != "POST":
            return not all(step.maker for step in world.resources.steps(operation))
        reader = world.resources.reader(operation)
        return reader is None or reader.path != operation.path or not world.settings.sampler.carries(operation)

    return sorted(protected(world), key=hidden)


def changing(world: World) -> dict[str, Operation]:
    """Return for each method an operation that changes something which can be looked at, and that some key may call."""
    found: dict[str, Operation] = {}
    for operation in _showing(world):
        reader = world.resources.reader(operation)
        if operation.method in KNOWN[1:] and reader and world.access.strongest(operation, world.environment):
            found.setdefault(operation.method, operation)
    return found


def first_and_last(world: World) -> tuple[Operation, ...]:
    """Return an operation that makes something and one that takes it away."""
    found = changing(world)
    return tuple(found[method] for method in ("POST", "DELETE") if method in found)


def closed(world: World) -> dict[str, tuple[Operation, Need]]:
    """Return for each method an operation that changes something, and a key that may not call it, but much beside it.

    Such a key gets past the check of another method, where that of its own is asked for on the side.
    """
    found: dict[str, tuple[Operation, Need]] = {}
    for operation in _showing(world):
        need = almost(world, operation)
        if operation.method in KNOWN[1:] and need is not None and world.resources.reader(operation):
            found.setdefault(operation.method, (operation, need))
    return found


# --- METH-3: methods that are none ----------------------------------------------------------------------------------

#: Nobody defined the first ones; WebDAV, caches and drafts defined the others.
STRANGE = ("FOO", "GETS", "get", "PROPFIND", "COPY", "MOVE", "LINK", "PURGE", "QUERY", "CONNECT", "", "A" * 4096)
#: Of those, what a server may well take for GET, or may know.
OPEN = frozenset({"get", "QUERY", ""})


def _named(world: World, operation: Operation, key: Key | None, method: str, item: Item) -> Probe:
    shown = f"a method of {len(method)} characters" if len(method) > len("PROPFIND") else f"method {method!r}"
    probe = world.request(operation, key, item, label=f"{shown}{' without a key' if key is None else ''}")
    return replace(probe, method=method.encode())


def _strange_without_key(world: World) -> Steps:
    operation = reading_operation(world)
    attempts: list[Attempt] = [partial(_named, world, operation, None, method) for method in STRANGE]
    return (yield from bypasses(world, operation, attempts))


def _strange_with_key(world: World) -> Steps:
    """Send methods that nobody knows with a key that may read: whoever serves them checks the wrong thing elsewhere."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    key: Key = yield Acquire(world.need(operation))
    for method in STRANGE[:2]:
        exchange: Exchange = yield _named(world, operation, key, method, item)
        if exchange.broken or not proof.succeeded:
            return inconclusive(broken(exchange) if exchange.broken else "a key that may was not served by GET")
        if gained(exchange, item, proof) is not None:
            control = yield from world.control(operation, item)
            evidence = world.expect(exchange.probe).evidence(exchange, control)
            return warn(evidence, "a method that nobody knows is served like GET")
    return PASSED


def _in_lower_case(operation: Operation, need: Need, world: World) -> Steps:
    """Methods have case: `delete` is not DELETE, and must not slip past what checks DELETE."""
    weak: Key = yield Acquire(need)

    def send(method: str, key: Key | None, item: Item) -> Probe:
        world.spare(item)
        who = "no key" if key is None else "a key that may not"
        label = f"method {method!r}, {who}"
        return world.request(operation, key, item, method=method, canary=world.canary(), label=label)

    spelled = (operation.method.lower(), operation.method.capitalize())
    attempts = [partial(send, method, key) for method in spelled for key in (weak, None)]
    judge = partial(not_done, world, f"{operation.method} in another case was carried out")
    return (yield from trials(world, operation, attempts, judge, method=operation.method))


def _meth_3(world: World) -> Iterable[Case]:
    yield Case("strange methods without a key", _strange_without_key)
    yield Case("unknown methods with a key", _strange_with_key)
    for method, (operation, need) in closed(world).items():
        if method == "DELETE" and world.resources.steps(operation):
            yield Case(f"{operation.label} in lower case", partial(_in_lower_case, operation, need))


# --- METH-4: OPTIONS ------------------------------------------------------------------------------------------------


def _options_show(operation: Operation, world: World) -> Steps:
    """OPTIONS may be answered without a key, but not by what GET shows to one."""
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    label = f"OPTIONS {operation.path} without a key"
    exchange: Exchange = yield world.request(operation, None, item, method="OPTIONS", label=label)
    if exchange.broken or not proof.succeeded:
        return inconclusive(broken(exchange) if exchange.broken else "a key that may was not served by GET")
    found = gained(exchange, item, proof)
    if found is None:
        return PASSED
    control = yield from world.control(operation, item)
    got = f"{describe_exchange(exchange)} with {found}"
    return fail(world.expect(exchange.probe).evidence(exchange, control, got), "protected data was shown")


def _options_do(operation: Operation, world: World) -> Steps:
    key: Key = yield from world.key(operation)

    def send(item: Item) -> Probe:
        world.spare(item)
        label = f"OPTIONS {operation.path} with the body of {operation.method}"
        return world.request(operation, key, item, method="OPTIONS", canary=world.canary(), label=label)

    judge = partial(not_done, world, "OPTIONS changed something")
    return (yield from trials(world, operation, [send], judge, method=operation.method))


def _meth_4(world: World) -> Iterable[Case]:
    reading = [op for op in one_for_each_path(world) if world.access.strongest(op, world.environment)]
    for operation in dict.fromkeys((*reading[:1], *[op for op in reading if world.resources.steps(op)][:1])):
        yield Case(f"OPTIONS {operation.path} shows nothing", partial(_options_show, operation))
    for operation in first_and_last(world):
        yield Case(f"OPTIONS does nothing of {operation.label}", partial(_options_do, operation))


# --- METH-5: TRACE --------------------------------------------------------------------------------------------------


def _reflected(method: str, world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, own=True))
    item = yield from world.item(operation)
    canary = world.canary()
    extra = (((b"X-Echo",), (canary.encode(),)),)
    exchange: Exchange = yield world.request(operation, key, item, method=method, body=b"", extra=extra, label=method)
    if exchange.broken:
        return inconclusive(broken(exchange))
    evidence = world.expect(exchange.probe).evidence(exchange)
    if key.id in world.settings.vault.shown(exchange.body):
        return fail(evidence, f"{method} sends the key back")
    if canary.encode() in exchange.body:
        return warn(evidence, f"{method} sends the request's headers back")
    return PASSED


def _meth_5(_: World) -> Iterable[Case]:
    for method in ("TRACE", "TRACK"):
        yield Case(method, partial(_reflected, method))


def _no_reads(world: World) -> str | None:
    return None if any(op.method == "GET" for op in protected(world)) else "no operation reads with a key"


CLAUSES = (
    Clause(
        id="METH-1",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.3.2",),
        promise="HEAD is refused whenever GET is, and does no more than GET.",
        why="Checks that list GET and POST let HEAD through; once it deleted a role, once it granted access.",
        how="Each operation that reads is asked for by HEAD without a key, with a key that may not, and with one that "
        "may; GET follows where the answer is not what GET should get. HEAD may answer like GET or say that it is not "
        "supported; a success where GET is refused fails. HEAD with the body of a change must change nothing.",
        fix="Route HEAD through the same checks as GET, and through no other code.",
        precedents=(
            "CVE-2010-0738 (JBoss: only GET and POST were closed)",
            "T. Katz, 2019 (GitHub: HEAD ran the code of POST and granted access)",
        ),
        variants=("V-M04",),
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
        how="With the strongest key each undocumented method is sent to each path that can be read, and PUT "
        "and PATCH to members of a collection that are not there. A change, or something made, fails; 405 passes, "
        "another refusal is a warning, but for a path that a more general one with that method matches too.",
        fix="List the methods of each route, and answer 405 with `Allow` to the others.",
        variants=("V-M09",),
        inapplicable=_no_reads,
        cases=cases,
    ),
    Clause(
        id="METH-3",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.1", "OWASP ASVS 4.1.4"),
        promise="A method that nobody knows is refused, and never taken for one that is known.",
        why="A check that knows some methods by name lets a made-up one pass, and the program behind it answers as if "
        "it were GET.",
        how="Made-up methods, those of WebDAV and caches, an empty one and one of 4 KiB are sent without a key and "
        "must gain nothing; `delete` and its like, by who may not DELETE, must change nothing. A made-up method with a "
        "key that may read is a warning if it is served.",
        fix="Compare methods byte by byte with a list, and answer 501 or 405 to the rest.",
        precedents=("OWASP WSTG (many servers: made-up methods are served like GET)",),
        variants=("V-M07", "V-M08", "V-M10"),
        inapplicable=_no_reads,
        cases=_meth_3,
    ),
    Clause(
        id="METH-4",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.2.1", "RFC 9110 section 9.3.7"),
        promise="OPTIONS changes nothing, and shows nothing that a key is needed for.",
        why="Preflights come without a key, so that OPTIONS is let past the checks, often into the code of the route.",
        how="OPTIONS without a key must show no object, whatever else it answers; with a key that may and the body of "
        "a change it must change nothing.",
        fix="Answer OPTIONS before the route's own code, with `Allow` and no content.",
        inapplicable=_no_reads,
        cases=_meth_4,
    ),
    Clause(
        id="METH-5",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP ASVS 13.4.4", "RFC 9110 section 9.3.8"),
        promise="TRACE and TRACK send nothing of the request back.",
        why="Whoever can make a browser or a proxy send TRACE reads the headers that they added, cookies and keys.",
        how="TRACE and TRACK are sent with a key of their own and a marked header. The key in the answer fails, the "
        "mark alone is a warning.",
        fix="Switch TRACE and TRACK off.",
        precedents=("J. Grossman, 2003 (many servers: cross-site tracing)",),
        variants=("V-M06",),
        inapplicable=_no_reads,
        cases=_meth_5,
    ),
)
