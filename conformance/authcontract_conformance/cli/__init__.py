"""The command line: one table of commands, each in a module that is imported only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

#: Command -> what `--help` says of it. Its module has the same name; a test keeps both in step.
COMMANDS: Mapping[str, str] = {
    "check": "Check policies and say everything that is wrong with them.",
    "matrix": "Show who may call what, and how often.",
    "diff": "Say in words what a change of the policy changes.",
    "decide": "Decide one request, step by step.",
    "verify": "Judge a deployment, clause by clause.",
    "selftest": "Prove the suite: plant each fault and see it caught.",
    "serve": "Serve a contract correctly, or with one named fault.",
    "replay": "Send the request of a finding again.",
    "explain": "Explain a clause, a diagnostic, a fault or a silence.",
}


class Lazy(click.Group):
    """A group that knows its commands by name, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"authcontract_conformance.cli.{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a near name for a wrong one, with nothing imported."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib  # noqa: PLC0415  only for a mistake

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="authcontract")
def group() -> None:
    """State an API's auth promises in one policy, decide by it, and prove that a deployment keeps it.

    Exit codes: 0 conformant or clean, 1 findings, 2 bad usage or bad policy, 3 could not run or nothing was tested,
    130 interrupted.
    """


def main() -> None:
    """Run the command line; every way to end has its exit code."""
    import sys  # noqa: PLC0415  beside its only use

    try:
        group.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader has gone, as `| head` does; what is left of the output is nobody's.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        click.echo(f"Error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
        sys.exit(3)
