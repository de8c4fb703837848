"""Requests that an operation accepts, made from its schemas: always the same, but for a canary in a free text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from authcontract_policy import Operation, Specification, inline

from authcontract_conformance.exchange._exchange import Need
from authcontract_conformance.samples._instance import instance, merged
from authcontract_conformance.samples._schema import Schema, translate

#: A canary has 23 characters; a field must take at least so many.
CANARY_LENGTH = 23
#: Names of fields in which people write freely, the likeliest to be kept as sent.
FREE_TEXT = ("notes", "note", "description", "comment", "message", "text", "content", "title", "name", "label")
#: Header fields that a request sets itself.
OURS = frozenset({"authorization", "accept", "content-type", "content-length", "host"})
SCOPE_FIELDS = ("scope", "scopes", "permissions", "role")


class Sampler:
    """Valid bodies and parameters for the operations of one specification."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._bodies: dict[str, tuple[str, Schema]] = {}

    @cached_property
    def _writers(self) -> Mapping[str, Operation]:
        """Path -> the operation that changes what stands there."""
        found: dict[str, Operation] = {}
        for method in ("POST", "PUT", "PATCH"):
            found |= {
                op.resource: op for op in self._specification.operations if op.method == method and op.request_body
            }
        return found

    def media_type(self, operation: Operation) -> str:
        """Return the media type in which the operation's body is sent."""
        return self._body(operation)[0]

    def _body(self, operation: Operation) -> tuple[str, Schema]:
        if operation.id not in self._bodies:
            media = next((m for m in operation.request_body if "json" in m), next(iter(operation.request_body), ""))
            schema = operation.request_body.get(media)
            inlined: Schema = {} if schema is None else translate(inline(self._specification, schema), "request")
            self._bodies[operation.id] = (media or "application/json", inlined)
        return self._bodies[operation.id]

    def body(self, operation: Operation, canary: str | None = None) -> bytes:
        """Return a valid body, empty where the operation takes none."""
        if not operation.request_body:
            return b""
        media, schema = self._body(operation)
        value = instance(schema)
        name = _free_text(schema)
        if canary is not None and name is not None and isinstance(value, dict):
            value = {**value, name: canary}
        return _encode(value, media)

    def carries(self, operation: Operation) -> bool:
        """Tell whether a canary can be planted in the operation's body."""
        return bool(operation.request_body) and _free_text(self._body(operation)[1]) is not None

    def fields(self, operation: Operation) -> tuple[str, ...]:
        """Return the names of the fields that the operation's body is documented to have."""
        schema = self._body(operation)[1] if operation.request_body else {}
        return tuple(merged(schema).get("properties", ())) if isinstance(schema, dict) else ()

    def content(self, operation: Operation, method: str, canary: str) -> bytes:
        """Return a body that would change what the operation reads, for a method that may not be documented there."""
        if method in ("GET", "HEAD", "DELETE"):
            return b""
        collection = operation.resource.rpartition("/")[0]
        writer = self._writers.get(operation.resource) or self._writers.get(collection)
        return json.dumps({"name": canary}).encode() if writer is None else self.body(writer, canary)

    def parameter(self, operation: Operation, name: str) -> str:
        """Return a valid value for a path parameter that names nothing that exists."""
        for parameter in operation.parameters:
            if parameter.name == name and parameter.where == "path":
                value = instance(translate(inline(self._specification, parameter.schema), "request"))
                return str(value) if value not in (None, "", {}) else "unknown"
        return "unknown"

    def query(self, operation: Operation) -> str:
        """Return the required query parameters, encoded; empty if there are none."""
        pairs = []
        for name, value in self._required(operation, "query"):
            pairs += [(name, item) for item in (value if isinstance(value, list) else [value])]
        return urlencode([(name, _scalar(value)) for name, value in pairs], quote_via=quote)

    def headers(self, operation: Operation) -> tuple[tuple[str, str], ...]:
        """Return the required header parameters, except those that carry keys or describe the body."""
        found = self._required(operation, "header")
        return tuple((name, _scalar(value)) for name, value in found if name.lower() not in OURS)

    def _required(self, operation: Operation, where: str) -> Iterator[tuple[str, Any]]:
        for parameter in operation.parameters:
            if parameter.where == where and parameter.required:
                yield parameter.name, instance(translate(inline(self._specification, parameter.schema), "request"))

    def scopeless(self, operation: Operation) -> bool:
        """Tell whether the schema of what creates keys lets somebody ask for a key with no scope."""
        schema = self._body(operation)[1]
        properties = merged(schema).get("properties", {}) if isinstance(schema, dict) else {}
        named = [merged(properties[name]) for name in SCOPE_FIELDS if name in properties]
        return bool(named) and all(_many(field) and not field.get("minItems") for field in named)

    def key_body(self, operation: Operation, need: Need, *, bare: bool = False) -> bytes:
        """Return a body that creates a key with these scopes, as far as the schema names a field for them.

        A need without scopes leaves the field as the schema has it, unless it is to be bare: then it asks for none.
        """
        media, schema = self._body(operation)
        value = instance(schema)
        properties = merged(schema).get("properties", {}) if isinstance(schema, dict) else {}
        scopes = sorted(need.scopes)
        for name in SCOPE_FIELDS:
            if name in properties and (scopes or bare) and isinstance(value, dict):
                value = {**value, name: scopes if _many(merged(properties[name])) else " ".join(scopes)}
        return _encode(value, media)


def _free_text(schema: Schema) -> str | None:
    """Return the property in which any text may stand, if there is one."""
    if not isinstance(schema, dict):
        return None
    properties = merged(schema).get("properties")
    if not isinstance(properties, Mapping):
        return None
    free = [name for name, inner in properties.items() if isinstance(inner, dict) and _is_free(merged(inner))]
    return next((name for name in FREE_TEXT if name in free), free[0] if free else None)


def _is_free(schema: Mapping[str, Any]) -> bool:
    bound = {"enum", "const", "format", "pattern", "oneOf", "anyOf", "not"} & schema.keys()
    fits = schema.get("minLength", 0) <= CANARY_LENGTH <= schema.get("maxLength", CANARY_LENGTH)
    return schema.get("type") == "string" and not bound and fits


def _many(field: Mapping[str, Any]) -> bool:
    return "items" in field or field.get("type") == "array"


def _scalar(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list | None) else str(value)


def _encode(value: Any, media: str) -> bytes:
    if media == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode({name: _scalar(inner) for name, inner in value.items()}).encode()
    if "json" not in media and isinstance(value, str):
        return value.encode()
    return json.dumps(value).encode()
