"""Which operations a selector of the policy names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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


class Extents:
    """Looks up which operations selectors name; built once, so that no selector costs a walk over all operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        found: dict[Selector, set[str]] = defaultdict(set)
        for operation in operations:
            for chosen in _naming(operation):
                found[chosen].add(operation.id)
        self._found = {chosen: frozenset(ids) for chosen, ids in found.items()}

    def of(self, chosen: Selector) -> frozenset[str]:
        """Return the ids of all operations that the selector names."""
        return self._found.get(chosen, frozenset())


def _naming(operation: Operation) -> Iterator[Selector]:
    """Yield every selector that names an operation: `matches`, the other way round."""
    yield Selector(how="id", text=operation.id)
    yield from (Selector(how="tag", text=tag) for tag in operation.tags)
    path = f"{operation.path}/"
    above = [path[:index] for index, character in enumerate(path) if character == "/"]
    for method in (None, operation.method):
        yield Selector(how="path", text=operation.path, method=method)
        yield from (Selector(how="below", text=text, method=method) for text in above)
