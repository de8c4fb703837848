"""`authcontract replay`: repeat a finding of an earlier run, and say whether it comes again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._shared import CLEAN, COULD_NOT_RUN, FINDINGS, USAGE, near, stop

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("replay", short_help="Repeat a finding of an earlier run.")
@click.argument("log", metavar="LOG")
@click.argument("finding", metavar="FINDING")
def command(log: str, finding: str) -> None:
    """Repeat a finding (F1) of the run that wrote LOG, and say whether it comes again.

    Runs the same command with the same seed, for the clause of the finding alone: objects and keys of the earlier run
    may be gone, so the clause makes its own. LOG says which target is called: replay your own logs only. Exit 0: it
    does not come again, 1: it does, 3: that cannot be said.
    """
    header, found = _read(Path(log), finding)
    again = Path(log).parent / f"{Path(log).stem}.{found['id']}.{datetime.now(UTC):%H-%M-%S.%f}.ndjson"
    code = _verify(header, found["clause"], again)
    if not again.is_file():
        raise click.exceptions.Exit(code)
    events = _events(again)
    same = any(event.get("fingerprint") == found["fingerprint"] for event in events)
    words = [event["word"] for event in events if event["event"] == "clause" and event["clause"] == found["clause"]]
    click.echo()
    if same:
        click.echo(f"✘ {found['id']} comes again: {found['clause']}, {found['subject']}, got {found['got']}")
        raise click.exceptions.Exit(FINDINGS)
    if not {*words} & {"pass", "unspecified", "fail", "warn"}:
        click.echo(f"? {found['id']}: {found['clause']} came to no verdict this time")
        raise click.exceptions.Exit(COULD_NOT_RUN)
    others = ", though the clause found something else" if {*words} & {"fail", "warn"} else ""
    click.echo(f"✔ {found['id']} does not come again{others}")
    raise click.exceptions.Exit(FINDINGS if others else CLEAN)


def _read(log: Path, finding: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the first line of a log and one of its findings."""
    events = _events(log)
    if not events or events[0]["event"] != "run_started":
        stop(f"{log} is no log of `authcontract verify`: it does not begin with `run_started`", USAGE)
    found = {event["id"]: event for event in events if event["event"] == "finding"}
    if finding.upper() not in found:
        hint = near(finding, found) or f"; it has {', '.join(found) or 'none'}"
        stop(f"{log} has no finding `{finding}`{hint}", USAGE)
    return events[0], found[finding.upper()]


def _events(log: Path) -> list[dict[str, Any]]:
    from authcontract_conformance.reports._log import LogError, read_log

    try:
        return list(read_log(log))
    except LogError as error:
        stop(str(error), USAGE)


def _verify(header: Mapping[str, Any], clause: str, log: Path) -> int:
    """Run `verify` as it was run, for one clause; returns its exit code."""
    from .verify import command as verify

    name, *arguments = header["command"] or ("",)
    if name != verify.name:
        stop("the log does not say how its run was started, so it cannot be repeated", USAGE)
    try:
        with verify.make_context("verify", arguments) as context:
            context.params |= {
                "only": (clause,),
                "skip": (),
                "seed": header["seed"],
                "log": str(log),
                "format_": "text",
                "max_requests": None,
                "max_time": None,
            }
            verify.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return CLEAN
