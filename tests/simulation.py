"""A target with one limiter in a simulated world: time passes between requests as on a network, and costs a test none.

A simulation is drawn from a seed: how large the limit is, what the policy says of it, whether the clock can be moved,
how slow the network is, whose the keys are, what responses say, and how often somebody else uses the same keys.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, TypeAlias

import authcontract_engine as engine
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.driver._clock import WallClock
from authcontract_conformance.driver._keys import Declared, DeclaredKeys, Keyring
from authcontract_conformance.driver._pacing import Pacer
from authcontract_conformance.exchange._exchange import Action, Advance, Burst, Exchange, Probe, Wait
from authcontract_conformance.oracle._oracle import Oracle
from authcontract_conformance.oracle._verdict import Judgement, Word, inconclusive
from authcontract_conformance.reference import CORRECT, Call, Server
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._access import Access
from authcontract_conformance.world._resources import Resources
from authcontract_conformance.world._world import Ended, Settings
from authcontract_engine import Charge, Contract, MemoryLimiter, Reservation, Standing
from authcontract_policy import Algorithm, Dimension, Table
from conversations import Conversation, _Keys
from limiters import SECOND, Kind, Limiter
from shop import shop

Make: TypeAlias = Callable[[int, int, int], Limiter]
Whose: TypeAlias = Literal["issued", "created", "declared"]
#: As a run orders them: those that must be alone come last.
CLAUSES = tuple(
    sorted(
        (
            name
            for name, clause in catalogue().items()
            if (name.startswith("RATE-") or name == "PREC-5") and clause.cases is not None
        ),
        key=lambda name: catalogue()[name].alone,
    )
)
WATCHING = tuple(name for name, clause in catalogue().items() if name.startswith("RATE-") and clause.passive)
#: Cases of each clause that a run judges, at random.
SOME = 3
#: Operations that a target with lent keys does not let anybody call.
MANAGING = frozenset({"createKey", "rotateKey", "revokeKey"})
ACCUSED = frozenset({Word.FAIL, Word.WARN})
#: The simulated time at which all begins, later than any clock of today; a server's clock only moves forward.
BEGINNING = 4_000_000_000


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the policy says of the limit."""

    amount: int
    window: int
    algorithm: Algorithm = "any"
    burst: int | None = None
    may_be_lower: bool = False
    #: Units that a refused request takes.
    refused: int = 0
    #: Whether responses say how much there is and how much is left.
    says: bool = True


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """How one simulation is."""

    shape: Shape
    #: True: the run moves the clock, and it stands still otherwise.
    frozen: bool
    whose: Whose
    #: Resolution of the limiter's clock in microseconds.
    tick: int
    #: Seconds that a request or a response takes at least, and how much more it usually takes.
    latency: tuple[float, float]
    #: Requests that somebody else sends with each key in a window.
    foreign: float = 0.0


def contract_of(shape: Shape) -> Contract:
    """Return the shop's contract with this limit."""
    return _compiled(shape)


@cache
def _compiled(shape: Shape) -> Contract:
    base = shop()
    name, limit = next(iter(base.policy.rate_limits.items()))
    changed = replace(
        limit,
        requests=_by_plan(shape.amount),
        window=shape.window,
        algorithm=shape.algorithm,
        burst=_by_plan(shape.burst) if shape.burst is not None else None,
        may_be_lower=shape.may_be_lower,
        costs={"throttled": shape.refused},
        headers=limit.headers if shape.says else {"Retry-After": "<retry_after>"},
    )
    return engine.compile(replace(base.policy, rate_limits={name: changed}), base.specification)


def _by_plan(amount: int) -> Table[Any]:
    rows = (("small", Table(value=amount)), ("large", Table(value=2 * amount + 3)))
    return Table(dimension=Dimension.PLAN, rows=rows)


class Counting(MemoryLimiter):
    """The server's limiter: one of ours for each bucket, by a clock of some resolution."""

    def __init__(self, contract: Contract, make: Make, simulation: Simulation) -> None:
        super().__init__(contract)
        self._make = make
        self._simulation = simulation
        self._window = simulation.circumstances.shape.window
        self.limiters: dict[tuple[str, ...], Limiter] = {}

    def limiter(self, charge: Charge) -> Limiter:
        """Return what counts for a charge; what somebody else sent before is in it already."""
        found = self.limiters.get(charge.bucket)
        if found is None:
            found = self._make(charge.amount, self._window * SECOND, charge.burst)
            self.limiters[charge.bucket] = found
            for then in self._simulation.foreign:
                found.take(self._ticks(then), 1, charge.cost_refused)
        return found

    def _ticks(self, now: float) -> int:
        tick = self._simulation.circumstances.tick
        return round(now * SECOND) // tick * tick

    def interfere(self, now: float) -> None:
        """Let somebody else ask with every key that was used."""
        for limiter in self.limiters.values():
            limiter.take(self._ticks(now), 1, self._simulation.circumstances.shape.refused)

    def reserve(self, charges: tuple[Charge, ...], now: float) -> Reservation:
        (charge,) = charges
        limiter, at = self.limiter(charge), self._ticks(now)
        limiter.delay = 0
        admitted = limiter.take(at, charge.cost, charge.cost_refused, self._simulation.connection)
        self._simulation.held_up = limiter.delay / SECOND
        return Reservation(admitted, (self._standing(limiter, charge, at, admitted=admitted),), at * 1000)

    def _standing(self, limiter: Limiter, charge: Charge, at: int, *, admitted: bool) -> Standing:
        left = max(0, limiter.room(at))
        more = (limiter.wait(at, left + 1) or 0) if left < limiter.capacity else 0
        retry = 0 if admitted else limiter.wait(at, charge.cost)
        return Standing(
            charge.limit,
            charge.amount,
            left,
            limiter.capacity - left,
            self._window,
            -(-more // SECOND),
            -(-(at + more) // SECOND),
            math.inf if retry is None else retry / SECOND,
            admitted,
        )

    def settle(self, reservation: Reservation, costs: Any, now: float) -> None:  # noqa: ARG002  as the base says
        assert all(final == (charge.cost if reservation.admitted else charge.cost_refused) for charge, final in costs)


@dataclass(slots=True)
class _Known:
    """What a request costs, and how it was answered when it was admitted and when not."""

    charges: tuple[Charge, ...] | None = None
    answers: dict[bool, Exchange] = field(default_factory=dict)


@dataclass
class Simulation(Conversation):
    """A conversation in which time passes."""

    name: str = "shop"
    make: Make = field(kw_only=True)
    circumstances: Circumstances = field(kw_only=True)
    seed: str = field(kw_only=True)
    #: Which connection the request that is served now came by, and how long its response is held up.
    connection: int = field(default=0, init=False)
    held_up: float = field(default=0.0, init=False)
    #: When somebody else has asked lately.
    foreign: deque[float] = field(default_factory=lambda: deque(maxlen=200), init=False)

    def __post_init__(self) -> None:
        """Start the server at a time of the seed's."""
        self.random = random.Random(self.seed)  # noqa: S311  a seed must reproduce it
        how = self.circumstances
        compiled = contract_of(how.shape)
        self.server = Server(compiled, seams=replace(CORRECT, limit=self._limit))
        self.server.clock.freeze()
        self.now = BEGINNING + self.random.uniform(0, 3600)
        self._interfering = self._foreign_times()
        self._next_foreign = next(self._interfering)
        self._move()
        self.counting = Counting(compiled, self.make, self)
        self.server.limiter = self.counting
        issued = how.whose != "declared"
        source = _Keys(self.server, makes_organisations=how.whose == "issued") if issued else self._declared()
        self._keyring = Keyring(compiled, source, self.vault, seed=1)
        skew = self.random.uniform(-100, 100)
        clock = self.server.clock
        self.settings = Settings(
            contract=compiled,
            oracle=Oracle(compiled, {}, self.vault),
            access=Access(compiled),
            resources=Resources(compiled.specification),
            sampler=Sampler(compiled.specification),
            vault=self.vault,
            operations=tuple(op for op in compiled.operations if how.whose != "declared" or op.id not in MANAGING),
            capabilities=frozenset({"clock", "second organisation"} if how.frozen else {"second organisation"}),
            environments=compiled.policy.environments,
            now=clock.now if how.frozen else lambda: self.now + skew,
            frozen=how.frozen,
            disposable=how.whose == "issued",
            seed=1,
        )
        self._longest = how.shape.window
        self._pacer = Pacer(compiled, _Now(self))
        self.altered = self._timed
        self._times = (0.0, 0.0)
        self._known: dict[object, _Known] = {}
        self._reserving: _Known | None = None
        self._reserved: Reservation | None = None

    def _declared(self) -> DeclaredKeys:
        """Declare one key of each sort in each organisation."""
        policy = contract_of(self.circumstances.shape).policy
        keys = []
        for organisation in ("A", "B"):
            for scope in policy.scopes:
                for plan in policy.plans:
                    for environment in policy.environments:
                        record, secret = self.server.keyring.issue(
                            organisation=organisation,
                            environment=environment,
                            kind="API key",
                            scopes=frozenset({scope}),
                            plan=plan,
                            now=self.server.clock.now(),
                        )
                        keys.append(Declared(record=record, secret=secret.encode(), organisation=organisation))
        return DeclaredKeys(tuple(keys))

    # --- requests --------------------------------------------------------------------------------------------------

    def send(self, probe: Probe, began: float | None = None) -> Exchange:
        """Answer a probe; what reads the same once more is answered the same, but for what the limiter says."""
        if probe.method != b"GET":  # it may change what is read, or which keys there are
            self._known.clear()
            self._reserving = self._reserved = None
            exchange = super().send(probe, began)
            self._reserved = None
            return exchange
        place = (probe.target, probe.headers, probe.protocol, probe.channel)
        found = self._known.setdefault(place, _Known())
        if found.charges is not None:
            self._reserved = self.counting.reserve(found.charges, self.server.clock.now())
            known = found.answers.get(self._reserved.admitted)
            if known is not None:
                return self._once_more(known, probe, self._reserved)
        self._reserving = found
        exchange = super().send(probe, began)
        if self._reserved is not None:
            found.answers[self._reserved.admitted] = exchange
        self._reserving = self._reserved = None
        return exchange

    def _limit(self, server: Server, _call: Call, charges: tuple[Charge, ...]) -> Reservation:
        if self._reserved is None:
            self._reserved = self.counting.reserve(charges, server.clock.now())
        if self._reserving is not None:
            self._reserving.charges = charges
        return self._reserved

    def _once_more(self, exchange: Exchange, probe: Probe, reservation: Reservation) -> Exchange:
        (standing,) = reservation.standings
        says = {
            "RateLimit": f'"{standing.limit}";r={standing.remaining};t={standing.reset_in}',
            "Retry-After": str(max(1, math.ceil(standing.retry_after))) if math.isfinite(standing.retry_after) else "",
        }
        headers = tuple((name, says.get(name, value)) for name, value in exchange.headers)
        self._reserved = None
        exchange = self._timed(replace(exchange, number=len(self.exchanges) + 1, probe=probe, headers=headers))
        self.exchanges.append(exchange)
        return exchange

    # --- time ------------------------------------------------------------------------------------------------------

    def _move(self) -> None:
        """Let the server's time be the simulated one, and let others ask meanwhile."""
        while self._next_foreign <= self.now:
            self.foreign.append(self._next_foreign)
            if hasattr(self, "counting"):
                self.counting.interfere(self._next_foreign)
            self._next_foreign = next(self._interfering)
        clock = self.server.clock
        clock.advance(max(0.0, self.now - clock.now()))

    def _foreign_times(self) -> Iterator[float]:
        rate = self.circumstances.foreign / self.circumstances.shape.window
        now = self.now - 3 * self.circumstances.shape.window
        while rate:
            now += self.random.expovariate(rate)
            yield now
        yield math.inf

    def _latency(self) -> float:
        least, more = self.circumstances.latency
        return least + self.random.expovariate(1 / more) if more else least

    def _timed(self, exchange: Exchange) -> Exchange:
        """Note when it was sent and received."""
        sent, arrived = self._times
        received = arrived + self.held_up + (0.0 if self.circumstances.frozen else self._latency())
        return replace(exchange, sent_at=sent, received_at=received)

    # --- what a case asks for --------------------------------------------------------------------------------------

    def perform(self, action: Action, case: str = "case") -> Any:
        match action:
            case Probe(paced=True):
                return self._patiently(action)
            case Probe():
                return self._alone(action)
            case Burst(probes=probes, connections=connections, together=together):
                return self._at_once(probes, connections, together=together)
            case Advance() if not self.circumstances.frozen:
                raise AssertionError("a clock that nobody can move is not to be moved")
            case Wait(seconds=seconds) if not self.circumstances.frozen and seconds > 2 * max(61, self._longest):
                raise Ended(inconclusive("throttled: the target asks for a long pause"))  # as the driver does
            case Advance(seconds=seconds) | Wait(seconds=seconds):
                self.now += seconds + (0.0 if self.circumstances.frozen else self.random.uniform(0, 0.03))
                self._move()
                return None
            case _:
                return super().perform(action, case)

    def _patiently(self, probe: Probe) -> Exchange:
        """Send as the driver does what it paces: when there is room, and again after a refusal."""
        for _ in range(4):
            reading = self.settings.oracle.read(probe)
            while (delay := self._pacer.delay(reading, self.settings.oracle.key(reading))) > 0:
                self.perform(Wait(seconds=delay))
            exchange = self._alone(probe)
            if exchange.status != 429:
                return exchange
            self.perform(Wait(seconds=float(exchange.header("Retry-After") or 61)))
        raise Ended(inconclusive("throttled"))

    def _alone(self, probe: Probe) -> Exchange:
        (exchange,) = self._at_once((probe,), 1, together=False)
        return exchange

    def _at_once(self, probes: tuple[Probe, ...], connections: int, *, together: bool) -> tuple[Exchange, ...]:
        """Send on several connections: on each one after the other, and let them arrive in the order of time."""
        if not probes:
            return ()
        start = self.now
        waiting: dict[str, deque[int]] = {}
        for number, probe in enumerate(probes):
            lane = probe.connection or f"pool {number % connections}"
            waiting.setdefault(f"{number}" if together else lane, deque()).append(number)
        flying: list[tuple[float, int, float, str]] = []
        release = start + 0.05

        def launch(lane: str, when: float) -> None:
            number = waiting[lane].popleft()
            arrives = when if self.circumstances.frozen else when + self._latency()
            if together and not self.circumstances.frozen:
                arrives = release + self.random.uniform(0, 0.003)
            heapq.heappush(flying, (arrives, number, when, lane))

        for lane in waiting:
            launch(lane, start)
        found: dict[int, Exchange] = {}
        while flying:
            arrives, number, sent, lane = heapq.heappop(flying)
            self.now = max(self.now, arrives)
            self._move()
            self._times = (sent, self.now)
            self.held_up = 0.0
            self.connection = self._connections.setdefault(lane, len(self._connections))
            found[number] = self.send(probes[number])
            if waiting[lane]:
                launch(lane, found[number].received_at)
        self.now = start if self.circumstances.frozen else max(each.received_at for each in found.values())
        return tuple(found[number] for number in range(len(probes)))

    # --- a run -----------------------------------------------------------------------------------------------------

    def run(self, *clauses: str) -> dict[tuple[str, str], Judgement]:
        """Judge these clauses, some of the cases of each, one after the other, as a run does."""
        found: dict[tuple[str, str], Judgement] = {}
        for clause in clauses or CLAUSES:
            if catalogue()[clause].inapplicable(self.world(clause)) is not None:
                continue
            cases = list(self.cases(clause))
            for subject in sorted(self.random.sample(cases, min(SOME, len(cases))), key=cases.index):
                found[clause, subject] = self.judge(clause, subject)
        return found


class _Now(WallClock):
    """The simulated time as the driver's clock."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def now(self) -> float:
        return self._simulation.now


#: Amounts and windows that are drawn; the last window is longer than anybody waits for.
AMOUNTS, WINDOWS = (1, 2, 5, 6, 8, 12, 20, 30), (4, 5, 10, 30, 60, 3600)
LATENCIES = ((0.0005, 0.0), (0.002, 0.003), (0.01, 0.02), (0.05, 0.05), (0.2, 0.3))
KEYS: tuple[Whose, ...] = ("issued", "created", "declared")


def drawn(kind: Kind, seed: str, **fixed: Any) -> Circumstances:
    """Draw how a simulation of such a limiter is; what is fixed is not drawn."""
    chance = random.Random(seed)  # noqa: S311  as above
    amount, window = chance.choice(AMOUNTS), chance.choice(WINDOWS)
    shape = Shape(
        amount=amount,
        window=window,
        algorithm=chance.choice(kind.called),
        burst=max(1, int(amount * kind.holds)) if kind.stated and kind.holds else None,
        may_be_lower=kind.may_be_lower,
        refused=int(chance.random() < 1 / 4),
        says=chance.random() < 1 / 2,
    )
    holds = amount if kind.holds is None else max(1, int(amount * kind.holds))
    # A bucket that holds less than flows in during one tick of its clock would not keep what is documented.
    coarse = chance.random() < 1 / 3 and (kind.holds is None or holds >= 1 + amount / window)
    frozen = chance.random() < 1 / 3 and not kind.delays
    how = Circumstances(
        shape=shape,
        frozen=frozen,
        whose="issued" if frozen else chance.choice(KEYS),
        tick=SECOND if coarse else 1,
        latency=chance.choice(LATENCIES),
    )
    return replace(how, **fixed)
