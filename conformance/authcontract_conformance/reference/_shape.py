"""The documented answer of an operation: its status and media type, and where an item or a list stands in its body."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authcontract_policy import Operation, Specification, inline
from jsonschema_rs import Draft202012Validator

from authcontract_conformance.samples._instance import instance, kind, merged
from authcontract_conformance.samples._schema import Schema, translate, validator

#: Fields that show when an item was made and last changed.
CREATED: Final = ("created_at", "created", "createdAt", "created_on", "inserted_at")
UPDATED: Final = ("updated_at", "updated", "updatedAt", "updated_on", "modified_at", "last_modified")
_SCALAR: Final = frozenset({"string", "integer", "number", "any"})
_COUNTS: Final = ("total", "count", "total_count", "totalCount")
_NOTHING_BELOW: Final[Mapping[str, Any]] = {}


def identifiers(parameter: str) -> tuple[str, ...]:
    """Return the fields that may hold the value of a path parameter, likeliest first."""
    parts = (parameter, "id", parameter.removesuffix("_id"), parameter.rpartition("_")[2], "uuid", "name", "slug")
    return tuple(dict.fromkeys(parts))


def _identifying(properties: Mapping[str, Any], parameter: str) -> list[str]:
    """Return those properties that can hold the value of a path parameter, likeliest first."""
    named = [name for name in identifiers(parameter) if properties.get(name, False) is not False]
    return [name for name in named if kind(_one(properties[name])) in _SCALAR]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The schema of one object, as something to fill in."""

    schema: Schema
    properties: Mapping[str, Any]
    #: What fields beyond the properties must be; False: there may be none.
    others: Schema
    #: Field that holds the identifier; None: nothing in it does.
    identifier: str | None
    check: Draft202012Validator
    #: The smallest object; whatever is known replaces parts of it.
    start: Any
    _checks: dict[str, Draft202012Validator] = field(default_factory=dict)

    def accepts(self, name: str, value: Any) -> bool:
        """Tell whether a field may stand in this object with this value."""
        if name not in self._checks:
            self._checks[name] = validator(self.properties.get(name, self.others))
        return self._checks[name].is_valid(value)

    def fill(self, fields: Mapping[str, Any], known: Mapping[str, Any], identifier: str | None) -> Any:
        """Return the object with these fields as far as its schema accepts them, the rest as small as it may be.

        What is `known` besides goes only into properties that the schema names.
        """
        start = self.start
        if not isinstance(start, dict):
            return start
        given = {name: value for name, value in fields.items() if self.accepts(name, value)}
        besides = {n: v for n, v in known.items() if n in self.properties and n not in given and self.accepts(n, v)}
        named = {} if identifier is None else self.identified(identifier)
        for attempt in ({**besides, **given, **named}, {**given, **named}, named, {}):
            filled = {**copy.deepcopy(start), **attempt}
            if self.check.is_valid(filled):
                return filled
        return start

    def identified(self, identifier: str) -> dict[str, Any]:
        """Return the field that holds this identifier; empty where the schema has no room for it."""
        if self.identifier is None:
            return {}
        candidates: list[Any] = [identifier]
        if identifier.removeprefix("-").isdecimal():
            candidates.append(int(identifier))
        return next(({self.identifier: v} for v in candidates if self.accepts(self.identifier, v)), {})


def view(schema: Schema, parameter: str = "id") -> View:
    """Return the object schema as something to fill in; `parameter` names the path parameter that holds its id."""
    whole = _one(schema)
    properties = whole.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    others = whole.get("additionalProperties", whole.get("unevaluatedProperties", True))
    found = next(iter(_identifying(properties, parameter)), None)
    return View(
        schema=schema,
        properties=properties,
        others=others if isinstance(others, dict | bool) else True,
        identifier=found or ("id" if others is not False and kind(whole) in {"object", "any"} else None),
        check=validator(schema),
        start=instance(schema),
    )


def _one(schema: Any) -> dict[str, Any]:
    """Return a schema without alternatives: the first of them that is not null, merged with what stands beside."""
    if not isinstance(schema, Mapping):
        return {}
    whole = merged(schema)
    for word in ("oneOf", "anyOf"):
        options = [each for each in whole.get(word) or () if isinstance(each, Mapping) and each.get("type") != "null"]
        if options and "properties" not in whole:
            rest = {name: value for name, value in whole.items() if name != word}
            return _one({"allOf": [rest, options[0]]})
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The documented successful answer of an operation."""

    status: int
    media_type: str | None
    schema: Schema
    #: Names that lead from the body to the object or the list; empty: it is the body.
    place: tuple[str, ...]
    #: Whether a list stands there.
    many: bool
    #: The object, or one of the list.
    item: View
    #: Fields beside the list that say how many there are.
    counts: tuple[str, ...]
    #: Most items that the list may have.
    most: int
    check: Draft202012Validator
    #: The smallest body.
    start: Any

    def body(self, content: Any) -> Any:
        """Return the whole body with the object or list in its place; without it where the schema refuses that."""
        whole = self.start
        filled = content
        if self.place:
            count = dict.fromkeys(self.counts, len(content)) if self.many else {}
            filled = {**whole, **count, self.place[0]: content} if isinstance(whole, dict) else whole
        return filled if self.check.is_valid(filled) else whole

    def encode(self, body: Any) -> bytes:
        """Return the bytes of a body in the documented media type."""
        if self.media_type is None:
            return b""
        if is_json(self.media_type):
            return json.dumps(body, separators=(",", ":")).encode()
        return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON."""
    essence = media_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json") or essence == "*/*"


class Shapes:
    """The shape of every operation, each made when it is first wanted."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._shapes: dict[tuple[str, str], Shape] = {}

    def of(self, operation: Operation, parameter: str = "id") -> Shape:
        """Return the shape of an operation's answer; `parameter` names the path parameter that holds an item's id."""
        key = (operation.id, parameter)
        if key not in self._shapes:
            self._shapes[key] = self._make(operation, parameter)
        return self._shapes[key]

    def lists(self, operation: Operation) -> bool:
        """Tell whether the documented answer has room for a list."""
        return operation.method == "GET" and self.of(operation).many

    def _make(self, operation: Operation, parameter: str) -> Shape:
        status, content = _success(operation)
        media_type = next((kind_ for kind_ in content if is_json(kind_)), next(iter(content), None))
        raw = {} if media_type is None else inline(self._specification, content[media_type])
        schema = translate(raw, "response")
        segment = operation.resource.rpartition("/")[2]
        place, many, inner = _place(schema, parameter, segment, many=operation.method == "GET")
        whole = _one(inner)
        items = whole.get("items", {}) if many else inner
        most = whole.get("maxItems") if many else None
        return Shape(
            status=status,
            media_type="application/json" if media_type == "*/*" else media_type,
            schema=schema,
            place=place,
            many=many,
            item=view(items if isinstance(items, dict | bool) else {}, parameter),
            counts=tuple(name for name in _COUNTS if name in _one(schema).get("properties", {})),
            most=most if isinstance(most, int) else _PAGE,
            check=validator(schema),
            start=instance(schema),
        )


#: Items in one answer of a list, the newest first; a test that makes more reads them one by one.
_PAGE: Final = 200


def _success(operation: Operation) -> tuple[int, Mapping[str, Any]]:
    """Return the first documented success; 200 where `2XX` or `default` is all that there is."""
    for status, content in operation.responses.items():
        if status.isdecimal() and 200 <= int(status) < 300:  # noqa: PLR2004  RFC 9110 section 15.3
            return int(status), content
    for status in ("2XX", "2xx", "default"):
        if status in operation.responses:
            return 200, operation.responses[status]
    return 204, _NOTHING_BELOW


def _place(schema: Schema, parameter: str, segment: str, *, many: bool) -> tuple[tuple[str, ...], bool, Any]:
    """Return where the list (if `many`) or the object stands in a body, whether it is a list, and its schema."""
    whole = _one(schema)
    properties = whole.get("properties")
    inner = {n: s for n, s in properties.items() if s is not False} if isinstance(properties, Mapping) else {}
    if many:
        if kind(whole) == "array":
            return (), True, schema
        lists = [name for name, each in inner.items() if kind(_one(each)) == "array" and _holds_objects(each)]
        if lists and not (_identifying(inner, parameter) and segment not in lists):
            name = segment if segment in lists else lists[0]
            return (name,), True, inner[name]
    if _identifying(inner, parameter):
        return (), False, schema
    objects = [name for name, each in inner.items() if kind(_one(each)) == "object"]
    for name in objects:
        below = _one(inner[name]).get("properties")
        if isinstance(below, Mapping) and _identifying(below, parameter):
            return (name,), False, inner[name]
    return (), False, schema


def _holds_objects(schema: Any) -> bool:
    return kind(_one(_one(schema).get("items", {}))) in {"object", "any"}


def stamps(created: str, updated: str) -> Mapping[str, str]:
    """Return the fields that show when an item was made and last changed."""
    return {**dict.fromkeys(CREATED, created), **dict.fromkeys(UPDATED, updated)}
