"""What the commands share: exit codes, loading a contract, and how to stop with a reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from authcontract_policy import Diagnostic, Format, Loaded

#: Conformant, clean, or nothing changes.
CLEAN: Final = 0
#: Something was found, or something changes.
FINDINGS: Final = 1
#: The command line, a policy, a specification or a target file is wrong.
USAGE: Final = 2
#: Nothing was tested, or the output could not be written: no verdict.
COULD_NOT_RUN: Final = 3
#: Ctrl-C: 128 and the number of SIGINT, as shells have it.
INTERRUPTED: Final = 130


def stop(message: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error."""
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(code)


def load_contract(policy: str, specification: str | None) -> Loaded:
    """Load a policy and its specification; ends with every diagnostic, exit 2, where they have errors."""
    from authcontract_policy import Severity, load

    loaded = load(policy, specification)
    errors = [found for found in loaded.diagnostics if found.severity is Severity.ERROR]
    if errors:
        show(errors)
        raise click.exceptions.Exit(USAGE)
    return loaded


def show(diagnostics: Iterable[Diagnostic], format_: Format = "full") -> None:
    """Print diagnostics; people read them on standard error, programs on standard output."""
    from authcontract_policy import render

    click.echo(render(diagnostics, format_), err=format_ == "full", nl=False)


def default_policy() -> str:
    """Return the policy of the folder that one stands in, where a command is given none."""
    for place in ("policy/synaptiq.yaml", "policy.yaml"):
        if Path(place).is_file():
            return place
    stop("no policy given, and there is no `policy/synaptiq.yaml` here; name one with --policy FILE", USAGE)


def is_interactive() -> bool:
    """Tell whether a person watches standard error (no bar in CI, on a dumb terminal, or in a file)."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
