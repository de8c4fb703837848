"""Which operation makes, shows and lists the object that another one works on, read off paths and fields (Decided 3).

`POST /x` makes what `GET /x/{id}` shows and `GET /x` lists; `PATCH /x/{id}` and `POST /x/{id}/send` work on it.
Where no `POST /x` is documented, an operation elsewhere makes it whose response has a field that names it (`x_id`).
A path without a parameter at its end that can be read and changed (`/organization`) is its own reader; what cannot be
read alone is looked up in its list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from authcontract_policy import Operation, Specification

from authcontract_conformance.samples._links import Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How the value of one path parameter is come by."""

    parameter: str
    #: The collection it names a member of, e.g. `/projects/{id}/members`.
    collection: str
    creator: Operation | None
    #: Makes one by the way, with the field of its response that names it.
    producer: tuple[Operation, str] | None
    reader: Operation | None
    lister: Operation | None
    #: A documented example value, where the parameter has one.
    example: str | None

    @property
    def maker(self) -> Operation | None:
        """Return the operation that makes what it names, or None."""
        return self.creator or (self.producer[0] if self.producer is not None else None)


class Resources:
    """The objects behind a specification's operations."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self.links = Links(specification)

    @cached_property
    def _at(self) -> Mapping[tuple[str, str], Operation]:
        return {(operation.method, operation.resource): operation for operation in self._specification.operations}

    def steps(self, operation: Operation) -> tuple[Step, ...]:
        """Return one step for each path parameter, outermost first."""
        found = []
        segments = operation.resource.split("/")
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
                    creator=(creator := self._at.get(("POST", collection))),
                    producer=None if creator is not None else self.links.producer(collection),
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
        made = self.links.produces(operation)
        return None if made is None else self._at.get(("GET", made))

    def listing(self, operation: Operation) -> Step | None:
        """Return the step of the object that an operation changes, where only its list shows it."""
        steps = self.steps(operation)
        if not steps or self.reader(operation) is not None:
            return None
        return steps[-1] if steps[-1].lister is not None else None

    def is_document(self, reader: Operation) -> bool:
        """Tell whether an operation shows one thing that is there without anybody making it, and that has an id."""
        return not self.steps(reader) and self.maker(reader) is None and self.links.has_identity(reader)

    def maker(self, lister: Operation) -> tuple[Operation, str] | None:
        """Return what makes the members of a list, with the field of its response that names one."""
        creator = self._at.get(("POST", lister.resource))
        parameter = self.links.collections.get(lister.resource, "id")
        return self.links.producer(lister.resource) if creator is None else (creator, parameter)

    def _item_paths(self, operation: Operation) -> tuple[str, ...]:
        """Return the paths that may show the effect, the nearest first."""
        if operation.method == "POST" and self._at.get(("GET", operation.resource)) is not None:
            return (operation.resource,)
        head, _, last = operation.resource.rpartition("/")
        return (operation.resource,) if last.startswith("{") else (operation.resource, head)


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


def find_field(body: Any, name: str) -> str | None:
    """Return what stands in the field with this name, of the object itself or of an object in it."""
    if not isinstance(body, Mapping):
        return None
    for holder in (body, *(inner for inner in body.values() if isinstance(inner, Mapping))):
        value = holder.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value) and str(value).isprintable():
            return str(value)
    return None


def fields_of(body: Any) -> dict[str, str]:
    """Return what a response says of an object, or of the objects in it, in texts and numbers, each as text."""
    inner = body.values() if isinstance(body, Mapping) else ()
    found: dict[str, str] = {}
    for holder in (body, *inner):
        for name, value in holder.items() if isinstance(holder, Mapping) else ():
            if isinstance(value, str | int) and not isinstance(value, bool):
                found.setdefault(name, str(value))
    return found


def members(body: Any, parameter: str) -> dict[str, str]:
    """Return the members of the list that a response shows, by their names and in their order, each as text."""
    rows = body if isinstance(body, list) else _first_list(body)
    found = ((find_id(row, parameter), row) for row in rows if isinstance(row, Mapping))
    return {name: json.dumps(row, sort_keys=True) for name, row in found if name is not None}


def _first_list(body: Any) -> list[Any]:
    inner = body.values() if isinstance(body, Mapping) else ()
    return next((value for value in inner if isinstance(value, list)), [])
