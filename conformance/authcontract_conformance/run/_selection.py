"""Which clauses are meant: ids, families, globs and levels, the same words for every command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.oracle._verdict import Level

#: A level, as it is written on the command line, and what it lets through: what binds as strongly, or stronger.
LEVELS: Final[Mapping[str, frozenset[Level]]] = {
    "must": frozenset({Level.MUST}),
    "should": frozenset({Level.MUST, Level.SHOULD}),
    "unspec": frozenset(Level),
}
_GLOB: Final = frozenset("*?[")


class SelectionError(ValueError):
    """A word selects nothing: it is no clause, no family and matches none."""

    def __init__(self, message: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        #: Names that were probably meant.
        self.near = near

    def __str__(self) -> str:
        """Return the sentence, with what was probably meant and where to look."""
        *names, last = (f"`{name}`" for name in self.near) if self.near else ("",)
        meant = f"did you mean {' or '.join([', '.join(names), last] if names else [last])}? " if last else ""
        return f"{self.args[0]}; {meant}`authcontract explain` lists the clauses"


def family(clause: str) -> str:
    """Return the family that a clause's id names: AUTH of AUTH-1."""
    return clause.partition("-")[0]


def families() -> tuple[str, ...]:
    """Return every family that has a clause, in the order of the catalogue."""
    return tuple(dict.fromkeys(family(clause) for clause in catalogue()))


def words(given: Iterable[str]) -> tuple[str, ...]:
    """Return what was given, several times or with commas between, one by one."""
    return tuple(word for text in given for word in (part.strip() for part in text.split(",")) if word)


def matching(given: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that these words select, in the order of the catalogue; raises `SelectionError`.

    A word is an id, a family or a glob, in any case. What is merged into another clause selects the clause that judges
    it, but only by its own name: `LIFE-*` means the clauses of that family.
    """
    chosen = {clause for word in words(given) for clause in _matching(word)}
    return tuple(clause for clause in catalogue() if clause in chosen)


def _matching(word: str) -> Iterable[str]:
    asked = word.upper()
    if _GLOB & set(asked):
        found = _fitting(catalogue(), asked)
        judges = {into for name in _fitting(MERGED, asked) if (into := MERGED[name].into) is not None}
        if not found and not judges:
            raise SelectionError(f"no clause matches `{word}`", _near(asked.strip("*?-"), families()))
        return found or judges
    if asked in catalogue():
        return (asked,)
    if asked in MERGED:
        merged = MERGED[asked]
        if merged.into is None:
            raise SelectionError(f"no clause judges `{asked}`: {_as_a_part(merged.reason)}")
        return (merged.into,)
    found = tuple(clause for clause in catalogue() if family(clause) == asked)
    if not found:
        raise SelectionError(f"there is no clause `{word}`", _near(asked, (*catalogue(), *families(), *MERGED)))
    return found


def _fitting(names: Iterable[str], glob: str) -> tuple[str, ...]:
    return tuple(name for name in names if fnmatchcase(name.upper(), glob))


def _near(word: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(difflib.get_close_matches(word, tuple(dict.fromkeys(names)), n=3))


def _as_a_part(sentence: str) -> str:
    """Return a sentence as it stands behind a colon."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def selected(only: Iterable[str], skip: Iterable[str] = (), level: str | None = None) -> tuple[Clause, ...]:
    """Return the clauses to judge, in the order of the catalogue; raises `SelectionError` where none is left."""
    wanted, unwanted = words(only), frozenset(matching(skip))
    admitted = LEVELS[level or "unspec"]
    chosen = matching(wanted) if wanted else tuple(catalogue())
    found = tuple(
        clause
        for name, clause in catalogue().items()
        if name in chosen and name not in unwanted and clause.level in admitted
    )
    if not found:
        said = [f"--only {','.join(wanted)}"] if wanted else []
        said += [f"--skip {','.join(words(skip))}"] if unwanted else []
        said += [f"--level {level}"] if level else []
        raise SelectionError(f"no clause is left by {' '.join(said)}")
    return found
