"""What counts as the effect of a request that must have none."""

from collections.abc import Generator

import pytest
from authcontract_conformance.world._world import Item, Snapshot
from conversations import Conversation

ITEM = Item(parameters={"id": "lead_1"}, own=True)
CANARY = "canary-0123456789abcdef"


def _look(content: str, *, status: int = 200, own: bool = True) -> Snapshot:
    return Snapshot(reader="GET /leads/{id}", own=own, status=status, content=content, answered=status == 200)


#: What is seen before, after and once more, and whether the request did it.
LOOKS = {
    "nothing changed": (_look("a"), _look("a"), _look("a"), False),
    "changed and stays so": (_look("a"), _look("b"), _look("b"), True),
    "gone": (_look("a"), _look("", status=404), _look("", status=404), True),
    "counts its readers": (_look("seen 1"), _look("seen 2"), _look("seen 3"), False),
    "counts its readers, and holds the canary": (_look("seen 1"), _look(f"seen 2 {CANARY}"), _look("seen 3"), True),
    "somebody else's changed": (_look("a", own=False), _look("b", own=False), _look("b", own=False), False),
    "somebody else's holds the canary": (_look("a", own=False), _look(CANARY, own=False), _look("b", own=False), True),
    "could not be read before": (_look("", status=404), _look("a"), _look("a"), False),
}


@pytest.mark.parametrize(("before", "after", "third", "done"), LOOKS.values(), ids=list(LOOKS))
def test_an_effect_is_believed(
    before: Snapshot, after: Snapshot, third: Snapshot, done: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Conversation("synaptiq").world()

    def look_again(*_: object) -> Generator[object, object, Snapshot]:
        yield "a request"
        return third

    monkeypatch.setattr(world, "snapshot", look_again)
    operation = next(op for op in world.operations if op.id == "updateLead")
    steps = world.took_effect(operation, ITEM, (before, after), CANARY, "PATCH")
    assert _value(steps) is done


def _value(steps: Generator[object, object, bool]) -> bool:
    """Run a generator to its end, whatever it asks for."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return bool(ended.value)
