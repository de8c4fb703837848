"""A document that its schema accepts, as a `Policy`; nothing is checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from ._model import (
    ANY_KEY,
    AS_SPECIFIED,
    NO_KEY,
    OTHERS,
    Bound,
    ByCause,
    Capability,
    Cause,
    Check,
    Dimension,
    Document,
    ErrorFormat,
    ErrorRow,
    Keys,
    Kind,
    ManagedBy,
    Policy,
    Promise,
    RateLimit,
    Requirement,
    Rotation,
    ScopeRow,
    Secret,
    SentAs,
    Silence,
    Table,
)
from ._selectors import selector

T = TypeVar("T")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


def build(document: Document) -> Policy:
    """Return the policy that a valid document states."""
    whole = document.value
    table = Tables(whole)
    return Policy(
        document=document,
        documentation=whole["documentation"],
        specification=whole["specification"],
        base_url=table.of(whole["base_url"]),
        environments=tuple(whole.get("environments", ())),
        plans=tuple(whole.get("plans", ())),
        objects=tuple(whole.get("objects", ())),
        isolation=tuple(whole.get("isolation", ())),
        precedence=tuple(Check(name) for name in whole["precedence"]) if "precedence" in whole else None,
        headers=whole.get("headers", {}),
        keys=_keys(whole["keys"], table),
        scopes={
            name: ScopeRow(name=name, methods=_set(row.get("methods")), includes=tuple(row.get("includes", ())))
            for name, row in whole.get("scopes", {}).items()
        },
        capabilities={name: _capability(name, row) for name, row in whole["capabilities"].items()},
        error_format=ErrorFormat(
            content_type=whole["error_format"]["content_type"],
            body=whole["error_format"]["body"],
            may_differ=frozenset(whole["error_format"].get("may_differ", ())),
        ),
        errors={name: _error(name, row) for name, row in whole["errors"].items()},
        rate_limits={name: _limit(name, row, table) for name, row in whole.get("rate_limits", {}).items()},
        silences=_silences(whole.get("silences", {})),
        not_covered=tuple(
            Promise(promise=row["promise"], source=row.get("source")) for row in whole.get("not_covered", ())
        ),
    )


def seconds(duration: str) -> int:
    """Return the length of a duration such as `24 hours`."""
    amount, unit = duration.split(" ")
    return int(amount) * _SECONDS[unit.removesuffix("s")]


def dimensions(policy: Mapping[str, Any]) -> dict[Dimension, tuple[str, ...]]:
    """Return the names that may head a table, by what they are; scopes are those written out in the policy."""
    return {
        Dimension.PLAN: tuple(policy.get("plans", ())),
        Dimension.ENVIRONMENT: tuple(policy.get("environments", ())),
        Dimension.KIND: tuple(policy["keys"]["kinds"]),
        Dimension.SCOPE: tuple(policy.get("scopes", ())),
        Dimension.KEY: (NO_KEY, ANY_KEY),
    }


def dimension_of(
    headings: frozenset[str], names: Mapping[Dimension, tuple[str, ...]], above: frozenset[Dimension] = frozenset()
) -> tuple[Dimension, ...]:
    """Return what these headings can be: exactly one dimension in a sound table."""
    return tuple(
        dimension
        for dimension, known in names.items()
        if dimension not in above and headings - {OTHERS} and headings - {OTHERS} <= frozenset(known)
    )


class Tables:
    """Reads values that may differ by plan, environment, kind of key, scope, or key at all."""

    def __init__(self, policy: Mapping[str, Any]) -> None:
        self._names = dimensions(policy)

    def of(self, written: Any, leaf: Callable[[Any], Any] = lambda value: value) -> Table[Any]:
        return self._table(written, leaf, frozenset())

    def optional(self, written: Any, leaf: Callable[[Any], Any] = lambda value: value) -> Table[Any] | None:
        return None if written is None else self.of(written, leaf)

    def _table(self, written: Any, leaf: Callable[[Any], Any], above: frozenset[Dimension]) -> Table[Any]:
        if not isinstance(written, Mapping):
            return Table(value=leaf(written))
        # A table whose headings fit nothing is refused later; until then it is read as one by scope.
        fits = dimension_of(frozenset(written), self._names, above) or (Dimension.SCOPE,)
        rows = {name: self._table(below, leaf, above | {fits[0]}) for name, below in written.items()}
        others = rows.pop(OTHERS, None)
        return Table(dimension=fits[0], rows=tuple(rows.items()), others=others)


def _keys(row: Mapping[str, Any], table: Tables) -> Keys:
    effect = row.get("takes_effect_within")
    rotation = row.get("rotation")
    managed = row.get("managed_by")
    return Keys(
        sent_as=tuple(_sent_as(each) for each in row["sent_as"]),
        kinds={name: _kind(name, kind, table) for name, kind in row["kinds"].items()},
        shown_once=table.optional(row.get("shown_once")),
        takes_effect_within=None if effect is None else seconds(effect),
        rotation=None
        if rotation is None
        else Rotation(
            grace=_lasting(rotation["grace"]),
            while_in_grace=rotation.get("while_in_grace"),
            shares_limits=rotation.get("shares_limits"),
        ),
        managed_by=None
        if managed is None
        else ManagedBy(create=managed.get("create"), rotate=managed.get("rotate"), revoke=managed.get("revoke")),
    )


def _sent_as(written: str | Mapping[str, str]) -> SentAs:
    if isinstance(written, str):
        name, _, template = written.removeprefix("?").partition("=")
        return SentAs(carrier="query", name=name, template=template)
    ((name, template),) = written.items()
    return SentAs(carrier="header", name=name, template=template)


def _kind(name: str, row: Mapping[str, Any], table: Tables) -> Kind:
    secret = row.get("secret")
    return Kind(
        name=name,
        holds=row["holds"],
        prefix=table.optional(row.get("prefix")),
        secret=None
        if secret is None
        else Secret(length=_bound(secret["length"], int), alphabet=alphabet(secret["alphabet"])),
        lifetime=_lasting(row["lifetime"]) if "lifetime" in row else None,
        advised_lifetime=table.optional(
            row.get("advised_lifetime"), lambda value: value if value == "unlimited" else seconds(value)
        ),
    )


def alphabet(written: str) -> str:
    """Return every character of ranges and single characters such as `a-z 0-9 _`, sorted."""
    found: set[str] = set()
    for part in written.split(" "):
        first, last = ord(part[0]), ord(part[-1])
        found.update(map(chr, range(first, last + 1)))
    return "".join(sorted(found))


def _bound(written: Any, read: Callable[[Any], int]) -> Bound:
    if not isinstance(written, Mapping):
        return Bound(exact=read(written))
    return Bound(**{word: read(value) for word, value in written.items()})


def _lasting(written: Any) -> Bound:
    return _bound(written, seconds)


def _capability(name: str, row: Mapping[str, Any]) -> Capability:
    return Capability(
        name=name,
        requires=_requirement(row["requires"]),
        operations=tuple(selector(each) for each in row["operations"]),
        objects=tuple(row.get("objects", ())),
        refused_with=row.get("refused_with"),
    )


def _requirement(written: Any) -> Requirement:
    if written == ANY_KEY:
        return Requirement(keyword="any key")
    if written == NO_KEY:
        return Requirement(keyword="no key")
    if written == AS_SPECIFIED:
        return Requirement(keyword="as specified")
    if isinstance(written, str):
        return Requirement(any_of=(frozenset({written}),))
    if "all_of" in written:
        return Requirement(any_of=(frozenset(written["all_of"]),))
    sets = (frozenset({each}) if isinstance(each, str) else frozenset(each["all_of"]) for each in written["any_of"])
    return Requirement(any_of=tuple(sets))


def _error(name: str, row: Mapping[str, Any]) -> ErrorRow:
    status = row["status"]
    return ErrorRow(
        name=name,
        statuses=(status,) if isinstance(status, int) else tuple(status["any_of"]),
        when=tuple(Cause(cause) for cause in row.get("when", ())),
        says={word: _by_cause(text) for word, text in row.get("says", {}).items()},
        headers={word: _by_cause(text) for word, text in row.get("headers", {}).items()},
        body=row.get("body"),
    )


def _by_cause(written: str | Mapping[str, str]) -> ByCause:
    if isinstance(written, str):
        return ByCause(others=written)
    return ByCause(
        texts=tuple((Cause(cause), text) for cause, text in written.items() if cause != OTHERS),
        others=written.get(OTHERS),
    )


def _limit(name: str, row: Mapping[str, Any], table: Tables) -> RateLimit:
    return RateLimit(
        name=name,
        requests=table.optional(row.get("requests")),
        window=seconds(row["window"]) if "window" in row else None,
        concurrent=table.optional(row.get("concurrent")),
        per=tuple(row["per"]),
        algorithm=row.get("algorithm", "any"),
        burst=table.optional(row.get("burst")),
        operations=tuple(selector(each) for each in row.get("operations", ())),
        costs=row.get("costs", {}),
        headers=row.get("headers", {}),
        refused_with=row.get("refused_with"),
        may_be_lower=row.get("may_be_lower", False),
    )


def _silences(block: Mapping[str, Any]) -> dict[str, Silence]:
    found = {}
    for state, rows in block.items():
        for name, row in rows.items():
            said: Mapping[str, Any] = {"answer": row} if isinstance(row, str) else row
            found[name] = Silence(
                id=name,
                answer=said["answer"],
                confirmed=state == "confirmed",
                otherwise=tuple(said.get("otherwise", ())),
                shown_by=tuple(said.get("shown_by", ())),
                not_shown=said.get("not_shown"),
            )
    return found


def _set(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
