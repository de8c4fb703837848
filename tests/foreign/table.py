"""Print what each stack comes to, under each of its ways of counting, as a table in Markdown.

Run from the root of the project as `PYTHONPATH=tests python -m foreign.table [FOLDER ...]`.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foreign.harness import judge, running, stacks

WORDS = ("pass", "warn", "unspecified", "inconclusive", "skipped", "fail")
#: What says something of the server: neither left out nor undecided.
CONCLUSIVE = ("pass", "warn", "fail")
HEADINGS = ("stack", "limiter", *WORDS, "conclusive", "requests", "seconds")


def row(verdict: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures of one run."""
    counts = verdict["counts"]
    yield from (str(counts[word]) for word in WORDS)
    yield f"{sum(counts[word] for word in CONCLUSIVE) / sum(counts.values()):.0%}"
    yield f"{verdict['requests']}"
    yield f"{verdict['seconds']:.0f}"


def table(names: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the table, each as soon as it is known."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'---|' * len(HEADINGS)}"
    for stack in stacks():
        if names and stack.folder.name not in names:
            continue
        if lacks := stack.missing():
            yield f"| {stack.name} | needs {lacks} |{' |' * (len(HEADINGS) - 2)}"
            continue
        for limiter in stack.limiters:
            with TemporaryDirectory() as work, running(stack, Path(work), limiter) as server:
                yield f"| {stack.name} | {limiter} | {' | '.join(row(judge(server).verdict))} |"


if __name__ == "__main__":
    for line in table(sys.argv[1:]):
        print(line, flush=True)  # noqa: T201  its output is what it is for
