"""How the commands that answer questions print: a console for people, one JSON value for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Outcome -> glyph and colour; the word always stands beside the glyph, so that colour is never needed.
LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "allowed": ("✔", "green"),
    "passed": ("✔", "green"),
    "refused": ("✘", "red"),
    "not reached": ("·", "dim"),
}


def console() -> Console:
    """Return a console on standard output that prints text as it is; it knows NO_COLOR and the width by itself."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def fields(rows: Mapping[str, str]) -> RenderableType:
    """Return labels with their texts, wrapped beside them; empty texts are left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows.items():
        if text:
            table.add_row(label, Text(text))
    return table


def print_json(value: Any) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def count(number: int, noun: str) -> str:
    """Return `1 operation`, `2 operations`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
