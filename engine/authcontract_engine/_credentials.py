"""How a request shows a key: in the documented ways and in no other, judged before anybody looks the key up."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from authcontract_policy import Bound, Keys, Kind, SentAs

State: TypeAlias = Literal["missing", "malformed", "conflicting", "key"]
Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]

_OWS: Final = b" \t"
#: Characters of a key that a masked form may show at its end.
SHOWN: Final = 4
#: Visible ASCII without the comma, which joins field values (RFC 9110 section 5.3).
_KEY: Final = bytes(code for code in range(0x21, 0x7F) if code != ord(","))


class Presented(NamedTuple):
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


MISSING: Final = Presented("missing")
MALFORMED: Final = Presented("malformed")
CONFLICTING: Final = Presented("conflicting")


class Presentation:
    """Reads the key of a request."""

    def __init__(self, keys: Keys) -> None:
        ways = [_Way.of(sent_as) for sent_as in keys.sent_as]
        self._headers = _by_name(way for way in ways if way.carrier == "header")
        self._queries = _by_name(way for way in ways if way.carrier == "query")
        self._formats = tuple(form for kind in keys.kinds.values() for form in _formats(kind))

    def read(self, names: list[bytes], lines: Lines, query: bytes) -> Presented:
        """Return what is presented; `names` are those of the lines, in lower case.

        Two credentials are conflicting whatever they are worth, also where one line carries both, joined by a comma as
        proxies do; only where different carriers show the same key does it count as one.
        """
        keys: list[bytes | None] = []
        for name, ways in self._headers.items():
            found = names.count(name)
            if found > 1:
                return CONFLICTING
            if found:
                value = lines[names.index(name)][1].strip(_OWS)
                key = _key(ways, value)
                if key is None and sum(_key(ways, part.strip(_OWS)) is not None for part in value.split(b",")) > 1:
                    return CONFLICTING
                keys.append(key)
        for name, ways in self._queries.items():
            values = [value for each, value in _pairs(query) if each == name]
            if len(values) > 1:
                return CONFLICTING
            keys += [_key(ways, value) for value in values]
        if not keys:
            return MISSING
        if len(keys) > 1 and len(set(keys)) > 1:
            return CONFLICTING
        return self._judged(keys[0])

    def _judged(self, key: bytes | None) -> Presented:
        """Return what a key is before look-up: one with a prefix that nobody documents is a key nobody issued."""
        if key is None:
            return MALFORMED
        prefix = None
        for form in self._formats:
            if key.startswith(form.prefix):
                if form.fits(key):
                    return Presented("key", hashlib.sha256(key).hexdigest(), form.shown, key[-SHOWN:])
                prefix = form.shown
        return Presented("key") if prefix is None else Presented("malformed", None, prefix)


@dataclass(frozen=True, slots=True)
class _Way:
    """One documented way of sending, taken apart."""

    carrier: Literal["header", "query"]
    name: bytes
    #: Auth-scheme in lower case, or empty.
    scheme: bytes
    #: What stands around the key.
    before: bytes
    after: bytes
    #: What stands around the key inside base64; None: it is sent plainly.
    encoded: tuple[bytes, bytes] | None

    @classmethod
    def of(cls, sent_as: SentAs) -> _Way:
        """Take a template such as `Bearer <key>` or `Basic base64(<key>:)` apart."""
        scheme, space, rest = sent_as.template.partition(" ")
        if not space or "<key>" in scheme:
            scheme, rest = "", sent_as.template
        encoded = None
        if rest.startswith("base64(") and rest.endswith(")"):
            inner, _, after = rest[len("base64(") : -1].partition("<key>")
            encoded, rest = (inner.encode(), after.encode()), "<key>"
        before, _, after = rest.partition("<key>")
        name = sent_as.name.lower() if sent_as.carrier == "header" else sent_as.name
        return cls(sent_as.carrier, name.encode(), scheme.lower().encode(), before.encode(), after.encode(), encoded)

    def key(self, value: bytes) -> bytes | None:
        """Return the key in a value without surrounding whitespace, or None where it was not sent in this way."""
        if self.scheme:
            scheme, space, value = value.partition(b" ")
            if not space or scheme.lower() != self.scheme:
                return None
            value = value.lstrip(b" ")
        key = _between(value, self.before, self.after)
        if key is not None and self.encoded is not None:
            try:
                key = _between(base64.b64decode(key, validate=True), *self.encoded)
            except binascii.Error:
                return None
        return key if key and not key.translate(None, _KEY) else None


def _between(value: bytes, before: bytes, after: bytes) -> bytes | None:
    if len(value) < len(before) + len(after) or not (value.startswith(before) and value.endswith(after)):
        return None
    return value[len(before) : len(value) - len(after)]


def _key(ways: tuple[_Way, ...], value: bytes) -> bytes | None:
    return next((key for way in ways if (key := way.key(value)) is not None), None)


def _by_name(ways: Iterable[_Way]) -> Mapping[bytes, tuple[_Way, ...]]:
    found: dict[bytes, tuple[_Way, ...]] = {}
    for way in ways:
        found[way.name] = (*found.get(way.name, ()), way)
    return found


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    parts = (pair.partition(b"=") for pair in query.split(b"&"))
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


@dataclass(frozen=True, slots=True)
class _Format:
    """What a kind of key looks like in one environment."""

    prefix: bytes
    shown: str
    #: None: any length.
    length: Bound | None
    alphabet: bytes

    def fits(self, key: bytes) -> bool:
        """Say whether what follows the prefix can have been issued."""
        secret = key[len(self.prefix) :]
        return self.length is None or (_within(len(secret), self.length) and not secret.translate(None, self.alphabet))


def _formats(kind: Kind) -> Iterable[_Format]:
    prefixes = dict.fromkeys(kind.prefix.values() if kind.prefix is not None else ()) or {"": None}
    for prefix in prefixes:
        if kind.secret is None:
            yield _Format(prefix.encode(), prefix, None, b"")
        else:
            yield _Format(prefix.encode(), prefix, kind.secret.length, kind.secret.alphabet.encode())


def _within(length: int, bound: Bound) -> bool:
    if bound.exact is not None:
        return length == bound.exact
    return (bound.at_least or 0) <= length and (bound.at_most is None or length <= bound.at_most)
