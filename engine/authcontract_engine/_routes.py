"""Routing: a trie over raw path segments, each percent-decoded once; its cost does not grow with the operations.

A path leads somewhere in its documented spelling only (G-13): case counts, and no segment may be empty, be a dot
segment or hold what another server could read as a delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from authcontract_policy import Operation

from ._syntax import ASTERISK

_BAD_ENCODING: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: A template's segment with one parameter in it, e.g. `{id}` or `{id}.json`.
_PARAMETER: Final = re.compile(r"([^{}]*)\{([^{}]+)\}([^{}]*)")
#: What a decoded segment may not hold: delimiters (RFC 3986 section 3.3) and control bytes.
_AMBIGUOUS: Final = b"/\\;\x7f" + bytes(range(0x20))
#: A path of these alone can be read in one way only; most are.
_PLAIN: Final = b"/-_~:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(slots=True)
class Place:
    """Where a path leads: the operations there, by method; HEAD stands for GET."""

    methods: dict[bytes, Operation] = field(default_factory=dict)
    #: Names of the parameters on the way, by method, since templates of one shape may name them differently.
    names: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    literals: dict[bytes, Place] = field(default_factory=dict)
    #: What stands before and after a parameter -> where it leads; the longest text first.
    parameters: dict[tuple[bytes, bytes], Place] = field(default_factory=dict)
    #: Where any segment leads, if that is the only way on by a parameter.
    whole: Place | None = None

    def ways(self, segment: bytes) -> Iterator[tuple[Place, tuple[bytes, ...]]]:
        """Yield where a segment leads, and what stands for the parameter: a literal before a parameter."""
        literal = self.literals.get(segment)
        if literal is not None:
            yield literal, ()
        for (before, after), place in self.parameters.items():
            value = segment[len(before) : len(segment) - len(after)]
            if value and segment.startswith(before) and segment.endswith(after):
                yield place, (value,)

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
        self.whole = self.parameters.get((b"", b"")) if len(self.parameters) == 1 else None
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
        #: Paths without parameters as they are usually spelt; the whole server is a place without operations.
        self._exact = {ASTERISK: Place()}
        base = base.rstrip("/")
        #: The base path as it is usually spelt, and where it leads.
        self._base = base.encode() + b"/"
        self._below = self._root
        for segment in base.split("/")[1:]:
            self._below, _ = self._below.below(segment)
        for operation in operations:
            self._add(base + operation.path, operation)

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
        if path.startswith(self._base):
            place, segments = self._below, path[len(self._base) :].split(b"/")
        elif path.startswith(b"/"):
            place, segments = self._root, path[1:].split(b"/")
        else:
            return None
        if path.translate(None, _PLAIN):
            decoded = [_decoded(segment) for segment in segments]
            segments = [segment for segment in decoded if segment is not None]
            if len(segments) < len(decoded):
                return None
        return _walk(place, segments, 0, ())


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
    """Follow the segments; a parameter is tried where a literal leads nowhere."""
    for here, segment in enumerate(segments[at:], at):
        literal = place.literals.get(segment)
        if literal is not None and not place.parameters:
            place = literal
        elif literal is None and segment and place.whole is not None:
            place, values = place.whole, (*values, segment)
        else:
            found = (_walk(below, segments, here + 1, (*values, *value)) for below, value in place.ways(segment))
            return next((end for end in found if end is not None), None)
    return (place, values) if place.methods else None
