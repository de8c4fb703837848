"""RATE: each request takes what the policy says, from whoever sent it and from nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Cause, Operation, RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import (
    Credential,
    Exchange,
    Key,
    Need,
    Parts,
    Probe,
)
from authcontract_conformance.oracle._bounds import let_in_when_spent
from authcontract_conformance.oracle._oracle import USUAL, Reality, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    SEVERITY,
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    inconclusive,
    skipped,
    unspecified,
    warn,
)
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._quota import (
    AGREE,
    FOREIGN,
    RESOLUTION,
    TOO_MANY,
    Choice,
    chosen,
    counted,
    counting,
    fresh,
    no_limits,
    noisy,
    observed,
    plans,
    rule,
    said,
    settled,
    shared,
    spend,
    taken,
)
from authcontract_conformance.world._world import Asking, Ended, World


def _bytes(parts: Parts) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


def _record(world: World, key: Key) -> KeyRecord:
    return world.settings.vault.record(key.id) or key.record


# --- RATE-11 -------------------------------------------------------------------------------------------------------

#: What a stranger may do to a victim's key: each result was never issued.
ALTERED: tuple[tuple[tuple[str | int, ...], ...], ...] = (
    (("alter", -1),),
    (("alter", -2),),
    (("drop_last", 1),),
    (("append", "x"),),
    (("flip_one", 12),),
    (("alter", 12),),
)


#: Requests of its own that a victim needs to show what somebody else takes.
OWN = 2


def _victims(limit: RateLimit, world: World) -> Steps:
    """Send keys that are almost the victim's, and see whether the victim has fewer requests left.

    Where somebody else may use the key, something may be missing for that: it is believed if each of several times just
    as much is missing, and nothing where no altered key is sent meanwhile.
    """
    choice = chosen(world, limit)
    if "ip" in limit.per:
        return skipped("the limit counts addresses, and the stranger has the victim's")
    if choice.capacity <= OWN:
        return skipped(f"a limit of {choice.capacity} is too small to show what somebody else takes of it")
    if limit.may_be_lower:
        return unspecified("the policy says that less may be admitted")
    victim, _ = yield from fresh(world, choice)
    measure = counting(world.request(choice.operation, victim, label="what the victim has left"), "row")
    missing: list[int] = []
    for _ in range(AGREE if shared(world, limit) else 1):
        before: Exchange = yield measure
        yield from _altered(world, choice, victim)
        after: Exchange = yield measure
        settled((before, after))
        taken = _taken(world, choice, before, after)
        if taken is None:
            return (yield from _victim_spends(world, choice, victim))
        if taken <= choice.charge.cost:
            return PASSED if not missing else inconclusive(f"not the same each time: {FOREIGN}")
        missing.append(taken)
    if len(set(missing)) > 1 or (shared(world, limit) and not (yield from _undisturbed(world, choice, measure))):
        return inconclusive(FOREIGN)
    evidence = Evidence(
        expected=f"{choice.charge.cost} less left, for the victim's own request",
        got=f"{missing[-1]} less left after {len(ALTERED)} requests with altered keys",
        exchange=after,
        control=before,
        rule=rule(world, limit),
    )
    return warn(evidence, "a stranger can use up a key without having it")


def _altered(world: World, choice: Choice, victim: Key) -> Asking[None]:
    """Send keys that were never issued and are almost a victim's; ends the case where they are not refused as such."""
    for transforms in ALTERED:
        lines = world.present(Credential(victim.id, transforms))
        if not lines:
            raise Ended(skipped("keys do not travel in a header line"))
        refused: Exchange = yield counting(
            world.request(choice.operation, victim, lines=lines, label="almost the victim's key"), "row"
        )
        if refused.status != 401:  # noqa: PLR2004  RFC 9110 section 15.5.2
            told = describe_exchange(refused)
            raise Ended(inconclusive(f"an altered key is answered {told}: nothing is proved"))


def _undisturbed(world: World, choice: Choice, measure: Probe) -> Asking[bool]:
    """Tell whether as many requests as altered keys were tried with take no more than their own price."""
    exchanges: list[Exchange] = []
    while len(exchanges) < len(ALTERED):
        exchanges += [(yield measure)]
    taken = [_taken(world, choice, before, after) for before, after in pairwise(exchanges)]
    return all(each is not None and each <= choice.charge.cost for each in taken)


def _victim_spends(world: World, choice: Choice, victim: Key) -> Steps:
    """Where no response says what is left, use it up: some were sent, and the rest must be there."""
    if not world.settings.frozen or noisy(world, choice.limit):
        return skipped("no response says what is left, and other requests or time may change it")
    usual = yield from observed(world, choice)
    if usual.admitted <= OWN:
        return skipped(f"{usual.admitted} at once are too few to show what somebody else takes of them")
    spent = yield from spend(world, choice, usual.admitted - OWN, victim)
    if not spent.refusals:
        return PASSED
    evidence = Evidence(
        expected=f"{usual.admitted} admitted in all, as with any key",
        got=f"{spent.admitted + OWN} after {len(ALTERED)} requests with altered keys",
        exchange=spent.refusals[0],
        rule=rule(world, choice.limit),
    )
    return warn(evidence, "a stranger can use up a key without having it")


# --- RATE-12 -------------------------------------------------------------------------------------------------------

#: How often each refused request is sent, between two that say what is left.
TIMES = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """A request whose price the policy states: what it is, and what is known of the world behind it."""

    name: str
    probe: Probe
    reality: Reality


def _prices(world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(_charged, limit))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was taken between two responses that say what is left, for a request sent several times in between."""

    units: int
    #: How much may have flowed back meanwhile.
    back: int
    before: Exchange
    exchange: Exchange
    after: Exchange


def _charged(limit: RateLimit, world: World) -> Steps:
    """Compare what is left before and after requests that are refused, or that have a price of their own."""
    choice = _with_refusals(world, limit)
    if choice is None:
        return skipped("no operation that reads without an object is counted by this limit")
    if limit.may_be_lower:
        return unspecified("the policy says that less may be admitted: several servers may say what each has left")
    key, _ = yield from fresh(world, choice)
    first: Exchange = yield _measure(world, choice, key)
    last: Exchange = yield _measure(world, choice, key)
    settled((first, last))
    if (reading := _taken(world, choice, first, last)) is None:
        return skipped("no response says what is left")
    if reading != choice.charge.cost and world.settings.frozen and last.succeeded:
        return inconclusive("what is said to be left does not follow the requests; RATE-5 judges that")
    if reading > choice.charge.cost:
        return inconclusive(FOREIGN)
    judged: list[Judgement] = []
    for number in range(len(list(_refusals(world, limit, choice, key)))):
        if world.settings.frozen:  # a key for each, so that a small amount is enough; it costs no waiting
            key, _ = yield from fresh(world, choice)
            first = yield _measure(world, choice, key)
        refused = list(_refusals(world, limit, choice, key))[number]
        judged += yield from _priced(world, choice, refused, key, first)
    found = next((each for word in SEVERITY for each in judged if each.word is word), None)
    if found is None:
        return skipped("nothing is refused to this key, or too little is left to see what that takes")
    priced = ", ".join(each.reason for each in judged if each.word is Word.PASS)
    return Judgement(word=Word.PASS, reason=priced) if found.word is Word.PASS else found


def _measure(world: World, choice: Choice, key: Key) -> Probe:
    return counting(world.request(choice.operation, key, label="what is left"), "row")


def _priced(world: World, choice: Choice, refused: Refused, key: Key, first: Exchange) -> Asking[tuple[Judgement, ...]]:
    """Judge what one request takes; where time runs or others ask, only if it is found as often as it takes.

    A window for everybody may end in one of two measurements, and never in both, as long as all is over within a window
    of the first request; after that a log forgets one request after the other. Somebody else's request would have to
    fall into each of them.
    """
    found: list[tuple[Judgement, ...]] = []
    for _ in range(1 if world.settings.frozen else AGREE):
        measured = yield from _measured(world, choice, refused, key)
        in_time = world.settings.frozen or (
            measured is not None and measured.after.received_at < first.sent_at + choice.window - RESOLUTION
        )
        if measured is None or not in_time:
            return ()
        judged = tuple(_judge_price(world, choice, refused, measured))
        if not any(each.word is Word.WARN for each in judged):
            return judged if not found else ()
        found.append(judged)
    got = {each.evidence.got for judged in found for each in judged if each.evidence is not None}
    return found[-1] if len(got) == 1 else (inconclusive(FOREIGN),)


def _measured(world: World, choice: Choice, refused: Refused, key: Key) -> Asking[Measured | None]:
    """Send a request several times between two that say what is left; None where too little was left for that."""
    before: Exchange = yield _measure(world, choice, key)
    for _ in range(TIMES):
        exchange: Exchange = yield counting(refused.probe, "row")
    after: Exchange = yield _measure(world, choice, key)
    settled((before, after))
    units = _taken(world, choice, before, after)
    if units is None or TOO_MANY in (before.status, exchange.status, after.status):
        return None
    back = 0
    if not world.settings.frozen:
        seconds = after.received_at - before.sent_at + RESOLUTION
        back = let_in_when_spent(choice.charge.amount, choice.window, seconds)
    return Measured(units - choice.charge.cost, back, before, exchange, after)


def _judge_price(world: World, choice: Choice, refused: Refused, measured: Measured) -> Iterator[Judgement]:
    """Judge what was taken for a request sent several times; nothing where the target answered what no price is for."""
    limit, units, exchange = choice.limit, measured.units, measured.exchange
    cost = partial(_cost, world, limit, refused, exchange.status)
    promised, each = cost(world.contract), units / TIMES
    if world.settings.frozen and units % TIMES == 0:
        world.settings.oracle.seen(cost, units // TIMES, exchange)
    if promised is None:
        return
    silence = world.settings.oracle.accepted(cost).get(units // TIMES)
    if promised * TIMES - measured.back <= units <= promised * TIMES:
        yield Judgement(word=Word.PASS, reason=refused.name)
    elif silence is not None:
        yield unspecified(f"{silence} is only assumed; {refused.name} takes {each:g} of {limit.name}")
    else:
        evidence = Evidence(
            expected=f"{promised * TIMES} less left after {TIMES} requests: {refused.name}",
            got=f"{units} less left",
            exchange=exchange,
            control=measured.before,
            rule=rule(world, limit),
        )
        yield warn(evidence, "a request does not take what the policy says")


def _taken(world: World, choice: Choice, before: Exchange, after: Exchange) -> int | None:
    """Return how much less is left in one response than in an earlier one, or None where they do not say."""
    found = [said(world, each, choice.limit, choice.operation) for each in (before, after)]
    remaining = [each.remaining for each in found if each is not None and each.remaining is not None]
    return remaining[0] - remaining[1] if len(remaining) == len(found) else None


def _with_refusals(world: World, limit: RateLimit) -> Choice | None:
    """Return an operation and a key that may not do everything, with the smallest amount."""
    best: Choice | None = None
    for operation in protected(world):
        if operation.method != "GET" or world.resources.steps(operation):
            continue
        if limit.name not in world.contract.resolution.limits[operation.id]:
            continue
        for need in plans(world, operation):
            mine = taken(world, limit, operation, need)
            if mine is None:
                continue
            rank = (_forbidden(world, need) is None, mine.burst)
            if best is None or rank < (_forbidden(world, best.need) is None, best.charge.burst):
                best = Choice(limit, operation, need, mine)
    return best


def _forbidden(world: World, need: Need) -> Operation | None:
    """Return an operation without parameters that reads and that such a key may not call."""
    return next(
        (
            operation
            for operation in protected(world)
            if operation.method == "GET"
            and not world.resources.steps(operation)
            and not world.access.permits(operation, need)
        ),
        None,
    )


def _refusals(world: World, limit: RateLimit, choice: Choice, key: Key) -> Iterator[Refused]:
    """Yield requests that are refused for several causes, and those that have a price of their own."""
    operation = choice.operation
    plain = world.request(operation, key)
    nowhere = (_bytes(plain.target[:1]).partition(b"?")[0] + b"-" + world.canary().encode(),)
    yield Refused("a path that does not exist", replace(plain, target=nowhere, operation=None), USUAL)
    undocumented = [m for m in ("DELETE", "PUT") if not _documents(world, operation.path, m)]
    for method in undocumented[:1]:
        yield Refused("a method that is not there", replace(plain, method=method.encode()), USUAL)
    forbidden = _forbidden(world, choice.need)
    if forbidden is not None:
        yield Refused("an operation that the key may not call", world.request(forbidden, key), USUAL)
    yield Refused("HEAD", world.request(operation, key, method="HEAD"), USUAL)
    for other in protected(world):
        charges = {c.limit: c.cost for c in world.contract.usual_charges(other, _record(world, key))}
        safe = other.method == "GET" or (other.method == "POST" and world.settings.disposable)
        plain_path = safe and not world.resources.steps(other) and world.access.permits(other, choice.need)
        if plain_path and charges.get(limit.name, 1) > 1:
            yield Refused(other.label, world.request(other, key), USUAL)
            return


def _documents(world: World, path: str, method: str) -> bool:
    return any(op.path == path and op.method == method for op in world.contract.specification.operations)


def _cost(world: World, limit: RateLimit, refused: Refused, answered: int, contract: Contract) -> int | None:
    """Return what a contract says that a request takes; None where the target answered another thing than it says."""
    request = world.settings.oracle.request(refused.probe)
    reading = contract.read(request)
    record = world.settings.oracle.key(reading)
    expectation = world.expect(refused.probe, refused.reality)
    if not any(_answers(decision.allowed, decision.statuses, answered) for decision in expectation.decisions):
        return None
    decisions = contract.possible(reading, expectation.facts)
    fitting = [d for d in decisions if _answers(d.allowed, d.statuses, answered) and d.cause is not Cause.THROTTLED]
    charges = [c for c in contract.charges(reading, record, world.now()) if c.limit == limit.name]
    if not fitting:
        return None
    return contract.cost(charges[0], fitting[0], request.method) if charges else 0


def _answers(allowed: bool, statuses: Iterable[int], answered: int) -> bool:  # noqa: FBT001  a decision's own field
    return 200 <= answered < 300 if allowed else answered in statuses  # noqa: PLR2004  RFC 9110 section 15.3


CLAUSES = (
    Clause(
        id="RATE-11",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("draft-ietf-httpapi-ratelimit-headers-10",),
        promise="Requests with a key that is almost a victim's cost the victim nothing.",
        why="Otherwise anybody who knows the beginning of a key, which is shown in lists and logs, can lock its owner "
        "out.",
        how="A fresh key asks what it has left, or later uses it up; in between six requests carry keys that differ "
        "from it in a letter or two. Anything taken for them is a warning.",
        fix="Count by the id of the key that was found, after the whole key was checked.",
        alone=True,
        inapplicable=no_limits,
        cases=lambda world: (Case(limit.name, partial(_victims, limit)) for limit in counted(world)),
    ),
    Clause(
        id="RATE-12",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023", "draft-ietf-httpapi-ratelimit-headers-10"),
        promise="Each request takes as many units as the policy says, also one that is refused or costs more.",
        why="Refusals that cost nothing let a key try paths and objects without an end; batches that cost one unit are "
        "a limit that nobody meets.",
        how="What is left is read before and after requests to no path, with no such method, without the right, with "
        "HEAD, and to an operation with a price of its own. A difference from the policy's `costs` is a warning; where "
        "no response says what is left, or the target answers something else, nothing is judged.",
        fix="Charge by the outcome in one place, from the policy's table.",
        variants=("V-R11",),
        alone=True,
        inapplicable=no_limits,
        cases=_prices,
    ),
)
