"""What a run would send: its cases tried against a correct server in memory, counted, and scaled where they are many.

Requests are counted by clause, by purpose and by the sort of key that they show. How long the target's own limits make
a run wait follows from what each allowance is charged: so many units at so many a window.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from authcontract_engine import Charge
from authcontract_policy import Loaded

from authcontract_conformance._events import Event, Waiting
from authcontract_conformance.clauses._clause import Case, Clause
from authcontract_conformance.driver._driver import Stopped
from authcontract_conformance.exchange._exchange import Exchange, Purpose
from authcontract_conformance.oracle._verdict import Basis, Level, Word
from authcontract_conformance.run._dry import DryTarget
from authcontract_conformance.run._run import Options, Run, SetupError
from authcontract_conformance.run._target import Target
from authcontract_conformance.world._world import Ended, World

#: Requests of one property, as seen on several contracts; what is generated is not generated twice to count it.
GENERATED: Final = 65
#: Seconds of one request to the embedded server, with all that goes with it, and to one over a network.
NEAR, FAR = 0.0013, 0.05
#: Requests at once to a target over a network, where its limits allow for it.
AT_ONCE: Final = 12
#: Part of the time that there is for trying cases, even where listing them took all of it.
LEAST: Final = 0.3
#: What requests before the first clause are counted under.
BEGINNING: Final = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClausePlan:
    """What one clause would send."""

    clause: str
    promise: str
    #: Cases, and properties that generate theirs.
    cases: int
    #: Requests by purpose; what is generated counts as probes.
    requests: Mapping[Purpose, int]
    #: Why it would send nothing, if so.
    reason: str = ""
    #: False: some of its cases stand for the others, or it generates.
    complete: bool = True

    @property
    def total(self) -> int:
        """Return all its requests."""
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """Requests with one sort of key."""

    scopes: tuple[str, ...]
    kind: str
    plan: str | None
    environment: str | None
    organisation: str
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would send, and how long that takes."""

    target: str
    clauses: tuple[ClausePlan, ...]
    keys: tuple[KeyPlan, ...]
    #: Requests that show no key which was ever issued.
    without_key: int
    #: Seconds for which the contract's limits, or a clause itself, make the run wait; 0 where the clock can be moved.
    waiting: float
    #: Seconds for everything.
    seconds: float

    @property
    def requests(self) -> int:
        """Return all requests."""
        return sum(clause.total for clause in self.clauses)

    @property
    def complete(self) -> bool:
        """Tell whether every case was tried."""
        return all(clause.complete for clause in self.clauses)


def plan(loaded: Loaded, target: Target | None, options: Options, *, within: float | None = None) -> Plan:
    """Try every case, or as many as there are seconds for, in memory; nothing is sent. Raises `SetupError`."""
    return asyncio.run(_Survey(loaded, target, options).plan(math.inf if within is None else within))


@dataclass(slots=True)
class _Tried:
    """The cases of one clause, of which some were tried."""

    clause: Clause
    cases: list[Case] = field(default_factory=list)
    properties: int = 0
    reason: str = ""
    tried: int = 0
    #: False: its last case was cut off.
    whole: bool = True
    counted: Counter[Purpose] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    without_key: int = 0
    charged: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    waited: float = 0.0

    @property
    def scale(self) -> float:
        """Return for how many cases each one that was tried stands; what comes before all cases stands for itself."""
        return len(self.cases) / self.tried if self.tried else 1.0


class _Survey:
    """One look at what a run would do."""

    def __init__(self, loaded: Loaded, target: Target | None, options: Options) -> None:
        self._dry = DryTarget(loaded, target, self._charge)
        self._began, self._until = time.monotonic(), math.inf
        # A silence that is excused changes no request, and its other answers need not be compiled.
        dry = replace(options, confirmed=True)
        self._run = Run(loaded, self._dry.connected(), dry, self._hear)
        self._declared = target is not None
        self._pauses = 0.0
        self._windows: dict[tuple[str, tuple[str, ...]], Charge] = {}
        self._counter = Clause(
            id="plan",
            level=Level.UNSPEC,
            basis=Basis.CONTRACT,
            sources=(),
            promise="",
            why="",
            how="",
            fix="",
            passive=self._count,
        )
        self._now = self._beginning = _Tried(
            replace(self._counter, id=BEGINNING, promise="A key works, and others expire.")
        )

    async def plan(self, within: float) -> Plan:
        """Try one case of each clause, then another, until the time is over or all are tried."""
        await self._begin()
        found = [self._listed(clause) for clause in (*self._run.clauses, *self._run.traffic)]
        self._until = max(self._began + within, time.monotonic() + within * LEAST)
        rounds = max((len(tried.cases) for tried in found), default=0)
        # What counts quota sends most, so it comes last: cut off, it takes no other clause's turn.
        queues = [(tried, _spread(len(tried.cases))) for tried in sorted(found, key=lambda tried: tried.clause.alone)]
        for _ in range(rounds):
            for tried, places in queues:
                if time.monotonic() > self._until:
                    return self._added_up(found)
                place = next(places, None)
                if place is not None:
                    await self._try(tried, tried.cases[place])
        return self._added_up(found)

    async def _begin(self) -> None:
        look = self._run.driver.look_with
        look([self._counter])
        await self._run.calibrate()
        look([self._counter])  # calibrated, the run shows its exchanges to its passive clauses
        await self._run.prepare()

    def _listed(self, clause: Clause) -> _Tried:
        tried = _Tried(clause)
        try:
            cases, properties = self._run.what_to_try(clause)
        except Ended as ended:
            tried.reason = ended.judgement.reason
        except Exception as error:  # noqa: BLE001  the run itself will say that this is our defect
            tried.reason = f"internal error: {type(error).__name__}"
        else:
            tried.cases, tried.properties = cases or [], len(properties)
            judged = [j.reason for j in self._run.driver.judgements.get(clause.id, ()) if j.word is Word.SKIPPED]
            tried.reason = self._run.reasons.get(clause.id) or next(iter(judged), "")
        return tried

    async def _try(self, tried: _Tried, case: Case) -> None:
        self._now = tried
        passed, self._pauses = self._dry.clock.passed, 0.0
        await self._run.driver.run_case(tried.clause, case)
        tried.tried += 1
        tried.whole = tried.whole and self._run.driver.stopped is None
        tried.waited += max(0.0, self._dry.clock.passed - passed - self._pauses)

    # --- counting ----------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        if isinstance(event, Waiting):
            self._pauses += event.seconds

    def _charge(self, charges: tuple[Charge, ...]) -> None:
        for charge in charges:
            place = (charge.limit, charge.bucket)
            self._windows[place] = charge
            self._now.charged[place] += charge.cost

    def _count(self, _world: World, exchange: Exchange) -> None:
        if time.monotonic() > self._until:  # a case that uses up a large allowance would take all day
            raise Stopped("there is no more time to try cases")
        self._now.counted[exchange.probe.purpose] += 1
        known = [key for key in exchange.probe.keys if self._run.vault.record(key) is not None]
        if known:
            self._now.keys[known[0]] += 1
        else:
            self._now.without_key += 1

    # --- adding up ---------------------------------------------------------------------------------------------------

    def _added_up(self, found: list[_Tried]) -> Plan:
        """Scale what was tried; a clause that was not reached costs as much a case as the others."""
        everything = [self._beginning, *found]
        tried = sum(each.tried for each in found)
        usual = sum(each.counted.total() for each in found) / tried if tried else 0.0
        clauses = tuple(_planned(each, usual) for each in everything)
        requests = sum(clause.total for clause in clauses)
        waiting = 0.0 if self._dry.clock.movable else self._waiting(everything)
        seconds = requests * (FAR / AT_ONCE if self._declared else NEAR) + waiting
        return Plan(
            target=self._run.connected.name,
            clauses=clauses,
            keys=tuple(sorted(self._keys(everything), key=lambda key: -key.requests)),
            without_key=round(sum(each.without_key * each.scale for each in everything)),
            waiting=round(waiting, 1),
            seconds=round(seconds, 1),
        )

    def _keys(self, found: Iterable[_Tried]) -> Iterator[KeyPlan]:
        sorts: defaultdict[tuple[str, tuple[str, ...], str | None, str | None, str], float] = defaultdict(float)
        for each in found:
            for key, number in each.keys.items():
                record = self._run.vault.record(key)
                assert record is not None  # noqa: S101  counted only where there is one
                # A case of a target that issues every key has organisations of its own, called `case/A`.
                organisation = (record.organisation or "").rpartition("/")[2] or "A"
                sort = (record.kind, tuple(sorted(record.scopes)), record.plan, record.environment, organisation)
                sorts[sort] += number * each.scale
        for (kind, scopes, of, environment, organisation), requests in sorts.items():
            yield KeyPlan(
                kind=kind,
                scopes=scopes,
                plan=of,
                environment=environment,
                organisation=organisation,
                requests=round(requests),
            )

    def _waiting(self, found: list[_Tried]) -> float:
        """Return how long the run waits: for the allowance that is asked most of, and where clauses wait themselves.

        An allowance of which two cases take something is everybody's, and is asked by those that were not tried too.
        """
        limits = self._run.policy.rate_limits
        users = Counter(place for each in found for place in each.charged)
        units: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
        for each in found:
            for place, taken in each.charged.items():
                units[place] += taken * (each.scale if users[place] > 1 else 1.0)
        pacing = [
            math.floor(max(0.0, number - 1) / max(1, self._windows[place].amount)) * float(limits[place[0]].window or 0)
            for place, number in units.items()
        ]
        return max(pacing, default=0.0) + sum(each.waited * each.scale for each in found)


def _planned(tried: _Tried, usual: float) -> ClausePlan:
    purposes = {purpose: round(tried.counted[purpose] * tried.scale) for purpose in Purpose}
    if tried.cases and not tried.tried:
        purposes[Purpose.PROBE] = round(usual * len(tried.cases))
    purposes[Purpose.PROBE] += GENERATED * tried.properties
    return ClausePlan(
        clause=tried.clause.id,
        promise=tried.clause.promise,
        cases=len(tried.cases) + tried.properties,
        requests={purpose: number for purpose, number in purposes.items() if number},
        reason=tried.reason,
        complete=tried.whole and tried.tried == len(tried.cases) and not tried.properties,
    )


def _spread(number: int) -> Iterator[int]:
    """Yield the places of so many cases, each far from those before it: neighbours cost alike.

    The golden ratio's multiples fall everywhere; what they pass over comes last.
    """
    seen: set[int] = set()
    for turn in range(number):
        place = int(turn * 0.6180339887498949 % 1.0 * number)
        if place not in seen:
            seen.add(place)
            yield place
    yield from (place for place in range(number) if place not in seen)


__all__ = ["ClausePlan", "KeyPlan", "Plan", "SetupError", "plan"]
