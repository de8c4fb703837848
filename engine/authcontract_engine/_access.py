"""Who may call what: a contract's access as one table, for people to read and for two contracts to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from authcontract_policy import NO_KEY, Grant, Operation, Resolution

from ._contract import Contract
from ._values import Decision, KeyRecord

#: What somebody without a key lacks first of all.
A_KEY: Final = "a key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who calls: without a key, or with one that holds one scope or every scope."""

    #: `no key`, a scope, or a kind of key; a scope is followed by the kind where rows ask for kinds of keys.
    name: str
    #: None: no key.
    kind: str | None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Whether one holder may call one operation."""

    holder: Holder
    #: Any of these sets, held besides, opens the operation; one that is empty says that nothing is lacking.
    lacks: frozenset[frozenset[str]]
    #: Those of them that this holder comes nearer to than somebody who holds nothing.
    besides: frozenset[frozenset[str]]
    #: What the scope check says of the holder as he is.
    decision: Decision

    @property
    def allowed(self) -> bool:
        """Tell whether nothing is lacking."""
        return self.decision.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation, on one kind of object where the policy tells kinds apart."""

    operation: Operation
    object_kind: str | None
    #: Name under `capabilities`.
    capability: str
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """Return `METHOD /path`, with the kind of object where it matters."""
        return self.operation.label if self.object_kind is None else f"{self.operation.label} ({self.object_kind})"


def access(contract: Contract) -> tuple[Row, ...]:
    """Return a row for each operation, in the order of the specification, with a cell for each holder."""
    whoever = holders(contract)
    kinds: tuple[str | None, ...] = contract.policy.objects or (None,)
    return tuple(_row(contract, operation, kind, whoever) for operation in contract.operations for kind in kinds)


def holders(contract: Contract) -> tuple[Holder, ...]:
    """Return everybody whom the table tells apart: nobody's key, each scope alone, each key that holds them all."""
    kinds = contract.policy.keys.kinds
    scopes = contract.resolution.scopes
    whole = [name for name, kind in kinds.items() if kind.holds == "every scope" or not scopes]
    partial = [name for name in kinds if name not in whole]
    told_apart = len(partial) > 1 and _names_a_kind(contract.resolution, kinds)
    found = [Holder(name=NO_KEY, kind=None)]
    found += [
        Holder(name=f"{scope} ({kind})" if told_apart else scope, kind=kind, scopes=frozenset({scope}))
        for scope in _in_order(contract)
        for kind in (partial if told_apart else partial[:1])
    ]
    found += [Holder(name=name, kind=name, scopes=frozenset(scopes)) for name in whole]
    return tuple(found)


def _names_a_kind(resolution: Resolution, kinds: Iterable[str]) -> bool:
    asked = {name for grant in resolution.grants.values() for names in grant.alternatives or () for name in names}
    return not asked.isdisjoint(kinds)


def _in_order(contract: Contract) -> tuple[str, ...]:
    """Return the scopes as the policy lists them, then those that come from families or the specification."""
    declared = [scope for scope in contract.policy.scopes if scope in contract.resolution.closure]
    return tuple(dict.fromkeys((*declared, *contract.resolution.scopes)))


def _row(contract: Contract, operation: Operation, kind: str | None, whoever: Iterable[Holder]) -> Row:
    grant = contract.resolution.grants[operation.id, kind]
    sufficient = _sufficient(contract.resolution, grant, operation.method)
    cells = []
    for holder in whoever:
        lacks = _lacks(contract.resolution, sufficient, holder, operation.method)
        besides = lacks - {frozenset(), *(sufficient or ())} if holder.kind is not None else frozenset()
        decision = contract.permit(operation, _key(holder), kind)
        cells.append(Cell(holder=holder, lacks=lacks, besides=besides, decision=decision))
    return Row(operation=operation, object_kind=kind, capability=grant.capability, cells=tuple(cells))


def _key(holder: Holder) -> KeyRecord | None:
    if holder.kind is None:
        return None
    return KeyRecord(id=holder.name, digest="", kind=holder.kind, scopes=holder.scopes, issued_at=0.0)


def _sufficient(resolution: Resolution, grant: Grant, method: str) -> tuple[frozenset[str], ...] | None:
    """Return the sets of names that let in, without those that nobody can make count on this method."""
    if grant.alternatives is None:
        return None
    return tuple(names for names in grant.alternatives if all(_counts(resolution, name, method) for name in names))


def _lacks(
    resolution: Resolution, sufficient: tuple[frozenset[str], ...] | None, holder: Holder, method: str
) -> frozenset[frozenset[str]]:
    """Return what would have to be held besides: of the sets that suffice, what is left, without the larger ones."""
    if sufficient is None:
        return frozenset({frozenset()})
    if holder.kind is None:
        return frozenset(names | {A_KEY} for names in sufficient)
    held = {holder.kind, *_held(resolution, holder.scopes, method)}
    left = {names - held for names in sufficient}
    return frozenset(names for names in left if not any(other < names for other in left))


def _held(resolution: Resolution, scopes: Iterable[str], method: str) -> Iterator[str]:
    """Yield the scopes, held or included, that count on this method."""
    for scope in scopes:
        yield from (name for name in resolution.closure.get(scope, ()) if _counts(resolution, name, method))


def _counts(resolution: Resolution, name: str, method: str) -> bool:
    """Tell whether a name counts on a method; plans and kinds of keys count on each."""
    methods = resolution.methods.get(name)
    return methods is None or method in methods
