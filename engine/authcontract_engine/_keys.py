"""Keys: how one is presented in a request as received, whether it fits its format, and the state of its life."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from authcontract_policy import Bound, Keys, Kind, SentAs

from ._values import KeyRecord, KeyState

State = Literal["missing", "malformed", "conflicting", "key"]
_OWS = b" \t"
#: Characters of a key that a masked form may show at its end.
SHOWN = 4


class Presented(NamedTuple):
    """What a request shows of a key, without the key itself."""

    state: State
    #: SHA-256 of the key's bytes, lower-case hex; None unless a key that fits its format was presented.
    digest: str | None = None
    #: Its prefix and last characters, as an error message may show it.
    masked: str = ""


MISSING = Presented("missing")
MALFORMED = Presented("malformed")
CONFLICTING = Presented("conflicting")


@dataclass(frozen=True, slots=True)
class _Carrier:
    """One documented way of sending, taken apart: what stands before and after the key, and whether it is encoded."""

    name: bytes
    #: Auth-scheme in lower case, or empty.
    scheme: bytes
    before: bytes
    after: bytes
    #: Inside base64: what stands before and after the key there.
    encoded: tuple[bytes, bytes] | None


def carrier(sent_as: SentAs) -> _Carrier:
    """Take a template such as `Bearer <key>` or `Basic base64(<key>:)` apart."""
    scheme, space, rest = sent_as.template.partition(" ")
    if not space or "<key>" in scheme:
        scheme, rest = "", sent_as.template
    encoded = None
    if rest.startswith("base64(") and rest.endswith(")"):
        inner_before, _, inner_after = rest[len("base64(") : -1].partition("<key>")
        encoded, rest = (inner_before.encode(), inner_after.encode()), "<key>"
    before, _, after = rest.partition("<key>")
    return _Carrier(sent_as.name.lower().encode(), scheme.lower().encode(), before.encode(), after.encode(), encoded)


class Presentation:
    """Reads the key of a request in the documented ways, and in no other."""

    def __init__(self, keys: Keys) -> None:
        self._headers: dict[bytes, list[_Carrier]] = {}
        self._queries: dict[bytes, _Carrier] = {}
        for sent_as in keys.sent_as:
            found = carrier(sent_as)
            if sent_as.carrier == "header":
                self._headers.setdefault(found.name, []).append(found)
            else:
                self._queries[sent_as.name.encode()] = found
        self._formats = tuple(Format(kind) for kind in keys.kinds.values())

    def read(self, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Presented:
        """Return what is presented; two credentials that differ are conflicting, whatever they are worth."""
        values = [(self._headers[name.lower()], value) for name, value in headers if name.lower() in self._headers]
        keys = [_key(carriers, value) for carriers, value in values]
        keys += [unquote_to_bytes(v) for n, v in _pairs(query) if n in self._queries] if self._queries else []
        if not keys:
            return MISSING
        if len(keys) > 1:
            return MALFORMED if len(set(keys)) == 1 and keys[0] is None else CONFLICTING
        key = keys[0]
        if key is None:
            return CONFLICTING if self._joined(values) else MALFORMED
        masked = self._masked(key)
        if not any(form.fits(key) for form in self._formats):
            return Presented("malformed", None, masked)
        return Presented("key", hashlib.sha256(key).hexdigest(), masked)

    def _joined(self, values: list[tuple[list[_Carrier], bytes]]) -> bool:
        """Tell whether one line carries several credentials, joined by commas as a proxy does."""
        return any(
            len(parts := value.split(b",")) > 1 and sum(_key(carriers, part) is not None for part in parts) > 1
            for carriers, value in values
        )

    def _masked(self, key: bytes) -> str:
        prefix = next((p for form in self._formats for p in form.prefixes if key.startswith(p)), b"")
        tail = key[len(prefix) :]
        shown = tail[-SHOWN:] if len(tail) > 2 * SHOWN else b""
        return f"{prefix.decode('latin-1')}…{shown.decode('latin-1')}"


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        found.append((unquote_to_bytes(name), value))
    return found


def _key(carriers: list[_Carrier], value: bytes) -> bytes | None:
    """Return the key in a field value, or None if no documented way fits."""
    value = value.strip(_OWS)
    for way in carriers:
        found = _by(way, value)
        if found is not None:
            return found
    return None


def _by(way: _Carrier, value: bytes) -> bytes | None:
    if way.scheme:
        scheme, space, value = value.partition(b" ")
        if not space or scheme.lower() != way.scheme:
            return None
        value = value.lstrip(b" ")
    if not (value.startswith(way.before) and value.endswith(way.after)):
        return None
    key = value[len(way.before) : len(value) - len(way.after)]
    if way.encoded is not None:
        try:
            key = base64.b64decode(key, validate=True)
        except binascii.Error:
            return None
        before, after = way.encoded
        if not (key.startswith(before) and key.endswith(after)):
            return None
        key = key[len(before) : len(key) - len(after)]
    return key if key and all(0x20 < byte < 0x7F and byte != 0x2C for byte in key) else None  # noqa: PLR2004  visible ASCII without the comma


class Format:
    """What a kind of key looks like, checked before any look-up."""

    def __init__(self, kind: Kind) -> None:
        self.prefixes: tuple[bytes, ...] = tuple(
            dict.fromkeys(text.encode() for text in (kind.prefix.values() if kind.prefix else ()))
        )
        self._secret = kind.secret
        self._alphabet = frozenset(kind.secret.alphabet.encode()) if kind.secret else frozenset()

    def fits(self, key: bytes) -> bool:
        """Tell whether the bytes can be a key of this kind."""
        for prefix in self.prefixes or (b"",):
            if key.startswith(prefix):
                secret = key[len(prefix) :]
                if self._secret is None or (
                    _within(len(secret), self._secret.length) and self._alphabet >= set(secret)
                ):
                    return True
        return False


def _within(length: int, bound: Bound) -> bool:
    if bound.exact is not None:
        return length == bound.exact
    return (bound.at_least or 0) <= length <= (bound.at_most if bound.at_most is not None else length)


def state(key: KeyRecord, now: float) -> KeyState:
    """Return where a key is in its life; at the instant of a deadline it is over (G-27)."""
    if key.revoked_at is not None and now >= key.revoked_at:
        return KeyState.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return KeyState.EXPIRED
    if key.rotated_at is not None:
        return KeyState.GRACE if now < key.rotated_at + (key.grace or 0) else KeyState.EXPIRED
    return KeyState.ACTIVE


def headings_of(key: KeyRecord | None) -> Mapping[str, str | None]:
    """Return plan, environment and kind of a key, by the names of their tables."""
    if key is None:
        return {}
    return {"plan": key.plan, "environment": key.environment, "kind of key": key.kind}
