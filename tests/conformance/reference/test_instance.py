"""Instances made from schemas, and what the server leans on in the validator."""

from __future__ import annotations

from typing import Any

import pytest
from authcontract_conformance.samples._instance import instance
from authcontract_conformance.samples._regex import matching
from authcontract_conformance.samples._schema import Direction, translate, validator


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 3}, 3),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "example": "e", "default": "d"}, "e"),
        ({"type": "string", "examples": [1, "e"]}, "e"),
        ({"type": "integer", "example": "no integer"}, 0),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"type": "string", "pattern": "^[a-f]{3}-\\d+$"}, "aaa-0"),
        ({"type": ["null", "integer"], "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5}, 5 * 2),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"items": {"type": "integer"}, "minItems": 2, "uniqueItems": True}, [0, 1]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True}, ["text", "text1"]),
        ({"required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, {"a": "text"}),
        ({"type": "object", "minProperties": 1, "properties": {"a": {"type": "integer"}}}, {"a": 0}),
        ({"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 1}}}]}, {"a": 1}),
        ({"oneOf": [{"type": "string", "maxLength": 0}, {"type": "integer"}]}, ""),
        ({"type": "object", "anyOf": [False, {"required": ["x"]}]}, {"x": {}}),
    ],
)
def test_an_instance_is_small_and_valid(schema: dict[str, Any], expected: Any) -> None:
    found = instance(schema)

    assert found == expected
    assert validator(schema).is_valid(found)


def test_what_lies_too_deep_is_left_to_chance() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(30):
        schema = {"type": "object", "required": ["a"], "properties": {"a": schema}}

    assert list(instance(schema)) == ["a"]


@pytest.mark.parametrize(
    ("pattern", "least", "text"),
    [
        ("^sk_[a-z0-9]{4}$", 0, "sk_aaaa"),
        ("^(foo|bar)?[^a-c]x*$", 0, "d"),
        ("^a+$", 3, "aaa"),
        (r"^\w\s\D\S\W.$", 0, "a aa-a"),
        ("a(?=b)", 0, None),
        ("(", 0, None),
        ("^a$", 3, None),
    ],
)
def test_a_pattern_is_met_by_walking_along_it(pattern: str, least: int, text: str | None) -> None:
    assert matching(pattern, least) == text


@pytest.mark.parametrize(
    ("schema", "direction", "valid", "invalid"),
    [
        ({"type": "string", "nullable": True}, "request", [None, "a"], [1]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, "request", ["a"], [None]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, "response", ["a", None], ["b"]),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "request", [2], [1]),
        ({"type": "integer", "maximum": 1, "exclusiveMaximum": False}, "request", [1], [2]),
        ({"properties": {"a": {"readOnly": True}}, "required": ["a"]}, "request", [{}], [{"a": 1}]),
        ({"properties": {"a": {"readOnly": True}}, "required": ["a"]}, "response", [{"a": 1}], [{}]),
        ({"properties": {"a": {"writeOnly": True}}, "required": ["a"]}, "response", [{}], [{"a": 1}]),
        ({"allOf": [{"properties": {"a": {"readOnly": True}}}], "required": ["a"]}, "request", [{}], [{"a": 1}]),
        ({"pattern": "("}, "request", ["anything"], []),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["a", "b"]}], "discriminator": {"propertyName": "a"}},
            "request",
            [{"a": 1, "b": 1}],
            [{}],
        ),
    ],
)
def test_openapi_is_read_for_one_direction(
    schema: dict[str, Any], direction: Direction, valid: list[Any], invalid: list[Any]
) -> None:
    check = validator(translate(schema, direction))

    assert [check.is_valid(value) for value in valid] == [True] * len(valid)
    assert [check.is_valid(value) for value in invalid] == [False] * len(invalid)


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date-time", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z"),
        ("email", "a@b.example", "a"),
        ("uuid", "00000000-0000-4000-8000-000000000000", "0"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("unknown", "anything", None),
    ],
)
def test_the_validator_checks_formats(format_: str, good: str, bad: str | None) -> None:
    """A contract with `jsonschema_rs`: formats count, unknown ones do not, a broken schema accepts everything."""
    check = validator({"type": "string", "format": format_})

    assert check.is_valid(good)
    assert bad is None or not check.is_valid(bad)
    assert validator({"type": 5}).is_valid("anything")
