"""`authcontract matrix`: show who may call what, and how often, as people review it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ._shared import USAGE, compiled, console, default_policy, near, quote, stop

if TYPE_CHECKING:
    from authcontract_engine import Contract, Row


@click.command("matrix", short_help="Show who may call what, and how often.")
@click.argument("policy", required=False)
@click.option("--spec", metavar="FILE", help="Its OpenAPI document, where it is not the one that the policy names.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="markdown is for a page or a pull request.",
)
@click.option("--why", metavar="OPERATION", help="Show the rule that decides one operation, by its id or METHOD /path.")
def command(policy: str | None, spec: str | None, format_: str, why: str | None) -> None:
    """Show who may call what, and how often.

    Each column is a key that holds this one scope; `+ with NAME` says what it would need besides.
    """
    from authcontract_engine import access

    contract = compiled(policy or default_policy(), spec)
    rows = access(contract)
    if why is not None:
        rows = _named(rows, why)
    if format_ == "json":
        click.echo(json.dumps(_values(contract, rows), indent=2))
    elif format_ == "markdown":
        _markdown(contract, rows)
    elif why is not None:
        _why(contract, rows)
    else:
        _text(contract, rows)


def _named(rows: tuple[Row, ...], name: str) -> tuple[Row, ...]:
    """Return the rows of one operation, or end with the name that was probably meant."""
    words = " ".join(name.split())
    found = tuple(row for row in rows if words in (row.operation.id, row.operation.label))
    if not found:
        names = [name for row in rows for name in (row.operation.id, row.operation.label)]
        stop(f"no operation is called `{name}`{near(name, names)}", USAGE)
    return found


def _text(contract: Contract, rows: tuple[Row, ...]) -> None:
    from ._tables import access_closing, access_sheet, limit_sheets, print_sheet

    out = console()
    for sheet in (access_sheet(rows, out.width), *limit_sheets(contract)):
        print_sheet(sheet, out)
        out.print()
    out.print(access_closing(rows))


def _markdown(contract: Contract, rows: tuple[Row, ...]) -> None:
    from ._tables import access_closing, access_sheet, as_markdown, limit_sheets

    # A page scrolls sideways, but nobody compares more than a dozen columns.
    sheets = (access_sheet(rows, width=180), *limit_sheets(contract))
    click.echo("\n".join(map(as_markdown, sheets)))
    click.echo(access_closing(rows))


def _why(contract: Contract, rows: tuple[Row, ...]) -> None:
    """Show one operation, the row of the policy that decides it, and the limits that count it."""
    from authcontract_engine import in_words
    from authcontract_policy import printable

    for row in rows:
        click.echo(printable(f"{row.label} ({row.operation.id}) is decided by `{row.capability}`"))
        click.echo(quote(contract.policy, ("capabilities", row.capability, "requires")))
        click.echo()
        width = max(len(cell.holder.name) for cell in row.cells)
        for cell in row.cells:
            click.echo(printable(f"  {cell.holder.name:<{width}}  {in_words(cell)}"))
        click.echo()
    counted = contract.resolution.limits[rows[0].operation.id]
    click.echo(
        printable(f"Counted by {', '.join(f'`{name}`' for name in counted)}" if counted else "No limit counts it")
    )


def _values(contract: Contract, rows: tuple[Row, ...]) -> dict[str, Any]:
    """Return what `matrix.schema.json` describes."""
    from ._tables import table_cells

    limits = [
        {
            "name": limit.name,
            "counts": "requests" if limit.requests is not None else "concurrent",
            "window_seconds": limit.window,
            "per": list(limit.per),
            "operations": [op for op, names in contract.resolution.limits.items() if limit.name in names],
            "amounts": [
                {"headings": dict(headings), "amount": amount}
                for table in (limit.requests, limit.concurrent)
                if table is not None
                for headings, amount in table_cells(table)
            ],
        }
        for limit in contract.policy.rate_limits.values()
    ]
    return {
        "policy": contract.policy.document.file,
        "specification": contract.specification.document.file,
        "holders": [cell.holder.name for cell in rows[0].cells],
        "operations": [
            {
                "id": row.operation.id,
                "method": row.operation.method,
                "path": row.operation.path,
                "object": row.object_kind,
                "capability": row.capability,
                "cells": {
                    cell.holder.name: {
                        "allowed": cell.allowed,
                        "with": sorted(sorted(names) for names in cell.besides),
                        "status": None if cell.allowed else cell.decision.statuses[0],
                        "error": cell.decision.error,
                    }
                    for cell in row.cells
                },
            }
            for row in rows
        ],
        "limits": limits,
    }
