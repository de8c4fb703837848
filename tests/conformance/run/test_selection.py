"""Which clauses are meant: ids, families, globs, merged ids and levels, the same for every command."""

import pytest
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.oracle._verdict import Level
from authcontract_conformance.run._selection import SelectionError, families, family, matching, selected, words

ALL = tuple(catalogue())


def of(name: str) -> tuple[str, ...]:
    return tuple(clause for clause in ALL if family(clause) == name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["AUTH-1"], ("AUTH-1",), id="an id"),
        pytest.param(["auth-1"], ("AUTH-1",), id="in small letters"),
        pytest.param(["AUTH-2", "AUTH-1"], ("AUTH-1", "AUTH-2"), id="two, in the order of the catalogue"),
        pytest.param(["AUTH-1, err-1"], ("AUTH-1", "ERR-1"), id="with commas"),
        pytest.param(["AUTH-1,", ",AUTH-1"], ("AUTH-1",), id="twice the same"),
        pytest.param(["rate"], of("RATE"), id="a family"),
        pytest.param(["RATE-*"], of("RATE"), id="a glob"),
        pytest.param(["LIFE-?"], tuple(c for c in of("LIFE") if len(c) == len("LIFE-1")), id="a glob of one character"),
        pytest.param(["*-1"], tuple(c for c in ALL if c.endswith("-1")), id="a glob over families"),
        pytest.param(["SCOPE-3"], ("SCOPE-1",), id="a merged id"),
        pytest.param(["SCOPE-[34]"], ("SCOPE-1",), id="a glob of merged ids"),
        pytest.param([], (), id="nothing"),
    ],
)
def test_words_select_clauses(given: list[str], expected: tuple[str, ...]) -> None:
    assert matching(given) == expected


def test_a_family_is_its_own_clauses_only() -> None:
    """A merged id of a family may be judged in another; to leave a family out must not leave that one out."""
    for name in families():
        assert matching([name]) == matching([f"{name}-*"]) == of(name) != ()


@pytest.mark.parametrize(
    ("word", "message", "near"),
    [
        pytest.param("AUHT-1", "there is no clause `AUHT-1`", "AUTH-1", id="letters in another order"),
        pytest.param("RAT", "there is no clause `RAT`", "RATE", id="a family cut short"),
        pytest.param("AUT-*", "no clause matches `AUT-*`", "AUTH", id="a glob of no family"),
        pytest.param("zzz", "there is no clause `zzz`", None, id="nothing like it"),
    ],
)
def test_an_unknown_word_is_refused_with_names_like_it(word: str, message: str, near: str | None) -> None:
    with pytest.raises(SelectionError) as caught:
        matching([word])
    said = str(caught.value)
    assert said.startswith(f"{message}; ")
    assert said.endswith("`authcontract explain` lists the clauses")
    assert ("did you mean" in said) == (near is not None)
    assert near is None or f"`{near}`" in said


@pytest.mark.parametrize("merged", [name for name, each in MERGED.items() if each.into is None])
def test_an_id_that_no_clause_judges_is_refused_with_the_reason(merged: str) -> None:
    with pytest.raises(SelectionError, match=f"no clause judges `{merged}`: "):
        matching([merged])


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("must", {Level.MUST}),
        ("should", {Level.MUST, Level.SHOULD}),
        ("unspec", set(Level)),
        (None, set(Level)),
    ],
)
def test_a_level_lets_through_what_binds_so_or_stronger(level: str | None, levels: set[Level]) -> None:
    assert [clause.id for clause in selected((), (), level)] == [
        c.id for c in catalogue().values() if c.level in levels
    ]


def test_what_is_left_out_is_left_out_of_what_was_chosen() -> None:
    chosen = [clause.id for clause in selected(["AUTH,err-1"], ["auth-1", "AUTH-8"])]
    assert chosen == [clause for clause in ALL if clause in {*of("AUTH"), "ERR-1"} - {"AUTH-1", "AUTH-8"}]


def test_to_leave_nothing_is_refused() -> None:
    with pytest.raises(SelectionError, match="no clause is left by --only AUTH-1 --skip AUTH --level must"):
        selected(["AUTH-1"], ["AUTH"], "must")


def test_words_are_separated_by_commas_or_by_options() -> None:
    assert words(["A, B", "C", "", " ,"]) == ("A", "B", "C")
