"""Who may call an operation and who may not, as keys worth trying (Decided 5): linear in what is required.

For each operation every minimal set of scopes that suffices must pass, everything but one of its scopes must be
refused (once for each), and a key with no scope, with a scope that does not suffice, or with every scope but those
that would suffice, must be refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Need

#: Where keys hold one scope each, all scopes are tried up to this many; beyond it only those around the requirement.
MANY = 12
#: Where there are more, keys that hold several are tried with so many others, those with the most similar names.
NEAREST = 2


class Access:
    """The keys worth trying on each operation, from the contract alone."""

    def __init__(self, contract: Contract, plans: tuple[str, ...] = ()) -> None:
        self._contract = contract
        self._policy = contract.policy
        self._resolution = contract.resolution
        #: Plans on which there are keys, the usual one first.
        self.plans = plans or self._policy.plans
        self._default_plan = next(iter(self.plans), None)
        #: What was worked out before: every clause asks of every operation.
        self._enough: dict[tuple[str, str | None], tuple[Need, ...]] = {}
        self._too_little: dict[tuple[str, str | None, bool], tuple[Need, ...]] = {}

    def permits(self, operation: Operation, need: Need, object_kind: str | None = None) -> bool:
        """Tell whether such a key may call it, by the contract's scope check alone."""
        record = KeyRecord(
            id="",
            digest="",
            kind=need.kind,
            scopes=need.scopes,
            plan=need.plan,
            environment=need.environment,
            issued_at=0.0,
        )
        return self._contract.permit(operation, record, object_kind).allowed

    def public(self, operation: Operation) -> bool:
        """Tell whether it needs no key."""
        return self._contract.permit(operation, None, self._object_kind).allowed

    @property
    def _object_kind(self) -> str | None:
        return self._policy.objects[-1] if self._policy.objects else None

    def sufficient(self, operation: Operation, environment: str | None = None) -> tuple[Need, ...]:
        """Return a key for each minimal way to be allowed."""
        place = (operation.id, environment)
        if place not in self._enough:
            self._enough[place] = self._sufficient(operation, environment)
        return self._enough[place]

    def _sufficient(self, operation: Operation, environment: str | None) -> tuple[Need, ...]:
        grant = self._resolution.grants[operation.id, self._object_kind]
        found = dict.fromkeys(
            need
            for alternative in grant.alternatives or (frozenset(),)
            for need in self._candidates(alternative, environment)
            if self.permits(operation, need, self._object_kind)
        )
        return tuple(found)

    def insufficient(
        self, operation: Operation, environment: str | None = None, *, wide: bool = False
    ) -> tuple[Need, ...]:
        """Return keys that lack just what is required, each for a reason of its own.

        `wide`: also those with any other scope that a route may check by mistake, where every key can be had.
        """
        place = (operation.id, environment, wide)
        if place not in self._too_little:
            self._too_little[place] = self._insufficient(operation, environment, wide=wide)
        return self._too_little[place]

    def _insufficient(self, operation: Operation, environment: str | None, *, wide: bool) -> tuple[Need, ...]:
        if self.public(operation):
            return ()
        grant = self._resolution.grants[operation.id, self._object_kind]
        found = dict.fromkeys(
            need
            for kind, holds in self._kinds()
            for scopes, plan in self._lacking(grant.alternatives or (), holds, wide=wide)
            for need in [Need(kind=kind, scopes=scopes, plan=plan or self._default_plan, environment=environment)]
            if not self.permits(operation, need, self._object_kind)
        )
        return tuple(replace(need, exact=True) for need in found)

    def strongest(self, operation: Operation, environment: str | None = None) -> Need | None:
        """Return one key that may call it, or None if the contract lets nobody."""
        return next(iter(self.sufficient(operation, environment)), None)

    def for_all(self, operations: Sequence[Operation], environment: str | None = None) -> Need | None:
        """Return one key that may call all of these operations, or None if the contract has no such key."""
        each = [self.sufficient(operation, environment) for operation in operations]
        of_several = [[n for n in needs if self._policy.keys.kinds[n.kind].holds == "several scopes"] for needs in each]
        together = frozenset(chain.from_iterable(need.scopes for needs in of_several for need in needs[:1]))
        united = (replace(need, scopes=together) for need in chain.from_iterable(of_several))
        fitting = (need for need in (*chain.from_iterable(each), *united) if self._all_permit(operations, need))
        return next(fitting, None)

    def _all_permit(self, operations: Sequence[Operation], need: Need) -> bool:
        return all(self.permits(operation, need, self._object_kind) for operation in operations)

    def _kinds(self) -> Iterator[tuple[str, str]]:
        for kind in self._policy.keys.kinds.values():
            if kind.holds != "every scope":
                yield kind.name, kind.holds

    def _candidates(self, alternative: frozenset[str], environment: str | None) -> Iterator[Need]:
        scopes = alternative & frozenset(self._resolution.scopes)
        plans = alternative & frozenset(self._policy.plans)
        kinds = alternative & frozenset(self._policy.keys.kinds)
        plan = next(iter(sorted(plans)), self._default_plan)
        for kind in self._policy.keys.kinds.values():
            if kinds and kind.name not in kinds:
                continue
            for held in self._sets(scopes, kind.holds):
                yield Need(kind=kind.name, scopes=held, plan=plan, environment=environment)

    def _sets(self, scopes: frozenset[str], holds: str) -> Iterator[frozenset[str]]:
        """Return the sets of scopes a key of this kind can hold that contain, or include, all of `scopes`."""
        if holds == "every scope":
            yield frozenset()
        elif holds == "several scopes":
            yield scopes
            wider = (s for s in self._resolution.scopes if s not in scopes and scopes <= self._resolution.closure[s])
            yield from (frozenset({scope}) for scope in [*wider][:1] if scopes)
        else:
            for scope in sorted(self._resolution.scopes):
                if scopes <= self._resolution.closure[scope]:
                    yield frozenset({scope})

    def _lacking(
        self, alternatives: tuple[frozenset[str], ...], holds: str, *, wide: bool
    ) -> Iterator[tuple[frozenset[str], str | None]]:
        known = frozenset(self._resolution.scopes)
        if holds == "one scope":
            named = sorted(chain.from_iterable(alternatives))
            pool = sorted(known) if len(known) <= MANY else named
            yield from ((frozenset({scope}), None) for scope in pool if scope in known)
        else:
            yield frozenset(), None
            for alternative in alternatives:
                scopes = alternative & known
                yield from ((scopes - {scope}, None) for scope in sorted(scopes) if len(scopes) > 1)
            required = known & set(chain.from_iterable(alternatives))
            others = self._others(required) if wide else sorted(known - required)[:1]
            yield from ((frozenset({scope}), None) for scope in others)
            if wide:
                # A route that checks any other scope lets this one in, however many scopes there are.
                yield frozenset(s for s in known if not required & self._resolution.closure[s]), None
        for alternative in alternatives:
            for plan in sorted(alternative & frozenset(self._policy.plans)):
                others = [other for other in self._policy.plans if other != plan]
                scopes = alternative & known
                yield from ((scopes, other) for other in others[:1])

    def _others(self, named: frozenset[str]) -> list[str]:
        """Return the scopes that a route may check by mistake: all others, or, of very many, those with like names."""
        others = sorted(frozenset(self._resolution.scopes) - named)
        if len(others) <= MANY:
            return others
        like = [s for s in others if any(_family(s) == _family(name) for name in named)]
        return (like or others)[:NEAREST] if named else others[:1]


@lru_cache(maxsize=4096)
def _family(scope: str) -> str:
    """Return the first word of a scope's name: what it is a right to, as a rule."""
    return re.split(r"[^a-z0-9]", scope.lower(), maxsplit=1)[0]
