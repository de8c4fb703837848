"""Other spellings of a path, as a table: what a lenient server may take for the documented one.

Each row says how the bytes of a target are made from those of the documented one, which variant of the catalogue it
is, and whether it is one of the few that are tried on every operation. No row names a path of any API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from authcontract_policy import Operation

from authcontract_conformance.exchange._exchange import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The documented path of a request, taken apart."""

    #: Path of the base URL, e.g. `/api/v1`, or nothing.
    base: bytes
    #: The rest up to the last segment, e.g. `/keys/7`; nothing where there is only one segment.
    above: bytes
    #: The last segment.
    last: bytes
    #: The last segment that the documentation spells out, and where it ends in the path.
    literal: bytes
    #: A path that needs no key, or one that stands for such a path.
    public: bytes
    query: bytes

    @property
    def path(self) -> bytes:
        """Return the whole path."""
        return self.base + self.above + b"/" + self.last

    def with_literal(self, spelled: bytes) -> bytes:
        """Return the path with its last literal segment spelled in another way."""
        before, separator, after = self.path.rpartition(b"/" + self.literal)
        return before + separator[:1] + spelled + after


#: Makes a target of a place, query included.
Spell: TypeAlias = Callable[[Place], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """One way to write a path otherwise."""

    what: str
    variant: str
    spell: Spell
    #: True: a router that is only lenient, with nobody attacking it, already reads it as the documented path.
    common: bool = False
    #: True: tried with a key that may too little as well: what gates rights may read another path than what routes.
    gated: bool = False
    #: True: frameworks serve it by a route of its own, which somebody has to give the same rights.
    routed: bool = False


def _path(spell: Spell) -> Spell:
    """Leave the query as it is."""

    def spelled(place: Place) -> bytes:
        return spell(place) + place.query

    return spelled


def _end(suffix: bytes) -> Spell:
    return _path(lambda place: place.path + suffix)


def _before_last(between: bytes) -> Spell:
    """Put something in the place of the slash before the last segment."""
    return _path(lambda place: place.base + place.above + between + place.last)


def _start(prefix: bytes) -> Spell:
    return _path(lambda place: prefix + place.path)


def _before_first(between: bytes) -> Spell:
    """Put something in the place of the slash that follows the base path."""
    return _path(lambda place: place.base + between + place.path[len(place.base) + 1 :])


def _literal(change: Callable[[bytes], bytes]) -> Spell:
    return _path(lambda place: place.with_literal(change(place.literal)))


def _first(change: Callable[[bytes], bytes]) -> Spell:
    """Change the first segment of the whole path."""

    def spell(place: Place) -> bytes:
        first, slash, rest = place.path[1:].partition(b"/")
        return b"/" + change(first) + slash + rest

    return _path(spell)


def _encoded(segment: bytes, how: bytes = b"%%%02x") -> bytes:
    """Percent-encode the first letter of a segment."""
    return how % segment[0] + segment[1:]


def _wide(segment: bytes) -> bytes:
    """Percent-encode a segment as a whole."""
    return b"".join(b"%%%02X" % code for code in segment)


def _beside_public(place: Place) -> bytes:
    return place.public + b"/.." + place.path


def _query(text: bytes) -> Spell:
    """Put something at the end of the query."""
    return lambda place: place.path + (place.query + b"&" if place.query else b"?") + text


def _named_in_query(place: Place) -> bytes:
    return _query(b"x=" + place.public)(place)


#: What is public on many servers though no document says so; some look for it anywhere in an address.
OFTEN_PUBLIC: Final = (
    b"/health", b"/healthz", b"/status", b"/ping", b"/metrics", b"/docs", b"/openapi.json", b"/login", b"/auth",
    b"/static/", b"/public/", b"/.well-known/", b"/favicon.ico",
)  # fmt: skip


def _often_public_in_query(place: Place) -> bytes:
    return _query(b"x=" + b"".join(OFTEN_PUBLIC))(place)


def _query_is_path(place: Place) -> bytes:
    return place.path + b"?" + place.public + (b"&" + place.query[1:] if place.query else b"")


def _public_then_query(place: Place) -> bytes:
    return place.path + b"/?" + place.public


SPELLINGS: Final = (
    Spelling(what="a slash at its end", variant="V-P01", spell=_end(b"/"), common=True, gated=True, routed=True),
    Spelling(what="a dot at its end", variant="V-P01", spell=_end(b"/.")),
    Spelling(what="two slashes at its end", variant="V-P01", spell=_end(b"//")),
    Spelling(what="an empty query", variant="V-P01", spell=lambda place: place.path + b"?"),
    Spelling(what="a slash and a query", variant="V-P01", spell=lambda place: place.path + b"/?x"),
    Spelling(what="a doubled slash at its start", variant="V-P02", spell=_start(b"/"), gated=True),
    Spelling(what="a doubled slash after the base path", variant="V-P02", spell=_before_first(b"//")),
    Spelling(
        what="a doubled slash before its end", variant="V-P02", spell=_before_last(b"//"), common=True, gated=True
    ),
    Spelling(what="a doubled slash after its first segment", variant="V-P02", spell=_first(lambda s: s + b"/")),
    Spelling(what="a dot segment", variant="V-P03", spell=_before_last(b"/./"), common=True, gated=True),
    Spelling(what="a detour", variant="V-P03", spell=_before_last(b"/x/../"), gated=True),
    Spelling(what="a detour by a public path", variant="V-P03", spell=_path(_beside_public)),
    Spelling(what="an encoded dot segment", variant="V-P04", spell=_before_last(b"/%2e/")),
    Spelling(what="an encoded detour", variant="V-P04", spell=_before_last(b"/x/%2e%2e/")),
    Spelling(what="an encoded slash", variant="V-P04", spell=_before_last(b"%2f"), gated=True),
    Spelling(what="an encoded slash in a detour", variant="V-P04", spell=_before_last(b"/x/..%2f")),
    Spelling(what="an encoded backslash", variant="V-P04", spell=_before_last(b"%5c")),
    Spelling(what="a backslash", variant="V-P04", spell=_before_last(b"\\")),
    Spelling(what="a detour encoded twice", variant="V-P04", spell=_before_last(b"/x/%252e%252e/")),
    Spelling(what="a slash encoded twice", variant="V-P04", spell=_before_last(b"%252f")),
    Spelling(
        what="a letter encoded twice",
        variant="V-P04",
        spell=_literal(lambda s: _encoded(s, b"%%25%02x")),
        gated=True,
    ),
    Spelling(what="an encoded letter", variant="V-P05", spell=_literal(_encoded), common=True, gated=True),
    Spelling(what="an encoded letter in its first segment", variant="V-P05", spell=_first(_encoded)),
    Spelling(what="an encoded segment", variant="V-P05", spell=_literal(_wide)),
    Spelling(what="a parameter at its end", variant="V-P06", spell=_end(b";x=1"), gated=True),
    Spelling(what="a parameter in its first segment", variant="V-P06", spell=_first(lambda s: s + b";")),
    Spelling(what="a detour with a parameter", variant="V-P06", spell=_before_last(b"/x/..;/")),
    Spelling(what="a segment that is a parameter", variant="V-P06", spell=_before_last(b"/;/")),
    Spelling(
        what="its last segment in upper case", variant="V-P07", spell=_literal(bytes.upper), common=True, gated=True
    ),
    Spelling(what="its last segment capitalised", variant="V-P07", spell=_literal(bytes.capitalize)),
    Spelling(what="its first segment in upper case", variant="V-P07", spell=_first(bytes.upper)),
    Spelling(what="all of it in upper case", variant="V-P07", spell=_path(lambda place: place.path.upper())),
    Spelling(what="the suffix .json", variant="V-P08", spell=_end(b".json"), common=True, gated=True, routed=True),
    Spelling(what="the suffix .css", variant="V-P08", spell=_end(b".css"), gated=True),
    Spelling(what="the suffix .html", variant="V-P08", spell=_end(b".html")),
    Spelling(what="a style sheet below it", variant="V-P08", spell=_end(b"/x.css")),
    Spelling(what="the suffix ;.css", variant="V-P08", spell=_end(b";.css")),
    Spelling(what="a space at its end", variant="V-P09", spell=_end(b"%20")),
    Spelling(what="a tab at its end", variant="V-P09", spell=_end(b"%09")),
    Spelling(what="a NUL at its end", variant="V-P09", spell=_end(b"%00")),
    Spelling(what="a line feed at its end", variant="V-P09", spell=_end(b"%0a"), gated=True),
    Spelling(what="a line break at its end", variant="V-P09", spell=_end(b"%0d%0a")),
    Spelling(what="the byte 85 at its end", variant="V-P09", spell=_end(b"\x85")),
    Spelling(what="the byte A0 at its end", variant="V-P09", spell=_end(b"\xa0")),
    Spelling(what="a public path as a parameter of the query", variant="V-P13", spell=_named_in_query, gated=True),
    Spelling(
        what="paths that are often public in the query", variant="V-P13", spell=_often_public_in_query, gated=True
    ),
    Spelling(what="a public path as the query", variant="V-P13", spell=_query_is_path),
    Spelling(what="a slash, and a public path as the query", variant="V-P13", spell=_public_then_query),
    Spelling(what="a slash in overlong UTF-8", variant="V-P15", spell=_before_last(b"%c0%af")),
    Spelling(what="a slash in longer UTF-8", variant="V-P15", spell=_before_last(b"%e0%80%af")),
    Spelling(what="a full-width slash", variant="V-P15", spell=_before_last(b"%ef%bc%8f")),
    Spelling(what="a detour in overlong UTF-8", variant="V-P15", spell=_before_last(b"/x/%c0%ae%c0%ae/")),
)

COMMON: Final = tuple(spelling for spelling in SPELLINGS if spelling.common)
GATED: Final = tuple(spelling for spelling in SPELLINGS if spelling.gated)
ROUTED: Final = tuple(spelling for spelling in SPELLINGS if spelling.routed)


def place(probe: Probe, operation: Operation, base: str, public: bytes) -> Place:
    """Take the documented target of a probe apart."""
    first = probe.target[0]
    target = first if isinstance(first, bytes) else b""
    path, mark, query = target.partition(b"?")
    above, _, last = path[len(base) :].rpartition(b"/")
    literals = [segment for segment in operation.path.split("/") if segment and not segment.startswith("{")]
    literal = literals[-1].encode() if literals else last
    return Place(base=base.encode(), above=above, last=last, literal=literal, public=public, query=mark + query)


def spelled(probe: Probe, spelling: Spelling, here: Place) -> Probe | None:
    """Return the probe with its path spelled so, or None where that is the documented spelling."""
    first = spelling.spell(here)
    if len(probe.target) > 1:  # a key stands in the query, where it must stay
        first = spelling.spell(replace(here, query=b""))
        if b"?" in first:
            return None
        first += here.query
    target = (first, *probe.target[1:])
    return None if target == probe.target else replace(probe, target=target, label=spelling.what)


def some(number: int, wanted: int) -> tuple[Spelling, ...]:
    """Return a few of the common spellings: the commonest and others for each number, so that all are tried."""
    first, *rest = COMMON
    return (first, *(rest[(number * (wanted - 1) + step) % len(rest)] for step in range(wanted - 1)))


def with_too_little(number: int, wanted: int) -> tuple[tuple[Spelling, ...], tuple[Spelling, ...]]:
    """Return a few of the common spellings: those to be tried without a key, and those with one that may too little.

    Where a spelling has a route of its own, what is forgotten there is the right, if not the key as well.
    """
    keyless = tuple(spelling for spelling in COMMON if spelling not in ROUTED)
    keyed = ROUTED if wanted > len(ROUTED) else (ROUTED[number % len(ROUTED)],)
    return tuple(keyless[(number + step) % len(keyless)] for step in range(wanted - len(keyed))), keyed
