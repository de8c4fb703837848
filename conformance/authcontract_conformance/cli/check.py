"""`authcontract check`: say everything that is wrong with policies, each problem at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._shared import CLEAN, FINDINGS, USAGE, default_policy

if TYPE_CHECKING:
    from authcontract_policy import Format, Loaded

    from ._policy_tests import Tested

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
    Where decisions stand beside it, in NAME.tests.yaml beside NAME.yaml, each of them must hold.
    """
    from authcontract_policy import Severity, load, render

    from ._policy_tests import policy_of, tested

    loaded = {policy: load(policy, spec) for policy in dict.fromkeys(map(policy_of, policies or (default_policy(),)))}
    tests = {policy: tested(policy, one) for policy, one in loaded.items()}
    found = [each for one in loaded.values() for each in one.diagnostics]
    differing = [each for one in tests.values() if one is not None for each in one.diagnostics]
    shown = [each for each in found if verbose or format_ == "json" or each.severity is not Severity.INFO]
    click.echo(render([*shown, *differing], format_), nl=False)
    if format_ == "full":
        if shown or differing:
            click.echo()
        for policy, one in loaded.items():
            click.echo(_closing(policy, one, tests[policy], verbose=verbose))
    if any(each.severity is Severity.ERROR for each in found):
        raise click.exceptions.Exit(USAGE)
    raise click.exceptions.Exit(FINDINGS if differing else CLEAN)


def _closing(policy: str, loaded: Loaded, tests: Tested | None, *, verbose: bool) -> str:
    """Say in a line whether a policy can be used, and what it is about; then what is worth knowing."""
    if loaded.policy is None or loaded.specification is None or loaded.resolution is None:
        return f"✘ {policy} cannot be used"
    sizes = {
        "operation": len(loaded.specification.operations),
        "scope": len(loaded.resolution.scopes),
        "rate limit": len(loaded.policy.rate_limits),
        "silence": len(loaded.policy.silences),
    }
    about = ", ".join(f"{size} {word}{'s' * (size != 1)}" for word, size in sizes.items())
    lines = [f"✔ {policy} can be used: {about}"]
    if tests is not None and tests.readable:
        lines.append(
            f"  {tests.decisions - len(tests.diagnostics)} of {tests.decisions} decisions in {tests.file} hold"
        )
    uncited = sum(each.code == UNCITED for each in loaded.diagnostics)
    if uncited:
        noun, verb = ("silence", "describes") if uncited == 1 else ("silences", "describe")
        hint = "" if verbose else " (--verbose shows which)"
        lines.append(f"  {uncited} {noun} {verb} what the engine does anyway{hint}")
    return "\n".join(lines)
