"""The table of what the tools found.

A defect counts as found by a tool if the tool reports something about it that it reports in neither of two runs against
the correct application. What it reports in either of these is its false alarms.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from .environment import ROOT, cache_folder
from .tools import SETUPS, TOOLS, Tool

HERE = Path(__file__).parent
DEFECTS = [(row["name"], row["area"]) for row in yaml.safe_load((HERE / "defects.yaml").read_text())]
#: The correct application is measured twice, since some tools draw at random.
CORRECT = (("correct-1", ""), ("correct-2", ""))


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one tool did with one defect."""

    findings: list[str]
    requests: int
    seconds: float
    #: The commands that were ended because their time was over.
    cut: int = 0
    tail: list[str] = field(default_factory=list)


def file_of(tool: Tool, defect: str) -> Path:
    """Return the file that keeps a measurement."""
    return cache_folder() / "measured" / re.sub(r"[^\w.]+", "-", tool.title()) / f"{defect}.json"


def measured(tool: Tool, defects: Iterable[tuple[str, str]]) -> dict[str, Measurement]:
    """Return what was measured of these."""
    files = {name: file_of(tool, name) for name, _ in defects}
    return {name: Measurement(**json.loads(path.read_text())) for name, path in files.items() if path.exists()}


def found(tool: Tool) -> dict[str, list[str]]:
    """Return what a tool reports of each defect and not of the correct application."""
    known = {finding for each in measured(tool, CORRECT).values() for finding in each.findings}
    return {name: [new for new in one.findings if new not in known] for name, one in measured(tool, DEFECTS).items()}


def lines_written(tool: Tool) -> str:
    """Return how many lines its set-up has, without empty ones and comments, and how many its policy has."""
    set_up = sum(map(_lines, (SETUPS / tool.name).iterdir()))
    return f"{set_up} + {_lines(ROOT / tool.policy)}" if tool.policy else f"{set_up}"


def _lines(path: Path) -> int:
    lines = [line.strip() for line in path.read_text().splitlines()]
    return sum(bool(line) and not line.startswith(("#", "//")) for line in lines)


def _row(tool: Tool) -> str:
    alarms = {finding for each in measured(tool, CORRECT).values() for finding in each.findings}
    all_found, runs = found(tool), measured(tool, DEFECTS)
    if not runs:
        return f"| {tool.title()} | not measured | | | | |"
    count = sum(map(bool, all_found.values()))
    of = "" if len(runs) == len(DEFECTS) else f" of {len(runs)} measured"
    warnings = sum(alarm.startswith("warn") for alarm in alarms)
    accused = f"{len(alarms) - warnings}" + (f", and {warnings} warnings" if warnings else "")
    requests = statistics.median(run.requests for run in runs.values())
    seconds = statistics.median(run.seconds for run in runs.values())
    return f"| {tool.title()} | {count}{of} | {accused} | {requests:,.0f} | {seconds:,.0f} | {lines_written(tool)} |"


def write_results() -> None:
    """Write RESULTS.md from what is measured."""
    tools = list(TOOLS.values())
    finds = {tool.name: found(tool) for tool in tools}
    mark = {True: "✔", False: "·", None: "?"}

    def cell(tool: Tool, defect: str) -> str:
        return mark[None if defect not in finds[tool.name] else bool(finds[tool.name][defect])]

    by_defect = [f"| {area} | {name} | {' | '.join(cell(tool, name) for tool in tools)} |" for name, area in DEFECTS]
    text = "\n".join(
        [
            "# What the tools found",
            "",
            f"Written by `python -m benches.peers.run` on {datetime.now(UTC):%Y-%m-%d}; see [README.md](README.md).",
            "",
            f"| tool | of {len(DEFECTS)} defects found | false alarms | requests | seconds | lines to write |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *map(_row, tools),
            "",
            "Requests and seconds are medians of a run against one defect.",
            "",
            *(f"- {tool.title()}: {tool.note}" for tool in tools),
            "",
            f"| area | defect | {' | '.join(tool.name for tool in tools)} |",
            f"| --- | --- |{' :-: |' * len(tools)}",
            *by_defect,
            "",
        ]
    )
    (HERE / "RESULTS.md").write_text(text)
