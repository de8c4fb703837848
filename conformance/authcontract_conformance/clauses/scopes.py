"""SCOPE: which key may call which operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from authcontract_engine import Body, Object
from authcontract_policy import Check, Operation

from authcontract_conformance.clauses import _exposed
from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.clauses._dressings import Dressing, dressings, not_taken
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Judgement, Level, Word, fail, inconclusive
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import Attempt, denials, protected, summed, trials
from authcontract_conformance.world._world import Item, World

CHANGING = frozenset({"POST", "PUT", "PATCH"})
#: A key that may not, and how its request is dressed.
Dressed: TypeAlias = tuple[Need, Dressing]
#: Requests more, on other plans, for an operation that only one key is refused.
MOST = 2
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


# --- SCOPE-1: the matrix -------------------------------------------------------------------------------------------


def _may(operation: Operation, needs: Sequence[Need], world: World) -> Steps:
    """Let each key that suffices call the operation; what can be done again is done to one object."""
    judged: list[tuple[str, Judgement]] = []
    item: Item | None = None
    for need in needs:
        if item is None or operation.method in ("POST", "DELETE"):
            item = yield from world.item(operation, environment=need.environment)
        judged.append((describe(need), (yield from _let_through(operation, need, item, world))))
    return summed(judged, len(needs))


def _let_through(operation: Operation, need: Need, item: Item, world: World) -> Steps:
    key: Key = yield Acquire(need)
    probe = world.request(operation, key, item, canary=world.canary(), label=describe(need))
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded:
        world.settings.proven.setdefault((operation.id, probe.environment, probe.protocol), exchange)
        return PASSED
    if not item.own and _is_past_rights(world, exchange):
        return PASSED
    if exchange.status not in world.refusals:
        return inconclusive(f"the key got through, but the request was answered {describe_exchange(exchange)}")
    again: Exchange = yield probe
    if again.succeeded:
        return inconclusive(f"first {describe_exchange(exchange)}, then {describe_exchange(again)}")
    return world.expect(probe).judge(again, reason="a key that may was refused twice")


def _is_past_rights(world: World, exchange: Exchange) -> bool:
    """Tell whether the object was not found, which the contract has looked up only for a key that may.

    What the run cannot make, it has not twice: who comes after a DELETE finds nothing.
    """
    order = list(world.policy.precedence or ())
    if not order or exchange.status in world.refusals or order.index(Check.SCOPE) > order.index(Check.OBJECT):
        return False
    return world.expect(exchange.probe, Reality(object=Object.ABSENT)).accepts(exchange)


def _may_not(operation: Operation, needs: Sequence[Need], dressed: Sequence[Dressed], world: World) -> Steps:
    attempts: list[Attempt] = []
    # Over HTTP/2 it is tried once more whether rights are looked at at all.
    also = dressed if world.protocol != "2" else ()
    for need, way in [*((need, None) for need in needs), *also]:
        key: Key = yield Acquire(need)
        attempts.append(partial(_called, world, operation, key, way))
    environment = needs[0].environment
    return (yield from denials(world, operation, attempts, environment=environment, also=not_taken))


def _called(world: World, operation: Operation, key: Key, way: Dressing | None, item: Item) -> Probe:
    label = f"{describe(key.need)}{_tag(world, operation, key.need)}{'' if way is None else f', {way.what}'}"
    probe = world.request(operation, key, item, canary=world.canary(), label=label)
    return probe if way is None else way.change(probe)


def _denied(world: World) -> Iterable[tuple[Operation, tuple[Need, ...], tuple[Dressed, ...]]]:
    """Return who is refused each operation, and whom of them it is tried with once more, dressed and on other plans.

    Every plan meets every operation where that takes two more requests at most; else plans take turns.
    """
    everything = Capability.KEY_MANAGEMENT in world.settings.capabilities
    denied = [(op, world.access.insufficient(op, world.environment, wide=everything)) for op in protected(world)]
    denied = [(operation, needs) for operation, needs in denied if needs]
    others = world.access.plans[1:] if everything else ()
    few = [op for op, needs in denied if len(needs) == 1]
    ways = dressings([op for op, _ in denied if op not in few]) | dressings(few, min(MOST, max(1, len(others))))
    turn = 0
    for number, (operation, needs) in enumerate(denied):
        dressed: list[Dressed] = []
        for count, way in enumerate(ways[operation.id]):
            need = needs[(number + count) % len(needs)]
            dressed.append((_on(world, operation, need, others[turn % len(others)]) if others else need, way))
            turn += 1
        first, *rest = needs
        if others:
            rest = [
                _on(world, operation, need, world.access.plans[(number + i) % len(world.access.plans)])
                for i, need in enumerate(rest)
            ]
        yield operation, tuple(dict.fromkeys((first, *rest))), tuple(dressed)


def _on(world: World, operation: Operation, need: Need, plan: str) -> Need:
    """Return the same key on another plan, where that may not call the operation either."""
    other = replace(need, plan=plan)
    kind = world.policy.objects[-1] if world.policy.objects else None
    lacks_plan = need.plan != next(iter(world.access.plans), None)
    return need if lacks_plan or world.access.permits(operation, other, kind) else other


def _public(operation: Operation, world: World) -> Steps:
    item = yield from world.item(operation)
    exchange: Exchange = yield world.request(operation, None, item, label="no key")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.status not in (401, 403):
        return PASSED
    return fail(world.expect(exchange.probe).evidence(exchange), "an operation that needs no key asked for one")


def _scope_1(world: World) -> Iterable[Case]:
    denied = {operation: (needs, dressed) for operation, needs, dressed in _denied(world)}
    for operation in world.operations:
        if world.access.public(operation):
            yield Case(f"{operation.label} without a key", partial(_public, operation), again=False)
            continue
        enough = world.access.sufficient(operation, world.environment)
        for needs in _by_object(world, operation, enough):
            yield Case(f"{operation.label} with {_either(world, needs)}", partial(_may, operation, needs), again=False)
        if operation in denied:
            too_little, dressed = denied[operation]
            tags = "".join(dict.fromkeys(_tag(world, operation, need) for need in too_little))
            subject = f"{operation.label} with {_either(world, too_little)}{tags}"
            yield Case(subject, partial(_may_not, operation, too_little, dressed))


def _by_object(world: World, operation: Operation, needs: tuple[Need, ...]) -> Iterable[tuple[Need, ...]]:
    """Return which keys may share a case: what is deleted and cannot be made again is there for one only."""
    steps = world.resources.steps(operation)
    once = operation.method == "DELETE" and any(step.creator is None and step.producer is None for step in steps)
    if once:
        return ((need,) for need in needs)
    return (needs,) if needs else ()


def _tag(world: World, operation: Operation, need: Need) -> str:
    """Return the id of the promise that a denied cell once was: a clause of its own, now a cell that is named so."""
    methods = [world.contract.resolution.methods.get(scope) for scope in need.scopes]
    if operation.method == "DELETE" and any(m is not None and "DELETE" not in m and m & CHANGING for m in methods):
        return " (SCOPE-3)"
    if operation.method in CHANGING and any(m is not None and operation.method in m for m in methods):
        return " (SCOPE-4)"
    return ""


def _held(world: World, need: Need) -> str:
    """Return what tells keys apart in the subject of a case: two cases must never have the same one."""
    lacked = sorted(frozenset(world.contract.resolution.scopes) - need.scopes)
    held = " + ".join(sorted(need.scopes)) or "no scope"
    if 0 < len(lacked) < len(need.scopes):
        held = f"all scopes but {' and '.join(lacked)}"
    kind = f" ({need.kind})" if len(world.policy.keys.kinds) > 1 else ""
    usual = next(iter(world.access.plans), None)
    return f"{held}{kind}" if need.plan == usual else f"{held}{kind} on plan {need.plan}"


def _either(world: World, needs: Sequence[Need]) -> str:
    held = [_held(world, need) for need in needs]
    return " or ".join([", ".join(held[:-1]), held[-1]]) if len(held) > 1 else held[0]


# --- SCOPE-2: who may only read, changes nothing by any method -----------------------------------------------------


def _readers(world: World) -> Iterable[tuple[Operation, Need]]:
    """Return each operation that shows one object with a key that may call no unsafe operation at all."""
    unsafe = [op for op in protected(world) if op.method in UNSAFE]
    for operation in protected(world):
        if operation.method != "GET" or not world.resources.steps(operation):
            continue
        for need in reversed(world.access.sufficient(operation, world.environment)):
            if not any(world.access.permits(op, need) for op in unsafe):
                yield operation, need
                break


#: How a change may be written; whoever knows one of them may have a route of its own for it.
PATCHES = ("application/merge-patch+json", "application/json-patch+json")


def _by_any_method(operation: Operation, need: Need, world: World) -> Steps:
    key: Key = yield Acquire(need)

    def send(method: str, media: str | None, item: Item) -> Probe:
        world.spare(item)
        # GET is sent with the body of a change: whoever reads it must not carry it out.
        changing = "PATCH" if method == "GET" else method
        content = world.settings.sampler.content(operation, changing, world.canary())
        extra = (((b"X-Requested-With",), (b"XMLHttpRequest",)),)
        label = f"{method}{f' as {media}' if media else ''} with a key that only reads"
        probe = world.request(operation, key, item, method=method, body=content, extra=extra, label=label)
        lines = tuple((n, (media.encode(),) if media and n == (b"Content-Type",) else v) for n, v in probe.headers)
        return replace(probe, headers=lines)

    def judge(exchange: Exchange, shown_by: str | None) -> Judgement:
        if shown_by is None:
            return PASSED
        got = f"{describe_exchange(exchange)}, and {shown_by} shows a change"
        evidence = world.expect(exchange.probe).evidence(exchange, got=got)
        return fail(evidence, "a key that only reads changed something")

    ways = [(method, None) for method in (*UNSAFE, "GET")] + [("PATCH", media) for media in PATCHES]
    attempts = [partial(send, method, media) for method, media in ways]
    return (yield from trials(world, operation, attempts, judge, method="PATCH"))


def _scope_2(world: World) -> Iterable[Case]:
    for operation, need in _readers(world):
        yield Case(f"every method on {operation.path}", partial(_by_any_method, operation, need))


def _nobody_only_reads(world: World) -> str | None:
    return None if any(True for _ in _readers(world)) else "no key of this contract may only read"


# --- SCOPE-5: refused before the body is looked at -----------------------------------------------------------------


def _invalid_body(operation: Operation, need: Need, world: World) -> Steps:
    key: Key = yield Acquire(need)

    def send(item: Item) -> Probe:
        return world.request(operation, key, item, body=b'{"', label=f"{describe(need)}, with a broken body")

    def judge(exchange: Exchange, shown_by: str | None) -> Judgement:
        expectation = world.expect(exchange.probe, Reality(body=Body.INVALID))
        if shown_by is not None:
            got = f"{describe_exchange(exchange)}, and {shown_by} shows a change"
            return fail(expectation.evidence(exchange, got=got), "the request was carried out")
        if exchange.broken:
            return inconclusive(broken(exchange))
        if expectation.accepts(exchange):
            return PASSED
        if exchange.status in (400, 415, 422):
            reason = "the body was looked at before the key's rights were"
            return Judgement(word=Word.WARN, reason=reason, evidence=expectation.evidence(exchange))
        return expectation.judge(exchange)

    return (yield from trials(world, operation, [send], judge, method=operation.method))


def _scope_5(world: World) -> Iterable[Case]:
    for operation in protected(world):
        need = next(iter(world.access.insufficient(operation, world.environment)), None)
        if need is not None and operation.request_body:
            yield Case(f"{operation.label} with {_held(world, need)}", partial(_invalid_body, operation, need))


def _no_bodies(world: World) -> str | None:
    return None if any(True for _ in _scope_5(world)) else "no operation with a body is closed to any key"


CLAUSES = (
    Clause(
        id="SCOPE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API5:2023", "OWASP ASVS 8.2.1"),
        promise="Each key may call exactly the operations that the documentation gives it.",
        why="One route registered under the wrong scope is the commonest hole of all, and nobody sees it from outside.",
        how="For each operation: every minimal set of scopes that suffices must pass; everything but one of its "
        "scopes, other scopes, all others together and no scope must be refused, on each plan and as other clients "
        "send it (a charset, no optional body, another Accept or none), all on one victim that is read before and "
        "after, and each that is suspicious once more on a victim of its own. A denied call that shows or changes "
        "something fails, whatever it answered.",
        fix="Take what an operation requires from one table, and refuse what has no row.",
        cases=_scope_1,
        again_over_http2=True,
    ),
    Clause(
        id="SCOPE-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API5:2023",),
        promise="A key that may only read changes nothing, by any method.",
        why="Frameworks route methods that nobody documented, and some of them write.",
        how="With a key that may call no writing operation, every method is sent to an object of its own, documented "
        "or "
        "not, with a body that would change it. The object must stay as it was.",
        fix="Refuse by default: a method that is not listed for a route is not served by it.",
        variants=("V-M09", "V-M11"),
        inapplicable=_nobody_only_reads,
        cases=_scope_2,
    ),
    Clause(
        id="SCOPE-5",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP API5:2023", "OWASP ASVS 15.4.2"),
        promise="Who may not call an operation is refused before the body is looked at.",
        why="Validation before authorisation tells strangers how the API is built, and runs parsers for them.",
        how="A key that may not sends a broken body. 403 passes; 400, 415 or 422 is a warning; an effect fails.",
        fix="Check rights before the body is read.",
        inapplicable=_no_bodies,
        cases=_scope_5,
    ),
    *_exposed.CLAUSES,
)
