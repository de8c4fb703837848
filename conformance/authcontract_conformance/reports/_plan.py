"""What a run would send, for people and for programs (`plan.schema.json`); nothing of it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from authcontract_conformance.exchange._exchange import Purpose
from authcontract_conformance.run._plan import ClausePlan, KeyPlan, Plan

#: Sorts of keys that are listed; the others are counted together.
KEYS = 12
#: Seconds from which on a length of time is told in minutes, and in hours.
MINUTES, HOURS = 100, 100 * 60


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the object that `verify --plan --format json` prints."""
    return {
        "target": plan.target,
        "requests": plan.requests,
        "complete": plan.complete,
        "waiting": plan.waiting,
        "seconds": plan.seconds,
        "clauses": [
            {
                "clause": clause.clause,
                "cases": clause.cases,
                "requests": clause.total,
                "by_purpose": {purpose.value: number for purpose, number in clause.requests.items()},
                "complete": clause.complete,
                "reason": clause.reason,
            }
            for clause in plan.clauses
        ],
        "keys": [
            {
                "kind": key.kind,
                "scopes": list(key.scopes),
                "plan": key.plan,
                "environment": key.environment,
                "organisation": key.organisation,
                "requests": key.requests,
            }
            for key in plan.keys
        ],
        "without_key": plan.without_key,
    }


def as_text(plan: Plan, policy: str) -> RenderableType:
    """Return the plan as a person reads it: by clause, by key, and what it comes to."""
    heading = Text()
    heading.append("authcontract", style="bold")
    heading.append(f" would judge {plan.target} by {policy}\n")
    heading.append("nothing is sent now: the cases were tried against a correct server in memory", style="dim")
    sending = [clause for clause in plan.clauses if clause.total]
    return Group(
        heading,
        Padding(_clauses(sending), (1, 0, 0, 0)),
        _silent(plan.clauses),
        Padding(_keys(plan), (1, 0)),
        Text(in_one_sentence(plan.requests, plan.waiting, plan.seconds)),
    )


def in_one_sentence(requests: int, waiting: float, seconds: float) -> str:
    """Return about how many requests a run sends and how long that takes.

    Cases that run side by side share some requests, so that even a plan of every case is right to a few only.
    """
    said = f"About {requests:,} request{'' if requests == 1 else 's'}"
    if waiting:
        return f"{said}; the contract's limits and the life of its keys make that take at least {duration(waiting)}."
    return f"{said} in about {duration(seconds)}."


def duration(seconds: float) -> str:
    """Return a length of time as one says it."""
    if seconds < MINUTES:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < HOURS else f"{seconds / 3600:.1f} h"


def _clauses(clauses: Iterable[ClausePlan]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    for _ in range(2 + len(Purpose)):
        table.add_column(justify="right")
    table.add_row("clause", "cases", "requests", *(f"{purpose.value}s" for purpose in Purpose), style="dim")
    for clause in clauses:
        about = "" if clause.complete else "~"
        table.add_row(
            clause.clause,
            str(clause.cases or ""),
            f"{about}{clause.total:,}",
            *(f"{clause.requests[purpose]:,}" if clause.requests.get(purpose) else "" for purpose in Purpose),
        )
    return table


def _silent(clauses: Iterable[ClausePlan]) -> RenderableType:
    """Say which clauses send nothing, by the reason."""
    reasons: dict[str, list[str]] = {}
    for clause in clauses:
        if not clause.total:
            nothing = "sends nothing of its own" if clause.cases else "looks at what the others receive"
            reasons.setdefault(clause.reason or nothing, []).append(clause.clause)
    text = Text(style="dim")
    for reason, names in reasons.items():
        text.append(f"\n– {', '.join(names)}: {reason}")
    return text


def _keys(plan: Plan) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_row("key", "requests", style="dim")
    table.add_row("none that was ever issued", f"{plan.without_key:,}")
    for key in plan.keys[:KEYS]:
        table.add_row(_sort(key), f"{key.requests:,}")
    more = plan.keys[KEYS:]
    if more:
        table.add_row(f"{len(more)} other sorts", f"{sum(key.requests for key in more):,}")
    return table


def _sort(key: KeyPlan) -> str:
    """Return a sort of key in words, shortest where the contract knows only one of something."""
    parts: Mapping[str, str | None] = {
        "scopes": " + ".join(key.scopes) or "no scope",
        "plan": key.plan,
        "environment": key.environment,
        "organisation": f"organisation {key.organisation}",
    }
    return " · ".join([key.kind, *(part for part in parts.values() if part)])
