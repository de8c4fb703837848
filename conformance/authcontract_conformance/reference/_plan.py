"""What each operation does to the data, read off method and path, so that any specification can be served.

`POST /x` makes an item, `GET /x` lists them, `GET`, `PATCH`, `PUT` and `DELETE /x/{id}` work on one, and
`POST /x/{id}/send` acts on it. A path that is neither a collection nor an item (`/organization`) is a document that is
always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from authcontract_policy import Operation, Specification


class Deed(StrEnum):
    """What is done."""

    CREATE = "create an item"
    LIST = "list the items"
    READ = "show the item"
    CHANGE = "change the item"
    REPLACE = "replace the item"
    REMOVE = "remove the item"
    SHOW = "show the document"
    EDIT = "change the document"
    ACT = "act on the nearest item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One path parameter: the member of a collection that it names."""

    parameter: str
    #: How many segments the collection's path has.
    depth: int
    #: Template of the collection's path.
    collection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one operation does, and the items that its path leads through, outermost first."""

    deed: Deed
    segments: tuple[str, ...]
    levels: tuple[Level, ...]
    #: Template of the collection that a created or listed item belongs to.
    collection: str

    def path(self, parameters: Mapping[str, str], depth: int | None = None) -> tuple[str, ...]:
        """Return the first segments of the path with the parameters filled in."""
        return tuple(
            parameters.get(segment[1:-1], segment) if _is_parameter(segment) else segment
            for segment in self.segments[:depth]
        )


_ON_ITEM: Mapping[str, Deed] = {
    "GET": Deed.READ,
    "PATCH": Deed.CHANGE,
    "PUT": Deed.REPLACE,
    "DELETE": Deed.REMOVE,
}
_ON_DOCUMENT: Mapping[str, Deed] = {"GET": Deed.SHOW, "PATCH": Deed.EDIT, "PUT": Deed.EDIT}


class Plans:
    """The plan of every operation of a specification."""

    def __init__(self, specification: Specification, listing: frozenset[str]) -> None:
        """Read the plans off; `listing` has the ids of the operations whose documented response has room for a list."""
        self._specification = specification
        self._listing = listing
        self._at = {(operation.method, operation.resource): operation for operation in specification.operations}
        #: Template of a collection -> name of the parameter that names its members.
        self.members: dict[str, str] = {}
        self._through: dict[str, list[Operation]] = {}
        for operation in specification.operations:
            for level in _levels(_segments(operation.resource)):
                self.members.setdefault(level.collection, level.parameter)
                self._through.setdefault(level.collection, []).append(operation)
        self._plans = {operation.id: self._plan(operation) for operation in specification.operations}

    def of(self, operation: Operation) -> Plan:
        """Return what an operation does."""
        return self._plans[operation.id]

    def at(self, method: str, path: str) -> Operation | None:
        """Return the operation with this method on this path template."""
        return self._at.get((method, path))

    def through(self, collection: str) -> list[Operation]:
        """Return the operations whose path leads through a member of this collection."""
        return self._through.get(collection, [])

    def lister(self, collection: str) -> Operation | None:
        """Return the operation that lists the members of a collection, if one does."""
        found = self._at.get(("GET", collection))
        return found if found is not None and found.id in self._listing else None

    def creates(self, collection: str) -> bool:
        """Tell whether an operation makes members of this collection."""
        return ("POST", collection) in self._at and self.is_collection(collection)

    def is_collection(self, path: str) -> bool:
        """Tell whether a path names several things: one has a path below it, or they are listed and made here."""
        return path in self.members or (self.lister(path) is not None and ("POST", path) in self._at)

    def _plan(self, operation: Operation) -> Plan:
        segments = _segments(operation.resource)
        return Plan(
            deed=self._deed(operation, segments),
            segments=segments,
            levels=tuple(_levels(segments)),
            collection=operation.resource,
        )

    def _deed(self, operation: Operation, segments: tuple[str, ...]) -> Deed:
        method, path = operation.method, operation.resource
        if _is_parameter(segments[-1]):
            return _ON_ITEM.get(method, Deed.ACT)
        if self.is_collection(path):
            if method == "GET":
                return Deed.LIST if operation.id in self._listing else Deed.SHOW
            return Deed.CREATE if method == "POST" else Deed.ACT
        if method == "POST" and ("GET", path) in self._at:
            return Deed.EDIT
        return _ON_DOCUMENT.get(method, Deed.ACT)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _levels(segments: tuple[str, ...]) -> list[Level]:
    return [
        Level(parameter=segment[1:-1], depth=depth, collection="/".join(segments[:depth]))
        for depth, segment in enumerate(segments)
        if _is_parameter(segment)
    ]
