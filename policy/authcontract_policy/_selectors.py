"""Which operations a selector of the policy names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._model import Selector
from ._operations import Operation


def selector(written: str | Mapping[str, Any]) -> Selector:
    """Read one entry of `operations`: an operationId, `METHOD /path`, `/path`, `/path/*` or `tag: name`."""
    if not isinstance(written, str):
        return Selector(how="tag", text=written["tag"])
    method, _, path = written.rpartition(" ")
    if not path.startswith("/"):
        return Selector(how="id", text=written)
    if path.endswith("/*"):
        return Selector(how="below", text=path.removesuffix("/*"), method=method or None)
    return Selector(how="path", text=path, method=method or None)


def matches(chosen: Selector, operation: Operation) -> bool:
    """Say whether the selector names this operation."""
    match chosen.how:
        case "tag":
            return chosen.text in operation.tags
        case "id":
            return chosen.text == operation.id
        case "path":
            return operation.path == chosen.text and chosen.method in (None, operation.method)
        case _:
            return f"{operation.path}/".startswith(f"{chosen.text}/") and chosen.method in (None, operation.method)


def extent(chosen: Selector, operations: Iterable[Operation]) -> frozenset[str]:
    """Return the ids of all operations that the selector names."""
    return frozenset(operation.id for operation in operations if matches(chosen, operation))
