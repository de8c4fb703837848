"""Keep the facts of DigitalOcean's specification and nothing that somebody wrote to be read.

    python specs/make_digitalocean_facts.py bundled.json > specs/digitalocean.openapi.json

What stays: servers, paths, methods, operationIds, tags, parameters, schemas, security, status codes. What goes:
descriptions, titles, summaries, samples, links, every `x-` word, and whatever nothing refers to afterwards.
The same input gives the same bytes.
"""

# ruff: noqa: INP001  a script that stands beside what it makes, not part of a package

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
#: Schema words that bind a value; they are copied as they stand.
PLAIN: Final = frozenset(
    {
        *("type", "format", "enum", "const", "pattern", "required", "nullable", "readOnly", "writeOnly", "deprecated"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    }
)
#: Schema words that hold one schema, schemas by name, and a list of schemas.
ONE: Final = frozenset({"items", "additionalProperties", "not"})
NAMED: Final = frozenset({"properties", "patternProperties"})
SEVERAL: Final = frozenset({"allOf", "anyOf", "oneOf"})
#: A longer text is a sample or a sentence; one with a space in it is prose.
SHORT: Final = 40
#: The kind of component that is named without a `$ref`.
SCHEMES: Final = "securitySchemes"


def facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification without its prose."""
    paths = {path: _path(item) for path, item in document["paths"].items()}
    source = document.get("components", {})
    components = {
        "parameters": _each(source, "parameters", _parameter),
        "headers": _each(source, "headers", _header),
        "schemas": _each(source, "schemas", _schema),
        "requestBodies": _each(source, "requestBodies", _body),
        "responses": _each(source, "responses", _response),
    }
    schemes = {name: _some(scheme, "type", "scheme") for name, scheme in source[SCHEMES].items()}
    return {
        "openapi": document["openapi"],
        "info": {
            "title": "DigitalOcean API, facts only",
            "version": str(document["info"]["version"]),
            "description": "Made by make_digitalocean_facts.py from the specification that DigitalOcean publishes.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0.html"},
        },
        "servers": [_server(server) for server in document["servers"]],
        "security": document.get("security", []),
        "paths": paths,
        "components": {SCHEMES: schemes, **_used(paths, components)},
    }


def _each(source: Mapping[str, Any], kind: str, keep: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: keep(value) for name, value in source.get(kind, {}).items()}


def _some(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return these fields of an object, as far as it has them."""
    return {name: value[name] for name in names if name in value}


def _server(server: Mapping[str, Any]) -> dict[str, Any]:
    kept = _some(server, "url")
    variables = {name: _some(value, "default", "enum") for name, value in server.get("variables", {}).items()}
    return {**kept, "variables": variables} if variables else kept


def _path(item: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {method: _operation(item[method]) for method in METHODS if method in item}
    return {**_shared(item), **kept}


def _shared(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a path and an operation may both declare."""
    kept: dict[str, Any] = {}
    if block.get("servers"):
        kept["servers"] = [_server(server) for server in block["servers"]]
    if block.get("parameters"):
        kept["parameters"] = [_parameter(parameter) for parameter in block["parameters"]]
    return kept


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    kept = {**_some(operation, "operationId", "tags", "security", "deprecated"), **_shared(operation)}
    if "requestBody" in operation:
        kept["requestBody"] = _body(operation["requestBody"])
    kept["responses"] = {status: _response(response) for status, response in operation["responses"].items()}
    return kept


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in parameter:
        return _some(parameter, "$ref")
    kept = _some(parameter, "name", "in", "required", "style", "explode", "allowReserved")
    if "content" in parameter:
        return {**kept, "content": _content(parameter["content"])}
    # A value that names something is a fact about the path; it moves to where every reader of schemas looks for it.
    # One that a path would have to encode is a slip of the source: some stand in quotation marks.
    shown = parameter.get("example", parameter.get("schema", {}).get("example"))
    named = parameter["in"] == "path" and _is_short(shown) and quote(str(shown), safe=":") == str(shown)
    example = {"example": shown} if named else {}
    return {**kept, "schema": {**_schema(parameter.get("schema", {})), **example}}


def _header(header: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in header:
        return _some(header, "$ref")
    return {**_some(header, "required"), "schema": _schema(header.get("schema", {}))}


def _body(body: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in body:
        return _some(body, "$ref")
    return {**_some(body, "required"), "content": _content(body["content"])}


def _response(response: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in response:
        return _some(response, "$ref")
    kept: dict[str, Any] = {"description": ""}  # OpenAPI demands the word
    if response.get("headers"):
        kept["headers"] = {name: _header(header) for name, header in response["headers"].items()}
    if response.get("content"):
        kept["content"] = _content(response["content"])
    return kept


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    return {media: {"schema": _schema(body["schema"])} if "schema" in body else {} for media, body in content.items()}


def _schema(schema: Any) -> Any:
    """Return what a schema demands of a value."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _some(schema, "$ref")  # OpenAPI 3.0 ignores what stands beside a reference
    kept: dict[str, Any] = {}
    for word, value in schema.items():
        if word in PLAIN or (word == "default" and _is_short(value)):
            kept[word] = value
        elif word in ONE:
            kept[word] = _schema(value)
        elif word in NAMED:
            kept[word] = {name: _schema(inner) for name, inner in value.items()}
        elif word in SEVERAL:
            kept[word] = [_schema(inner) for inner in value]
        elif word == "discriminator":
            kept[word] = _some(value, "propertyName", "mapping")
    return kept


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= SHORT and not any(character.isspace() for character in value)
    return isinstance(value, bool | int | float)


def _used(paths: Mapping[str, Any], components: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the components that something refers to, directly or through others."""
    wanted: set[tuple[str, str]] = set()
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/", 1)
        if (kind, name) not in wanted:
            wanted.add((kind, name))
            waiting += _references(components[kind][name])
    kept = {kind: {name: v for name, v in all_.items() if (kind, name) in wanted} for kind, all_ in components.items()}
    return {kind: some for kind, some in kept.items() if some}


def _references(value: Any) -> Iterator[str]:
    """Yield every reference below a value, those of a discriminator's mapping among them."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
    elif isinstance(value, str) and value.startswith("#/components/"):
        yield value


def text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON with one path or component a line: a new version changes few lines."""
    return _block({**document, "paths": _Lines(document["paths"]), "components": _components(document)}, "") + "\n"


class _Lines(dict[str, Any]):
    """An object of which each member stands on a line of its own."""


def _components(document: Mapping[str, Any]) -> _Lines:
    return _Lines({kind: _Lines(members) for kind, members in document["components"].items()})


def _block(members: Mapping[str, Any], indent: str) -> str:
    lines = [
        f"{indent} {json.dumps(name)}: "
        + (_block(value, indent + " ") if isinstance(value, _Lines) else json.dumps(value, separators=(",", ":")))
        for name, value in members.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n" + indent + "}"


if __name__ == "__main__":
    sys.stdout.write(text(facts(json.loads(Path(sys.argv[1]).read_bytes()))))
