"""YAML is read as YAML 1.2 has it, with the place of everything, and whatever is wrong becomes a diagnostic."""

import json
from typing import Any

import pytest
import yaml
from authcontract_policy._json import read_json
from authcontract_policy._yaml import read_yaml
from hypothesis import given
from hypothesis import strategies as st

SCALARS: list[tuple[str, Any]] = [
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("True", True),
    ("false", False),
    ("~", None),
    ("", None),
    ("null", None),
    ("010", 10),
    ("0o17", 15),
    ("0x1F", 31),
    ("-3", -3),
    ("1:30", "1:30"),
    ("2026-01-01", "2026-01-01"),
    ("1_000", "1_000"),
    ("1.50", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("'1'", "1"),
    ('"true"', "true"),
    ("<<", "<<"),
    ("=", "="),
]


@pytest.mark.parametrize(("written", "value"), SCALARS)
def test_only_the_core_schema_makes_anything_but_text(written: str, value: Any) -> None:
    document, problems = read_yaml(f"a: {written}\n".encode(), "x.yaml")

    assert document is not None
    assert problems == ()
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


@pytest.mark.parametrize("written", [".inf", "-.INF", ".nan", "1e999", "9" * 41])
def test_a_number_that_json_does_not_have_is_refused(written: str) -> None:
    document, (problem,) = read_yaml(f"a: {written}\n".encode(), "x.yaml")

    assert document is None
    assert problem.message == f"`{written}` is no number that JSON has"


def test_a_name_is_text_as_written() -> None:
    document, _ = read_yaml(b"{1: a, true: b, '': c}", "x.yaml")

    assert document is not None
    assert document.value == {"1": "a", "true": "b", "": "c"}


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "help_"),
    [
        ("a: [1,\n", 2, 1, "a value is missing here", "close the bracket, or give the value"),
        ("a:\n\t- b", 2, 1, "a tab cannot stand here", "indent with spaces"),
        ("a: @b", 1, 4, "a text cannot begin with this character", "put the text in quotes"),
        ("a: *", 1, 5, "a text cannot begin with `*` or `&`", "put the text in quotes"),
        ("a: 1\n b: 2", 2, 3, "a name with a value cannot stand here", None),
        ("a: 1\nb\nc: d", 3, 1, "this is no name with a value", "put a colon and a space after the name"),
        ("a:\n  - b\n c: d", 3, 2, "this does not belong to what stands before", "indent the lines of a block alike"),
        ("- a\nb: c", 2, 1, "this does not belong to what stands before", "indent the entries of a list alike"),
        ("a: - b", 1, 4, "a list cannot begin in this line", "put its first `- ` on a line of its own"),
        ("'a", 1, 3, "the quotes are not closed", "close them"),
        ('a: "\\q"', 1, 5, "no character is written so", None),
        ("a: !x!y b", 1, 4, "a tag has no meaning here", "leave the tag out, or put the text in quotes"),
        ("%x\na: b", 1, 3, "this is not YAML", ""),
        ("é\n\na: \x01", 3, 4, "character U+0001 is not allowed in YAML", "delete the character"),
        ("a\u2028b: c: d", 2, 2, "a name with a value cannot stand here", None),
    ],
)
def test_a_slip_in_syntax_is_a_diagnostic_at_its_place(
    text: str, line: int, column: int, message: str, help_: str | None
) -> None:
    document, (problem,) = read_yaml(text.encode(), "x.yaml")

    assert document is None
    assert (problem.code, problem.span.line, problem.span.column) == ("yaml-syntax", line, column)
    assert problem.message == message
    assert help_ in {None, problem.help}


@pytest.mark.parametrize("text", ["a: [1,\n", "a: @b", "- a\nb: c", "a: 1\n b: 2", "x: \x07"])
def test_slips_are_located_without_libyaml_too(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_libyaml = read_yaml(text.encode(), "x.yaml")[1]
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    without = read_yaml(text.encode(), "x.yaml")[1]

    assert [each.code for each in without] == [each.code for each in with_libyaml] == ["yaml-syntax"]
    assert without[0].span.line == with_libyaml[0].span.line


def test_several_slips_that_leave_the_rest_readable_are_reported_together() -> None:
    _, problems = read_yaml(b"a: &x 1\nb: *x\na: !t 2\n!k c: 3\n", "x.yaml")

    assert [(each.code, each.span.line) for each in problems] == [
        ("anchor", 1),
        ("anchor", 2),
        ("duplicate-key", 3),
        ("tag", 3),
        ("tag", 4),
    ]


def test_a_name_that_stands_twice_names_both_lines() -> None:
    _, (problem,) = read_yaml(b"a: 1\nb: 2\na: {x: [1]}\n", "x.yaml")

    assert problem.message == "`a` stands here a second time, first in line 1"
    assert problem.span.line == 3
    assert [each.span.line for each in problem.related] == [1]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a: see #3", "#3"),
        ("a: one # two", "# two"),
        ("a: one  # a comment", None),
        ("a: {b: c} # a comment", None),
        ("a: 'one' # a comment", None),
        ("a: 5 # a number is no text that was cut", None),
        ("a: b#c", None),
    ],
)
def test_a_text_that_a_comment_cuts_is_a_warning(text: str, cut: str | None) -> None:
    document, problems = read_yaml(text.encode(), "x.yaml")

    assert document is not None
    assert [each.span.text[each.span.column - 1 : each.span.end - 1] for each in problems] == ([cut] if cut else [])


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    document, _ = read_yaml("\ufeffa: b".encode(), "x.yaml")

    assert document is not None
    assert document.value == {"a": "b"}


def test_a_line_too_long_to_show_is_not_kept_with_each_place() -> None:
    document, _ = read_yaml(f"a: {'x' * 2000}".encode(), "x.yaml")

    assert document is not None
    assert document.keys["a",].text == ""


WORDS = st.text(st.sampled_from("abc é漢😀:#,[]{}'\"\\/\t"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(WORDS, below, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, indent=st.none() | st.integers(0, 3))
def test_both_readers_find_the_same_values_at_the_same_places(value: Any, indent: int | None) -> None:
    """JSON is YAML, so two readers that share no code must agree."""
    data = json.dumps(value, ensure_ascii=False, indent=indent).encode()

    from_json, json_problems = read_json(data, "x")
    from_yaml, yaml_problems = read_yaml(data, "x")

    assert from_json is not None
    assert from_yaml is not None
    assert json_problems == yaml_problems == ()
    assert from_json.value == from_yaml.value == value
    assert dict(from_json.keys) == dict(from_yaml.keys)
    starts = {path: (span.line, span.column) for path, span in from_json.values.items()}
    assert starts == {path: (span.line, span.column) for path, span in from_yaml.values.items()}
    assert len(from_json.keys) == len(from_yaml.keys)


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "message"),
    [
        ('{"a": 1,}', "json-syntax", 1, 9, "this is not JSON: expecting property name enclosed in double quotes"),
        ('{"a": NaN}', "number", 1, 1, "the file holds a number that JSON does not have"),
        ('{"a": 1,\n "a": 2}', "duplicate-key", 2, 2, "`a` stands twice in one block"),
        ("[" * 101 + "]" * 101, "too-deep", 1, 101, "blocks are nested more than 100 deep"),
        ("[" + "[]," * 200 + "}" * 300, "json-syntax", 1, 602, "this is not JSON: expecting value"),
        ('{"a": ' + "9" * 5000 + "}", "number", 1, 1, "the file holds a number that JSON does not have"),
        ('{"a": "\xff"}', None, 0, 0, ""),
    ],
)
def test_a_slip_in_json_is_a_diagnostic_at_its_place(
    text: str, code: str | None, line: int, column: int, message: str
) -> None:
    document, problems = read_json(text.encode(), "x.json")

    assert (document is None) == (code is not None)
    found = [(each.code, each.span.line, each.span.column, each.message) for each in problems]
    assert found == ([(code, line, column, message)] if code else [])


def test_json_that_is_no_text_is_refused() -> None:
    assert [each.code for each in read_json(b'{"a": "\xff"}', "x.json")[1]] == ["not-utf-8"]
