"""LIFE-M: the model agrees with a correct server, and a defect is told as the shortest life that shows it."""

from collections.abc import Callable

import pytest
from authcontract_conformance.fuzz._lifecycle import LIVES, lifecycle
from authcontract_conformance.oracle._verdict import Judgement, Word
from conversations import Conversation, instead, planted

Judge = Callable[..., Judgement]


@pytest.mark.parametrize("name", ["synaptiq", "roles", "harbour"])
def test_correct_server_passes(name: str, judge: Judge) -> None:
    conversation = Conversation(name)
    found = judge(conversation, lifecycle)
    assert found.word is Word.PASS, found
    assert 60 < len(conversation.exchanges) <= 220


@pytest.mark.parametrize(
    ("fault", "life"),
    [
        ("revocation-cached", "key 1 is issued, key 1 is revoked, key 1, revoked, still works"),
        (
            "grace-an-hour-long",
            "key 1 is issued, key 1 is rotated, key 2 comes of it, 86402 seconds pass, key 1, expired, still works",
        ),
        (
            "old-key-for-ever",
            (
                "key 1 is issued, key 1 is rotated, key 2 comes of it, key 2 is revoked, 86402 seconds pass, "
                "key 1, expired, still works"
            ),
        ),
        (
            "old-key-rotated-ends-new",
            "key 1 is issued, key 1 is rotated, key 2 comes of it, key 1 is rotated again, key 2, active, is refused",
        ),
        (
            "revoking-twice-revives",
            "key 1 is issued, key 1 is revoked, key 1 is revoked again, key 1, revoked, still works",
        ),
        (
            "second-rotation-revives",
            (
                "key 1 is issued, key 1 is rotated, key 2 comes of it, key 1 is revoked, key 2 is rotated, "
                "key 3 comes of it, key 1, revoked, still works"
            ),
        ),
        ("no-grace", "key 1 is issued, key 1 is rotated, key 2 comes of it, key 1, in its grace, is refused"),
        (
            "revoking-takes-both",
            "key 1 is issued, key 1 is rotated, key 2 comes of it, key 2 is revoked, key 1, in its grace, is refused",
        ),
        ("rotation-drops-scope", "key 1 is issued, key 1 is rotated, key 2 comes of it, key 2, active, is refused"),
    ],
)
def test_defect_is_told_as_the_shortest_life(fault: str, life: str, judge: Judge) -> None:
    found = judge(Conversation("synaptiq", seams=planted(fault)), lifecycle)
    assert (found.word, found.reason) == (Word.FAIL, life)


def test_key_that_may_more_than_its_ancestor_is_found(judge: Judge) -> None:
    found = judge(Conversation("synaptiq", seams=planted("rotation-widens-scope"), confirmed=True), lifecycle)
    assert found.word is Word.FAIL
    assert found.reason.endswith("key 2 may more than the key that it comes of")


def test_target_that_breaks_is_not_accused(judge: Judge) -> None:
    conversation = Conversation("roles", altered=lambda exchange: instead(exchange, 503))
    assert judge(conversation, lifecycle).word is Word.INCONCLUSIVE


def test_each_life_is_in_organisations_of_its_own(judge: Judge) -> None:
    conversation = Conversation("roles")
    judge(conversation, lifecycle, "LIFE-M/lives")
    organisations = {record.organisation for record in conversation.server.keyring.records.all()}
    assert len(organisations) > 5
    assert all(organisation.startswith("LIFE-M/lives/") for organisation in organisations)


def test_the_lives_that_come_first_pass_every_transition() -> None:
    """In each state that a key can be in, each thing is done to it that can be done (clauses 5.1)."""
    seen: set[tuple[str, str]] = set()
    for life in LIVES:
        states: list[str] = []
        for what, number in life:
            if what == "issue":
                states.append("active")
            elif what == "graces":
                seen.update((state, "time") for state in states)
                states = ["expired" if state == "grace" and number >= 1 else state for state in states]
            elif int(number) < len(states):
                state = states[int(number)]
                seen.add((state, what))
                if what == "revoke" and state in {"active", "grace"}:
                    states[int(number)] = "revoked"
                elif what == "rotate" and state == "active":
                    states[int(number)] = "grace"
                    states.append("active")
    done = {"rotate", "revoke", "time"}
    assert seen >= {(state, what) for state in ("active", "grace", "revoked") for what in done} | {
        ("expired", "rotate")
    }
