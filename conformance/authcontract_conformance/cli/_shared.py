"""What the commands share: exit codes, loading a contract, and how to stop with a reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from authcontract_engine import Contract
    from authcontract_policy import Diagnostic, Format, Loaded, Policy
    from authcontract_policy import Path as Place
    from rich.console import Console

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


def compiled(policy: str, specification: str | None) -> Contract:
    """Load and compile a contract; ends with every diagnostic, exit 2, where that cannot be."""
    from authcontract_engine import compile as compile_contract

    loaded = load_contract(policy, specification)
    assert loaded.policy is not None  # noqa: S101  load_contract ends otherwise
    assert loaded.specification is not None  # noqa: S101  likewise
    return compile_contract(loaded.policy, loaded.specification, loaded.resolution)


def quote(policy: Policy, place: Place) -> str:
    """Return the line of the policy where something stands, with carets, and where the documentation says so."""
    from authcontract_policy import excerpt, printable

    span = policy.document.span(place)
    lines = [excerpt(span)] if span is not None and place else []
    source = policy.source(place)
    if source is not None:
        silence = policy.silences.get(source)
        state = "" if silence is None else " (confirmed)" if silence.confirmed else " (assumed)"
        said = "" if silence is None else f"{state}: {silence.answer}"
        lines.append(f"source: {printable(source)}{printable(said)}")
    return "\n".join(lines)


def near(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?` where one of the names is like the word, else nothing."""
    import difflib

    from authcontract_policy import printable

    folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f"; did you mean `{printable(folded[found[0]])}`?" if found else ""


def console() -> Console:
    """Return standard output: coloured on a terminal that wants colour, 80 columns where it is none."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


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
