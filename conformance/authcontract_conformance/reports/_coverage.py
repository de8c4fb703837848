"""What a target did not offer, and what that cost: each capability once, with the clauses that were not judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text

from authcontract_conformance._events import ClauseJudged

#: Clauses that a line names.
NAMED = 3


def lacking(clauses: Iterable[ClauseJudged]) -> Mapping[str, tuple[str, ...]]:
    """Return each capability that the target lacks with the clauses that were skipped for it."""
    found: dict[str, list[str]] = {}
    for clause in clauses:
        if clause.word == "skipped" and clause.applicable:
            for capability in clause.missing:
                found.setdefault(capability, []).append(clause.clause)
    return {capability: tuple(names) for capability, names in found.items()}


def cost(clauses: Iterable[ClauseJudged]) -> Text:
    """Return a line for each capability that is missing; nothing where none is."""
    text = Text(style="dim")
    for capability, names in lacking(clauses).items():
        rest = len(names) - NAMED
        said = ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
        text.append(f"no {capability}: {said} {'is' if len(names) == 1 else 'are'} skipped\n")
    return text
