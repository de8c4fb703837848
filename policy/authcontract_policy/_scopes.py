"""Which scopes exist, on which methods each counts, and what each includes.

A name may be a family: `write:<thing>` stands for every scope of that form. A family's member exists as soon as
something names it, or as soon as a family with the same filled-in parts has a member for the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ._diagnostics import Diagnostic, Severity, did_you_mean, listing, quote, suggestion
from ._model import Document, Path, Policy, ScopeRow
from ._operations import Specification
from ._places import at_key, at_value

_PART: Final = re.compile(r"<[a-z_]+>")
#: More parts to fill in than this in one name could be matched in too many ways.
_PARTS: Final = 2
#: Families that bring each other in for ever, or a hostile file, stop here; DigitalOcean has 142.
MOST_SCOPES: Final = 2_000
#: A scope's name may not grow beyond what the schema allows for one.
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """Every scope and what it is good for."""

    #: Names, sorted.
    known: tuple[str, ...]
    #: None: every method. GET brings HEAD.
    methods: Mapping[str, frozenset[str] | None]
    #: Scope -> itself and all it includes, directly or not.
    closure: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Form:
    """A name with parts to fill in, or without."""

    name: str
    parts: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, name: str) -> _Form:
        pieces = _PART.split(name)
        pattern = "([^ ]+)".join(re.escape(piece) for piece in pieces) if is_sound(name) else r"(?!)"
        return cls(name=name, parts=tuple(_PART.findall(name)), pattern=re.compile(pattern))

    def binding(self, scope: str) -> dict[str, str] | None:
        """Return what each part stands for in this scope's name; None where it has another form."""
        found = self.pattern.fullmatch(scope)
        return None if found is None else dict(zip(self.parts, found.groups(), strict=True))


def is_sound(name: str) -> bool:
    """Say whether a name has few enough parts to fill in, each kept apart from the next."""
    pieces = _PART.split(name)
    return len(pieces) - 1 <= _PARTS and "" not in pieces[1:-1]


def is_family(name: str) -> bool:
    """Say whether the name has a part to fill in."""
    return _PART.search(name) is not None


def _filled(name: str, binding: Mapping[str, str]) -> str:
    return _PART.sub(lambda part: binding.get(part[0], part[0]), name)


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


def scopes_of(policy: Policy, specification: Specification) -> tuple[Scopes, list[Diagnostic]]:
    """Return the scopes of a policy over a specification, and what is wrong with them."""
    named = {*required(policy), *(name for name in policy.scopes if not is_family(name))}
    named |= {each for row in policy.scopes.values() for each in row.includes if not is_family(each)}
    if any(row.requires.keyword == "as specified" for row in policy.capabilities.values()):
        named |= specified(specification)
    reader = _Reader(policy)
    known = reader.grown(named)
    problems = [*reader.problems(known), *_undeclared(policy, specification, known, reader)]
    methods = {scope: _with_head(row.methods if (row := reader.row(scope)) else None) for scope in known}
    direct = {scope: reader.includes(scope, known) for scope in known}
    scopes = Scopes(
        known=tuple(sorted(known)),
        methods=methods,
        closure={scope: _reached(scope, direct) for scope in known},
    )
    problems += _methods_lacking(policy, reader, scopes, direct)
    return scopes, problems


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
        self._document: Document = policy.document
        self._rows: Mapping[str, ScopeRow] = policy.scopes
        self._families = tuple(_Form.of(name) for name in policy.scopes if is_family(name))
        self._endless = False

    def grown(self, named: Iterable[str]) -> frozenset[str]:
        """Return these scopes and all that rows bring in with them."""
        known: set[str] = set()
        todo = sorted(named)
        while todo:
            scope = todo.pop()
            if scope in known:
                continue
            if len(known) >= MOST_SCOPES or len(scope) > _LONGEST:
                self._endless = True
                continue
            known.add(scope)
            todo.extend(sorted(self._brought_in(scope) - known))
        return frozenset(known)

    def row(self, scope: str) -> ScopeRow | None:
        """Return the row that speaks of this scope: its own, or the family's that it fits."""
        family = next(iter(self._fitting(scope)), None)
        return self._rows.get(scope) or (self._rows[family.name] if family else None)

    def includes(self, scope: str, known: frozenset[str]) -> frozenset[str]:
        """Return the scopes that this one contains directly."""
        return frozenset().union(*(found for _, found in self._included(scope, known))) - {scope}

    def where(self, scope: str, included: str, known: frozenset[str]) -> Path:
        """Return the entry of `includes` by which one scope contains the other."""
        return next(path for path, found in self._included(scope, known) if included in found)

    def problems(self, known: frozenset[str]) -> Iterator[Diagnostic]:
        """Yield what is wrong with the names of rows and with what they include."""
        for name in self._rows:
            if not is_sound(name):
                yield at_key(
                    self._document,
                    ("scopes", name),
                    "family-unclear",
                    f"{quote(name)} can be read in several ways",
                    help=f"fill in at most {_PARTS} parts, with text between them",
                )
        if self._endless:
            yield at_key(
                self._document,
                ("scopes",),
                "scopes-endless",
                f"there are more than {MOST_SCOPES:,} scopes, or families that make ever longer names",
                help="look for a family that includes a longer form of itself",
            )
        for scope in sorted(known):
            yield from self._ambiguous(scope)
            for path, found in self._included(scope, known):
                if not found:
                    yield at_value(
                        self._document, path, "include-matches-nothing", "this includes no scope that exists"
                    )

    def _ambiguous(self, scope: str) -> Iterator[Diagnostic]:
        fits = self._fitting(scope)
        if len(fits) > 1 and scope not in self._rows:
            yield at_key(
                self._document,
                ("scopes", fits[1].name),
                "family-ambiguous",
                f"{quote(scope)} fits {listing(form.name for form in fits)}",
                help=f"give {quote(scope)} a row of its own",
            )

    def _fitting(self, scope: str) -> tuple[_Form, ...]:
        return tuple(form for form in self._families if form.pattern.fullmatch(scope))

    def _rows_of(self, scope: str) -> Iterator[tuple[ScopeRow, dict[str, str]]]:
        """Yield the row that speaks of this scope, with what its parts stand for."""
        if scope in self._rows:
            yield self._rows[scope], {}
            return
        for form in self._families:
            binding = form.binding(scope)
            if binding is not None:
                yield self._rows[form.name], binding
                return

    def _brought_in(self, scope: str) -> set[str]:
        found = {
            name
            for row, binding in self._rows_of(scope)
            for name in (_filled(each, binding) for each in row.includes)
            if not is_family(name)
        }
        for form in self._families:
            binding = form.binding(scope)
            if binding is not None:
                siblings = (other for other in self._families if other.parts == form.parts)
                found |= {_filled(sibling.name, binding) for sibling in siblings}
        return found

    def _included(self, scope: str, known: frozenset[str]) -> Iterator[tuple[Path, frozenset[str]]]:
        """Yield each entry of the scope's `includes`, with the scopes that it means."""
        for row, binding in self._rows_of(scope):
            for index, each in enumerate(row.includes):
                name = _filled(each, binding)
                path: Path = ("scopes", row.name, "includes", index)
                if is_family(name):
                    form = _Form.of(name)
                    yield path, frozenset(other for other in known if form.pattern.fullmatch(other)) - {scope}
                else:
                    yield path, frozenset({name}) & known


def _undeclared(
    policy: Policy, specification: Specification, known: frozenset[str], reader: _Reader
) -> Iterator[Diagnostic]:
    """Yield names that a row requires and nothing declares."""
    included = frozenset().union(*(reader.includes(scope, known) for scope in known if reader.row(scope)))
    taken = specified(specification) | included
    for scope, path in required(policy).items():
        if scope not in taken and reader.row(scope) is None:
            declared = [*policy.scopes, *sorted(included), *policy.plans, *policy.keys.kinds]
            yield at_value(
                policy.document,
                path,
                "undeclared-scope",
                f"{quote(scope)} is required here but declared nowhere",
                text=scope,
                help=suggestion(scope, declared),
            )
    yield from _opening_nothing(policy, specification)


def _opening_nothing(policy: Policy, specification: Specification) -> Iterator[Diagnostic]:
    """Yield included names that nothing requires or declares and that look like a slip of one that is."""
    used = {*required(policy), *policy.scopes, *specified(specification)}
    forms = [_Form.of(name) for name in policy.scopes if is_family(name)]
    for name, row in policy.scopes.items():
        for index, each in enumerate(row.includes):
            if each in used or is_family(each) or any(form.pattern.fullmatch(each) for form in forms):
                continue
            near = did_you_mean(each, used, cutoff=0.8)
            if near is not None:
                yield at_value(
                    policy.document,
                    ("scopes", name, "includes", index),
                    "include-opens-nothing",
                    f"no row requires {quote(each)}",
                    severity=Severity.WARNING,
                    help=f"did you mean {quote(near)}?",
                )


def _methods_lacking(
    policy: Policy, reader: _Reader, scopes: Scopes, direct: Mapping[str, frozenset[str]]
) -> Iterator[Diagnostic]:
    """Yield included scopes that count on methods on which the including one does not.

    What is included indirectly needs no look: a chain in which each contains the next is contained as a whole.
    """
    for scope in scopes.known:
        own = scopes.methods[scope]
        for included in sorted(direct[scope]) if own is not None else ():
            other = scopes.methods[included]
            if own is not None and (other is None or not other <= own):
                lacking = "every method" if other is None else listing(sorted(other - own - {"HEAD"} or other - own))
                yield at_value(
                    policy.document,
                    reader.where(scope, included, frozenset(scopes.known)),
                    "include-exceeds-methods",
                    f"{quote(scope)} includes {quote(included)}, but not its methods: {lacking}",
                    help="add the methods here, or include less",
                )
