"""Whatever a stranger or a slip makes of a policy, it becomes diagnostics; a misspelt word is never taken silently."""

import json
import random
from copy import deepcopy
from functools import cache
from typing import Any, get_args

import pytest
from authcontract_policy import (
    CODES,
    Document,
    Format,
    Loaded,
    Path,
    Severity,
    assemble,
    load_specification,
    parse_policy,
    parse_specification,
    render,
)
from authcontract_policy._load import ParsedSpecification
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy_contracts import FILES, SPECIFICATIONS

#: Names and texts that the author chooses: another one is as good, unless something else names it.
CHOSEN = ("scopes", "capabilities", "errors", "rate_limits", "headers", "body", "source", "assumed", "kinds", "sent_as")
#: Words tried in each contract; all of them together would take minutes.
TRIED = 25


@cache
def specification_of(name: str) -> ParsedSpecification:
    path = SPECIFICATIONS.get(name)
    if path is None:
        policy, _ = parse_policy(FILES[name].read_bytes(), name)
        assert policy is not None
        path = FILES[name].parent / policy.specification
    return load_specification(path)


def assembled(name: str, text: str) -> Loaded:
    return assemble(parse_policy(text.encode(), f"{name}.yaml"), specification_of(name))


def is_refused(loaded: Loaded) -> bool:
    return any(each.severity is Severity.ERROR for each in loaded.diagnostics)


@cache
def document_of(name: str) -> Document:
    policy, _ = parse_policy(FILES[name].read_bytes(), name)
    assert policy is not None
    return policy.document


def misspelt(name: str, path: Path) -> str:
    """Return the policy's text with one letter more in one of its names."""
    span = document_of(name).keys[path]
    lines = FILES[name].read_text("utf-8").splitlines()
    line = lines[span.line - 1]
    # Before the last character, so that the quotes or brackets of a name stay its last.
    lines[span.line - 1] = f"{line[: span.end - 2]}x{line[span.end - 2 :]}"
    return "\n".join(lines)


@pytest.mark.parametrize("name", FILES)
def test_a_misspelt_word_is_refused_unless_the_author_chose_it(name: str) -> None:
    words = sorted(document_of(name).keys, key=str)
    tried = random.Random(name).sample(  # noqa: S311  a sample that is the same in every run
        words, min(TRIED // (3 if name == "digitalocean" else 1), len(words))
    )

    survived = [path for path in tried if not is_refused(assembled(name, misspelt(name, path)))]

    assert [path for path in survived if not set(CHOSEN) & set(path)] == []
    assert len(survived) < len(tried)


WORDS = st.sampled_from(["read", "<any>", "<a>_<b>", "others", "GET /x", "/*", "1 minute", "G-01", "", "missing", "é"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 500) | WORDS | st.floats(allow_nan=False, allow_infinity=False),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=3),
    max_leaves=6,
)
#: The other two load slowly, one for its operations, one for its alternatives.
SMALL = ("github", "harbour", "kube", "roles", "spotify", "stripe")


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a contract with a few values of its policy deleted, replaced, renamed or moved."""
    name = draw(st.sampled_from(SMALL))
    whole = deepcopy(document_of(name).value)
    for _ in range(draw(st.integers(1, 3))):
        places = [(block, key) for block in blocks(whole) for key in keys(block)]
        block, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["delete", "replace", "rename", "move"])):
            case "delete":
                del block[key]
            case "replace":
                block[key] = draw(JUNK)
            case "rename" if isinstance(block, dict):
                block[draw(WORDS)] = block.pop(key)
            case _:
                other, place = draw(st.sampled_from(places))
                if place in keys(other):
                    block[key] = deepcopy(other[place])
        if not whole:
            break
    return name, json.dumps(whole, ensure_ascii=False, indent=1)


def blocks(value: Any) -> list[Any]:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [
        *([value] if isinstance(value, dict | list) and value else []),
        *(each for one in below for each in blocks(one)),
    ]


def keys(block: Any) -> list[Any]:
    return list(block) if isinstance(block, dict) else list(range(len(block)))


def check_honest(loaded: Loaded) -> None:
    """A part is missing exactly where there are errors, and each diagnostic is complete."""
    assert {each.code for each in loaded.diagnostics} <= CODES.keys()
    assert (loaded.resolution is None) == is_refused(loaded)
    for each in loaded.diagnostics:
        assert each.message
        assert "\n" not in each.message + each.help
        assert not each.message.endswith(".")
        assert 1 <= each.span.column < each.span.end
    for form in get_args(Format):
        assert render(loaded.diagnostics, form) == render(loaded.diagnostics, form)


@settings(deadline=None, max_examples=60)
@given(drawn=broken())
def test_a_broken_policy_becomes_diagnostics(drawn: tuple[str, str]) -> None:
    name, text = drawn

    check_honest(assembled(name, text))


@settings(deadline=None, max_examples=60)
@given(data=st.data(), name=st.sampled_from(SMALL))
def test_a_policy_with_damaged_text_becomes_diagnostics(data: st.DataObject, name: str) -> None:
    text = FILES[name].read_text("utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    inserted = data.draw(st.text(st.sampled_from("{}[]:,-#&*!|>'\"%@ \n\ta1<"), max_size=6))

    check_honest(assembled(name, text[:start] + inserted + text[end:]))


@given(text=st.text(st.sampled_from("{}[]:,-#&*!|>'\"%@?~ \n\r\ta1\x85\u2028\x00é"), max_size=40))
@example(text="? a\n: b")
@example(text="- |\n  a\n- >-\n  b\n")
def test_any_text_becomes_a_policy_or_diagnostics(text: str) -> None:
    policy, problems = parse_policy(text.encode(), "x.yaml")

    assert policy is None
    assert problems
    assert {each.code for each in problems} <= CODES.keys()


@given(data=st.binary(max_size=40))
def test_any_bytes_become_a_policy_or_diagnostics(data: bytes) -> None:
    assert parse_policy(data, "x.yaml")[0] is None
    for file in ("x.yaml", "x.json"):
        assert parse_specification(data, file)[0] is None


SPECIFICATION: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://{a}.x", "variables": {"a": {"default": "b"}}}],
    "security": [{"k": ["s"]}],
    "paths": {
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}],
            "get": {"operationId": "a", "tags": ["t"], "responses": {"200": {"$ref": "#/components/responses/r"}}},
            "post": {"requestBody": {"content": {"a/b": {"schema": {"$ref": "#/components/schemas/s"}}}}},
        }
    },
    "components": {
        "responses": {"r": {"content": {"a/b": {"schema": {"$ref": "#/components/schemas/s"}}}}},
        "schemas": {"s": {"type": "object"}},
    },
}


@settings(deadline=None)
@given(data=st.data())
def test_a_broken_specification_becomes_diagnostics(data: st.DataObject) -> None:
    whole = deepcopy(SPECIFICATION)
    for _ in range(data.draw(st.integers(1, 3))):
        block = data.draw(st.sampled_from(blocks(whole) or [{}]))
        if block:
            key = data.draw(st.sampled_from(keys(block)))
            block[key] = data.draw(JUNK | st.just({"$ref": "#/components/schemas/s/type/x"}))

    specification, problems = parse_specification(json.dumps(whole).encode(), "x.json")

    assert (specification is None) == any(each.severity is Severity.ERROR for each in problems)
    assert {each.code for each in problems} <= CODES.keys()
