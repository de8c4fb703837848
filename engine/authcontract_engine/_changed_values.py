"""Which values of a policy differ from another's: limits heading by heading, everything else word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from authcontract_policy import ANY_KEY, NO_KEY, Amount, Dimension, Path, Policy, RateLimit, Table

from ._change import Change, Effect, Subject

#: Fields of a limit that are tables of amounts.
AMOUNTS: Final = ("requests", "concurrent", "burst")


def changed_limits(old: Policy, new: Policy) -> Iterator[Change]:
    """Say which limits come, go, or let more or less through."""
    for name in dict.fromkeys((*old.rate_limits, *new.rate_limits)):
        was, now = old.rate_limits.get(name), new.rate_limits.get(name)
        path: Path = ("rate_limits", name)
        if was is None or now is None:
            yield Change(
                subject=Subject.LIMIT,
                what=name,
                before="does not exist" if was is None else "limits",
                after="does not exist" if now is None else "limits",
                effect=Effect.LESS if was is None else Effect.MORE,
                old=None if was is None else path,
                new=None if now is None else path,
            )
            continue
        for field in AMOUNTS:
            yield from _amounts(old, new, was, now, field)
        before, after = (_Side(each, each.document.value).below("rate_limits").below(name) for each in (old, new))
        yield from _differences(before, after, path, Subject.LIMIT, AMOUNTS)


def _amounts(old: Policy, new: Policy, was: RateLimit, now: RateLimit, field: str) -> Iterator[Change]:
    """Compare two tables heading by heading, so that `others` and a row of one's own are the same."""
    tables: list[Table[Amount]] = [getattr(limit, field) or Table() for limit in (was, now)]
    if tables[0] == tables[1]:
        return
    names: dict[Dimension, dict[str, None]] = {}
    for dimension, name in (each for table in tables for each in _named(table)):
        names.setdefault(dimension, dict.fromkeys(_declared(dimension, old, new)))[name] = None
    for headings in product(*names.values()):
        row = dict(zip(names, headings, strict=True))
        before, after = (table.lookup(row) for table in tables)
        if before != after:
            yield Change(
                subject=Subject.LIMIT,
                what=was.name,
                whom=", ".join(headings),
                before=_amount(before, field),
                after=_amount(after, field),
                effect=_more_or_less(before, after),
                old=_row(old, was.name, field, headings),
                new=_row(new, was.name, field, headings),
            )


def _row(policy: Policy, limit: str, field: str, headings: Iterable[str]) -> Path | None:
    """Return where the policy gives the amount under these headings."""
    path: Path = ("rate_limits", limit, field)
    value = policy.document.value["rate_limits"][limit].get(field)
    for heading in headings:
        if isinstance(value, Mapping):
            word = heading if heading in value else "others"
            path, value = (*path, word), value.get(word)
    return None if value is None else path


def _named(table: Table[Any]) -> Iterator[tuple[Dimension, str]]:
    """Yield every heading of a table, nested ones too."""
    if table.dimension is None:
        return
    for name, row in table.rows:
        yield table.dimension, name
        yield from _named(row)
    if table.others is not None:
        yield from _named(table.others)


def _declared(dimension: Dimension, old: Policy, new: Policy) -> Iterable[str]:
    """Return names that `others` may stand for."""
    names: Mapping[Dimension, Iterable[str]] = {
        Dimension.PLAN: (*old.plans, *new.plans),
        Dimension.ENVIRONMENT: (*old.environments, *new.environments),
        Dimension.KIND: (*old.keys.kinds, *new.keys.kinds),
        Dimension.SCOPE: (*old.scopes, *new.scopes),
        Dimension.KEY: (NO_KEY, ANY_KEY),
    }
    return names[dimension]


def _amount(amount: Amount | None, field: str) -> str:
    if amount is None:
        return "not stated"
    if not isinstance(amount, int):
        return amount
    return f"{amount:,} at once" if field in ("concurrent", "burst") else f"{amount:,} requests"


def _more_or_less(before: Amount | None, after: Amount | None) -> Effect:
    if None in (before, after) or "unpublished" in (before, after):
        return Effect.OTHER
    was, now = (float(each) if isinstance(each, int) else float("inf") for each in (before, after))
    return Effect.MORE if now > was else Effect.LESS if now < was else Effect.OTHER


#: Words of a policy that say something which neither the access table nor the amounts show.
RULES: Final = (
    "base_url",
    "environments",
    "plans",
    "objects",
    "isolation",
    "precedence",
    "headers",
    "keys",
    "error_format",
    "errors",
)
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class _Side:
    """A value of one policy: what it means, and as it is written; absent where there is none."""

    meant: Any
    written: Any

    def below(self, word: str) -> _Side:
        """Return the part that a word stands for; the model calls a few words otherwise, and then has no such part."""
        meant = self.meant.get(word, _ABSENT) if isinstance(self.meant, Mapping) else getattr(self.meant, word, _ABSENT)
        return _Side(meant, self.written.get(word, _ABSENT) if isinstance(self.written, Mapping) else _ABSENT)

    def means_the_same(self, other: _Side) -> bool:
        """Tell whether nothing changes, even if it is written otherwise (24 hours, 1 day)."""
        same_meaning = self.meant is not _ABSENT and self.meant == other.meant
        return bool(same_meaning or self.written == other.written)


def changed_rules(old: Policy, new: Policy) -> Iterator[Change]:
    """Say what else requests and answers are promised, word by word."""
    before, after = (_Side(policy, policy.document.value) for policy in (old, new))
    for word in RULES:
        yield from _differences(before.below(word), after.below(word), (word,), Subject.RULE)


def _differences(
    old: _Side, new: _Side, path: Path, subject: Subject, leave_out: Iterable[str] = ()
) -> Iterator[Change]:
    """Walk both sides; a place is changed where meaning and writing differ, and the deepest such place is told."""
    if old.means_the_same(new):
        return
    if isinstance(old.written, Mapping) and isinstance(new.written, Mapping):
        for word in dict.fromkeys((*old.written, *new.written)):
            if word != "source" and word not in leave_out:
                yield from _differences(old.below(word), new.below(word), (*path, word), subject)
        return
    whose = 2 if subject is Subject.LIMIT else len(path)
    yield Change(
        subject=subject,
        what=".".join(map(str, path[:whose])).removeprefix("rate_limits."),
        whom=".".join(map(str, path[whose:])),
        before=_in_a_line(old.written),
        after=_in_a_line(new.written),
        old=None if old.written is _ABSENT else path,
        new=None if new.written is _ABSENT else path,
    )


def _in_a_line(value: Any) -> str:
    """Return a value much as the policy writes it."""
    match value:
        case Mapping():
            return (
                "{" + ", ".join(f"{word}: {_in_a_line(each)}" for word, each in value.items() if word != "source") + "}"
            )
        case list():
            return "[" + ", ".join(map(_in_a_line, value)) + "]"
        case bool():
            return str(value).lower()
    return "not stated" if value is _ABSENT else str(value)


def changed_silences(old: Policy, new: Policy) -> Iterator[Change]:
    """Compare how far a silence binds: its sentence decides nothing."""
    for name in dict.fromkeys((*old.silences, *new.silences)):
        was, now = (_binds(policy, name) for policy in (old, new))
        if was != now:
            places = [_silence_place(policy, name) for policy in (old, new)]
            yield Change(subject=Subject.SILENCE, what=name, before=was, after=now, old=places[0], new=places[1])


def _binds(policy: Policy, name: str) -> str:
    silence = policy.silences.get(name)
    if silence is not None and silence.confirmed:
        return "confirmed"
    others = 0 if silence is None else len(silence.otherwise)
    return f"assumed, {others} other answer{'s' * (others != 1)} accepted" if others else "open"


def _silence_place(policy: Policy, name: str) -> Path | None:
    silence = policy.silences.get(name)
    return None if silence is None else ("silences", "confirmed" if silence.confirmed else "assumed", name)
