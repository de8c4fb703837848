"""`authcontract check`: say everything that is wrong with policies, each problem at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._shared import CLEAN, USAGE, default_policy

if TYPE_CHECKING:
    from authcontract_policy import Format, Loaded

#: Infos that say that a silence is not cited, of which a policy may have many.
UNCITED = "silence-uncited"


@click.command("check", short_help="Check policies and say everything that is wrong with them.")
@click.argument("policies", metavar="[POLICY]...", nargs=-1)
@click.option("--spec", metavar="FILE", help="Their OpenAPI document, where it is not the one that each policy names.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="github marks the lines of a pull request; json lists everything, notes included.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show notes too: what is no mistake, yet worth knowing.")
def command(policies: tuple[str, ...], spec: str | None, format_: Format, *, verbose: bool) -> None:
    """Check policies and say everything that is wrong with them.

    Without POLICY that of the current folder is checked. A policy with warnings can be used, one with errors cannot.
    """
    from authcontract_policy import Severity, load, render

    loaded = {policy: load(policy, spec) for policy in policies or (default_policy(),)}
    found = [each for one in loaded.values() for each in one.diagnostics]
    shown = [each for each in found if verbose or format_ == "json" or each.severity is not Severity.INFO]
    click.echo(render(shown, format_), nl=False)
    if format_ == "full":
        if shown:
            click.echo()
        for policy, one in loaded.items():
            click.echo(_closing(policy, one, verbose=verbose))
    broken = any(each.severity is Severity.ERROR for each in found)
    raise click.exceptions.Exit(USAGE if broken else CLEAN)


def _closing(policy: str, loaded: Loaded, *, verbose: bool) -> str:
    """Say in a line whether a policy can be used, and what it is about."""
    if loaded.policy is None or loaded.specification is None or loaded.resolution is None:
        return f"✘ {policy} cannot be used"
    sizes = {
        "operation": len(loaded.specification.operations),
        "scope": len(loaded.resolution.scopes),
        "rate limit": len(loaded.policy.rate_limits),
        "silence": len(loaded.policy.silences),
    }
    about = ", ".join(f"{size} {word}{'s' * (size != 1)}" for word, size in sizes.items())
    line = f"✔ {policy} can be used: {about}"
    uncited = sum(each.code == UNCITED for each in loaded.diagnostics)
    if not uncited:
        return line
    noun, verb = ("silence", "describes") if uncited == 1 else ("silences", "describe")
    hint = "" if verbose else " (--verbose shows which)"
    return f"{line}\n  {uncited} {noun} {verb} what the engine does anyway{hint}"
