"""Whether a request's parameters and body are what the operation documents; looked at only for a caller who may."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from authcontract_policy import Operation, Parameter, Specification, inline
from jsonschema_rs import Draft202012Validator

from authcontract_conformance.samples._instance import kind, merged
from authcontract_conformance.samples._schema import Schema, translate, validator

from ._http import Lines
from ._shape import is_json

#: Header parameters that OpenAPI ignores: other parts of the document describe them.
_DESCRIBED_ELSEWHERE: Final = frozenset({"accept", "content-type", "authorization"})
#: What an unreadable value becomes: nothing that any schema of ours accepts.
_UNREADABLE: Final = object()
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Content:
    """What a request carries, once it was looked at."""

    valid: bool
    #: The decoded body; None where there is none or it is no structure.
    body: Any = None


@dataclass(frozen=True, slots=True)
class _Checked:
    parameter: Parameter
    schema: Schema
    check: Draft202012Validator


class Validation:
    """The checks of every operation, each compiled when it is first wanted."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._parameters: dict[str, tuple[_Checked, ...]] = {}
        self._bodies: dict[tuple[str, str], tuple[Schema, Draft202012Validator]] = {}

    def look(
        self, operation: Operation, path: Mapping[str, str], target: bytes, headers: Lines, body: bytes
    ) -> Content:
        """Return whether the documented parts of a request are valid, and its body decoded."""
        if not self._parameters_fit(operation, path, target, headers):
            return Content(valid=False)
        return self._body(operation, _media_type(headers), body)

    def parameter(self, operation: Operation, name: str) -> Schema:
        """Return the schema of a path parameter; any value will do for one that is not declared."""
        found = (each for each in self._declared(operation) if each.parameter.where == "path")
        return next((each.schema for each in found if each.parameter.name == name), {})

    def accepts(self, operation: Operation, name: str, text: str) -> bool:
        """Tell whether a path parameter may have this value."""
        found = (each for each in self._declared(operation) if each.parameter.where == "path")
        return all(_fits(each.check, decode(each.schema, [text])) for each in found if each.parameter.name == name)

    def _declared(self, operation: Operation) -> tuple[_Checked, ...]:
        found = self._parameters.get(operation.id)
        if found is None:
            schemas = [
                (parameter, translate(inline(self._specification, parameter.schema), "request"))
                for parameter in operation.parameters
                if not (parameter.where == "header" and parameter.name.lower() in _DESCRIBED_ELSEWHERE)
            ]
            found = tuple(_Checked(parameter, schema, validator(schema)) for parameter, schema in schemas)
            self._parameters[operation.id] = found
        return found

    def _parameters_fit(self, operation: Operation, path: Mapping[str, str], target: bytes, headers: Lines) -> bool:
        query: dict[str, list[str]] | None = None
        for checked in self._declared(operation):
            parameter = checked.parameter
            match parameter.where:
                case "path":
                    values = [path[parameter.name]] if parameter.name in path else []
                case "query":
                    query = _query(target) if query is None else query
                    values = query.get(parameter.name) or query.get(f"{parameter.name}[]", [])
                case "header":
                    name = parameter.name.lower().encode()
                    values = [value.strip(b" \t").decode("latin-1") for key, value in headers if key.lower() == name]
                case _:
                    continue
            if not values:
                if parameter.required and not _is_object(checked.schema):
                    return False
            elif not _fits(checked.check, decode(checked.schema, values)):
                return False
        return True

    def _body(self, operation: Operation, media_type: str, body: bytes) -> Content:
        if not operation.request_body:
            return Content(valid=True)
        if not body and not operation.body_required:
            return Content(valid=True)
        documented = _documented(operation.request_body, media_type)
        if documented is None:
            return Content(valid=False)
        schema, check = self._compiled(operation, documented)
        if is_json(documented):
            value = _json(body)
        elif documented.startswith(_FORM):
            value = _form(schema, body)
        else:
            return Content(valid=True)  # bytes, or a form of several parts: nothing to hold against a schema
        if value is _UNREADABLE or not _fits(check, value):
            return Content(valid=False)
        return Content(valid=True, body=value)

    def _compiled(self, operation: Operation, media_type: str) -> tuple[Schema, Draft202012Validator]:
        key = (operation.id, media_type)
        if key not in self._bodies:
            schema = translate(inline(self._specification, operation.request_body[media_type]), "request")
            self._bodies[key] = (schema, validator(schema))
        return self._bodies[key]


def decode(schema: Schema, texts: list[str]) -> Any:
    """Return the value that texts of a path, query or header stand for under a schema (OpenAPI's usual styles)."""
    whole = merged(schema) if isinstance(schema, Mapping) else {}
    wanted = _kinds(whole)
    if "array" in wanted:
        items = whole.get("items", {})
        parts = texts if len(texts) > 1 else texts[0].split(",")
        return [decode(items if isinstance(items, dict | bool) else {}, [part]) for part in parts]
    text = texts[-1]
    number = _number(text, fractions="number" in wanted) if {"integer", "number"} & wanted else None
    if number is not None:
        return number
    if "boolean" in wanted and text in {"true", "false"}:
        return text == "true"
    if "null" in wanted and text in {"", "null"}:
        return None
    if wanted == {"object"}:
        value = _json(text.encode())
        return text if value is _UNREADABLE else value
    return text


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """Return every type that a value of this schema may have, as far as it says."""
    stated = schema.get("type")
    if isinstance(stated, str):
        return {stated}
    if isinstance(stated, list):
        return {str(each) for each in stated}
    options: Iterable[Any] = (*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ()))
    found = {name for each in options if isinstance(each, Mapping) for name in _kinds(merged(each))}
    return found or {kind(schema)}


def _is_object(schema: Schema) -> bool:
    """Tell whether a parameter is an object, whose members may travel as parameters of their own."""
    return isinstance(schema, Mapping) and "object" in _kinds(merged(schema))


def _number(text: str, *, fractions: bool) -> int | float | None:
    try:
        if text.isascii() and text.removeprefix("-").isdecimal():
            return int(text)
        return _finite(text) if fractions else None
    except ValueError:
        return None  # also thousands of digits, which `int` refuses


def _finite(text: str) -> float:
    """Return a number that JSON can say again; raises `ValueError` for infinity and for no number at all."""
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def _refuse_constant(text: str) -> float:
    """Refuse NaN and Infinity, which are no JSON (RFC 8259 section 6)."""
    raise ValueError(text)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_float=_finite, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _form(schema: Schema, body: bytes) -> Any:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
    except ValueError:
        return _UNREADABLE
    properties = merged(schema).get("properties", {}) if isinstance(schema, Mapping) else {}
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return {name: decode(properties.get(name, {}), values) for name, values in gathered.items()}


def _query(target: bytes) -> dict[str, list[str]]:
    """Return the query's values by name; bytes that are no UTF-8 stay visible as such and fit nothing."""
    found: dict[str, list[str]] = {}
    for pair in target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        found.setdefault(_unquote(name), []).append(_unquote(value))
    return found


def _unquote(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")


def _fits(check: Draft202012Validator, value: Any) -> bool:
    try:
        return check.is_valid(value)
    except (ValueError, OverflowError, UnicodeError):
        return False  # a value that the validator cannot even take, such as half of a surrogate pair


def _media_type(headers: Lines) -> str:
    for name, value in headers:
        if len(name) == 12 and name.lower() == b"content-type":  # noqa: PLR2004  the length spares most lines a copy
            return value.partition(b";")[0].strip(b" \t").lower().decode("latin-1")
    return ""


def _documented(documented: Mapping[str, Any], media_type: str) -> str | None:
    """Return the documented media type that a request's is, or None."""
    for each in documented:
        essence = each.partition(";")[0].strip().lower()
        if essence in {media_type, "*/*"} or (essence.endswith("/*") and media_type.startswith(essence[:-1])):
            return each
    return None
