"""WWW-Authenticate is read as RFC 9110 writes it: several lines, several challenges, quoted texts with commas."""

import pytest
from authcontract_conformance.oracle._challenge import Challenge, challenges
from hypothesis import given
from hypothesis import strategies as st

READ = {
    "a bare scheme": (["Bearer"], [("bearer", {})]),
    "a realm": (['Bearer realm="api"'], [("bearer", {"realm": "api"})]),
    "two parameters": (
        ['Bearer realm="api", error="invalid_token"'],
        [("bearer", {"realm": "api", "error": "invalid_token"})],
    ),
    "an unquoted value": (["Bearer realm=api"], [("bearer", {"realm": "api"})]),
    "spaces around the equals sign": (['Bearer realm = "api"'], [("bearer", {"realm": "api"})]),
    "a comma in quotes": (['Bearer realm="a, b"'], [("bearer", {"realm": "a, b"})]),
    "an escaped quote": (['Bearer realm="a\\"b"'], [("bearer", {"realm": 'a"b'})]),
    "two challenges on a line": (
        ['Basic realm="x", Bearer realm="y"'],
        [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})],
    ),
    "two lines": (["Basic", "BEARER"], [("basic", {}), ("bearer", {})]),
    "a token of 68": (["Negotiate YII=, Bearer"], [("negotiate", {}), ("bearer", {})]),
    "empty elements of the list": ([", Bearer ,, Basic"], [("bearer", {}), ("basic", {})]),
    "nothing": ([""], []),
    "no line": ([], []),
}


@pytest.mark.parametrize(("lines", "found"), READ.values(), ids=READ)
def test_challenges_are_read(lines: list[str], found: list[tuple[str, dict[str, str]]]) -> None:
    read = challenges(lines)
    assert read is not None
    assert [(each.scheme, each.parameters) for each in read] == found


BROKEN = {
    "a parameter before any scheme": 'realm="api"',
    "a quote that never ends": 'Bearer realm="api',
    "two words and no comma": "Bearer one two three",
    "no token": "<Bearer>",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_what_is_out_of_grammar_is_not_guessed_at(line: str) -> None:
    assert challenges([line]) is None


def test_it_knows_which_values_stood_in_quotes() -> None:
    assert challenges(['Bearer realm=a, error="b"']) == (
        Challenge("bearer", {"realm": "a", "error": "b"}, frozenset({"error"})),
    )


@given(st.lists(st.text(max_size=40), max_size=3))
def test_no_text_of_a_target_raises(lines: list[str]) -> None:
    found = challenges(lines)
    assert found is None or all(each.scheme == each.scheme.lower() for each in found)
