"""The specification in the forms that tools can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

SPECIFICATION = Path(__file__).parents[2] / "specs" / "synaptiq.openapi.yaml"


def write(folder: Path) -> None:
    """Write it as JSON, and as JSON of OpenAPI 3.0 for tools that know no newer one."""
    # The loader in C reads a flow sequence that ends in `?]`, as YAML has it; the one in Python does not.
    document = yaml.load(SPECIFICATION.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    (folder / "api.json").write_text(json.dumps(document, indent=1))
    old = _older(document)
    old["openapi"] = "3.0.3"
    del old["info"]["summary"]
    for path in old["paths"].values():
        for operation in path.values():
            for content in _bodies(operation):
                content["example"] = _example(content["schema"], old)
    (folder / "api-3.0.json").write_text(json.dumps(old, indent=1))


def _bodies(operation: Any) -> list[Any]:
    body = operation.get("requestBody") if isinstance(operation, dict) else None
    return list(body["content"].values()) if body else []


def _older(value: Any) -> Any:
    """Return a part of the specification in the words of OpenAPI 3.0."""
    if isinstance(value, list):
        return [_older(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {name: _older(item) for name, item in value.items() if not name.startswith("x-")}
    if "$ref" not in result and isinstance(result.get("schema"), dict):
        examples = result["schema"].get("example")
        if "in" in result and examples is not None:
            result["example"] = examples
    if isinstance(result.get("examples"), list):
        result["example"] = result.pop("examples")[0]
    if isinstance(result.get("type"), list):
        result["type"] = next(kind for kind in result["type"] if kind != "null")
        result["nullable"] = True
    if "const" in result:
        result["enum"] = [result.pop("const")]
    return result


def _example(schema: Any, document: Any) -> Any:
    """Return a value of a schema, made of the examples of its parts."""
    if "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _example(target, document)
    if "example" in schema:
        return schema["example"]
    match schema:
        case {"enum": [first, *_]}:
            return first
        case {"properties": properties}:
            wanted = schema.get("required") or list(properties)[:1]
            return {name: _example(properties[name], document) for name in wanted}
        case {"items": items}:
            return [_example(items, document)]
    return "text"
