"""Diagnostics read well in a terminal, validate as JSON, and carry nothing dangerous out of a stranger's file."""

import json
from importlib.resources import files
from typing import Any, get_args

import pytest
from authcontract_policy import Diagnostic, Format, Related, Severity, Span, count_in_words, excerpt, render
from jsonschema import Draft202012Validator
from policy_contracts import slip

SCHEMA: dict[str, Any] = json.loads(files("authcontract_policy").joinpath("diagnostics.schema.json").read_text("utf-8"))
TWO = (("plans: [free, business]", "plans: [free, busines]"), ("holds: several scopes", "holds: many scopes"))


def made(text: str, column: int, end: int, **further: Any) -> Diagnostic:
    span = Span(file="p.yaml", line=7, column=column, end=end, text=text)
    return Diagnostic(**{"code": "unknown-word", "message": "wrong", "span": span, **further})


def test_the_full_form_shows_the_line_the_carets_and_the_help() -> None:
    found = slip("harbour", (("holds: several scopes", "holds: several scope"),)).diagnostics

    shown = render(found).splitlines()

    line = found[0].span.line
    assert shown[0] == "error[unknown-value]: `several scope` is not a value of `holds`"
    assert shown[1] == f"  --> harbour.yaml:{line}:{found[0].span.column}"
    assert shown[2] == "   |"
    assert shown[3].startswith(f"{line} | ")
    assert shown[4].index("^") - shown[3].index("several scope") == 0
    assert shown[4].count("^") == len("several scope")
    assert shown[5:] == ["   |", "   = help: did you mean `several scopes`?", "", "1 error"]


def test_a_second_place_is_shown_below_the_first() -> None:
    first = Related(span=Span(file="p.yaml", line=3, column=1, end=2, text="a: 1"), label="first here")

    assert render([made("a: 2", 1, 2, label="again", related=(first,), severity=Severity.WARNING)]) == (
        "warning[unknown-word]: wrong\n"
        " --> p.yaml:7:1\n"
        "  |\n"
        "7 | a: 2\n"
        "  | ^ again\n"
        " ::: p.yaml:3:1\n"
        "  |\n"
        "3 | a: 1\n"
        "  | - first here\n"
        "\n"
        "1 warning\n"
    )


def test_a_note_without_a_line_is_short() -> None:
    assert render([made("", 1, 2, severity=Severity.INFO)]) == "note[unknown-word]: wrong\n --> p.yaml:7:1\n\n1 note\n"


def test_carets_stand_under_wide_characters_and_in_long_lines() -> None:
    wide = render([made("漢字e\u0301: x", 6, 7)]).splitlines()
    long = render([made("a" * 150 + "HERE" + "b" * 200, 151, 155)]).splitlines()

    assert wide[4] == "  |       ^"
    assert long[3] == f"7 | ...{'a' * 28}HERE{'b' * 36}..."
    assert long[4] == f"  | {' ' * 31}^^^^"


def test_the_concise_form_is_one_line_each() -> None:
    found = slip("harbour", TWO).diagnostics

    assert render(found, "concise").splitlines() == [
        f"harbour.yaml:{each.span.line}:{each.span.column}: {each.code} {each.message}" for each in found
    ]


@pytest.mark.parametrize("edits", [(), TWO, (("labels:buy: {}", "labels:buy: {}\n  labels:buy: {}"),)])
def test_the_json_form_is_as_its_schema_says(edits: tuple[tuple[str, str], ...]) -> None:
    found = slip("harbour", edits).diagnostics

    written = json.loads(render(found, "json"))

    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(written)
    assert [each["code"] for each in written] == [each.code for each in found]


def test_the_github_form_escapes_what_would_end_a_command() -> None:
    span = Span(file="a,b:c.yaml", line=2, column=3, end=5, text="")
    problem = Diagnostic(code="tag", message="100%\nwrong", help="stop", span=span, severity=Severity.WARNING)

    assert render([problem], "github") == (
        "::warning file=a%2Cb%3Ac.yaml,line=2,col=3,endColumn=5,title=tag::100%25%0Awrong%0Astop\n"
    )
    assert render([made("", 1, 2)], "github").endswith("title=unknown-word::wrong\n")


@pytest.mark.parametrize("form", ["full", "concise"])
def test_no_control_character_reaches_a_terminal(form: Format) -> None:
    hostile = "\x1b[2J\u202e\x07\r\n"
    span = Span(file=f"p{hostile}.yaml", line=1, column=1, end=3, text=f"a{hostile}b")
    related = (Related(span=span, label=hostile),)
    problem = Diagnostic(code="tag", message=hostile, help=hostile, label=hostile, span=span, related=related)

    shown = render([problem], form)

    assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize("form", get_args(Format))
def test_nothing_wrong_is_nothing_said(form: Format) -> None:
    assert render([], form) == ("[]\n" if form == "json" else "")


def test_the_closing_line_counts_each_severity() -> None:
    several = [made("", 1, 2), made("", 2, 3), made("", 1, 2, severity=Severity.INFO)]

    assert count_in_words(several) == "2 errors, 1 note"
    assert count_in_words([]) == "no problems"


def test_a_place_can_be_shown_alone() -> None:
    assert excerpt(made("a: 2", 1, 2).span, "here") == " --> p.yaml:7:1\n  |\n7 | a: 2\n  | ^ here"
