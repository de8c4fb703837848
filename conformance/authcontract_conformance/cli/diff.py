"""`authcontract diff`: say in words what a change of the policy changes, as a reviewer asks it."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from ._shared import CLEAN, FINDINGS, compiled

if TYPE_CHECKING:
    from authcontract_engine import Change, Contract
    from authcontract_policy import Path, Policy, Span

#: Subject of a change -> how a heading counts one, and several.
HEADINGS: Final[Mapping[str, tuple[str, str]]] = {
    "decision": ("decision changes", "decisions change"),
    "operation": ("operation comes or goes", "operations come or go"),
    "scope": ("scope comes or goes", "scopes come or go"),
    "limit": ("limit changes", "limits change"),
    "rule": ("rule changes", "rules change"),
    "silence": ("silence changes", "silences change"),
}
#: Effect of a change -> how the closing line counts one, and several.
EFFECTS: Final[Mapping[str, tuple[str, str]]] = {
    "opens access": ("opens access", "open access"),
    "closes access": ("closes access", "close access"),
    "allows more": ("allows more", "allow more"),
    "allows less": ("allows less", "allow less"),
}
#: Holders that a sentence names.
NAMED: Final = 6
#: Characters of a policy's line that are shown.
LONGEST: Final = 100


@click.command("diff", short_help="Say in words what a change of the policy changes.")
@click.argument("old")
@click.argument("new")
@click.option("--spec", metavar="FILE", help="The OpenAPI document of both, where it is not the one that each names.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(old: str, new: str, spec: str | None, format_: str) -> None:
    """Say in words what a change of the policy changes: who gains, who loses, which limits and answers differ.

    Exit code 0 where nothing changes, even if the text does; 1 where something does.
    """
    from authcontract_engine import access, changes

    before, after = compiled(old, spec), compiled(new, spec)
    found = changes(before, after)
    decisions = sum(len(row.cells) for row in access(after))
    kept = decisions - sum(change.subject == "decision" for change in found)
    if format_ == "json":
        click.echo(json.dumps(_values(before.policy, after.policy, found, kept), indent=2))
    else:
        _text(before, after, found, kept)
    raise click.exceptions.Exit(FINDINGS if found else CLEAN)


def _text(before: Contract, after: Contract, found: tuple[Change, ...], kept: int) -> None:
    if not found:
        same = before.policy.document.sha256 == after.policy.document.sha256
        how = "the two policies are the same" if same else "the policies differ in their text only"
        click.echo(f"Nothing changes: {how}, and {kept} decisions, all limits and all answers stay as they were.")
        return
    for subject, group in groupby(found, key=lambda change: change.subject):
        several = tuple(group)
        click.echo(f"{_counted(len(several), HEADINGS[subject])}:")
        for places, same_place in groupby(several, key=lambda change: (change.old, change.new)):
            alike: dict[tuple[str, str, str, str], list[str]] = {}
            for change in same_place:
                said = (change.what, change.before, change.after, change.effect.value)
                alike.setdefault(said, []).append(change.whom)
            for said, whom in alike.items():
                click.echo(f"  {_sentence(*said, [name for name in whom if name])}")
            click.echo("".join(f"      {line}\n" for line in _lines(before.policy, after.policy, *places)))
    effects = Counter(change.effect.value for change in found)
    counted = [_counted(effects[effect], words) for effect, words in EFFECTS.items() if effects[effect]]
    listed = f": {', '.join(counted)}" if counted else ""
    click.echo(f"{_counted(len(found), ('change', 'changes'))}{listed}; {kept} decisions stay as they were.")


def _counted(number: int, words: tuple[str, str]) -> str:
    return f"{number} {words[number != 1]}"


def _sentence(what: str, before: str, after: str, effect: str, whom: list[str]) -> str:
    """Say one change, for all whom it is the same for."""
    from authcontract_policy import printable

    more = len(whom) - NAMED
    separator = "; " if any(", " in name for name in whom) else ", "
    names = separator.join(whom[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return printable(
        f"`{what}`{f' for {names}' if names else ''}: {before} -> {after}{f' ({effect})' if effect else ''}"
    )


def _lines(before: Policy, after: Policy, old: Path | None, new: Path | None) -> Iterable[str]:
    """Return the lines that say so, as a text diff would; one where both say the same."""
    spans = [policy.document.span(place) if place else None for policy, place in ((before, old), (after, new))]
    texts = [span.text.strip() if span is not None else None for span in spans]
    if texts[0] == texts[1]:
        spans[0] = None
    marks = ("-", " ") if texts[0] == texts[1] else ("-", "+")
    return [_line(mark, span) for mark, span in zip((marks[0], marks[1]), spans, strict=True) if span is not None]


def _line(mark: str, span: Span) -> str:
    from authcontract_policy import printable

    text = " ".join(span.text.split())
    return printable(f"{mark} {span.file}:{span.line}: {textwrap.shorten(text, LONGEST, placeholder=' ...')}")


def _values(before: Policy, after: Policy, found: Iterable[Change], kept: int) -> dict[str, Any]:
    """Return what `diff.schema.json` describes."""
    return {
        "old": before.document.file,
        "new": after.document.file,
        "unchanged_decisions": kept,
        "changes": [
            {
                "fingerprint": change.fingerprint,
                "subject": change.subject.value,
                "what": change.what,
                "whom": change.whom,
                "before": change.before,
                "after": change.after,
                "effect": change.effect.value,
                "old": _where(before, change.old),
                "new": _where(after, change.new),
            }
            for change in found
        ],
    }


def _where(policy: Policy, place: Path | None) -> dict[str, Any] | None:
    span = policy.document.span(place) if place else None
    return None if span is None else {"file": span.file, "line": span.line, "column": span.column}
