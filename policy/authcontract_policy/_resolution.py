"""What the policy's names mean over a specification: scopes that exist, who includes whom, which row decides what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The capability that decides an operation, and what it takes to pass."""

    #: Name under `capabilities`.
    capability: str
    #: Any of these sets of names suffices, all names of a set are needed; `(frozenset(),)`: any key; None: no key.
    alternatives: tuple[frozenset[str], ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Every name of the policy, related to every operation of the specification."""

    #: Every scope that exists, sorted: declared, required, included, or member of a family.
    scopes: tuple[str, ...]
    #: Methods on which a scope counts (GET implies HEAD); None: every method.
    methods: Mapping[str, frozenset[str] | None]
    #: Scope -> itself and everything it includes, directly or not.
    closure: Mapping[str, frozenset[str]]
    #: (operationId, kind of object or None) -> who may.
    grants: Mapping[tuple[str, str | None], Grant]
    #: operationId -> names under `rate_limits` that count it, in the order of the policy.
    limits: Mapping[str, tuple[str, ...]]
