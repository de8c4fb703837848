"""OpenAPI schemas as JSON Schema draft 2020-12, for one direction, and validators made from them.

`jsonschema_rs` judges here, because Schemathesis judges with it too: the server and its tester must agree on what a
valid `date-time` is. It is also some forty times faster than the pure Python validator.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from jsonschema_rs import Draft202012Validator, ValidationError

Direction: TypeAlias = Literal["request", "response"]
Schema: TypeAlias = dict[str, Any] | bool

#: Who may not appear in which direction (OpenAPI 3.1, "readOnly" and "writeOnly").
_FORBIDDEN: Final[Mapping[Direction, str]] = {"request": "readOnly", "response": "writeOnly"}
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else", "unevaluatedProperties"}
)
#: Words that a schema may carry for people; they would only make the copies larger.
_PROSE: Final = frozenset({"description", "title", "externalDocs", "xml", "discriminator", "deprecated"})


def translate(schema: Any, direction: Direction) -> Schema:
    """Return the schema (references written out already) as draft 2020-12 for requests or for responses."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping):
        return {}
    found: dict[str, Any] = {}
    for word, value in schema.items():
        if word in _MAPS and isinstance(value, Mapping):
            found[word] = {name: translate(inner, direction) for name, inner in value.items()}
        elif word in _LISTS and isinstance(value, list):
            found[word] = [translate(inner, direction) for inner in value]
        elif word in _SINGLE and isinstance(value, Mapping | bool):
            found[word] = translate(value, direction)
        elif word == "pattern":
            if isinstance(value, str) and _compiles(value):
                found[word] = value
        elif word not in _PROSE and not word.startswith("x-"):
            found[word] = value
    _discriminated(found, schema)
    _bounds(found)
    _forbid(found, schema, direction)
    return _nullable(found, direction)


def _discriminated(schema: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Let one of several alternatives do where a property picks it.

    As JSON Schema reads `oneOf`, alternatives that overlap without regard to that property would refuse everything.
    """
    if "discriminator" in source and "oneOf" in schema and "anyOf" not in schema:
        schema["anyOf"] = schema.pop("oneOf")


def _bounds(schema: dict[str, Any]) -> None:
    """Turn the exclusive bounds of OpenAPI 3.0, which are true or false, into numbers."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and bound in schema:
                schema[exclusive] = schema.pop(bound)


def _forbid(schema: dict[str, Any], source: Mapping[str, Any], direction: Direction) -> None:
    """Forbid what belongs to the other direction only, and do not require it."""
    word = _FORBIDDEN[direction]
    properties = source.get("properties")
    if isinstance(properties, Mapping):
        for name, inner in properties.items():
            if _is_marked(inner, word):
                schema["properties"][name] = False
    required = schema.get("required")
    if isinstance(required, list):
        forbidden = set(_forbidden(source, word))
        schema["required"] = [name for name in required if name not in forbidden]
    elif required is not None:
        del schema["required"]  # `required: true` beside a property is no JSON Schema


def _is_marked(schema: Any, word: str) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return schema.get(word) is True or any(_is_marked(inner, word) for inner in schema.get("allOf") or ())


def _forbidden(schema: Any, word: str) -> set[str]:
    """Return the properties marked in a schema or in any branch that it consists of."""
    if not isinstance(schema, Mapping):
        return set()
    properties = schema.get("properties")
    found = (
        {n for n, inner in properties.items() if _is_marked(inner, word)} if isinstance(properties, Mapping) else set()
    )
    return found.union(*(_forbidden(inner, word) for inner in schema.get("allOf") or ()))


def _nullable(schema: dict[str, Any], direction: Direction) -> Schema:
    """Let null in where OpenAPI 3.0 says `nullable`; an `enum` without null still forbids it in a request."""
    if schema.pop("nullable", None) is not True:
        return schema
    choices = schema.get("enum")
    if direction == "request" and isinstance(choices, list) and None not in choices:
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


@lru_cache(maxsize=1024)
def _compiles(pattern: str) -> bool:
    """Tell whether a pattern is one; a specification's typing error must not make every value invalid."""
    try:
        Draft202012Validator({"pattern": pattern})
    except (ValidationError, ValueError):
        return False
    return True


def validator(schema: Schema) -> Draft202012Validator:
    """Return a validator that checks formats too; a schema that is none lets everything pass."""
    try:
        return Draft202012Validator(schema, validate_formats=True)
    except (ValidationError, ValueError):
        return Draft202012Validator(True)  # noqa: FBT003  the schema `true`
