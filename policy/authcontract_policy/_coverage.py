"""Which capability decides each operation: the narrower of two nested rows, and never none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ._diagnostics import MOST, Diagnostic, listing, quote, suggestion
from ._model import Path, Policy, Selector
from ._operations import Operation, Specification
from ._places import at_key, at_value
from ._selectors import Extents


@dataclass(slots=True)
class _Claims:
    """The rows that name one operation, each with the narrowest of its selectors that do."""

    by_row: dict[str, list[frozenset[str]]] = field(default_factory=dict)

    def add(self, row: str, ids: frozenset[str]) -> None:
        kept = [other for other in self.by_row.get(row, []) if not ids < other]
        self.by_row[row] = kept if any(other <= ids for other in kept) else [*kept, ids]

    def deciding(self, rows: list[str]) -> str | None:
        """Return the row that lies inside each of the others, if one does."""
        return next((row for row in rows if all(row == other or self._inside(row, other) for other in rows)), None)

    def _inside(self, row: str, other: str) -> bool:
        return all(any(ids < wider for ids in self.by_row[row]) for wider in self.by_row[other])


def selector_text(selector: Selector) -> str:
    """Return a selector as it is written."""
    match selector.how:
        case "tag":
            return f"tag: {selector.text}"
        case "id":
            return selector.text
        case _:
            return (
                f"{selector.method + ' ' if selector.method else ''}{selector.text}{'/*' * (selector.how == 'below')}"
            )


def cover(
    policy: Policy, specification: Specification, extents: Extents
) -> tuple[dict[tuple[str, str | None], str], list[Diagnostic]]:
    """Return (operationId, kind of object) -> name of the capability that decides it, and what is wrong."""
    problems: list[Diagnostic] = []
    claims = {operation.id: _Claims() for operation in specification.operations}
    for name, row in policy.capabilities.items():
        for index, selector in enumerate(row.operations):
            ids = extents.of(selector)
            if not ids and len(problems) < MOST:
                problems.append(no_match(policy, specification, ("capabilities", name, "operations", index), selector))
            for operation_id in ids:
                claims[operation_id].add(name, ids)
    decided: dict[tuple[str, str | None], str] = {}
    for operation in specification.operations:
        for kind in policy.objects or (None,):
            rows = [name for name in claims[operation.id].by_row if _speaks_of(policy, name, kind)]
            deciding = claims[operation.id].deciding(rows)
            if deciding is not None:
                decided[operation.id, kind] = deciding
            else:
                problems.append(_undecided(policy, operation, kind, rows))
    problems += _deciding_nothing(policy, frozenset(decided.values()))
    return decided, problems


def _speaks_of(policy: Policy, row: str, kind: str | None) -> bool:
    objects = policy.capabilities[row].objects
    return kind is None or not objects or kind in objects


def no_match(policy: Policy, specification: Specification, path: Path, selector: Selector) -> Diagnostic:
    """Report a selector that names no operation."""
    operations = specification.operations
    candidates: list[str]
    match selector.how:
        case "tag":
            candidates = sorted({tag for operation in operations for tag in operation.tags})
        case "id":
            candidates = [operation.id for operation in operations]
        case _:
            candidates = [f"{selector.method} {each.path}" if selector.method else each.path for each in operations]
    return at_value(
        policy.document,
        path,
        "selector-matches-nothing",
        f"{quote(selector_text(selector))} matches no operation of the specification",
        help=suggestion(selector.text if selector.how != "below" else selector_text(selector), candidates),
    )


def _undecided(policy: Policy, operation: Operation, kind: str | None, rows: list[str]) -> Diagnostic:
    what = f"{quote(operation.label)} ({quote(operation.id)})" + (f" on {quote(kind)} objects" if kind else "")
    if not rows:
        return at_key(
            policy.document,
            ("capabilities",),
            "uncovered-operation",
            f"{what} is in no capability",
            help="add a capability that names it; what no row names is never allowed by silence",
        )
    return at_key(
        policy.document,
        ("capabilities", rows[-1]),
        "ambiguous-capability",
        f"{what} is claimed by {listing(rows)}",
        help="of two rows the one inside the other decides: name fewer operations in one of them",
    )


def _deciding_nothing(policy: Policy, used: frozenset[str]) -> Iterator[Diagnostic]:
    for name in policy.capabilities:
        if name not in used:
            yield at_key(
                policy.document,
                ("capabilities", name),
                "capability-decides-nothing",
                f"{quote(name)} decides no operation: narrower rows take all of them",
                help="delete the row, or name its operations more narrowly",
            )


def limits_of(
    policy: Policy, specification: Specification, extents: Extents
) -> tuple[Mapping[str, tuple[str, ...]], list[Diagnostic]]:
    """Return operationId -> the rate limits that count it, and limits that name no operation."""
    problems: list[Diagnostic] = []
    counted: dict[str, frozenset[str]] = {}
    everything = frozenset(operation.id for operation in specification.operations)
    for name, row in policy.rate_limits.items():
        ids: set[str] = set()
        for index, selector in enumerate(row.operations):
            found = extents.of(selector)
            ids |= found
            if not found and len(problems) < MOST:
                problems.append(no_match(policy, specification, ("rate_limits", name, "operations", index), selector))
        counted[name] = frozenset(ids) if row.operations else everything
    return {
        operation.id: tuple(name for name, ids in counted.items() if operation.id in ids)
        for operation in specification.operations
    }, problems
