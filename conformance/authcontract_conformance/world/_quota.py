"""Steps on quota that the clauses on limits share: the cheapest way to use a limit up, and what a used up key shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from authcontract_engine import Charge, KeyRecord, Rule
from authcontract_policy import Operation, RateLimit

from authcontract_conformance.exchange._exchange import Acquire, Burst, Exchange, Key, Need, Probe, Purpose, Wait
from authcontract_conformance.oracle._bounds import at_most_from_idle, memory, steady
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._quota_fields import Said, promised
from authcontract_conformance.oracle._verdict import Judgement, Word, inconclusive, skipped
from authcontract_conformance.world._management import operation_for
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Asking, Ended, World

T = TypeVar("T")
TOO_MANY = 429
#: Larger amounts cost more requests than a run should; the headers speak of those (clauses 4.10).
LARGEST = 300
CONNECTIONS = 8
#: Operations of one sort that are tried before it is taken that none of them will do.
TRIED = 4
#: Resolution of a limiter's clock, where the target's time runs by itself (clauses 4.1).
RESOLUTION = 1.0
#: Seconds that must be left of a window, where time runs, to show something on a key that is used up.
ENOUGH = 5.0
#: How often something must be seen alike, each time from idle, where somebody else may have caused it.
AGREE = 3
#: Why nothing is judged where it may have been somebody else.
FOREIGN = "somebody else may be using the key, or what it is counted with"
#: So many windows show whether refusals have a rhythm; nobody waits longer for that than these seconds.
BEATS, LONG = 6, 400.0
#: Seconds that a key may rest, where time runs, so that what it was used for before is forgotten.
REST = 150.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The cheapest way to use up a limit: which operation, with which key, and how much there is."""

    limit: RateLimit
    operation: Operation
    need: Need
    charge: Charge

    @property
    def capacity(self) -> int:
        """Return how many requests a correct server admits at once, from idle."""
        return self.charge.burst // self.charge.cost

    @property
    def rate(self) -> int:
        """Return how many requests there are in each window."""
        return self.charge.amount // self.charge.cost

    @property
    def window(self) -> int:
        """Return the window in seconds; limits of requests always have one."""
        return self.limit.window or 1

    def units_from_idle(self, seconds: float) -> int:
        """Return how many units two bursts half a window apart, each within so many seconds, both get at most."""
        return at_most_from_idle(self.charge.amount, self.window, seconds, self.charge.burst)

    def most_from_idle(self, seconds: float) -> int:
        """Return the same in requests."""
        return self.units_from_idle(seconds) // self.charge.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What requests sent at once with one key brought: how many were admitted, how long it took, and the refusals."""

    choice: Choice
    key: Key
    #: The case of whose organisations the key is.
    case: str
    #: The target's time, as far as it is known, before the first of them.
    at: float
    exchanges: tuple[Exchange, ...]

    @property
    def admitted(self) -> int:
        """Return how many were admitted."""
        return sum(exchange.succeeded for exchange in self.exchanges)

    @property
    def seconds(self) -> float:
        """Return how long it took at most."""
        began, ended = self.span
        return ended - began

    @property
    def span(self) -> tuple[float, float]:
        """Return when the first was sent and the last received, by the run's own clock."""
        return min(e.sent_at for e in self.exchanges), max(e.received_at for e in self.exchanges)

    @property
    def refusals(self) -> tuple[Exchange, ...]:
        """Return the refusals, in the order in which they came."""
        refused = [exchange for exchange in self.exchanges if exchange.status == TOO_MANY]
        return tuple(sorted(refused, key=lambda exchange: exchange.received_at))

    @property
    def last(self) -> Exchange:
        """Return the last answer."""
        return max(self.exchanges, key=lambda exchange: exchange.received_at)


def no_limits(world: World) -> str | None:
    """Say that the policy states no number of requests, if so."""
    counted = [limit for limit in world.policy.rate_limits.values() if limit.requests is not None]
    return None if counted else "the policy states no number of requests"


def counted(world: World) -> tuple[RateLimit, ...]:
    """Return the limits of so many requests in a window."""
    return tuple(limit for limit in world.policy.rate_limits.values() if limit.requests is not None)


def rule(world: World, limit: RateLimit) -> Rule:
    """Return the line of the policy that states a limit."""
    path = ("rate_limits", limit.name)
    return Rule(path=path, source=world.policy.source(path))


# --- which operation and key ---------------------------------------------------------------------------------------


#: What a limit takes for an operation called by such a key, or None where that will not do.
Price: TypeAlias = Callable[[World, RateLimit, Operation, Need], Charge | None]


def choose(world: World, limit: RateLimit, suits: Price | None = None) -> Choice | None:
    """Return the operation and key with the smallest amount, by default such that this limit is the first to refuse."""
    suits = suits or first_to_refuse
    best: Choice | None = None
    for operation in protected(world):
        if operation.method != "GET" or limit.name not in world.contract.resolution.limits[operation.id]:
            continue
        if world.resources.steps(operation):
            continue  # making an object would spend the allowance that is to be counted
        for need in plans(world, operation):
            mine = suits(world, limit, operation, need)
            if mine is not None and (best is None or mine.burst < best.charge.burst):
                best = Choice(limit, operation, need, mine)
    return best if best is None else _widened(world, best, suits)


def _widened(world: World, choice: Choice, suits: Price) -> Choice:
    """Let the key call whatever draws on the limit, where each key can be had and keys hold several scopes."""
    if not world.settings.disposable or world.policy.keys.kinds[choice.need.kind].holds != "several scopes":
        return choice
    drawing = [o for o in protected(world) if choice.limit.name in world.contract.resolution.limits[o.id]]
    needs = [next((n for n in plans(world, o) if n.kind == choice.need.kind), choice.need) for o in drawing]
    wide = replace(choice.need, scopes=frozenset().union(*(need.scopes for need in needs)))
    same = suits(world, choice.limit, choice.operation, wide) == choice.charge
    return replace(choice, need=wide) if same else choice


def taken(world: World, limit: RateLimit, operation: Operation, need: Need) -> Charge | None:
    """Return what a limit takes for an operation; None where that is nothing."""
    charges = price(world, operation, need)
    return next((charge for charge in charges if charge.limit == limit.name and charge.cost > 0), None)


def first_to_refuse(world: World, limit: RateLimit, operation: Operation, need: Need) -> Charge | None:
    """Return what a limit takes for an operation, if a key that calls only that meets no other limit before."""
    charges = price(world, operation, need)
    mine = taken(world, limit, operation, need)
    if mine is None or any(c.burst * mine.cost < mine.burst * c.cost for c in charges if c is not mine):
        return None
    return mine


def plans(world: World, operation: Operation, environment: str | None = None) -> Iterable[Need]:
    """Return keys that may call an operation, on every plan on which there are keys."""
    for need in world.access.sufficient(operation, environment or world.environment):
        yield from (replace(need, plan=plan, own=True) for plan in world.access.plans or (need.plan,))


def price(world: World, operation: Operation, need: Need) -> tuple[Charge, ...]:
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


def chosen(world: World, limit: RateLimit) -> Choice:
    """Return the cheapest way to use a limit up; ends the case where there is none that a run can afford."""
    place = (limit.name, "choice")
    if place not in world.settings.spent:  # it is looked for in every operation, and asked for by every case
        world.settings.spent[place] = choose(world, limit)
    choice: Choice | None = world.settings.spent[place]
    if choice is None:
        raise Ended(skipped("no operation and key for which this limit is the first to refuse"))
    if min(choice.capacity, choice.rate) < 1:
        raise Ended(skipped("one request costs more than there ever is"))
    if choice.capacity > LARGEST:
        raise Ended(skipped(f"{choice.capacity} requests are more than the {LARGEST} that a run spends on one limit"))
    return choice


def remembered(world: World, limit: RateLimit, what: str, find: Callable[[], Asking[T]]) -> Asking[T]:
    """Find something out about a limit, unless an earlier case did."""
    place = (limit.name, what)
    if place not in world.settings.spent:
        world.settings.spent[place] = yield from find()
    found: T = world.settings.spent[place]
    return found


def alike(world: World, choice: Choice) -> Asking[tuple[Operation, ...]]:
    """Return the operations that draw on the same allowances at the same price: one of them may not be counted."""
    return (yield from remembered(world, choice.limit, "operations", partial(_alike, world, choice)))


def _alike(world: World, choice: Choice) -> Asking[tuple[Operation, ...]]:
    """Try each once with another key; what makes something is used only where all is made for the run."""
    found = [choice.operation]
    for operation in together(world, choice):
        same = set(price(world, operation, choice.need)) == set(price(world, choice.operation, choice.need))
        if same and len(found) < choice.capacity and (yield from _served(world, choice, operation)):
            found.append(operation)
    if len(found) > 1 and lent(world):  # they were tried with the very key that is to be used up
        yield from rest(world, choice)
    return tuple(found)


def _served(world: World, choice: Choice, operation: Operation) -> Asking[bool]:
    # Of another organisation where that can be, since the allowance may be the organisation's.
    other: Key = yield Acquire(replace(choice.need, own=False), case=f"{world.case}/tries")
    served: Exchange = yield world.request(operation, other, purpose=Purpose.FIXTURE)
    return served.succeeded


def together(world: World, choice: Choice) -> tuple[Operation, ...]:
    """Return the other operations that take from the same allowance, at whatever price, and can simply be called."""
    if {"operation", "object"} & set(choice.limit.per):
        return ()
    managed_by = world.policy.keys.managed_by
    managing = () if managed_by is None else (managed_by.create, managed_by.rotate, managed_by.revoke)
    return tuple(
        operation
        for operation in protected(world)
        if operation is not choice.operation
        and operation.id not in managing
        and (operation.method == "GET" or (operation.method == "POST" and world.settings.disposable))
        and not world.resources.steps(operation)
        and world.access.permits(operation, choice.need)
        and first_to_refuse(world, choice.limit, operation, choice.need) is not None
    )


def with_body(world: World, choice: Choice) -> Asking[Operation | None]:
    """Return an operation with a body that takes from the same allowance and is served, if there is one."""

    def find() -> Asking[Operation | None]:
        for operation in [each for each in together(world, choice) if each.method == "POST"][:TRIED]:
            if (yield from _served(world, choice, operation)):
                return operation
        return None

    return (yield from remembered(world, choice.limit, "operation with a body", find))


# --- using it up ---------------------------------------------------------------------------------------------------


def counting(probe: Probe, connection: str | None = None) -> Probe:
    """Return a probe that is sent at once and never again: the clause counts itself."""
    return replace(probe, paced=False, connection=connection)


def fresh(world: World, choice: Choice) -> Asking[tuple[Key, str]]:
    """Return a key whose allowance nobody has touched, and the case of whose organisations it is.

    Where organisations can be made it has one of its own; where not, what the run did before may be counted still. A
    key that is lent and cannot be made is used again where no other one is lent, once all that it was used for is
    forgotten.
    """
    kept = world.settings.spent.setdefault((choice.limit.name, "lent"), {})
    another = "key" in choice.limit.per and world.settings.lends(choice.need)
    if choice.need in kept and not another:
        yield from rest(world, choice)
        key, case = kept[choice.need]
        return key, case
    if lent(world):
        yield from alike(world, choice)  # once a key is a case's own, nothing can be tried with it
    number = world.settings.spent[choice.limit.name, "keys"] = 1 + world.settings.spent.get(
        (choice.limit.name, "keys"), 0
    )
    case = f"{world.case}/{number}"
    key = yield Acquire(choice.need, case=case)
    if lent(world):
        kept[choice.need] = (key, case)
    return key, case


def rest(world: World, choice: Choice) -> Asking[None]:
    """Let a limiter forget what was sent before; ends the case where that takes longer than anybody waits."""
    seconds = _rest(choice)
    if choice.charge.cost_refused and choice.limit.algorithm in ("any", "token_bucket"):
        raise Ended(skipped("what was refused costs something too, and a bucket may have to pay for it for long"))
    if seconds > REST and not world.settings.frozen:
        raise Ended(skipped(f"the key that is lent would have to rest for {seconds:.0f} s before it can be used again"))
    yield Wait(seconds=seconds)


def _rest(choice: Choice) -> float:
    return memory(choice.charge.amount, choice.window, choice.charge.burst, choice.limit.algorithm) + RESOLUTION


def lent(world: World) -> bool:
    """Tell whether there are just the keys that somebody lends: the run cannot make another one."""
    return not world.settings.disposable and operation_for(world, "create") is None


def noisy(world: World, limit: RateLimit) -> bool:
    """Tell whether earlier requests of the run may be counted with those of a fresh key."""
    return not world.settings.disposable or not {"key", "organisation"} & set(limit.per)


def shared(world: World, limit: RateLimit) -> bool:
    """Tell whether somebody else may use a key that the run has for itself, or what it is counted with."""
    return not world.settings.disposable and (lent(world) or "key" not in limit.per)


def sure(
    world: World,
    choice: Choice,
    judge: Callable[[bool], Asking[Judgement]],
    pause: float | None = None,
) -> Asking[Judgement]:
    """Judge how much is admitted at least: what somebody else's requests may have caused is tried again from idle.

    `judge` is told whether it is the second time. What the run itself sent before may have caused the first failure;
    nothing remembers more than a rest. Whoever else uses the key could cause the second, so that one is believed only
    if requests sent at an even pace, where there is one that no limiter refuses, are refused in a rhythm. A key that is
    lent rests before it is used again by itself.
    """
    judged: Judgement = yield from judge(False)  # noqa: FBT003  a function's only argument
    if judged.word is not Word.FAIL or not noisy(world, choice.limit):
        return judged
    if not lent(world):
        yield from rest(world, choice)
    judged = yield from judge(True)  # noqa: FBT003  as above
    if judged.word is not Word.FAIL or not shared(world, choice.limit):
        return judged
    steadily = pause is not None and BEATS * choice.window <= LONG and (yield from _in_rhythm(world, choice, pause))
    return judged if steadily else inconclusive(f"{FOREIGN} ({judged.reason})")


def _in_rhythm(world: World, choice: Choice, pause: float) -> Asking[bool]:
    """Tell whether one request after the other, at a pace that nobody refuses, is refused as only a limiter does."""
    key, _ = yield from fresh(world, choice)
    probe = counting(world.request(choice.operation, key, label="at a steady pace"))
    exchanges: list[Exchange] = []
    for _ in range(math.ceil(BEATS * choice.window / pause)):
        exchanges.append((yield probe))
        yield Wait(seconds=pause)
    return steady([exchange.succeeded for exchange in settled(exchanges)])


def spend(world: World, choice: Choice, requests: int, key: Key | None = None) -> Asking[Spent]:
    """Send so many requests at once, on several connections and over all operations that are counted together."""
    operations = yield from alike(world, choice)
    owner, case = (key, world.case) if key is not None else (yield from fresh(world, choice))
    at = world.now()
    probes = tuple(
        counting(
            world.request(operations[index % len(operations)], owner, label=f"uses up {choice.charge.limit}"),
            f"{index % CONNECTIONS}",
        )
        for index in range(requests)
    )
    exchanges: tuple[Exchange, ...] = yield Burst(probes, connections=CONNECTIONS)
    return Spent(choice=choice, key=owner, case=case, at=at, exchanges=settled(exchanges))


def settled(exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """Return the exchanges, each either admitted or refused for quota; ends the case where one is neither."""
    odd = [exchange for exchange in exchanges if not exchange.succeeded and exchange.status != TOO_MANY]
    if odd:
        raise Ended(inconclusive(f"an answer that is neither admitted nor refused: {describe_exchange(odd[0])}"))
    return tuple(exchanges)


def observed(world: World, choice: Choice) -> Asking[Spent]:
    """Return what a fresh key brought that sent two requests more than there are; an earlier case may have done so."""

    def find() -> Asking[Spent]:
        return (yield from spend(world, choice, choice.capacity + 2))

    return (yield from remembered(world, choice.limit, "observed", find))


def forget(spent: dict[tuple[str, str], Any]) -> None:
    """Forget what was counted, since something of ours was wrong with it."""
    for place in [place for place, found in spent.items() if isinstance(found, Spent)]:
        del spent[place]


def exhausted(world: World, choice: Choice) -> Asking[Spent]:
    """Return a key that has used the limit up just now, by an earlier case if that is still so."""
    for what in ("exhausted", "observed"):
        kept: Spent | None = world.settings.spent.get((choice.limit.name, what))
        if kept is not None and kept.refusals and _still(world, kept):
            return kept
    if noisy(world, choice.limit) and not lent(world) and _rest(choice) <= REST:
        yield from rest(world, choice)  # what the run did before must not run out while something is shown
    spent = yield from spend(world, choice, choice.capacity + 2)
    if not spent.refusals:
        more = yield from spend(world, choice, choice.capacity + 2, spent.key)
        spent = replace(more, case=spent.case, at=spent.at, exchanges=(*spent.exchanges, *more.exchanges))
    if not spent.refusals:
        raise Ended(inconclusive("nothing is refused, however much is sent; RATE-1 judges that"))
    world.settings.spent.setdefault((choice.limit.name, "observed"), spent)
    world.settings.spent[choice.limit.name, "exhausted"] = spent
    return spent


def _still(world: World, spent: Spent) -> bool:
    """Tell whether a key must be used up still: the clock stood still, or enough of the window is left."""
    if world.settings.frozen:
        return spent.at == world.now()
    return world.now() + ENOUGH < spent.at + spent.choice.window - RESOLUTION


def too_short(world: World, choice: Choice) -> str | None:
    """Say that a window is too short to show anything within it, where time runs by itself, if so."""
    if world.settings.frozen or choice.window / 2 > RESOLUTION:
        return None
    return f"a window of {choice.window} s is too short where time runs by itself and is known to {RESOLUTION:g} s"


def said(world: World, exchange: Exchange, limit: RateLimit, operation: Operation) -> Said | None:
    """Return what a response says of a limit."""
    names = world.contract.resolution.limits[operation.id]
    others = [world.policy.rate_limits[name] for name in names if name != limit.name]
    return promised(exchange, limit, others)
