"""Routing: a trie over raw path segments, each percent-decoded once; its cost does not grow with the operations.

A path leads somewhere in its documented spelling only (G-13): case counts, and no segment may be empty, be a dot
segment or hold what another server could read as a delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from authcontract_policy import Operation

_BAD_ENCODING: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: A template's segment with one parameter in it, e.g. `{id}` or `{id}.json`.
_PARAMETER: Final = re.compile(r"([^{}]*)\{([^{}]+)\}([^{}]*)")
#: What a decoded segment may not hold: delimiters (RFC 3986 section 3.3) and control bytes.
_AMBIGUOUS: Final = b"/\\;\x7f" + bytes(range(0x20))


@dataclass(slots=True)
class Place:
    """Where a path leads: the operations there, by method; HEAD stands for GET."""

    methods: dict[bytes, Operation] = field(default_factory=dict)
    #: Names of the parameters on the way, by method, since templates of one shape may name them differently.
    names: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    literals: dict[bytes, Place] = field(default_factory=dict)
    #: What stands before and after a parameter -> where it leads; the longest text first.
    parameters: dict[tuple[bytes, bytes], Place] = field(default_factory=dict)

    def add(self, operation: Operation, names: tuple[str, ...]) -> None:
        """Let an operation be found here."""
        method = operation.method.encode()
        self.methods[method] = operation
        self.names[method] = names
        if method == b"GET":
            self.methods.setdefault(b"HEAD", operation)
            self.names.setdefault(b"HEAD", names)

    def below(self, segment: str) -> tuple[Place, tuple[str, ...]]:
        """Return the place that a template's segment leads to, made if need be, and the name of its parameter."""
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            return self.literals.setdefault(segment.encode(), Place()), ()
        around = (found[1].encode(), found[3].encode())
        place = self.parameters.setdefault(around, Place())
        self.parameters = dict(sorted(self.parameters.items(), key=lambda item: -sum(map(len, item[0]))))
        return place, (found[2],)

    def named(self, method: bytes, values: Iterable[bytes]) -> Mapping[str, str]:
        """Return what stood for the parameters on the way here, as the operation of this method calls them."""
        names = self.names.get(method) or next(iter(self.names.values()), ())
        return {name: value.decode() for name, value in zip(names, values, strict=True)}


class UnreadableTemplate(ValueError):  # noqa: N818  it names what was found
    """A path template has a segment with several parameters, so that a value could be split in several ways."""


class Routes:
    """Every path template below one base path."""

    def __init__(self, base: str, operations: Iterable[Operation]) -> None:
        self._root = Place()
        #: Paths without parameters as they are usually spelt.
        self._exact: dict[bytes, Place] = {}
        for operation in operations:
            self._add(base.rstrip("/") + operation.path, operation)

    def _add(self, path: str, operation: Operation) -> None:
        place, names = self._root, list[str]()
        for segment in path.split("/")[1:]:
            if segment.count("{") > 1:
                raise UnreadableTemplate(operation.path)
            place, name = place.below(segment)
            names += name
        place.add(operation, tuple(names))
        if not names:
            self._exact[path.encode()] = place

    def find(self, path: bytes) -> tuple[Place, tuple[bytes, ...]] | None:
        """Return where a raw path leads and what stands for the parameters on the way, or None."""
        place = self._exact.get(path)
        if place is not None:
            return place, ()
        segments = path.split(b"/")
        if b"%" in path or b";" in path or b"\\" in path or b"/." in path:
            decoded = [_decoded(segment) for segment in segments]
            segments = [segment for segment in decoded if segment is not None]
            if len(segments) < len(decoded):
                return None
        return None if segments[0] else _walk(self._root, segments, 1, ())


def _decoded(segment: bytes) -> bytes | None:
    """Return the segment decoded once, or None where it could be read in two ways."""
    found = unquote_to_bytes(segment)
    if _BAD_ENCODING.search(segment) or found in (b".", b"..") or len(found.translate(None, _AMBIGUOUS)) < len(found):
        return None
    try:
        found.decode()
    except UnicodeDecodeError:
        return None
    return found


def _walk(
    place: Place, segments: list[bytes], at: int, values: tuple[bytes, ...]
) -> tuple[Place, tuple[bytes, ...]] | None:
    """Follow the segments; a literal wins over a parameter, which is tried where the literal leads nowhere."""
    if at == len(segments):
        return (place, values) if place.methods else None
    segment = segments[at]
    literal = place.literals.get(segment)
    if literal is not None:
        found = _walk(literal, segments, at + 1, values)
        if found is not None:
            return found
    for (before, after), below in place.parameters.items():
        value = segment[len(before) : len(segment) - len(after)]
        if value and segment.startswith(before) and segment.endswith(after):
            found = _walk(below, segments, at + 1, (*values, value))
            if found is not None:
                return found
    return None
