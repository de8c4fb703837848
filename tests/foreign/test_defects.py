"""Each mistake that a team makes with the parts of a stack is found by the clause whose promise it breaks."""

from pathlib import Path

import pytest
from foreign.harness import Defect, Stack, judge, running, stacks

ROWS = [
    pytest.param(stack, defect, id=f"{stack.folder.name}-{defect.name}")
    for stack in stacks()
    for defect in stack.defects
]


@pytest.mark.parametrize(("stack", "defect"), ROWS)
def test_a_planted_defect_is_found(stack: Stack, defect: Defect, tmp_path: Path) -> None:
    stack.needed()
    with running(stack, tmp_path, defect=defect.name) as server:
        judged = judge(server, *(option for clause in defect.clauses for option in ("--only", clause)))

    assert "fail" in judged.words.values(), judged.reasons
    assert judged.code == 1


@pytest.mark.parametrize("stack", [pytest.param(stack, id=stack.folder.name) for stack in stacks()])
def test_each_stack_has_defects_of_its_own(stack: Stack) -> None:
    assert len({defect.name for defect in stack.defects}) >= 5
    assert all(defect.says.endswith(".") for defect in stack.defects)
