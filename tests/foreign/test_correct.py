"""Correct servers that are nothing like ours are accused of nothing, whatever their parts and their way of counting."""

from pathlib import Path

import pytest
from authcontract_conformance.clauses import catalogue
from foreign.harness import Stack, judge, running, stacks

#: What must come to a verdict wherever keys are declared and requests counted.
SETTLED = {"AUTH-1", "AUTH-8", "SCOPE-1", "RATE-1", "RATE-2"}
#: Where most of what a way of counting can show is shown; the first of a stack is judged by everything.
COUNTING = tuple(
    option for clause in (*sorted(SETTLED), "RATE-3", "RATE-7", "RATE-10") for option in ("--only", clause)
)
ROWS = [
    pytest.param(stack, limiter, () if limiter == stack.limiters[0] else COUNTING, id=f"{stack.folder.name}-{limiter}")
    for stack in stacks()
    for limiter in stack.limiters
]


@pytest.mark.parametrize(("stack", "limiter", "options"), ROWS)
def test_a_correct_server_is_accused_of_nothing(
    stack: Stack, limiter: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    stack.needed()
    with running(stack, tmp_path, limiter) as server:
        judged = judge(server, *options)

    assert judged.failures == []
    assert judged.verdict["stopped"] is None
    assert {clause: judged.words[clause] for clause in SETTLED} == dict.fromkeys(SETTLED, "pass")
    # A warning is an accusation too, and what cannot be told is a clause that does nothing: each has its reason.
    surprising = judged.only("warn", "inconclusive", "unspecified")
    assert {clause: said for clause, said in surprising.items() if clause not in stack.not_passed} == {}


@pytest.mark.parametrize("stack", [pytest.param(stack, id=stack.folder.name) for stack in stacks()])
def test_each_reason_for_not_passing_is_about_a_clause(stack: Stack) -> None:
    assert set(stack.not_passed) <= set(catalogue())
    assert all(stack.not_passed.values())
