"""A decision step by step: each check in the order of the policy, and what it said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from authcontract_policy import Check

from ._contract import Contract
from ._reading import Reading
from ._values import Decision, Facts, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one check said; after the first refusal the others are not asked."""

    check: Check
    outcome: Literal["passed", "refused", "not reached"]
    #: Only of the check that refused.
    decision: Decision | None = None


def explain(contract: Contract, request: Request | Reading, facts: Facts) -> tuple[Step, ...]:
    """Return a step for each check; the one that refused carries the decision."""
    reading = request if isinstance(request, Reading) else contract.read(request)
    steps: list[Step] = []
    refused: Decision | None = None
    for check, ask in contract.checks:
        if refused is not None:
            steps.append(Step(check=check, outcome="not reached"))
            continue
        refused = ask(reading, facts)
        steps.append(Step(check=check, outcome="passed" if refused is None else "refused", decision=refused))
    return tuple(steps)
