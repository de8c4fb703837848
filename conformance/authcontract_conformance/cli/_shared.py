"""What the commands share: exit codes, loading a contract, and how to stop with a reason."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from authcontract_policy import Diagnostic, Loaded

CLEAN, FINDINGS, USAGE, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 3, 130


def stop(message: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error."""
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(code)


def load_contract(policy: str, specification: str | None) -> Loaded:
    """Load a policy and its specification; ends with every diagnostic, exit 2, where they have errors."""
    from authcontract_policy import Severity, load  # noqa: PLC0415  costs more than --help may

    loaded = load(policy, specification)
    if any(found.severity is Severity.ERROR for found in loaded.diagnostics):
        show([found for found in loaded.diagnostics if found.severity is Severity.ERROR])
        raise click.exceptions.Exit(USAGE)
    return loaded


def show(diagnostics: Iterable[Diagnostic], format_: str = "full") -> None:
    """Print diagnostics; people read them on standard error, programs on standard output."""
    from authcontract_policy import count_in_words, render  # noqa: PLC0415  costs more than --help may

    found = tuple(diagnostics)
    click.echo(render(found, format_), err=format_ == "full", nl=False)
    if format_ == "full":
        click.echo(count_in_words(found), err=True)


def default_policy() -> str:
    """Return the policy of the folder that one stands in, where a command is given none."""
    for place in ("policy/synaptiq.yaml", "policy.yaml"):
        if Path(place).is_file():
            return place
    stop("no policy given, and there is no `policy/synaptiq.yaml` here; name one with --policy FILE", USAGE)


def is_interactive() -> bool:
    """Tell whether a person watches standard error (no bar in CI, on a dumb terminal, or in a file)."""
    import os  # noqa: PLC0415  beside its only use

    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
