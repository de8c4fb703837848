"""Which scopes exist, on which methods each counts, and what each includes.

A family's member exists as soon as something names it, or as soon as a family with the same parts to fill in has a
member for the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ._families import Form, filled, is_family
from ._model import Path, Policy, ScopeRow
from ._operations import Specification

#: Families that bring each other in for ever, or a hostile file, stop here; DigitalOcean has 142.
MOST_SCOPES: Final = 2_000
#: A scope's name may not grow beyond what the schema allows for one.
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """Every scope and what it is good for."""

    #: Names, sorted.
    known: tuple[str, ...]
    #: The row that speaks of a scope, its own or that of its family; None: no row does.
    rows: Mapping[str, ScopeRow | None]
    #: None: every method. GET brings HEAD.
    methods: Mapping[str, frozenset[str] | None]
    #: Scope -> each entry of its row's `includes` with the scopes that it means here.
    entries: Mapping[str, tuple[tuple[Path, frozenset[str]], ...]]
    #: Scope -> itself and all it includes, directly or not.
    closure: Mapping[str, frozenset[str]]
    #: There were too many, or families made ever longer names.
    endless: bool


def required(policy: Policy) -> dict[str, Path]:
    """Return the scopes that rows require by name, each with the first place that does."""
    others = {*policy.plans, *policy.keys.kinds}
    found: dict[str, Path] = {}
    for name, row in policy.capabilities.items():
        for names in row.requires.any_of:
            for each in sorted(names - others):
                found.setdefault(each, ("capabilities", name, "requires"))
    return found


def specified(specification: Specification) -> frozenset[str]:
    """Return every scope that the specification's `security` names."""
    return frozenset(
        scope
        for operation in specification.operations
        for entry in operation.security or ()
        for scopes in entry.values()
        for scope in scopes
    )


def scopes_of(policy: Policy, specification: Specification) -> Scopes:
    """Return the scopes of a policy over a specification."""
    named = {*required(policy), *(name for name in policy.scopes if not is_family(name))}
    named |= {each for row in policy.scopes.values() for each in row.includes if not is_family(each)}
    if any(row.requires.keyword == "as specified" for row in policy.capabilities.values()):
        named |= specified(specification)
    reader = _Reader(policy)
    known, endless = reader.grown(named)
    rows = {scope: row for scope in known for row, _ in reader.row(scope)}
    entries = {scope: tuple(reader.entries(scope, known)) for scope in known}
    direct = {scope: frozenset().union(*(found for _, found in entries[scope])) for scope in known}
    return Scopes(
        known=tuple(sorted(known)),
        rows={scope: rows.get(scope) for scope in known},
        methods={scope: _with_head(rows[scope].methods) if scope in rows else None for scope in known},
        entries=entries,
        closure={scope: _reached(scope, direct) for scope in known},
        endless=endless,
    )


def _with_head(methods: frozenset[str] | None) -> frozenset[str] | None:
    return methods | {"HEAD"} if methods is not None and "GET" in methods else methods


def _reached(scope: str, direct: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found, todo = {scope}, [scope]
    while todo:
        fresh = direct[todo.pop()] - found
        found |= fresh
        todo.extend(fresh)
    return frozenset(found)


class _Reader:
    """Relates scopes to the rows that speak of them."""

    def __init__(self, policy: Policy) -> None:
        self._rows = policy.scopes
        self._families = tuple(Form.of(name) for name in policy.scopes if is_family(name))

    def grown(self, named: Iterable[str]) -> tuple[frozenset[str], bool]:
        """Return these scopes and all that rows bring in with them, and whether some had to be left out."""
        known: set[str] = set()
        todo, endless = sorted(named), False
        while todo:
            scope = todo.pop()
            if scope in known:
                continue
            if len(known) >= MOST_SCOPES or len(scope) > _LONGEST:
                endless = True
                continue
            known.add(scope)
            todo.extend(sorted(self._brought_in(scope) - known))
        return frozenset(known), endless

    def row(self, scope: str) -> Iterator[tuple[ScopeRow, dict[str, str]]]:
        """Yield the row that speaks of this scope, if one does, with what its parts stand for."""
        if scope in self._rows:
            yield self._rows[scope], {}
            return
        for form in self._families:
            binding = form.binding(scope)
            if binding is not None:
                yield self._rows[form.name], binding
                return

    def entries(self, scope: str, known: frozenset[str]) -> Iterator[tuple[Path, frozenset[str]]]:
        """Yield each entry of the scope's `includes`, with the scopes that it means."""
        for row, binding in self.row(scope):
            for index, each in enumerate(row.includes):
                name = filled(each, binding)
                form = Form.of(name)
                found = frozenset(filter(form.fits, known)) if is_family(name) else frozenset({name}) & known
                yield ("scopes", row.name, "includes", index), found - {scope}

    def _brought_in(self, scope: str) -> set[str]:
        found = {filled(each, binding) for row, binding in self.row(scope) for each in row.includes}
        for form in self._families:
            binding = form.binding(scope)
            if binding is not None:
                siblings = (other for other in self._families if other.parts == form.parts)
                found |= {filled(sibling.name, binding) for sibling in siblings}
        return {name for name in found if not is_family(name)}
