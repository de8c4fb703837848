"""The terminal: findings as they are found, a line a clause, and one closing sentence. Made for 80 columns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from authcontract_conformance._events import (
    CaseJudged,
    ClauseJudged,
    Event,
    Found,
    PhaseStarted,
    PolicyLine,
    RunFinished,
    RunStarted,
    SilenceJudged,
    Trouble,
    Waiting,
)
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.reports._coverage import cost
from authcontract_conformance.reports._silences import silences

#: Word -> glyph and colour; the word always stands beside the glyph.
LOOKS: Mapping[str, tuple[str, str]] = {
    "pass": ("✔", "green"),
    "fail": ("✘", "bold red"),
    "warn": ("!", "yellow"),
    "unspecified": ("~", "cyan"),
    "inconclusive": ("?", "magenta"),
    "skipped": ("–", "dim"),
    "waived": ("w", "dim"),
}
VERDICTS: Mapping[str, tuple[str, str]] = {
    "conformant": ("Conformant", "bold green"),
    "not conformant": ("Not conformant", "bold red"),
    "inconclusive": ("Inconclusive", "bold magenta"),
}
#: Seconds between two lines of life where there is no bar.
HEARTBEAT = 10.0
#: Lines of HTTP that a finding shows.
SHOWN = 12


class Terminal:
    """Prints a run to a console, with a bar where a person watches."""

    def __init__(self, out: Console, err: Console, *, progress: bool, every_silence: bool = False) -> None:
        self._out = out
        self._err = err
        self._clauses: list[ClauseJudged] = []
        self._silences: list[SilenceJudged] = []
        #: True: also those that the target answers as assumed.
        self._every_silence = every_silence
        #: Clauses of which a finding was shown in full; the next ones of the same clause take two lines.
        self._shown: set[str] = set()
        self._done = self._cases = 0
        #: Clauses that only look have no cases: what they see is not counted.
        self._looking = {clause.id for clause in catalogue().values() if clause.only_looks}
        self._beat = time.monotonic()
        self._quiet_until = 0.0
        # One console must draw both, or the bar stays in the middle of what is printed above it.
        self._bar = _bar(out if out.is_terminal else err) if progress else None
        self._task = self._bar.add_task("", total=None, start=True) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case RunStarted():
                self._out.print(_heading(event))
            case PhaseStarted(phase=phase, cases=cases):
                self._cases += cases
                self._note(f"{phase}: {cases} cases")
                if self._bar is not None and self._task is not None:
                    self._bar.update(self._task, total=self._cases, description=phase)
            case Waiting(seconds=seconds, reason=reason):
                self._wait(seconds, reason)
            case CaseJudged(clause=clause) if clause not in self._looking:
                self._done += 1
                self._advance(clause)
            case Found():
                self._out.print(in_short(event) if event.clause in self._shown else finding(event))
                self._shown.add(event.clause)
            case ClauseJudged() | SilenceJudged():
                self._keep(event)
            case Trouble(where=where, what=what):
                self._out.print(Text(f"! {where}: {what}", style="yellow"))
            case RunFinished():
                self._end(event)
            case _:
                pass

    def _keep(self, event: ClauseJudged | SilenceJudged) -> None:
        """Keep what is told together at the end."""
        if isinstance(event, ClauseJudged):
            self._clauses.append(event)
        else:
            self._silences.append(event)

    def _advance(self, clause: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, description=clause)
        elif time.monotonic() - self._beat > HEARTBEAT:
            self._beat = time.monotonic()
            self._note(f"{self._done} of {self._cases} cases, now {clause}")

    def _end(self, event: RunFinished) -> None:
        if self._bar:
            self._bar.stop()
        self._out.print(clause_table(self._clauses))
        missing = cost(self._clauses)
        if missing:
            self._out.print(missing)
        if self._silences:
            self._out.print(silences(self._silences, every=self._every_silence))
        self._out.print(_closing(event, self._clauses))

    def _wait(self, seconds: float, reason: str) -> None:
        """Say that nothing is wrong while nothing happens; cases that wait for the same say it once."""
        if time.monotonic() < self._quiet_until:
            return
        self._quiet_until = time.monotonic() + seconds
        said = f"waiting {seconds:.0f} s: {reason}"
        if self._bar is not None:
            self._bar.console.print(Text(said, style="dim"))
        else:
            self._note(said)

    def _note(self, text: str) -> None:
        if self._bar is None:
            self._err.print(Text(text, style="dim"))


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, expand=True)


def _heading(event: RunStarted) -> RenderableType:
    lines = Text()
    lines.append("authcontract", style="bold")
    lines.append(f" judges {event.target} by {event.policy.file}\n")
    lines.append(f"{event.specification.file} · {len(event.clauses)} clauses · seed {event.seed}\n", style="dim")
    return lines


def clause_table(clauses: list[ClauseJudged]) -> RenderableType:
    """Return a line a clause: verdict, id, promise, and the reason where it is no pass."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=14, no_wrap=True)
    table.add_column(width=8, no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for clause in clauses:
        glyph, style = LOOKS[clause.word]
        word = clause.word if clause.applicable else "not applicable"
        text = Text(clause.promise)
        # What the target lacks is said once, below, with all that it costs.
        if clause.reason and clause.word != "pass" and not (clause.word == "skipped" and clause.missing):
            text.append(f"\n{clause.reason}", style="dim italic")
        table.add_row(
            Text(f"{glyph} {word}" if clause.applicable else word, style=style if clause.applicable else "dim"),
            Text(clause.clause, style="bold" if clause.word == "fail" else ""),
            text,
            Text(_cases(clause), style="dim"),
        )
    return Padding(table, (1, 0))


def _cases(clause: ClauseJudged) -> str:
    """Return how many cases a verdict rests on; of those that a pass leaves out it says so."""
    if not clause.cases:
        return ""
    return f"{clause.cases - clause.skipped}/{clause.cases}" if clause.skipped else str(clause.cases)


def in_short(found: Found) -> RenderableType:
    """Return a finding of a clause that has been explained already: which case, and both sides."""
    table = _sides(found)
    table.add_row("again", Text(found.replay))
    return Group(_head(found), Padding(table, (0, 0, 1, 2)))


def _head(found: Found) -> Text:
    glyph, style = LOOKS[found.word]
    head = Text()
    head.append(f"{glyph} {found.id} {found.word} ", style=style)
    head.append(f"{found.clause} ", style="bold")
    head.append(found.subject)
    return head


def _sides(found: Found) -> Table:
    """Return what was expected and what came, side by side; all of it may quote the target, so nothing is markup."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=9, no_wrap=True, style="dim")
    table.add_column(ratio=1)
    table.add_row("expected", Text(found.expected, style="green"))
    table.add_row("got", Text(found.got, style="red" if found.word == "fail" else "yellow"))
    if found.reason:
        table.add_row("that is", Text(found.reason))
    return table


def finding(found: Found) -> RenderableType:
    """Return a finding: both sides first, then the promise, the policy's line and its source, and the HTTP below."""
    table = _sides(found)
    table.add_row("promise", Text(f"{found.promise} ({found.level})"))
    if found.policy:
        table.add_row("policy", _excerpt(found.policy))
    if found.source:
        table.add_row("source", Text(found.source))
    if found.request:
        table.add_row("request", _http(found.request))
        table.add_row("answer", _http(found.response))
    if found.control_request:
        table.add_row(
            "control", _http(f"{found.control_request.splitlines()[0]}  ->  {found.control_response.splitlines()[0]}")
        )
    table.add_row("again", Text(found.replay))
    return Group(_head(found), Padding(table, (0, 0, 1, 2)))


def _excerpt(line: PolicyLine) -> RenderableType:
    """Return where the policy demands it, with carets under the words."""
    gutter = len(str(line.line))
    start = max(0, line.column - 1)
    cut = line.text[: start + 60]
    carets = " " * start + "^" * max(1, min(line.end, len(cut) + 1) - line.column)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{line.file}:{line.line}:{line.column}\n")
    text.append(f"{line.line} | ", style="blue")
    text.append(f"{cut}\n")
    text.append(" " * gutter + " | ", style="blue")
    text.append(carets, style="bold")
    return text


def _http(text: str) -> RenderableType:
    lines = text.splitlines()
    more = [f"… {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
    return Text("\n".join([*lines[:SHOWN], *more]), style="dim", overflow="fold")


def _closing(event: RunFinished, clauses: list[ClauseJudged]) -> RenderableType:
    words, style = VERDICTS[event.verdict]
    counted = {**event.counts, "skipped": sum(1 for c in clauses if c.word == "skipped" and c.applicable)}
    names: Mapping[str, Any] = {
        "fail": "failed",
        "warn": "warned",
        "pass": "passed",
        "unspecified": "unspecified",
        "inconclusive": "inconclusive",
        "skipped": "not tested",
        "waived": "waived",
    }
    parts = [f"{counted[word]} {name}" for word, name in names.items() if counted.get(word)]
    meaningless = sum(1 for clause in clauses if not clause.applicable)
    if meaningless:
        parts.append(f"{meaningless} not applicable")
    text = Text()
    text.append(f"{words}: ", style=style)
    text.append(f"of {len(clauses)} clauses {', '.join(parts) or 'none was tested'}; ")
    text.append(f"{event.requests} requests in {event.seconds:.1f} s")
    if event.verdict == "inconclusive" and counted["skipped"]:
        text.append(
            "\nWhat a target cannot show can be left out by name, under `untested:` in the target file.", style="dim"
        )
    if event.interrupted:
        text.append("\nInterrupted: what was found so far stands above.", style="yellow")
    return text
