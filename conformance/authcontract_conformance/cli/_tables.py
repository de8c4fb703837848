"""Tables of a contract: who may call what, and how much each limit lets through; as text, Markdown or values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from authcontract_engine import Cell, Contract, Row, in_words
from authcontract_policy import NO_KEY, Amount, Operation, RateLimit, Table, printable

if TYPE_CHECKING:
    from rich.console import Console

#: Columns that the names of operations need before a table of scopes is worth drawing.
NAMES: Final = 30
#: Cells of these many columns at least: `✔ allowed` and a gap.
CELL: Final = 12


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of texts, or a sentence alone where there are no rows."""

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    #: Right-aligned cells: numbers.
    numbers: bool = False


def as_markdown(sheet: Sheet) -> str:
    """Return a sheet as GitHub and others show it."""
    if not sheet.rows:
        return f"{_escaped(sheet.title)}\n"
    align = "---:" if sheet.numbers else "---"
    lines = [sheet.headings, ("---", *[align] * (len(sheet.headings) - 1)), *sheet.rows]
    table = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return f"{_escaped(sheet.title)}\n\n{table}\n"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(text.split())


def print_sheet(sheet: Sheet, out: Console) -> None:
    """Print a sheet as wide as the terminal is."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    out.print(Text(sheet.title, style="bold" if sheet.rows else ""))
    if not sheet.rows:
        return
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(sheet.headings):
        grid.add_column(Text(heading), justify="right" if sheet.numbers and index else "left", overflow="fold")
    for row in sheet.rows:
        grid.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    with out.capture() as drawn:
        out.print(grid)
    # rich fills each line up with spaces, which nobody wants in a file.
    click.echo("\n".join(line.rstrip() for line in drawn.get().rstrip().splitlines()[1:]), color=out.is_terminal)


def _style(cell: str) -> str:
    return {"✔": "green", "–": "dim", "+": "yellow"}.get(cell[:1], "")


# --- who may call what -------------------------------------------------------------------------------------------


def access_sheet(rows: tuple[Row, ...], width: int) -> Sheet:
    """Return operations by scopes where those fit side by side, else each operation with the names that may call it."""
    shown = _shown(rows)
    headings: tuple[str, ...] = ("who may",)
    if NAMES + CELL * len(shown) <= width:
        headings = tuple(printable(rows[0].cells[index].holder.name) for index in shown)
        lines = [tuple(_cell(row.cells[index]) for index in shown) for row in rows]
    else:
        lines = [(_who_may(row),) for row in rows]
    return Sheet("Who may call what", ("operation", *headings), tuple(_merged(rows, lines)))


def _merged(rows: tuple[Row, ...], lines: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each operation, or for each kind of object where these differ."""
    by_operation: dict[Operation, dict[str, tuple[str, ...]]] = {}
    for row, line in zip(rows, lines, strict=True):
        by_operation.setdefault(row.operation, {})[_label(row.label)] = line
    for operation, found in by_operation.items():
        if len(set(found.values())) == 1:
            yield _label(operation.label), *next(iter(found.values()))
        else:
            yield from ((label, *line) for label, line in found.items())


def _shown(rows: tuple[Row, ...]) -> tuple[int, ...]:
    """Return the columns to draw: that of nobody's key only where it opens anything."""
    return tuple(
        index
        for index, cell in enumerate(rows[0].cells)
        if cell.holder.name != NO_KEY or any(row.cells[index].allowed for row in rows)
    )


def _label(label: str) -> str:
    """Put the paths below each other."""
    method, _, path = label.partition(" ")
    return f"{printable(method):<6} {printable(path)}"


def _cell(cell: Cell) -> str:
    if cell.allowed:
        return "✔ allowed"
    if cell.besides:
        return printable(in_words(cell)).replace("allowed", "+", 1)
    return "– refused"


def _who_may(row: Row) -> str:
    alone = [cell.holder.name for cell in row.cells if cell.allowed]
    if len(alone) == len(row.cells):
        return "anybody, even without a key"
    if len(alone) == len(row.cells) - 1 and NO_KEY not in alone:
        return "any key"
    together = dict.fromkeys(frozenset({c.holder.name, *names}) for c in row.cells for names in c.besides)
    helped = (" and ".join(sorted(names)) for names in together)
    return printable(", ".join((*alone, *helped))) or "– nobody"


def access_closing(rows: tuple[Row, ...]) -> str:
    """Say in a sentence how much each holder may."""
    counted = {cell.holder.name: sum(row.cells[i].allowed for row in rows) for i, cell in enumerate(rows[0].cells)}
    without = counted.pop(NO_KEY)
    alone = f"{without} without a key" if without else "none without a key"
    if len(counted) > 6:  # noqa: PLR2004  a sentence holds no more
        return f"{len(rows)} operations, {alone}."
    each = ", ".join(f"{printable(name)} {number}" for name, number in counted.items())
    return f"{len(rows)} operations: {each}; {alone}."


# --- how much ------------------------------------------------------------------------------------------------------


def limit_sheets(contract: Contract) -> Iterator[Sheet]:
    """Yield a sheet for each limit, in the order of the policy."""
    for limit in contract.policy.rate_limits.values():
        sentence = _sentence(contract, limit)
        amounts = limit.requests if limit.requests is not None else limit.concurrent
        if amounts is None or amounts.dimension is None:
            yield Sheet(sentence)
            continue
        cells = tuple(table_cells(amounts))
        columns = tuple(dict.fromkeys(headings[-1][1] for headings, _ in cells))
        lines: dict[tuple[str, ...], dict[str, str]] = {}
        for headings, amount in cells:
            place = tuple(name for _, name in headings[:-1])
            lines.setdefault(place, {})[headings[-1][1]] = _number(amount)
        yield Sheet(
            sentence,
            ("", *map(printable, columns)),
            tuple((printable(", ".join(p)), *(line.get(c, "") for c in columns)) for p, line in lines.items()),
            numbers=True,
        )


def table_cells(table: Table[Any]) -> Iterator[tuple[tuple[tuple[str, str], ...], Any]]:
    """Yield the headings that lead to each value of a table, as (dimension, name), and the value."""
    if table.dimension is None:
        yield (), table.value
        return
    others = [("others", table.others)] if table.others is not None else []
    for name, row in (*table.rows, *others):
        for headings, value in table_cells(row):
            yield ((table.dimension.value, name), *headings), value


def _sentence(contract: Contract, limit: RateLimit) -> str:
    """Say in a line what a limit counts."""
    written = contract.policy.document.value["rate_limits"][limit.name]
    amounts = limit.requests if limit.requests is not None else limit.concurrent
    number = ""
    if amounts is not None and amounts.value is not None:
        number = "an unpublished number of " if amounts.value == "unpublished" else f"{_number(amounts.value)} "
    what = "requests at the same time" if limit.requests is None else f"requests in {written['window']}"
    counted = f"counted by {_joined(limit.per)}"
    only = sum(limit.name in names for names in contract.resolution.limits.values()) if limit.operations else 0
    where = f", for {only} operation{'s' * (only != 1)}" if only else ""
    ceiling = ", a ceiling that may be lower" if limit.may_be_lower else ""
    return printable(f"{limit.name}: {number}{what}, {counted}{where}{ceiling}")


def _joined(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _number(amount: Amount) -> str:
    return f"{amount:,}" if isinstance(amount, int) else amount
