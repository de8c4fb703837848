"""The smallest valid instance of a JSON schema, always the same: what stands where nothing better is known.

Objects get their required properties, arrays their least number of items, texts a value of their format or pattern.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from authcontract_conformance.samples._regex import matching
from authcontract_conformance.samples._schema import Schema, validator

#: Deeper structures are recursive by design; what lies below may be anything there.
_DEPTH: Final = 16
#: Alternatives of one `oneOf` that are tried.
_TRIES: Final = 12

_FORMATS: Final[Mapping[str, str]] = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "iri": "https://example.com/",
    "uri-reference": "/",
    "iri-reference": "/",
    "uri-template": "/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": ".*",
    "byte": "",
    "binary": "",
}


def instance(schema: Schema, depth: int = 0) -> Any:
    """Return a value that the schema accepts, as far as one is found."""
    if isinstance(schema, bool) or depth > _DEPTH:
        return None
    schema = merged(schema)
    if "const" in schema:
        return schema["const"]
    check = validator(schema)
    value = None
    for value in _candidates(schema, depth):
        if check.is_valid(value):
            break
    return value


def _candidates(schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
    examples = schema.get("examples")
    if "example" in schema:
        yield schema["example"]
    if isinstance(examples, list):
        yield from examples
    if "default" in schema:
        yield schema["default"]
    choices = schema.get("enum")
    if isinstance(choices, list):
        yield from choices
    yield from _alternatives(schema, depth)


def _alternatives(schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
    for word in ("oneOf", "anyOf"):
        options = schema.get(word)
        if isinstance(options, list):
            rest = {name: value for name, value in schema.items() if name != word}
            for option in options[:_TRIES]:
                yield instance({"allOf": [rest, option]}, depth + 1)
            return
    yield _plain(schema, depth)


def merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without `allOf`: what its branches say, in one."""
    result = {word: value for word, value in schema.items() if word != "allOf"}
    for branch in schema.get("allOf") or ():
        if isinstance(branch, Mapping):
            _add(result, merged(branch))
    return result


def _add(whole: dict[str, Any], branch: Mapping[str, Any]) -> None:
    for word, value in branch.items():
        have = whole.get(word)
        if have is None or have == value:
            whole[word] = value
        elif word in {"properties", "patternProperties"}:
            both = {name: {"allOf": [have[name], value[name]]} for name in have.keys() & value.keys()}
            whole[word] = {**have, **value, **both}
        elif word == "required":
            whole[word] = list(dict.fromkeys([*have, *value]))
        elif word in {"minimum", "minLength", "minItems", "minProperties"}:
            whole[word] = max(have, value)
        elif word in {"maximum", "maxLength", "maxItems", "maxProperties"}:
            whole[word] = min(have, value)
        elif word == "enum":
            whole[word] = [choice for choice in have if choice in value]
        elif word in {"oneOf", "anyOf"} and word == "oneOf" and "anyOf" not in whole:
            whole["anyOf"] = value  # one of two lists of alternatives has to do; the validator sees both


def kind(schema: Mapping[str, Any]) -> str:
    """Return the type that an instance should have; null only where nothing else is allowed."""
    stated = schema.get("type")
    if isinstance(stated, list):
        stated = next((name for name in stated if name != "null"), "null")
    if isinstance(stated, str):
        return stated
    for word, name in (
        ("properties", "object"),
        ("required", "object"),
        ("additionalProperties", "object"),
        ("items", "array"),
        ("minimum", "number"),
        ("maximum", "number"),
    ):
        if word in schema:
            return name
    return "string" if {"pattern", "format", "minLength", "maxLength"} & schema.keys() else "any"


def _plain(schema: Mapping[str, Any], depth: int) -> Any:
    match kind(schema):
        case "object":
            return _object(schema, depth)
        case "array":
            return _array(schema, depth)
        case "integer":
            return _number(schema, whole=True)
        case "number":
            return _number(schema, whole=False)
        case "boolean":
            return False
        case "null":
            return None
        case "string":
            return _text(schema)
        case _:
            return {}


def _object(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    others = schema.get("additionalProperties", True)
    wanted = list(schema.get("required") or ())
    least = schema.get("minProperties", 0)
    spare = [name for name in properties if name not in wanted and properties[name] is not False]
    wanted += spare[: max(0, least - len(wanted))]
    wanted += [f"property_{number}" for number in range(len(wanted), least)]
    return {name: instance(properties.get(name, others if others is not True else {}), depth + 1) for name in wanted}


def _array(schema: Mapping[str, Any], depth: int) -> list[Any]:
    least = schema.get("minItems", 0)
    first = schema.get("prefixItems") or []
    items = schema.get("items", {})
    found = [instance(first[number] if number < len(first) else items, depth + 1) for number in range(least)]
    if schema.get("uniqueItems"):
        found = [_vary(value, number) for number, value in enumerate(found)]
    return found


def _vary(value: Any, number: int) -> Any:
    """Return another value of the same kind, so that two items of a set differ."""
    if number == 0 or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value + number
    return f"{value}{number}" if isinstance(value, str) else value


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low = schema.get("minimum", -math.inf)
    high = schema.get("maximum", math.inf)
    step = schema.get("multipleOf", 1 if whole else 0)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    gap = step or min(1.0, ((below or high) - (above if above is not None else low)) / 2)
    low = low if above is None else max(low, above + gap)
    high = high if below is None else min(high, below - gap)
    value: float = min(max(0, low), high)
    if step:
        value = math.ceil(value / step) * step
    return int(value) if whole or value == int(value) else value


def _text(schema: Mapping[str, Any]) -> str:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        found = matching(pattern, least)
        if found is not None:
            return found
    text = _FORMATS.get(str(schema.get("format")), "text")
    text += "x" * max(0, least - len(text))
    return text if most is None else text[: int(most)]
