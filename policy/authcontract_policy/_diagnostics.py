"""A problem in a file, as data: code, message, place, label and help are fields; text is made by a renderer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from ._model import Span


class Severity(StrEnum):
    """How much a diagnostic weighs: only an error keeps a policy from being used."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A second place that a diagnostic speaks of, e.g. where a name stood first."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem at one place."""

    #: Stable, kebab-case; `CODES` explains it.
    code: str
    message: str
    span: Span
    severity: Severity = Severity.ERROR
    #: Stands beside the carets.
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()


#: A hostile file could hold a million problems; nobody reads past these.
MOST = 1_000


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by file, line and column, each problem once, so that two runs are byte-identical."""
    found = sorted(set(diagnostics), key=lambda d: (d.span.file, d.span.line, d.span.column, d.code, d.message))
    return tuple(found[:MOST])


def first_of(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield no more of one kind of problem than anybody reads; finding the rest would only take time."""
    return islice(iter(diagnostics), MOST)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Say whether any of these keeps the policy from being used."""
    return any(found.severity is Severity.ERROR for found in diagnostics)


#: Names that a misspelt one is compared with; DigitalOcean has 659 operations.
_COMPARED: Final = 2_000

#: Text of a stranger's file is quoted up to here.
_QUOTED = 60


def quote(value: object) -> str:
    """Put the user's own text in backticks, on one line and not too long."""
    text = " ".join(str(value).split()).replace("`", "'")
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return f"`{text[: _QUOTED - 3]}...`" if len(text) > _QUOTED else f"`{text}`"


def listing(names: Iterable[object]) -> str:
    """Name the first few, in the order given."""
    shown = [quote(name) for name in names]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")  # noqa: PLR2004  a dozen fits a line


def did_you_mean(word: object, candidates: Iterable[str], *, cutoff: float = 0.65) -> str | None:
    """Return the candidate that was probably meant."""
    # Sorted, since a caller may hold a set, and no further, since a stranger's file may hold a million.
    names = sorted(set(candidates))[:_COMPARED]
    folded = {name.casefold(): name for name in names}
    # A stranger's word may be a megabyte: comparing costs its length.
    near = difflib.get_close_matches(str(word)[:80].casefold(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def suggestion(word: object, candidates: Iterable[str]) -> str:
    """Say what was probably meant, else what is allowed."""
    names = list(candidates)
    near = did_you_mean(word, names)
    if near is not None:
        return f"did you mean {quote(near)}?"
    return f"known here: {listing(names)}" if names else ""
