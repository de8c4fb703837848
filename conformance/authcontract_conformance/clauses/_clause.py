"""What a clause is: one checkable promise, as a row of facts and a generator for each case.

A case is a generator: it yields what it wants done (`Probe`, `Burst`, `Advance`, `Acquire` …), receives what came of
it, and returns a `Judgement`. It touches no socket, so that a test can feed it canned exchanges.
A passive clause yields nothing: it looks at every exchange of the whole run. A property generates what it tries: it is
synchronous, runs in a worker thread after all cases, and sends through a `Facade`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from authcontract_conformance.exchange._exchange import Action, Exchange
from authcontract_conformance.fuzz._facade import Facade
from authcontract_conformance.oracle._verdict import Basis, Judgement, Level
from authcontract_conformance.world._world import World

Steps: TypeAlias = Generator[Action, Any, Judgement]


class Capability(StrEnum):
    """What a target must offer for a clause; the words are those of the target file."""

    CLOCK = "clock"
    KEY_MANAGEMENT = "key management"
    PLAINTEXT = "plaintext port"
    SECOND_ORGANISATION = "second organisation"
    #: Found by asking for it when connecting.
    HTTP2 = "HTTP/2"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to try: what it is about, in the user's words, and the steps."""

    subject: str
    steps: Callable[[World], Steps]
    #: Version of HTTP that its requests are sent with.
    protocol: Literal["1.1", "2"] = "1.1"
    #: False: not among the cases that are tried once more over HTTP/2.
    again: bool = True


@dataclass(frozen=True, slots=True)
class Property:
    """Something that must hold whatever is generated: what it is about, and the search for a counterexample."""

    subject: str
    check: Callable[[World, Facade], Judgement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One checkable promise with a stable id."""

    id: str
    level: Level
    basis: Basis
    #: Where it is promised: headings of the seed, RFC sections, guidelines.
    sources: tuple[str, ...]
    #: The promise in the user's words.
    promise: str
    #: Why it matters.
    why: str
    #: How it is checked, and what each verdict means.
    how: str
    #: How an implementation keeps it.
    fix: str
    #: Where it went wrong before, each confirmed by an advisory or a first-hand report.
    precedents: tuple[str, ...] = ()
    #: The attack variants that it tries (`V-P02`).
    variants: tuple[str, ...] = ()
    needs: frozenset[Capability] = frozenset()
    #: True: nothing else may run meanwhile, since it moves the clock or counts quota.
    alone: bool = False
    #: Says why the clause is meaningless for this contract, or None if it applies.
    inapplicable: Callable[[World], str | None] = lambda _: None
    cases: Callable[[World], Iterable[Case]] | None = None
    #: True: some of its cases are tried once more over HTTP/2, which a server may have other code for.
    again_over_http2: bool = False
    properties: Callable[[World], Iterable[Property]] | None = None
    #: Called for each exchange; None where the exchange does not concern the clause.
    passive: Callable[[World, Exchange], Judgement | None] | None = None
    #: Clauses whose requests show a passive one what it looks at, where it is judged by itself.
    traffic: tuple[str, ...] = ()
    #: Why a passive clause means nothing for a target of which no response concerned it; None: then it is open.
    unseen: str | None = None

    @property
    def place(self) -> str | None:
        """Name the organisations that all of its cases work in; None: each case has its own."""
        family = self.id.partition("-")[0]
        return family if family in TOGETHER and not self.alone else None

    @property
    def only_looks(self) -> bool:
        """Tell whether it sends nothing of its own: whatever it sees has one cause, however many requests show it."""
        return self.passive is not None and self.cases is None and self.properties is None


#: Families whose cases work side by side in the same organisations: each asks for what it must not get, on objects
#: that it made or that all only look at.
TOGETHER = frozenset({"AUTH", "SCOPE", "METH", "ROUTE", "TRANS", "ERR", "PREC", "CORS"})
#: So many cases of a clause are tried once more over HTTP/2.
AGAIN = 2


def cases_of(clause: Clause, world: World) -> Iterable[Case]:
    """Return what there is to try for a clause, some of it once more over HTTP/2 where the target offers that."""
    found = list(clause.cases(world)) if clause.cases is not None else []
    yield from found
    if clause.again_over_http2 and Capability.HTTP2 in world.settings.capabilities:
        again = [case for case in found if case.again and case.protocol == "1.1"]
        for case in _spread(again, AGAIN):
            yield replace(case, subject=f"{case.subject} over HTTP/2", protocol="2")


def _spread(cases: Sequence[Case], wanted: int) -> Sequence[Case]:
    """Return so many of the cases, evenly from the first on."""
    return [cases[number * len(cases) // wanted] for number in range(wanted)] if len(cases) > wanted else cases
