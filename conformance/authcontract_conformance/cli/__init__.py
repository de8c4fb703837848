"""The command line: one table of commands, each in a module that is imported only when it is called.

Every way to end passes through `run`, which alone knows what each means to the shell.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

import click

from ._shared import CLEAN, COULD_NOT_RUN, INTERRUPTED

#: Command -> what `--help` says of it. Its module has the same name; a test keeps both in step.
COMMANDS: Mapping[str, str] = {
    "check": "Check policies and say everything that is wrong with them.",
    "matrix": "Show who may call what, and how often.",
    "diff": "Say in words what a change of the policy changes.",
    "decide": "Decide one request, step by step.",
    "verify": "Judge a deployment, clause by clause.",
    "selftest": "Prove the suite: plant each fault and see it caught.",
    "serve": "Serve a contract correctly, or with one named fault.",
    "replay": "Repeat a finding of an earlier run.",
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
        command = importlib.import_module(f"authcontract_conformance.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101  tells the type checker what the table promises
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a near name for a wrong one, with nothing imported."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command '{name}'. {hint}")
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
    """Run the command line and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code, whatever happens.

    click's own `main` would call a reader that went away (`| head`) an exit of 1, which is a finding here.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows `?` for a tick, and no traceback
    try:
        with group.make_context("authcontract", list(arguments)) as context:
            group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        _abandon_output()
        return COULD_NOT_RUN
    except OSError as error:
        _abandon_output()
        where = f": {error.filename}" if error.filename else ""
        click.echo(f"Error: {(error.strerror or str(error)).lower()}{where}", err=True)
        return COULD_NOT_RUN
    except Exception:  # noqa: BLE001  a defect of ours must not look like a finding, which an exit of 1 would be
        import traceback

        traceback.print_exc()
        click.echo("Error: this is a defect of authcontract; please report it with the lines above", err=True)
        return COULD_NOT_RUN
    return CLEAN


def _abandon_output() -> None:
    """Leave what is still buffered to nobody, so that the interpreter does not fail on it while it ends."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # no real stream, as in a test
    finally:
        os.close(nowhere)
