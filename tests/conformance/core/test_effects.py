"""What counts as the effect of a request that must have none."""

import json
from collections.abc import Generator
from dataclasses import replace

import pytest
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._world import Item
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


def _row(names: tuple[str, ...], content: str, name: str = "ours") -> Snapshot:
    behind = frozenset(names[names.index(name) + 1 :]) if name in names else frozenset()
    found = content if name in names else ""
    return Snapshot(
        reader="GET /leads", own=True, content=found, answered=True, behind=behind, members=frozenset(names)
    )


#: The list before and after, what it says of the object before and after -> whether something was done to it.
LISTED: dict[str, tuple[str, str, str, str, bool]] = {
    "nothing": ("ours a", "ours a", "x", "x", False),
    "changed": ("ours a", "ours a", "x", "y", True),
    "gone": ("ours a", "a", "x", "", True),
    "gone, and it was the only one": ("ours", "", "x", "", True),
    "gone while another came": ("ours a", "new a", "x", "", True),
    "pushed off the page by another": ("a ours", "new a", "x", "", False),
    "never there": ("a", "a b", "", "", False),
}


@pytest.mark.parametrize(
    ("before", "after", "first", "second", "done"), LISTED.values(), ids=[name.replace(" ", "-") for name in LISTED]
)
def test_a_list_shows_what_was_done_to_one_of_its_members(
    before: str, after: str, first: str, second: str, done: object
) -> None:
    """What the end of a page hides was not deleted."""
    looks = _row(tuple(before.split()), first), _row(tuple(after.split()), second)
    assert looks[0].changed(looks[1]) is done


#: What an answer says of the object that was made -> whether it is the case's own, and whether its mark is content.
NAMED = {
    "an id of the target's": ({"id": "project_1"}, True, True),
    "the mark that was sent, for a name": ({"name": "<canary>"}, True, False),
    "a name that is always sent": ({"name": "Garden house"}, False, True),
}


@pytest.mark.parametrize(("answer", "own", "marked"), NAMED.values(), ids=list(NAMED))
def test_whose_an_object_is_that_was_made(answer: dict[str, str], own: object, marked: object) -> None:
    """What is named by its mark is nobody else's; but its address says the mark to whoever repeats it."""
    talk = Conversation("roles")
    world = talk.world()
    steps = world.item(talk.operation("getProject"))
    received: object = None
    try:
        while True:
            received = talk.perform(steps.send(received))
            if isinstance(received, Exchange):
                text = json.dumps(answer).replace("<canary>", received.probe.canary or "")
                received = replace(received, body=text.encode())
    except StopIteration as ended:
        item: Item = ended.value
    assert (item.own, item.canary is not None) == (own, marked)
