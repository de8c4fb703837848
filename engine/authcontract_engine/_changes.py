"""What a change of a contract changes: decisions first, then limits, answers and keys; never mere text.

Two files that say the same differently have no changes between them: what is compared is what the contracts decide,
and the values that the policies mean. Where a value stands is told by its path, so that both lines can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from authcontract_policy import Path

from ._access import Cell, Row, access
from ._change import Change, Effect, Subject
from ._changed_values import changed_limits, changed_rules, changed_silences
from ._contract import Contract


def changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Return everything that changes from one contract to the other; nothing where only text differs."""
    return (
        *_decisions(old, new),
        *changed_limits(old.policy, new.policy),
        *changed_rules(old.policy, new.policy),
        *changed_silences(old.policy, new.policy),
    )


def _decisions(old: Contract, new: Contract) -> Iterator[Change]:
    before = {row.label: row for row in access(old)}
    after = {row.label: row for row in access(new)}
    for label in dict.fromkeys((*before, *after)):
        was, now = before.get(label), after.get(label)
        if was is not None and now is not None:
            yield from _cells(old, new, was, now)
        else:
            row = was or now
            assert row is not None  # noqa: S101  the label comes from one of them
            yield Change(
                subject=Subject.OPERATION,
                what=label,
                before="does not exist" if was is None else _who_may(was),
                after="does not exist" if now is None else _who_may(now),
                effect=Effect.OPENS if was is None else Effect.CLOSES,
                old=None if was is None else _place(was),
                new=None if now is None else _place(now),
            )
    yield from _scopes(before.values(), after.values(), old, new)


def _cells(old: Contract, new: Contract, was: Row, now: Row) -> Iterator[Change]:
    after = {cell.holder.name: cell for cell in now.cells}
    for cell in was.cells:
        then = after.get(cell.holder.name)
        if then is None or _meaning(old, cell) == _meaning(new, then):
            continue
        yield Change(
            subject=Subject.DECISION,
            what=was.label,
            whom=cell.holder.name,
            before=in_words(cell),
            after=in_words(then),
            effect=_effect(cell, then),
            old=_place(was),
            new=_place(now),
        )


def _meaning(contract: Contract, cell: Cell) -> object:
    """Return what must be equal for nothing to change for this holder, alone or with others' scopes.

    The usual error of a cause is left out: where it changes, it does so for all operations, and is told once.
    """
    usual = {row.name for row in contract.policy.errors.values() if cell.decision.cause in row.when}
    return cell.allowed, cell.besides, None if cell.decision.error in usual else cell.decision.error


def _effect(was: Cell, now: Cell) -> Effect:
    easier = all(any(less <= names for less in now.lacks) for names in was.lacks)
    harder = all(any(less <= names for less in was.lacks) for names in now.lacks)
    if easier == harder:
        return Effect.OTHER
    return Effect.OPENS if easier else Effect.CLOSES


def in_words(cell: Cell) -> str:
    """Say whether a holder may, what would have to be added, or how it is refused."""
    if cell.allowed:
        return "allowed"
    if cell.besides:
        return "allowed with " + " or ".join(sorted(" and ".join(sorted(names)) for names in cell.besides))
    return f"refused ({cell.decision.statuses[0]}{f' {cell.decision.error}' if cell.decision.error else ''})"


def _who_may(row: Row) -> str:
    names = [cell.holder.name for cell in row.cells if cell.allowed]
    return f"allowed for {', '.join(names)}" if names else "allowed for no single scope"


def _place(row: Row) -> Path:
    return ("capabilities", row.capability, "requires")


def _scopes(before: Iterable[Row], after: Iterable[Row], old: Contract, new: Contract) -> Iterator[Change]:
    """Say of a scope that comes or goes how much it opens, once, instead of in each row."""
    was, now = _opened(before), _opened(after)
    for name in dict.fromkeys((*was, *now)):
        if name in was and name in now:
            continue
        yield Change(
            subject=Subject.SCOPE,
            what=name,
            before=_operations(was[name]) if name in was else "does not exist",
            after=_operations(now[name]) if name in now else "does not exist",
            effect=Effect.CLOSES if name in was else Effect.OPENS,
            old=("scopes", name) if name in old.policy.scopes else None,
            new=("scopes", name) if name in new.policy.scopes else None,
        )


def _opened(rows: Iterable[Row]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        for cell in row.cells:
            found[cell.holder.name] = found.get(cell.holder.name, 0) + cell.allowed
    return found


def _operations(number: int) -> str:
    return f"opens {number} operation{'s' * (number != 1)}"
