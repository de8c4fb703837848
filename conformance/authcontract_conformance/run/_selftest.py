"""The suite proved: each fault is served and must be caught by the clauses that it names, a correct server by none.

Each server is forked by a worker that has everything loaded, and judged over real sockets as any other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import authcontract_engine as engine
from authcontract_engine import Contract
from authcontract_policy import Algorithm, Loaded

from authcontract_conformance._events import Event, Trouble
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.driver._launch import LaunchError
from authcontract_conformance.faults import Fault
from authcontract_conformance.oracle._verdict import ClauseVerdict, Word
from authcontract_conformance.reference import CORRECT
from authcontract_conformance.reference import Options as Serving
from authcontract_conformance.run._forked import forked_server
from authcontract_conformance.run._run import Options, Result, SetupError, inapplicable, verify
from authcontract_conformance.run._workers import Died, Workers

#: The ways of counting under which a correct server must stay clean.
ALGORITHMS: tuple[Algorithm, ...] = ("sliding_log", "fixed_window", "window_counter", "token_bucket")
CAUGHT = frozenset({Word.FAIL, Word.WARN})
#: What a clause comes to that could not look: it cannot catch anything either.
BLIND = frozenset({Word.SKIPPED, Word.INCONCLUSIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What one server came to: a fault with the word of each clause, or a correct one."""

    name: str
    #: Clauses that had to catch it; empty for a correct server.
    named: tuple[str, ...]
    words: Mapping[str, Word]
    requests: int
    seconds: float
    #: Why it could not be judged, if so.
    problem: str = ""
    #: Where a clause missed it: every other clause that catches it; None where nobody looked.
    instead: tuple[str, ...] | None = None
    #: Why the clauses that had to catch it can catch nothing under this contract, if so.
    blind: str = ""

    @property
    def missed_by(self) -> tuple[str, ...]:
        """Return the clauses that had to catch it and did not."""
        return tuple(clause for clause in self.named if self.words.get(clause) not in caught_words(clause))

    @property
    def accusers(self) -> tuple[str, ...]:
        """Return every clause that failed or warned."""
        return tuple(clause for clause, word in self.words.items() if word in CAUGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a self-test came to."""

    faults: tuple[Tried, ...]
    correct: tuple[Tried, ...]
    seconds: float
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: Clauses of which something is to be proved.
    clauses: tuple[str, ...] = ()
    #: True: every fault was judged by every clause.
    table: bool = False
    #: True: somebody ended it before it was done.
    interrupted: bool = False

    @property
    def missed(self) -> tuple[str, ...]:
        """Return the faults that some clause had to catch and did not."""
        return tuple(tried.name for tried in self.faults if tried.missed_by or tried.problem)

    @property
    def false_alarms(self) -> tuple[str, ...]:
        """Return what was said against correct servers."""
        return tuple(
            f"{clause} on {tried.name}"
            for tried in self.correct
            for clause in (tried.accusers or ((tried.problem,) if tried.problem else ()))
        )

    @property
    def alone(self) -> Mapping[str, tuple[str, ...]]:
        """Return for each clause the faults that it catches and no other; only a table can tell."""
        found: dict[str, list[str]] = {clause: [] for clause in self.clauses}
        for tried in self.faults:
            if len(tried.accusers) == 1 and tried.accusers[0] in found:
                found[tried.accusers[0]].append(tried.name)
        return {clause: tuple(names) for clause, names in found.items()}

    @property
    def unproved(self) -> tuple[str, ...]:
        """Return the clauses without a fault that they alone catch; only a table can tell."""
        return tuple(clause for clause, names in self.alone.items() if not names) if self.table else ()

    @property
    def requests(self) -> int:
        """Return the requests of all runs."""
        return sum(tried.requests for tried in (*self.faults, *self.correct))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a self-test will do."""

    faults: tuple[tuple[Fault, tuple[str, ...]], ...]
    correct: tuple[Algorithm, ...]
    #: Fault -> why it is not planted.
    left_out: Mapping[str, str]
    #: Clauses that mean something under the contract, of those that were asked for.
    clauses: tuple[str, ...]


def caught_words(clause: str) -> frozenset[Word]:
    """Return the words that count as caught: a MUST has to fail, for a SHOULD a warning will do."""
    found = catalogue().get(clause)
    binding = found is None or found.level.value == "MUST"
    return frozenset({Word.FAIL}) if binding else CAUGHT


def plan(loaded: Loaded, faults: Iterable[Fault], *, only: Iterable[str] = (), correct: bool = True) -> Plan:
    """Choose the faults that a contract makes meaningful, each with the clauses that have to catch it."""
    reasons, asked = inapplicable(loaded), frozenset(only)
    contract = _compiled(loaded)
    chosen, left_out = [], {}
    for fault in faults:
        named = tuple(clause for clause in fault.clauses if not asked or clause in asked)
        if not named:
            continue
        meant = tuple(clause for clause in named if clause in catalogue() and clause not in reasons)
        why = fault.meaningful(contract)
        if why is not None:
            left_out[fault.name] = why
        elif not meant:
            left_out[fault.name] = "; ".join(
                dict.fromkeys(reasons.get(clause, f"{clause} is no clause") for clause in named)
            )
        else:
            chosen.append((fault, meant))
    return Plan(
        faults=tuple(chosen),
        correct=ALGORITHMS if correct else (),
        left_out=left_out,
        clauses=tuple(name for name in catalogue() if name not in reasons and (not asked or name in asked)),
    )


def selftest(  # noqa: PLR0913  what to prove, and how it is shown
    loaded: Loaded,
    planned: Plan,
    *,
    seed: int = 1,
    table: bool = False,
    jobs: int | None = None,
    said: Callable[[Tried], None] = lambda _: None,
) -> Proof:
    """Judge each fault by the clauses that it names, or by all of them for a table, and correct servers by all."""
    began = time.monotonic()
    judge = _Judge(loaded, planned, seed, table=table)
    found: dict[int, Tried] = {}
    left_out = dict(planned.left_out)
    interrupted = False
    try:
        for number, outcome in Workers(judge.work, jobs or cores()).run(range(len(judge))):
            tried = judge.unfinished(number, str(outcome)) if isinstance(outcome, Died) else outcome
            if tried.blind:
                left_out[tried.name] = tried.blind
            else:
                found[number] = tried
            said(tried)
    except KeyboardInterrupt:
        interrupted = True
    results = [found[number] for number in sorted(found)]
    return Proof(
        faults=tuple(tried for tried in results if tried.named),
        correct=tuple(tried for tried in results if not tried.named),
        seconds=round(time.monotonic() - began, 3),
        left_out=left_out,
        clauses=planned.clauses,
        table=table,
        interrupted=interrupted,
    )


def cores() -> int:
    """Return how many processes can work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Judge:
    """What a worker does for each number: the correct servers first, since they take longest, then the faults."""

    def __init__(self, loaded: Loaded, planned: Plan, seed: int, *, table: bool) -> None:
        self._loaded = loaded
        self._plan = planned
        self._seed = seed
        self._table = table
        self._contract = _compiled(loaded)

    def __len__(self) -> int:
        return len(self._plan.correct) + len(self._plan.faults)

    def work(self, number: int) -> Tried:
        """Serve and judge one server."""
        if number < len(self._plan.correct):
            return self._correct(self._plan.correct[number], frozenset(self._plan.clauses), generates=True)
        return self._planted(*self._plan.faults[number - len(self._plan.correct)])

    def unfinished(self, number: int, problem: str) -> Tried:
        """Return what there is to say of a server that was not judged to the end."""
        if number < len(self._plan.correct):
            return _tried(_name(self._plan.correct[number]), (), problem)
        fault, named = self._plan.faults[number - len(self._plan.correct)]
        return _tried(fault.name, named, problem)

    def _correct(self, algorithm: Algorithm, clauses: frozenset[str], *, generates: bool) -> Tried:
        found = self._serve(lambda: Serving(control=True, algorithm=algorithm), clauses, generates=generates)
        return _tried(_name(algorithm), (), found)

    def _planted(self, fault: Fault, named: tuple[str, ...]) -> Tried:
        # What is generated costs most, and is needed only by a fault that names it and to clear a correct server.
        generates = any(catalogue()[clause].properties for clause in named)

        def judged(clauses: Iterable[str]) -> Tried:
            found = self._serve(
                lambda: Serving(control=True, seams=fault.plant(CORRECT)), frozenset(clauses), generates=generates
            )
            return _tried(fault.name, named, found)

        tried = judged(() if self._table else named)
        if not tried.missed_by or tried.problem:
            return tried
        return self._explained(tried, tried if self._table else judged(()))

    def _explained(self, tried: Tried, by_all: Tried) -> Tried:
        """Say of a fault that was missed whether another clause sees it, or whether those that missed it see nothing.

        A clause that cannot look at a correct server of this contract either proves nothing, whatever is planted.
        """
        missed = tried.missed_by
        generates = any(catalogue()[clause].properties for clause in missed)
        clean = self._serve(lambda: Serving(control=True), frozenset(missed), generates=generates)
        blind = {}
        if isinstance(clean, Result):
            blind = {v.clause: v for v in clean.clauses if v.clause in missed and v.word in BLIND}
        instead = tuple(clause for clause in by_all.accusers if clause not in tried.named)
        return Tried(
            name=tried.name,
            named=tried.named,
            words=tried.words,
            requests=tried.requests + (0 if by_all is tried else by_all.requests),
            seconds=tried.seconds,
            instead=instead,
            blind="; ".join(_blindness(verdict) for verdict in blind.values()) if len(blind) == len(missed) else "",
        )

    def _serve(self, serving: Callable[[], Serving], clauses: frozenset[str], *, generates: bool) -> Result | str:
        """Judge a server that is forked for it; returns why it could not be judged, if so."""
        try:
            with forked_server(self._contract, serving) as server:
                options = Options(seed=self._seed, only=clauses, running=server, confirmed=True, fuzz=generates)
                troubles: list[str] = []

                def hear(event: Event) -> None:
                    if isinstance(event, Trouble):
                        troubles.append(f"{event.where}: {event.what}")

                found = asyncio.run(verify(self._loaded, None, options, hear))
                return troubles[0] if found.trouble and troubles else found
        except (LaunchError, SetupError) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  one server that cannot be judged must not end the others
            return f"{type(error).__name__}: {error}"


def _blindness(verdict: ClauseVerdict) -> str:
    return f"{verdict.clause} judges nothing here: {verdict.reason or verdict.word.value}"


def _tried(name: str, named: tuple[str, ...], found: Result | str) -> Tried:
    if isinstance(found, str):
        return Tried(name=name, named=named, words={}, requests=0, seconds=0.0, problem=found)
    return Tried(
        name=name,
        named=named,
        words={verdict.clause: verdict.word for verdict in found.clauses if verdict.applicable},
        requests=found.requests,
        seconds=found.seconds,
    )


def grouped(left_out: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each reason for leaving faults out with the faults that it concerns."""
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    yield from ((reason, tuple(names)) for reason, names in reasons.items())


def _name(algorithm: Algorithm) -> str:
    return f"the correct server, {algorithm}"


def _compiled(loaded: Loaded) -> Contract:
    assert loaded.policy is not None  # noqa: S101  the caller checked it
    assert loaded.specification is not None  # noqa: S101  likewise
    return engine.compile(loaded.policy, loaded.specification, loaded.resolution)
