"""`authcontract verify`: judge a deployment, or the reference server where no URL is given."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from ._shared import (
    COULD_NOT_RUN,
    FINDINGS,
    INTERRUPTED,
    USAGE,
    console,
    default_policy,
    is_interactive,
    load_contract,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from authcontract_policy import Loaded
    from rich.console import Console

    from authcontract_conformance._events import Event
    from authcontract_conformance.run._run import Options, Result
    from authcontract_conformance.run._target import Target

#: Seconds for trying cases in memory; what is not tried by then is estimated from what was.
PLANNING = 3.0
#: The same before a run, and for how much longer it is waited for. More operations than these are not glanced at.
GLANCE, PATIENCE, CHEAP = 0.15, 0.2, 100


@click.command("verify", short_help="Judge a deployment, clause by clause.")
@click.argument("url", required=False)
@click.option("--policy", metavar="FILE", help="The policy; by default policy/synaptiq.yaml or policy.yaml here.")
@click.option("--spec", metavar="FILE", help="The specification; by default the one that the policy names.")
@click.option("--target", metavar="FILE", help="The target file: keys, plaintext address, trust.")
@click.option(
    "--only", multiple=True, metavar="CLAUSES", help="Judge these only: ids, families (AUTH), globs (LIFE-*)."
)
@click.option("--skip", multiple=True, metavar="CLAUSES", help="Leave these out; as --only.")
@click.option("--level", type=click.Choice(["must", "should", "unspec"]), help="Judge what binds so, or stronger.")
@click.option("--plan", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--seed", default=1, show_default=True, help="Reproduces what is generated.")
@click.option("--fault", metavar="NAME", help="Plant a fault in the embedded reference server.")
@click.option("--no-fuzz", is_flag=True, help="Leave out what Schemathesis and Hypothesis generate.")
@click.option("--silences", "every_silence", is_flag=True, help="List every silence, also what is as assumed.")
@click.option("--suggest-silences", is_flag=True, help="Print the YAML that would confirm what was seen.")
@click.option("--max-requests", type=click.IntRange(min=1), help="End the run after so many requests.")
@click.option("--max-time", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End the run then.")
@click.option("--timeout", default=10.0, show_default=True, metavar="SECONDS", help="Wait so long for a response.")
@click.option("--log", metavar="FILE", help="Where the event log goes; by default a new file in authcontract-runs/.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    url: str | None,
    policy: str | None,
    spec: str | None,
    target: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    level: str | None,
    seed: int,
    fault: str | None,
    max_requests: int | None,
    max_time: float | None,
    timeout: float,
    log: str | None,
    format_: str,
    *,
    no_fuzz: bool,
    plan: bool,
    every_silence: bool,
    suggest_silences: bool,
) -> None:
    """Judge a deployment by its documentation: every clause, with the evidence and a replay for every failure.

    Without URL the embedded reference server is judged, over real TLS. With --suggest-silences the report goes to
    standard error, so that the YAML can be kept.
    """
    from authcontract_conformance.driver._turns import Budget
    from authcontract_conformance.run._run import Options

    if suggest_silences and format_ == "json":
        stop("--suggest-silences prints YAML, --format json prints JSON: give one of them", USAGE)
    chosen = _chosen(only, skip, level)
    loaded = load_contract(policy or default_policy(), spec)
    place = Path(log) if log else Path("authcontract-runs") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}.ndjson"
    again = f"authcontract replay {place} {{finding}}" if url or target else _again(policy, fault, seed)
    options = Options(
        seed=seed,
        only=chosen,
        server=("--fault", fault) if fault else (),
        timeout=timeout,
        budget=Budget(requests=max_requests, seconds=max_time),
        fuzz=not no_fuzz,
        command=tuple(sys.argv[1:]),
        replay=again,
    )
    judged = _target(loaded, url, target)
    if plan:
        _plan(loaded, judged, options, policy or default_policy(), format_)
        return
    shown = _Shown(format_, every_silence=every_silence, on_stderr=suggest_silences)
    result = _judge(loaded, judged, options, place, shown)
    if suggest_silences:
        _suggest(loaded, result)
    if result.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    from authcontract_conformance.oracle._verdict import EXIT_CODES

    code = EXIT_CODES[result.verdict]
    unfinished = result.lost or (result.stopped and code != FINDINGS)
    raise click.exceptions.Exit(COULD_NOT_RUN if unfinished else code)


def _again(policy: str | None, fault: str | None, seed: int) -> str:
    """Return the command that repeats a finding on the embedded server, which is gone when the run is."""
    parts = [
        "authcontract verify",
        *([f"--policy {policy}"] if policy else []),
        *([f"--fault {fault}"] if fault else []),
    ]
    return " ".join([*parts, f"--seed {seed}", "--only {clause}"])


def _chosen(only: tuple[str, ...], skip: tuple[str, ...], level: str | None) -> frozenset[str]:
    """Return the clauses that were asked for; nothing where nothing was asked."""
    from authcontract_conformance.run._selection import SelectionError, selected

    if not (only or skip or level):
        return frozenset()
    try:
        return frozenset(clause.id for clause in selected(only, skip, level))
    except SelectionError as error:
        stop(str(error), USAGE)


def _plan(loaded: Loaded, target: Target | None, options: Options, policy: str, format_: str) -> None:
    """Print what would be sent."""
    from authcontract_conformance.reports._plan import as_json, as_text
    from authcontract_conformance.run._plan import SetupError, plan

    try:
        found = plan(loaded, target, options, within=PLANNING)
    except SetupError as error:
        stop(str(error), COULD_NOT_RUN)
    if format_ == "json":
        click.echo(json.dumps(as_json(found), ensure_ascii=False))
    else:
        console().print(as_text(found, policy))


def _target(loaded: Loaded, url: str | None, file: str | None) -> Target | None:
    """Return the deployment to judge, or None for the embedded server."""
    if file is None:
        if url is None:
            return None
        stop(f"`{url}` needs keys to be judged: write a target file and give it with --target FILE", USAGE)
    from authcontract_conformance.run._target import load_target

    assert loaded.policy is not None  # noqa: S101  load_contract ends otherwise
    target, problems = load_target(Path(file), loaded.policy, url)
    if target is None:
        from ._shared import show

        show(problems)
        raise click.exceptions.Exit(USAGE)
    return target


@dataclass(frozen=True, slots=True)
class _Shown:
    """What of a run is printed, and where."""

    format: str
    every_silence: bool = False
    on_stderr: bool = False


def _suggest(loaded: Loaded, result: Result) -> None:
    """Print what would confirm the answers that were seen."""
    from authcontract_conformance.reports._suggestion import suggestion

    assert loaded.policy is not None  # noqa: S101  load_contract ends otherwise
    click.echo(suggestion(loaded.policy, result), nl=False)


def _judge(loaded: Loaded, target: Target | None, options: Options, log: Path, shown: _Shown) -> Result:
    from rich.console import Console

    from authcontract_conformance.driver._control import ControlError
    from authcontract_conformance.driver._launch import LaunchError
    from authcontract_conformance.reports._log import EventLog, LogError
    from authcontract_conformance.reports._summary import summary
    from authcontract_conformance.reports._terminal import Terminal
    from authcontract_conformance.run._run import SetupError, verify

    with ExitStack() as stack:
        try:
            sinks: list[Callable[[Event], None]] = [stack.enter_context(EventLog(log))]
            if shown.format == "text":
                out, err = Console(stderr=shown.on_stderr, highlight=False), Console(stderr=True, highlight=False)
                terminal = Terminal(out, err, progress=is_interactive(), every_silence=shown.every_silence)
                sinks.append(stack.enter_context(terminal))

                sinks.append(_Foreseen(loaded, target, options, out))

            def emit(event: Event) -> None:
                for sink in sinks:
                    sink(event)

            result = asyncio.run(_interruptible(verify(loaded, target, options, emit)))
        except (SetupError, LaunchError, ControlError, LogError) as error:
            stop(str(error), COULD_NOT_RUN)
        except asyncio.CancelledError:  # the run itself says what it found; this came before it began
            click.echo("Interrupted before anything was judged.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
    if shown.format == "json":
        click.echo(json.dumps(summary(result), ensure_ascii=False))
    else:
        click.echo(f"Log: {log}", err=True)
    return result


class _Foreseen:
    """Says at the start of a run about how long it takes, if that is known by then; a run waits for it hardly at all.

    It is estimated while the embedded server starts, or while nothing else could be done yet.
    """

    def __init__(self, loaded: Loaded, target: Target | None, options: Options, out: Console) -> None:
        self._out = out
        self._sentence = ""
        self._thread = Thread(target=self._look, args=(loaded, target, options), daemon=True)
        if loaded.specification is not None and len(loaded.specification.operations) <= CHEAP:
            self._thread.start()

    def _look(self, loaded: Loaded, target: Target | None, options: Options) -> None:
        from authcontract_conformance.reports._plan import in_one_sentence
        from authcontract_conformance.run._plan import plan

        with suppress(Exception):  # whatever is wrong, the run itself will say
            found = plan(loaded, target, options, within=GLANCE)
            self._sentence = in_one_sentence(found.requests, found.waiting, found.seconds)

    def __call__(self, event: Event) -> None:
        """Say it below the heading."""
        from authcontract_conformance._events import RunStarted

        if not isinstance(event, RunStarted) or self._thread.ident is None:
            return
        self._thread.join(PATIENCE)
        if self._sentence:
            self._out.print(self._sentence, style="dim")


async def _interruptible(run: Coroutine[None, None, Result]) -> Result:
    """Let Ctrl-C end the run as a whole, so that it can still say what it found."""
    task = asyncio.ensure_future(run)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
