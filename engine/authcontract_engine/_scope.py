"""Who may call an operation: the scope check, compiled to a comparison of masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from authcontract_policy import Cause, Operation, Policy, Resolution

from ._charges import Price
from ._decisions import Decisions
from ._grants import Grants
from ._values import UNKNOWN, Charge, Decision, KeyRecord, Unknown

#: Keys that are kept worked out; an organisation has a handful.
_MOST: Final = 4096


class HeldKey(NamedTuple):
    """A key worked out once: what it holds, and what it is charged at each price."""

    key: KeyRecord
    mask: int
    charges: dict[Price, tuple[Charge, ...]]


class _Ways(NamedTuple):
    """The ways in to an operation on objects of one kind, and what is said to a key that has none of them."""

    #: Masks of which one must be held whole; None: no key is needed.
    needs: tuple[int, ...] | None
    scope: Decision
    plan: Decision

    def lacking(self, held: int | None, plans: int) -> Decision | None:
        """Return the refusal for what a key does not hold (None: there is no key), or None where it holds enough."""
        if self.needs is None:
            return None
        if held is None:
            return self.scope
        if any(held & need == need for need in self.needs):
            return None
        return self.plan if any((held | plans) & need == need for need in self.needs) else self.scope


class _Entrance(NamedTuple):
    """Who may call an operation on objects of one kind, or on any."""

    #: Enough to be allowed, though not always needed.
    enough: int
    allowed: Decision
    #: One for each kind of object that may be addressed; a key must have one of each.
    ways: tuple[_Ways, ...]

    def lacking(self, held: int | None, plans: int) -> Decision | None:
        """Return the refusal for the first kind of object for which a key does not hold enough, or None."""
        found = (ways.lacking(held, plans) for ways in self.ways)
        return next((refusal for refusal in found if refusal is not None), None)


class ScopeCheck:
    """Every key's and every operation's side of the scope check."""

    def __init__(
        self, policy: Policy, resolution: Resolution, operations: tuple[Operation, ...], decisions: Decisions
    ) -> None:
        self._decisions = decisions
        self._grants = Grants(policy, resolution)
        self._kept: dict[str, HeldKey] = {}
        kinds: tuple[str | None, ...] = policy.objects or (None,)
        #: Where the kind of object is not known, a key must be allowed on any.
        self._on_any = {each.id: self._entrance(each, kinds) for each in operations}
        self._on_kind: Mapping[object, Mapping[str, _Entrance]] = {
            kind: {each.id: self._entrance(each, (kind,)) for each in operations} for kind in policy.objects
        }
        #: Operations that need no key on some kind of object: there a request without one is a key without scopes.
        self.public = frozenset(
            operation_id
            for operation_id, entrance in self._on_any.items()
            if any(ways.needs is None for ways in entrance.ways)
        )

    def _entrance(self, operation: Operation, kinds: tuple[str | None, ...]) -> _Entrance:
        ways = tuple(
            _Ways(
                self._grants.needs(operation, kind),
                self._decisions.refusal(operation, Cause.INSUFFICIENT_SCOPE, kind),
                self._decisions.refusal(operation, Cause.INSUFFICIENT_PLAN, kind),
            )
            for kind in kinds
        )
        enough = 0
        for each in ways:
            enough |= 0 if each.needs is None else next(iter(each.needs), self._grants.nobody)
        return _Entrance(enough, self._decisions.allowance(operation, kinds[0]), ways)

    def permit(self, operation: Operation, key: KeyRecord | None, object_kind: str | None = None) -> Decision:
        """Decide by the scope check alone whether such a key may call the operation."""
        entrance = (self._on_any if object_kind is None else self._on_kind.get(object_kind, self._on_any))[operation.id]
        if key is None:
            if operation.id not in self.public:
                return self._decisions.refusal(operation, Cause.MISSING)
            return entrance.lacking(None, 0) or entrance.allowed
        kept = self._kept.get(key.id)
        held = kept.mask if kept is not None and kept.key is key else self.kept(key).mask
        if held & entrance.enough == entrance.enough:
            return entrance.allowed
        return entrance.lacking(held, self._grants.plans) or entrance.allowed

    def allowed(self, operation: Operation, object_kind: str | Unknown | None) -> Decision:
        """Return the decision that lets a request for an operation through."""
        return self._on_kind.get(object_kind, self._on_any)[operation.id].allowed

    def lacking(
        self, operation: Operation, key: KeyRecord | None, object_kind: str | Unknown | None
    ) -> Decision | None:
        """Return the refusal for what a key lacks, or None."""
        entrance = self._on_kind.get(object_kind, self._on_any)[operation.id]
        held = None if key is None else self.kept(key).mask
        if held is not None and held & entrance.enough == entrance.enough:
            return None
        return entrance.lacking(held, self._grants.plans)

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
        return {table[operation.id].lacking(each, plans) for table in tables for each in held}

    def kept(self, key: KeyRecord) -> HeldKey:
        """Return a key worked out, which is kept until there are too many of them."""
        found = self._kept.get(key.id)
        if found is None or found.key is not key:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            found = self._kept[key.id] = HeldKey(key, self._grants.held(key), {})
        return found
