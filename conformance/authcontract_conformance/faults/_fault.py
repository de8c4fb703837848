"""What a fault is: one deliberate defect of the reference server, and the clauses that must catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from authcontract_engine import Contract

from authcontract_conformance.reference import Seams

#: Returns the stages with one of them replaced.
Plant: TypeAlias = Callable[[Seams], Seams]


class Family(StrEnum):
    """Whose mistake it is."""

    #: Somebody programmed it wrongly.
    IMPLEMENTATION = "implementation"
    #: Proxies, caches and replicas around a program that is right.
    DEPLOYMENT = "deployment"
    #: A framework or library does more, or less, than its user knew.
    LIBRARY = "library"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One deliberate defect."""

    name: str
    #: What the server does wrong, in the user's words.
    sentence: str
    family: Family
    #: Each of these must catch it.
    clauses: tuple[str, ...]
    #: Called for each server, so that nothing is shared between two.
    plant: Plant
    #: Says why the defect changes nothing under a contract (e.g. it has no plans), or None where it does.
    meaningful: Callable[[Contract], str | None] = lambda _: None
