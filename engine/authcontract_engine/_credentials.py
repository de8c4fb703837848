"""How a request shows a key: in the documented ways and in no other, judged before anybody looks the key up."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from authcontract_policy import Bound, Keys, Kind, SentAs

from ._lean import lean
from ._syntax import Fields

State: TypeAlias = Literal["missing", "malformed", "conflicting", "key"]

#: Characters of a key that a masked form may show at its end.
SHOWN: Final = 4
#: Visible ASCII without the comma, which joins field values (RFC 9110 section 5.3).
_KEY: Final = rb"[!-+\--~]+"
#: Whitespace around a field value does not belong to it (RFC 9110 section 5.5).
_PADDED: Final = rb"[ \t]*%b[ \t]*"
#: No whitespace, so that no value takes long to be refused.
_BASE64: Final = rb"([A-Za-z0-9+/=]+)"
_ENCODED: Final = re.compile(r"base64\((.*)\)")


@lean(frozen=True, slots=True)
class Presented:
    """What a request shows of a key, without the key itself."""

    state: State
    #: SHA-256 of the key's bytes, lower-case hex; None where no issued key can look like it.
    digest: str | None = None
    prefix: str = ""
    #: The last characters of a key that fits its format.
    tail: bytes = b""

    @property
    def masked(self) -> str:
        """Return the key as an error message may show it: its prefix and last characters."""
        tail = self.tail.decode() if self.tail.isalnum() else ""
        return f"{self.prefix}****{tail}" if self.prefix or tail else ""


#: No key is empty.
_NOTHING: Final = b""
MISSING: Final = Presented("missing")
MALFORMED: Final = Presented("malformed")
CONFLICTING: Final = Presented("conflicting")


class Presentation:
    """Reads the key of a request."""

    def __init__(self, keys: Keys) -> None:
        ways = [_Way.of(sent_as) for sent_as in keys.sent_as]
        self._headers = _by_name(way for way in ways if way.carrier == "header")
        self._parameters = _by_name(way for way in ways if way.carrier == "query")
        self._formats = tuple(form for kind in keys.kinds.values() for form in _formats(kind))

    def read(self, fields: Fields, query: bytes) -> Presented:
        """Return what is presented.

        Two credentials are conflicting whatever they are worth, also where one line carries both, joined by a comma as
        proxies do; only where different carriers show the same key does it count as one.
        """
        shown: bytes | None = _NOTHING
        for name, ways in self._headers:
            found = fields.names.count(name)
            if found:
                value = fields.values[fields.names.index(name)]
                key = _key(ways, value)
                if found > 1 or shown not in (_NOTHING, key) or (key is None and _joined(ways, value)):
                    return CONFLICTING
                shown = key
        for name, ways in self._parameters:
            values = [value for each, value in _pairs(query) if each == name]
            if values:
                key = _key(ways, values[0])
                if shown not in (_NOTHING, key) or len(values) > 1:
                    return CONFLICTING
                shown = key
        return MISSING if shown is _NOTHING else self._judged(shown)

    def _judged(self, key: bytes | None) -> Presented:
        """Return what a key is before look-up: one with a prefix that nobody documents is a key nobody issued."""
        if key is None:
            return MALFORMED
        for form in self._formats:
            if form.fits(key):
                return Presented("key", hashlib.sha256(key).hexdigest(), form.shown, key[-SHOWN:])
        for form in self._formats:
            if key.startswith(form.prefix):
                return Presented("malformed", None, form.shown)
        return Presented("key")


@dataclass(frozen=True, slots=True)
class _Way:
    """One documented way of sending."""

    carrier: Literal["header", "query"]
    #: In lower case where case does not count.
    name: bytes
    #: Of the whole value, the key or what encodes it as its group.
    pattern: re.Pattern[bytes]
    #: Of what base64 encodes; None: the key is sent plainly.
    encoded: re.Pattern[bytes] | None

    @classmethod
    def of(cls, sent_as: SentAs) -> _Way:
        """Read a template such as `Bearer <key>` or `Basic base64(<key>:)`.

        An auth-scheme has no case and one or more spaces behind it (RFC 9110 sections 11.1 and 11.4).
        """
        scheme, space, rest = sent_as.template.partition(" ")
        if not space or "<key>" in scheme:
            scheme, rest = "", sent_as.template
        inner = _ENCODED.fullmatch(rest)
        pattern = _BASE64 if inner is not None else _pattern(rest)
        if scheme:
            pattern = b"(?i:%b) +%b" % (re.escape(scheme.encode()), pattern)
        name = sent_as.name.lower() if sent_as.carrier == "header" else sent_as.name
        encoded = None if inner is None else re.compile(_pattern(inner[1]))
        return cls(sent_as.carrier, name.encode(), re.compile(_PADDED % pattern), encoded)

    def key(self, value: bytes) -> bytes | None:
        """Return the key in a value, or None where it was not sent in this way."""
        found = self.pattern.fullmatch(value)
        if found is None:
            return None
        if self.encoded is not None:
            try:
                found = self.encoded.fullmatch(binascii.a2b_base64(found[1], strict_mode=True))
            except binascii.Error:
                return None
        return None if found is None else found[1]


def _pattern(template: str) -> bytes:
    """Return the expression for a text with `<key>` in it."""
    before, _, after = template.encode().partition(b"<key>")
    return b"%b(%b)%b" % (re.escape(before), _KEY, re.escape(after))


def _key(ways: tuple[_Way, ...], value: bytes) -> bytes | None:
    for way in ways:
        key = way.key(value)
        if key is not None:
            return key
    return None


def _joined(ways: tuple[_Way, ...], value: bytes) -> bool:
    """Say whether a value holds several keys."""
    return sum(_key(ways, part) is not None for part in value.split(b",")) > 1


def _by_name(ways: Iterable[_Way]) -> tuple[tuple[bytes, tuple[_Way, ...]], ...]:
    found: dict[bytes, tuple[_Way, ...]] = {}
    for way in ways:
        found[way.name] = (*found.get(way.name, ()), way)
    return tuple(found.items())


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    parts = (pair.partition(b"=") for pair in query.split(b"&"))
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


@dataclass(frozen=True, slots=True)
class _Format:
    """What a kind of key looks like in one environment."""

    prefix: bytes
    shown: str
    fits: Callable[[bytes], object]


def _formats(kind: Kind) -> Iterable[_Format]:
    secret = b".*"
    if kind.secret is not None:
        secret = b"[%b]%b" % (re.escape(kind.secret.alphabet.encode()), _repeated(kind.secret.length))
    prefixes = kind.prefix.values() if kind.prefix is not None else ()
    for shown in dict.fromkeys(prefixes) or [""]:
        prefix = shown.encode()
        yield _Format(prefix, shown, re.compile(re.escape(prefix) + secret).fullmatch)


def _repeated(length: Bound) -> bytes:
    least, most = (length.exact, length.exact) if length.exact is not None else (length.at_least or 0, length.at_most)
    return b"{%d,%b}" % (least, b"" if most is None else b"%d" % most)
