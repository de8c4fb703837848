"""Routing: a trie over raw path segments, each percent-decoded once; its cost does not grow with the operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from authcontract_policy import Operation

_BAD_ENCODING = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: What a segment may not hold once it is decoded: it would mean another path to somebody else (G-13).
_AMBIGUOUS = frozenset(b"/\\;")
_DOTS = (b".", b"..")


@dataclass(slots=True)
class _Node:
    literals: dict[bytes, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    methods: dict[bytes, Operation] = field(default_factory=dict)
    names: dict[bytes, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: the operations there by method, and what stood for the parameters."""

    methods: Mapping[bytes, Operation]
    names: Mapping[bytes, tuple[str, ...]]
    values: tuple[bytes, ...] = ()

    def parameters(self, method: bytes) -> Mapping[str, str]:
        """Return the path parameters by name, as the operation of this method calls them."""
        names = self.names.get(method) or next(iter(self.names.values()), ())
        return {name: value.decode("utf-8", "replace") for name, value in zip(names, self.values, strict=False)}


class Routes:
    """Every path template below one base path."""

    def __init__(self, base: str, operations: Iterable[Operation]) -> None:
        self._base = base.rstrip("/").encode()
        self._root = _Node()
        self._exact: dict[bytes, Route] = {}
        for operation in operations:
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        node, names = self._root, []
        for segment in operation.path.split("/")[1:]:
            if segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment.encode(), _Node())
        method = operation.method.encode()
        node.methods[method] = operation
        node.names[method] = tuple(names)
        if not names:
            self._exact[self._base + operation.path.encode()] = Route(node.methods, node.names)

    def find(self, path: bytes) -> Route | None:
        """Return where a raw path leads, or None; only the documented spelling leads anywhere."""
        found = self._exact.get(path)
        if found is not None:
            return found
        base = self._base
        if not path.startswith(base + b"/"):
            return None
        segments = path[len(base) + 1 :].split(b"/")
        if b"%" in path or b";" in path or b"\\" in path or b"." in path:
            decoded = [_decoded(segment) for segment in segments]
            if None in decoded:
                return None
            segments = [segment for segment in decoded if segment is not None]
        values: list[bytes] = []
        node = _walk(self._root, segments, 0, values)
        return None if node is None else Route(node.methods, node.names, tuple(values))


def _decoded(segment: bytes) -> bytes | None:
    """Return the segment decoded once, or None where it could be read in two ways."""
    if _BAD_ENCODING.search(segment):
        return None
    found = unquote_to_bytes(segment)
    if found in _DOTS or not _AMBIGUOUS.isdisjoint(found):
        return None
    return found


def _walk(node: _Node, segments: list[bytes], at: int, values: list[bytes]) -> _Node | None:
    """Follow the segments; a literal wins over a parameter, which is tried where the literal leads nowhere."""
    if at == len(segments):
        return node if node.methods else None
    segment = segments[at]
    if not segment:
        return None
    literal = node.literals.get(segment)
    if literal is not None:
        found = _walk(literal, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is not None:
        values.append(segment)
        found = _walk(node.parameter, segments, at + 1, values)
        if found is not None:
            return found
        values.pop()
    return None
