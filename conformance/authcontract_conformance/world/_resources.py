"""Which operation makes, shows and lists the object that another one works on, read off the paths (Decided 3).

`POST /x` makes what `GET /x/{id}` shows and `GET /x` lists; `PATCH /x/{id}` and `POST /x/{id}/send` work on it.
A path without a parameter at its end that can be read and changed (`/organization`) is its own reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from authcontract_policy import Operation, Specification

SUCCESS = ("200", "201", "202", "204", "2XX", "default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How the value of one path parameter is come by."""

    parameter: str
    #: The collection it names a member of, e.g. `/projects/{id}/members`.
    collection: str
    creator: Operation | None
    reader: Operation | None
    lister: Operation | None
    #: A documented example value, where the parameter has one.
    example: str | None


class Resources:
    """The objects behind a specification's operations."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification

    @cached_property
    def _at(self) -> Mapping[tuple[str, str], Operation]:
        return {(operation.method, operation.path): operation for operation in self._specification.operations}

    def steps(self, operation: Operation) -> tuple[Step, ...]:
        """Return one step for each path parameter, outermost first."""
        found = []
        segments = operation.path.split("/")
        for index, segment in enumerate(segments):
            if not (segment.startswith("{") and segment.endswith("}")):
                continue
            name = segment[1:-1]
            collection = "/".join(segments[:index])
            item = "/".join(segments[: index + 1])
            found.append(
                Step(
                    parameter=name,
                    collection=collection,
                    creator=self._at.get(("POST", collection)),
                    reader=self._at.get(("GET", item)),
                    lister=self._at.get(("GET", collection)),
                    example=_example(operation, name),
                )
            )
        return tuple(found)

    def reader(self, operation: Operation) -> Operation | None:
        """Return the operation that shows what this writer changed, or None."""
        for path in self._item_paths(operation):
            found = self._at.get(("GET", path))
            if found is not None:
                return found
        return None

    def _item_paths(self, operation: Operation) -> tuple[str, ...]:
        """Return the paths that may show the effect, the nearest first."""
        if operation.method == "POST" and self._at.get(("GET", operation.path)) is not None:
            return (operation.path,)
        head, _, last = operation.path.rpartition("/")
        return (operation.path,) if last.startswith("{") else (operation.path, head)


def _example(operation: Operation, name: str) -> str | None:
    for parameter in operation.parameters:
        if parameter.name == name and parameter.where == "path":
            found = parameter.schema.get("example", parameter.schema.get("default"))
            examples = parameter.schema.get("examples")
            if found is None and isinstance(examples, list) and examples:
                found = examples[0]
            enum = parameter.schema.get("enum")
            if found is None and isinstance(enum, list) and enum:
                found = enum[0]
            return None if found is None else str(found)
    return None


def find_id(body: Any, parameter: str) -> str | None:
    """Return the identifier of the object that a response shows: the field named like the parameter, else `id`.

    Looks at the object itself, then one level into its only or first object (`{"droplet": {"id": 7}}`), then into the
    first element of its first list.
    """
    wanted = (parameter, "id", parameter.removesuffix("_id"), parameter.rpartition("_")[2], "uuid", "name", "slug")
    if isinstance(body, list):
        return find_id(body[0], parameter) if body else None
    if not isinstance(body, Mapping):
        return None
    for name in wanted:
        value = body.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "" and str(value).isprintable():
            return str(value)
    for value in body.values():
        if isinstance(value, Mapping | list):
            found = find_id(value, parameter)
            if found is not None:
                return found
    return None
