"""RATE: as many requests as documented, not more, and a truthful word on when to come back (clauses 4.3, 4.4, 4.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from authcontract_engine import Charge, KeyRecord, Rule
from authcontract_policy import Operation, RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Burst, Exchange, Key, Need, Probe, Purpose, Wait
from authcontract_conformance.oracle._bounds import at_most_from_idle, longest_retry_after
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    skipped,
    unspecified,
    warn,
)
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Asking, Ended, World

TOO_MANY = 429
#: Larger amounts cost more requests than a run should; the headers speak of those (clauses 4.10).
LARGEST = 300
CONNECTIONS = 8
#: Resolution of a limiter's clock, where the target's time runs by itself (clauses 4.1).
RESOLUTION = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The cheapest way to use up a limit: which operation, with which key, and how much there is."""

    operation: Operation
    need: Need
    charge: Charge

    @property
    def capacity(self) -> int:
        """Return how many requests a correct server admits at once, from idle."""
        return self.charge.burst // self.charge.cost


@dataclass(frozen=True, slots=True)
class Spent:
    """What a burst brought: how many were admitted, how long it took, and a refusal if there was one."""

    admitted: int
    seconds: float
    refusal: Exchange | None
    last: Exchange


def _choose(world: World, limit: RateLimit) -> Choice | None:
    """Return the operation and key for which this limit is the first to refuse, with the smallest amount."""
    best: Choice | None = None
    for operation in protected(world):
        if operation.method != "GET" or limit.name not in world.contract.resolution.limits[operation.id]:
            continue
        if world.resources.steps(operation):
            continue  # making an object would spend the allowance that is to be counted
        for need in _plans(world, operation):
            charges = _charges(world, operation, need)
            mine = next((charge for charge in charges if charge.limit == limit.name and charge.cost > 0), None)
            if mine is None or any(c.burst * mine.cost < mine.burst * c.cost for c in charges if c is not mine):
                continue
            if best is None or mine.burst < best.charge.burst:
                best = Choice(operation, need, mine)
    return best


def _plans(world: World, operation: Operation) -> Iterable[Need]:
    for need in world.access.sufficient(operation, world.environment):
        yield from (replace(need, plan=plan, own=True) for plan in world.access.plans or (need.plan,))


def _charges(world: World, operation: Operation, need: Need) -> tuple[Charge, ...]:
    """Return what a correct server would charge such a key for the operation."""
    record = KeyRecord(
        id="-",
        digest="-",
        kind=need.kind,
        scopes=need.scopes,
        plan=need.plan,
        environment=need.environment,
        organisation="-",
        lineage="-",
        issued_at=world.now(),
    )
    return world.contract.usual_charges(operation, record)


def _spread(world: World, choice: Choice) -> Asking[tuple[Operation, ...]]:
    """Return the operations that draw on the same allowances at the same price: one of them may not be counted.

    Each has to be served first, to another key; what makes something is used only where all is made for the run.
    """
    limit = world.policy.rate_limits[choice.charge.limit]
    if {"operation", "object"} & set(limit.per):
        return (choice.operation,)
    managed_by = world.policy.keys.managed_by
    found = [choice.operation]
    for operation in protected(world):
        reads = operation.method == "GET"
        makes = operation.method == "POST" and world.settings.disposable
        if operation is choice.operation or world.resources.steps(operation) or not (reads or makes):
            continue
        if managed_by is not None and operation.id in (managed_by.create, managed_by.rotate, managed_by.revoke):
            continue
        same = set(_charges(world, operation, choice.need)) == set(_charges(world, choice.operation, choice.need))
        if same and world.access.permits(operation, choice.need):
            other: Key = yield Acquire(replace(choice.need, own=False))
            served: Exchange = yield world.request(operation, other, purpose=Purpose.FIXTURE)
            found += [operation] if served.succeeded else []
    return tuple(found)


def _spend(world: World, choice: Choice, requests: int) -> Asking[Spent]:
    """Send so many requests at once with a fresh key, on several connections, and count what is admitted."""
    key: Key = yield Acquire(choice.need)
    operations = yield from _spread(world, choice)
    probes = tuple(
        replace(
            world.request(operations[index % len(operations)], key, label=f"uses up {choice.charge.limit}"),
            paced=False,
            connection=f"{index % CONNECTIONS}",
        )
        for index in range(requests)
    )
    exchanges: tuple[Exchange, ...] = yield Burst(probes, connections=CONNECTIONS)
    refused = [exchange for exchange in exchanges if exchange.status == TOO_MANY]
    admitted = [exchange for exchange in exchanges if exchange.succeeded]
    seconds = max(e.received_at for e in exchanges) - min(e.sent_at for e in exchanges)
    odd = [exchange for exchange in exchanges if not exchange.succeeded and exchange.status != TOO_MANY]
    if odd:
        raise Ended(inconclusive(f"an answer that is neither admitted nor refused: {describe_exchange(odd[0])}"))
    return Spent(
        admitted=len(admitted),
        seconds=seconds,
        refusal=min(refused, key=lambda exchange: exchange.received_at, default=None),
        last=max(exchanges, key=lambda exchange: exchange.received_at),
    )


def _rule(limit: RateLimit, world: World) -> Rule:
    path = ("rate_limits", limit.name)
    return Rule(path=path, source=world.policy.source(path))


def _cases(world: World, steps: Callable[[RateLimit, World], Steps]) -> Iterable[Case]:
    for limit in world.policy.rate_limits.values():
        if limit.requests is not None:
            yield Case(limit.name, partial(steps, limit))


def _chosen(world: World, limit: RateLimit) -> Choice | Judgement:
    choice = _choose(world, limit)
    if choice is None:
        return skipped("no operation and key for which this limit is the first to refuse")
    if choice.capacity > LARGEST:
        return skipped(f"{choice.capacity} requests are more than the {LARGEST} that a run spends on one limit")
    return choice


# --- RATE-1 --------------------------------------------------------------------------------------------------------


def _upper(limit: RateLimit, world: World) -> Steps:
    choice = _chosen(world, limit)
    if isinstance(choice, Judgement):
        return choice
    window, amount = choice_window(limit), choice.capacity
    bursts: list[Spent] = []
    frozen = world.settings.frozen
    for phase in (0.0,) if frozen else (0.0, window / 2):
        if phase:
            yield Wait(seconds=phase)
        spent = yield from _spend(world, choice, amount + 2 if frozen else 2 * amount + amount // 2 + 2)
        if not frozen and spent.seconds >= window / 2 - RESOLUTION:
            return inconclusive(f"the burst took {spent.seconds:.1f} s of a window of {window} s")
        bursts.append(spent)
    fewest = min(bursts, key=lambda burst: burst.admitted)
    elapsed = 0.0 if frozen else max(burst.seconds for burst in bursts) + RESOLUTION
    highest = at_most_from_idle(amount, window, elapsed)
    if fewest.admitted > highest:
        evidence = Evidence(
            expected=f"at most {highest} of a burst admitted ({amount} in {window} s)",
            got=f"{fewest.admitted} admitted" + ("" if fewest.refusal else ", and no end of it"),
            exchange=fewest.last,
            rule=_rule(limit, world),
        )
        return fail(evidence, "more is admitted than any fair way of counting would")
    return Judgement(word=Word.PASS, reason=f"would catch {highest + 1} or more")


def choice_window(limit: RateLimit) -> int:
    """Return the window in seconds; limits of requests always have one."""
    return limit.window or 1


# --- RATE-3 --------------------------------------------------------------------------------------------------------


def _exact(limit: RateLimit, world: World) -> Steps:
    choice = _chosen(world, limit)
    if isinstance(choice, Judgement):
        return choice
    if not world.settings.frozen and limit.algorithm in ("any", "token_bucket"):
        return unspecified("without a clock that stands still, RATE-1 is as exact as it gets")
    spent = yield from _spend(world, choice, choice.capacity + 2)
    evidence = Evidence(
        expected=f"exactly {choice.capacity} admitted at once",
        got=f"{spent.admitted} admitted",
        exchange=spent.refusal or spent.last,
        rule=_rule(limit, world),
    )
    if spent.admitted > choice.capacity:
        return fail(evidence, "the limit is higher than documented")
    if spent.admitted == choice.capacity or limit.may_be_lower:
        return PASSED
    if limit.algorithm == "any":
        return unspecified(f"a burst of {choice.capacity} is not promised; {spent.admitted} were admitted")
    return fail(evidence, "the limit is lower than documented")


# --- RATE-7 --------------------------------------------------------------------------------------------------------


def _come_back(limit: RateLimit, world: World) -> Steps:
    choice = _chosen(world, limit)
    if isinstance(choice, Judgement):
        return choice
    spent = yield from _spend(world, choice, choice.capacity + 1)
    if spent.refusal is None:
        return inconclusive("nothing was refused")
    rule = _rule(limit, world)
    promised = any(name.lower() == "retry-after" for name in limit.headers)
    text = spent.refusal.header("Retry-After")
    longest = longest_retry_after(choice.charge.amount, choice_window(limit))
    expected = f"Retry-After of 1 to {longest} seconds, after which one request is admitted"
    if text is None:
        evidence = Evidence(expected=expected, got="429 without Retry-After", exchange=spent.refusal, rule=rule)
        return (
            fail(evidence, "the policy promises it") if promised else unspecified("no Retry-After is sent or promised")
        )
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= longest:
        evidence = Evidence(expected=expected, got=f"Retry-After: {text[:40]}", exchange=spent.refusal, rule=rule)
        return warn(evidence, "the value is no time after which to come back")
    yield Wait(seconds=float(text) + (0.0 if world.settings.frozen else RESOLUTION))
    again: Exchange = yield _again(spent.refusal.probe)
    if again.status == TOO_MANY:
        evidence = Evidence(
            expected=expected, got=f"429 again after {text} seconds", exchange=again, control=spent.refusal, rule=rule
        )
        return warn(evidence, "Retry-After says too little")
    return PASSED if again.succeeded else inconclusive(f"afterwards the target answered {again.status}")


def _again(probe: Probe) -> Probe:
    return replace(probe, label="after Retry-After", connection=None)


def _no_limits(world: World) -> str | None:
    counted = [limit for limit in world.policy.rate_limits.values() if limit.requests is not None]
    return None if counted else "the policy states no number of requests"


CLAUSES = (
    Clause(
        id="RATE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="No more requests are admitted than any fair way of counting the documented limit would admit.",
        why="A limit that is not enforced is discovered by the first client that loops.",
        how="A fresh key sends more at once than the limit allows, on several connections and over all operations "
        "that are "
        "counted together; where the target's clock "
        "runs by "
        "itself, twice, half a window apart, and the lower count is judged, since one burst may see two windows. More "
        "than the amount plus what a bucket refills meanwhile fails.",
        fix="Count each request in one atomic step, in one place for all workers, by the key's id.",
        alone=True,
        inapplicable=_no_limits,
        cases=lambda world: _cases(world, _upper),
    ),
    Clause(
        id="RATE-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="The limit is the documented number, neither more nor less.",
        why="Customers size their clients by the table; off by one is a refused request a minute.",
        how="With the clock standing still a fresh key sends two more than the limit at once: exactly the amount, or "
        "the "
        "bucket's capacity, must be admitted. Fewer fails only where the policy names an algorithm that promises it.",
        fix="Refuse when the count would exceed the limit, not when it has.",
        alone=True,
        inapplicable=_no_limits,
        cases=lambda world: _cases(world, _exact),
    ),
    Clause(
        id="RATE-7",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 10.2.3", "RFC 6585 section 4"),
        promise="A refusal for quota says when to come back, and then it is true.",
        why="Clients that believe a number that is too small are refused again, and those of others wait in vain.",
        how="After the first 429 nothing is sent for as long as it says; then one request must be admitted. A value "
        "of 0, "
        "none, or one longer than any limiter would need is a warning, none at all fails where the policy promises it.",
        fix="Compute the time at which the same request is admitted, and round it up.",
        alone=True,
        inapplicable=_no_limits,
        cases=lambda world: _cases(world, _come_back),
    ),
)
