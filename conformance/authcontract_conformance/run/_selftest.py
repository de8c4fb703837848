"""The suite proved: each fault is served and must be caught by the clauses that it names, a correct server by none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from authcontract_policy import Loaded

from authcontract_conformance._events import Event
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.faults import Fault
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.run._run import Options, Result, inapplicable, verify

#: Servers at once: each is a process of its own beside the one that judges.
JOBS = 3
#: The ways of counting under which a correct server must stay clean.
ALGORITHMS = ("sliding_log", "fixed_window", "window_counter", "token_bucket")


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

    @property
    def missed_by(self) -> tuple[str, ...]:
        """Return the clauses that had to catch it and did not."""
        return tuple(clause for clause in self.named if self.words.get(clause) not in caught_words(clause))

    @property
    def accusers(self) -> tuple[str, ...]:
        """Return every clause that failed or warned."""
        return tuple(clause for clause, word in self.words.items() if word in (Word.FAIL, Word.WARN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a self-test came to."""

    faults: tuple[Tried, ...]
    correct: tuple[Tried, ...]
    seconds: float
    left_out: Mapping[str, str] = field(default_factory=dict)

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
    def requests(self) -> int:
        """Return the requests of all runs."""
        return sum(tried.requests for tried in (*self.faults, *self.correct))


def caught_words(clause: str) -> frozenset[Word]:
    """Return the words that count as caught: a MUST has to fail, for a SHOULD a warning will do."""
    found = catalogue().get(clause)
    binding = found is None or found.level.value == "MUST"
    return frozenset({Word.FAIL}) if binding else frozenset({Word.FAIL, Word.WARN})


async def selftest(  # noqa: PLR0913  what to prove, and how it is shown
    loaded: Loaded,
    faults: Iterable[Fault],
    *,
    seed: int = 1,
    table: bool = False,
    correct: bool = True,
    said: Callable[[Tried], None] = lambda _: None,
) -> Proof:
    """Judge each fault by the clauses that it names, or by all of them for a table, and correct servers by all."""
    began = time.monotonic()
    slots = asyncio.Semaphore(JOBS)

    async def tried(name: str, server: tuple[str, ...], named: tuple[str, ...], only: frozenset[str]) -> Tried:
        async with slots:
            # What is generated costs most, and is needed only by a fault that names it and to clear a correct server.
            generates = any(catalogue()[clause].properties for clause in named) or not named
            options = Options(seed=seed, only=only, server=server, confirmed=True, fuzz=generates)
            found = await _try(loaded, name, named, options)
        said(found)
        return found

    meant, left_out = _meant(loaded, faults)
    planted = [
        tried(fault.name, ("--fault", fault.name), fault.clauses, frozenset() if table else frozenset(fault.clauses))
        for fault in meant
    ]
    clean = [
        tried(f"the correct server, {algorithm}", ("--algorithm", algorithm), (), frozenset())
        for algorithm in (ALGORITHMS if correct else ())
    ]
    results = await asyncio.gather(*clean, *planted)
    return Proof(
        faults=tuple(results[len(clean) :]),
        correct=tuple(results[: len(clean)]),
        seconds=round(time.monotonic() - began, 3),
        left_out=left_out,
    )


def _meant(loaded: Loaded, faults: Iterable[Fault]) -> tuple[list[Fault], Mapping[str, str]]:
    """Return the faults that this contract makes meaningful, and why the others are left out."""
    reasons = inapplicable(loaded)
    meant, left_out = [], {}
    for fault in faults:
        meaningless = [f"{clause}: {reasons[clause]}" for clause in fault.clauses if clause in reasons]
        unknown = [clause for clause in fault.clauses if clause not in catalogue()]
        if meaningless or unknown:
            left_out[fault.name] = "; ".join([*meaningless, *(f"{clause} is no clause" for clause in unknown)])
        else:
            meant.append(fault)
    return meant, left_out


async def _try(loaded: Loaded, name: str, named: tuple[str, ...], options: Options) -> Tried:
    began = time.monotonic()
    try:
        result: Result = await verify(loaded, None, options, _nothing)
    except Exception as error:  # noqa: BLE001  one server that cannot be judged must not end the others
        problem = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - began, 3)
        return Tried(name=name, named=named, words={}, requests=0, seconds=seconds, problem=problem)
    return Tried(
        name=name,
        named=named,
        words={verdict.clause: verdict.word for verdict in result.clauses if verdict.applicable},
        requests=result.requests,
        seconds=result.seconds,
    )


def _nothing(_: Event) -> None:
    """Say nothing: a self-test shows servers, not exchanges."""
