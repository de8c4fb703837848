"""The scope check, compiled to comparisons of masks: who may call an operation, and what is said to the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from authcontract_policy import Cause, Operation, Policy, Resolution

from ._charges import Price
from ._decisions import Decisions
from ._grants import Grants
from ._values import UNKNOWN, Charge, Decision, KeyRecord, Unknown

#: Keys that are kept worked out; an organisation has a handful.
_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key worked out once: what it holds, and what it is charged at each price."""

    key: KeyRecord
    mask: int
    charges: dict[Price, tuple[Charge, ...]]


@dataclass(frozen=True, slots=True)
class _Entrance:
    """The ways in to an operation on objects of one kind, or of any, and what is said to a key that has none."""

    #: Whether no key is needed.
    open: bool
    #: Masks of which one that is held whole suffices.
    needs: tuple[int, ...]
    allowed: Decision
    #: What is said to any other key; None: that depends on what it holds (`refusal`).
    refused: Decision | None
    scope: Decision
    plan: Decision
    #: `needs` without their plans, where they have any.
    needs_but_plan: tuple[int, ...] = ()
    #: An entrance for each kind of object, all of which must let in; empty where there is one.
    kinds: tuple[_Entrance, ...] = ()

    def refusal(self, held: int | None) -> Decision | None:
        """Return what is said to a key that holds so much (None: there is no key), or None where it is let in."""
        if self.kinds:
            found = (kind.refusal(held) for kind in self.kinds)
            return next((refusal for refusal in found if refusal is not None), None)
        if held is None:
            return None if self.open else self.scope
        if any(held & need == need for need in self.needs):
            return None
        return self.plan if any(held & need == need for need in self.needs_but_plan) else self.scope


class ScopeCheck:
    """Every key's and every operation's side of it."""

    def __init__(
        self, policy: Policy, resolution: Resolution, operations: tuple[Operation, ...], decisions: Decisions
    ) -> None:
        self._decisions = decisions
        self._grants = Grants(policy, resolution)
        self._kept: dict[str, HeldKey] = {}
        kinds: tuple[str | None, ...] = policy.objects or (None,)
        one = {kind: {each.id: self._entrance(each, kind) for each in operations} for kind in kinds}
        self._on_kind: Mapping[object, Mapping[str, _Entrance]] = {kind: one[kind] for kind in policy.objects}
        #: Where the kind of object is not known, a key must be let in on any.
        self._on_any: Mapping[str, _Entrance] = {
            each.id: _whatever_the_kind(tuple(one[kind][each.id] for kind in kinds)) for each in operations
        }
        #: Operations that need no key on some kind of object: there a request without one is a key without scopes.
        self.public = frozenset(each.id for each in operations if any(one[kind][each.id].open for kind in kinds))

    def _entrance(self, operation: Operation, kind: str | None) -> _Entrance:
        needs, plans = self._grants.needs(operation, kind), self._grants.plans
        scope = self._decisions.refusal(operation, Cause.INSUFFICIENT_SCOPE, kind)
        needs_but_plan = tuple(need & ~plans for need in needs or () if need & plans)
        return _Entrance(
            open=needs is None,
            needs=(0,) if needs is None else needs,
            allowed=self._decisions.allowance(operation, kind),
            refused=None if needs_but_plan else scope,
            scope=scope,
            plan=self._decisions.refusal(operation, Cause.INSUFFICIENT_PLAN, kind),
            needs_but_plan=needs_but_plan,
        )

    def permit(self, operation: Operation, key: KeyRecord | None, object_kind: str | Unknown | None = None) -> Decision:
        """Decide by the scope check alone whether such a key may call the operation."""
        table = self._on_any if object_kind is None else self._on_kind.get(object_kind, self._on_any)
        entrance = table[operation.id]
        if key is None:
            if operation.id not in self.public:
                return self._decisions.refusal(operation, Cause.MISSING)
            return entrance.refusal(None) or entrance.allowed
        try:
            kept = self._kept[key.id]
        except KeyError:
            kept = self.kept(key)
        held = kept.mask if kept.key is key else self.kept(key).mask
        for need in entrance.needs:
            if held & need == need:
                return entrance.allowed
        return entrance.refused or entrance.refusal(held) or entrance.allowed

    def allowed(self, operation: Operation, object_kind: str | Unknown | None) -> Decision:
        """Return the decision that lets a request for an operation through."""
        table = self._on_any if object_kind is None else self._on_kind.get(object_kind, self._on_any)
        return table[operation.id].allowed

    def lacking(
        self, operation: Operation, key: KeyRecord | None, object_kind: str | Unknown | None
    ) -> Decision | None:
        """Return the refusal for what a key lacks, or None; without a key everything that is required is lacking."""
        if key is None:
            return self._on_kind.get(object_kind, self._on_any)[operation.id].refusal(None)
        decision = self.permit(operation, key, object_kind)
        return None if decision.allowed else decision

    def possible(
        self, operation: Operation, key: KeyRecord | Unknown | None, object_kind: str | Unknown | None
    ) -> set[Decision | None]:
        """Return what the check may say where key or kind of object is unknown."""
        tables: Iterable[Mapping[str, _Entrance]] = [self._on_kind.get(object_kind, self._on_any)]
        if object_kind is UNKNOWN and self._on_kind:
            tables = self._on_kind.values()
        plans, everything = self._grants.plans, self._grants.everything
        held: tuple[int | None, ...]
        if key is UNKNOWN:
            held = (0, everything & ~plans, everything)
        else:
            held = (None if key is None else self.kept(key).mask,)
        return {table[operation.id].refusal(each) for table in tables for each in held}

    def kept(self, key: KeyRecord) -> HeldKey:
        """Return a key worked out, which is kept until there are too many of them."""
        found = self._kept.get(key.id)
        if found is None or found.key is not key:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            found = self._kept[key.id] = HeldKey(key, self._grants.held(key), {})
        return found


def _whatever_the_kind(kinds: tuple[_Entrance, ...]) -> _Entrance:
    """Return the entrance that lets in whom each of these does."""
    return kinds[0] if len(kinds) == 1 else replace(kinds[0], needs=(), refused=None, kinds=kinds)
