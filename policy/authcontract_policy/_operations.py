"""The specification as far as a contract needs it: which operations exist, and what their requests look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ._model import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One declared parameter, its references resolved one level (nested ones stay in `schema`)."""

    name: str
    where: Literal["path", "query", "header", "cookie"]
    required: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One method on one path template; compared and hashed by identity, since a document holds each once."""

    id: str
    #: Upper case.
    method: str
    #: Template relative to the server, e.g. `/leads/{id}`.
    path: str
    tags: tuple[str, ...] = ()
    #: Alternatives (any of), each scheme name -> scopes (all of); None: the specification says nothing.
    security: tuple[Mapping[str, tuple[str, ...]], ...] | None = None
    parameters: tuple[Parameter, ...] = ()
    #: Media type -> schema (references unresolved: see `Specification.resolve`).
    request_body: Mapping[str, Mapping[str, Any]]
    body_required: bool = False
    #: Status text ("200", "2XX", "default") -> media type -> schema.
    responses: Mapping[str, Mapping[str, Mapping[str, Any]]]
    #: Servers declared on the operation or its path itself; empty: those of the document.
    servers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return `METHOD /path`, as people name it."""
        return f"{self.method} {self.path}"

    @property
    def resource(self) -> str:
        """Return the path without a slash at its end, which some frameworks put there and which names nothing more."""
        return self.path.rstrip("/") or "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """The OpenAPI document: its operations in order, and the whole of it for those who need schemas."""

    document: Document
    operations: tuple[Operation, ...]
    #: Server URLs, variables filled with their defaults.
    servers: tuple[str, ...] = ()

    def operation(self, operation_id: str) -> Operation | None:
        """Return the operation with this operationId, or None."""
        return next((found for found in self.operations if found.id == operation_id), None)
