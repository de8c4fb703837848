"""How a request shows a key: in the documented ways and in no other, judged before anybody looks the key up."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from authcontract_policy import Bound, Keys, Kind, SentAs

from ._lean import lean

State: TypeAlias = Literal["missing", "malformed", "conflicting", "key"]

#: Characters of a key that a masked form may show at its end.
SHOWN: Final = 4
#: Visible ASCII without the comma, which joins field values (RFC 9110 section 5.3).
_KEY: Final = rb"[!-+\--~]+"
#: Whitespace around a field value does not belong to it (RFC 9110 section 5.5).
_PADDED: Final = rb"[ \t]*(?:%b)[ \t]*"
#: No whitespace, so that no value takes long to be refused.
_BASE64: Final = rb"([A-Za-z0-9+/=]+)"
#: Matches nothing.
_NEVER: Final = rb"(?!)"
_ENCODED: Final = re.compile(r"base64\((.*)\)")


@lean(frozen=True, slots=True)
class Presented:
    """What a request shows of a key, without the key itself."""

    state: State
    #: SHA-256 of the key's bytes, lower-case hex; None where no issued key can look like it.
    digest: str | None = None
    prefix: bytes = b""
    #: The last characters of a key that fits its format.
    tail: bytes = b""

    @property
    def masked(self) -> str:
        """Return the key as an error message may show it: its prefix and last characters."""
        tail = self.tail if self.tail.isalnum() else b""
        return (self.prefix + b"****" + tail).decode() if self.prefix or tail else ""


#: No key is empty.
_NOTHING: Final = b""
MISSING: Final = Presented("missing")
MALFORMED: Final = Presented("malformed")
CONFLICTING: Final = Presented("conflicting")


class Presentation:
    """Reads the key of a request."""

    def __init__(self, keys: Keys) -> None:
        formats = [form for kind in keys.kinds.values() for form in _formats(kind)]
        fitting = b"|".join(b"((%b)%b)" % (re.escape(prefix), secret) for prefix, secret in formats)
        self._prefixes = tuple(prefix for prefix, _ in formats)
        #: A key of any kind in any environment; of the two groups that match, the inner one is its prefix.
        self._fitting = re.compile(fitting)
        self._headers = _carriers(keys.sent_as, "header", fitting)
        self._parameters = _carriers(keys.sent_as, "query", fitting)
        #: The only header in which keys are sent, where there is no other way.
        self._only = self._headers[0] if len(self._headers) == 1 and not self._parameters else None

    def read(self, names: list[bytes], values: list[bytes], query: bytes) -> Presented:
        """Return what is presented; the fields come as names in lower case and as values.

        Two credentials are conflicting whatever they are worth, also where one line carries both, joined by a comma as
        proxies do; only where different carriers show the same key does it count as one.
        """
        only = self._only
        if only is not None and names.count(only.name) == 1:
            # Nearly every request: the documented way, once, with a key that fits.
            fits = only.fitting.fullmatch(values[names.index(only.name)])
            if fits is not None:
                return _key(fits)
        shown: bytes | None = _NOTHING
        for carrier in self._headers:
            found = names.count(carrier.name)
            if found:
                value = values[names.index(carrier.name)]
                key = carrier.key(value)
                if found > 1 or shown not in (_NOTHING, key) or (key is None and carrier.holds_several(value)):
                    return CONFLICTING
                shown = key
        for carrier in self._parameters:
            queried = [value for name, value in _pairs(query) if name == carrier.name]
            if queried:
                key = carrier.key(queried[0])
                if len(queried) > 1 or shown not in (_NOTHING, key):
                    return CONFLICTING
                shown = key
        return MISSING if shown is _NOTHING else self._judged(shown)

    def _judged(self, key: bytes | None) -> Presented:
        """Return what a key is before look-up: one with a prefix that nobody documents is a key nobody issued."""
        if key is None:
            return MALFORMED
        fits = self._fitting.fullmatch(key)
        if fits is not None:
            return _key(fits)
        prefix = next((prefix for prefix in self._prefixes if key.startswith(prefix)), None)
        return Presented("key") if prefix is None else Presented("malformed", None, prefix)


def _key(fits: re.Match[bytes]) -> Presented:
    """Return a key that fits its format, from the groups of whichever it is."""
    group = fits.lastindex or 0
    key = fits[group]
    return Presented("key", hashlib.sha256(key).hexdigest(), fits[group + 1], key[-SHOWN:])


@dataclass(frozen=True, slots=True)
class _Carrier:
    """A header or query parameter that may hold a key, in one or several ways."""

    #: In lower case where case does not count.
    name: bytes
    #: Of a whole value; each way is a group around the key, or around what encodes it.
    pattern: re.Pattern[bytes]
    #: Of one that holds a key which fits its format, sent plainly.
    fitting: re.Pattern[bytes]
    #: For each group of `pattern` the expression for what base64 encodes; None: the key is sent plainly.
    encoded: tuple[re.Pattern[bytes] | None, ...]

    def key(self, value: bytes) -> bytes | None:
        """Return the key in a value, or None where it was sent in no documented way."""
        found = self.pattern.fullmatch(value)
        if found is None:
            return None
        group = found.lastindex or 0
        encoded = self.encoded[group - 1]
        if encoded is None:
            return found[group]
        try:
            found = encoded.fullmatch(binascii.a2b_base64(found[group], strict_mode=True))
        except binascii.Error:
            return None
        return None if found is None else found[1]

    def holds_several(self, value: bytes) -> bool:
        """Say whether a value holds several keys."""
        return sum(self.key(part) is not None for part in value.split(b",")) > 1


def _carriers(ways: Iterable[SentAs], where: Literal["header", "query"], fitting: bytes) -> tuple[_Carrier, ...]:
    """Return what carries keys there, each with all of its ways."""
    by_name: dict[bytes, list[str]] = {}
    for way in ways:
        if way.carrier == where:
            name = way.name.lower() if where == "header" else way.name
            by_name.setdefault(name.encode(), []).append(way.template)
    return tuple(
        _Carrier(
            name=name,
            pattern=_values(templates, b"(%b)" % _KEY, _BASE64),
            fitting=_values(templates, b"(?:%b)" % fitting, _NEVER),
            encoded=tuple(map(_encoded, templates)),
        )
        for name, templates in by_name.items()
    )


def _values(templates: Iterable[str], key: bytes, base64: bytes) -> re.Pattern[bytes]:
    """Return the expression for values such as `Bearer <key>` or `Basic base64(<key>:)`.

    An auth-scheme has no case and one or more spaces behind it (RFC 9110 sections 11.1 and 11.4).
    """
    ways = []
    for template in templates:
        scheme, space, rest = template.partition(" ")
        if not space or "<key>" in scheme:
            scheme, rest = "", template
        way = base64 if _ENCODED.fullmatch(rest) else _around(rest, key)
        ways.append(b"(?i:%b) +%b" % (re.escape(scheme.encode()), way) if scheme else way)
    return re.compile(_PADDED % b"|".join(ways))


def _encoded(template: str) -> re.Pattern[bytes] | None:
    inner = _ENCODED.search(template)
    return None if inner is None else re.compile(_around(inner[1], b"(%b)" % _KEY))


def _around(template: str, key: bytes) -> bytes:
    """Return the expression for a text with `<key>` in it."""
    before, _, after = template.encode().partition(b"<key>")
    return re.escape(before) + key + re.escape(after)


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    parts = (pair.partition(b"=") for pair in query.split(b"&"))
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


def _formats(kind: Kind) -> Iterable[tuple[bytes, bytes]]:
    """Yield the prefix of a kind in each environment, with the expression for what follows it."""
    secret = _KEY
    if kind.secret is not None:
        secret = b"[%b]%b" % (re.escape(kind.secret.alphabet.encode()), _repeated(kind.secret.length))
    prefixes = kind.prefix.values() if kind.prefix is not None else ()
    for prefix in dict.fromkeys(prefixes) or [""]:
        yield prefix.encode(), secret


def _repeated(length: Bound) -> bytes:
    least, most = (length.exact, length.exact) if length.exact is not None else (length.at_least or 0, length.at_most)
    return b"{%d,%b}" % (least, b"" if most is None else b"%d" % most)
