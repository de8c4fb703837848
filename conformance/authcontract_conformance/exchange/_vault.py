"""The one place that knows secrets: it renders probes to bytes, and hides keys in everything that came back.

A key leaves only in what goes to the target. What is written anywhere else passes `hide`, which looks for any nine
characters in a row of a secret, whatever their case, also percent-encoded or in base64 (design.md, Decided 16).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from authcontract_engine import KeyRecord

from authcontract_conformance.exchange._exchange import Credential, HostName, Part, Parts, Probe
from authcontract_conformance.exchange._transform import transform

#: Shortest run of a secret that counts as shown.
WINDOW = 9
#: Nine bytes make twelve characters of base64.
BASE64_WINDOW = 12
#: Whoever looks at every fifth place of a text sees five characters of any run of nine, and likewise six of twelve: so
#: most texts are cleared by a fifth of the look-ups.
GRAM, BASE64_GRAM = 5, 6
#: What speaks of the connection has no place in HTTP/2 (RFC 9113 section 8.2.2).
ONLY_HTTP_1 = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
#: The alphabet for URLs differs in two characters (RFC 4648 section 5).
_USUAL_BASE64 = bytes.maketrans(b"-_", b"+/")


class Vault:
    """Keys of one run: their secrets, and their records as the oracle knows them."""

    def __init__(self, formats: Iterable[bytes] = ()) -> None:
        """Know the formats of keys too, as regular expressions over bytes: a key of nobody's is hidden as well."""
        self._formats = re.compile(b"|".join(formats)) if formats else None
        self._secrets: dict[str, bytes] = {}
        self._records: dict[str, KeyRecord] = {}
        self._by_digest: dict[str, str] = {}
        self._windows: dict[bytes, str] = {}
        self._encoded: dict[bytes, str] = {}
        self._grams: set[bytes] = set()
        self._encoded_grams: set[bytes] = set()

    def __repr__(self) -> str:
        return f"Vault({len(self._secrets)} keys)"

    def add(self, record: KeyRecord | None, key: str, secret: bytes, prefix: int = 0) -> None:
        """Keep a secret under the reference `key`; with no record it is a key that was never issued.

        The first `prefix` bytes are public: they are the same in every key of its kind.
        """
        self._secrets[key] = secret
        if record is not None:
            digest = hashlib.sha256(secret).hexdigest()
            self._records[key] = replace(record, digest=digest)
            self._by_digest[digest] = key
        lower = secret.lower()
        for start in range(prefix, len(secret) - WINDOW + 1):
            self._windows[lower[start : start + WINDOW]] = key
        self._grams.update(lower[start : start + GRAM] for start in range(prefix, len(secret) - GRAM + 1))
        for offset in range(3):
            # Drop the groups that depend on the neighbours: the first where padded, the last where it is not full.
            data = b"\0" * offset + secret[prefix:]
            text = base64.b64encode(data)[4 if offset else 0 : len(data) // 3 * 4]
            for start in range(len(text) - BASE64_WINDOW + 1):
                self._encoded[text[start : start + BASE64_WINDOW]] = key
            grams = (text[start : start + BASE64_GRAM] for start in range(len(text) - BASE64_GRAM + 1))
            self._encoded_grams.update(grams)

    def update(self, record: KeyRecord) -> None:
        """Replace what is known of a key, after it was rotated or revoked; of no other key is anything kept."""
        if record.id in self._records:
            self._records[record.id] = replace(record, digest=self._records[record.id].digest)

    def record(self, key: str) -> KeyRecord | None:
        """Return the record of this reference, or None for a key that was never issued."""
        return self._records.get(key)

    def by_digest(self, digest: str | None) -> KeyRecord | None:
        """Return the record whose key has this SHA-256, as a key store would."""
        key = self._by_digest.get(digest or "")
        return self._records[key] if key else None

    def secret(self, key: str) -> bytes:
        """Return the secret itself; only for rendering and for the file of keys that a later run must present."""
        return self._secrets[key]

    def same(self, one: str, other: str) -> bool:
        """Tell whether two references stand for the same secret."""
        return self._secrets[one] == self._secrets[other]

    def length(self, key: str) -> int:
        """Return how many bytes the key has."""
        return len(self._secrets[key])

    def render(self, parts: Parts, authority: str) -> bytes:
        """Return the bytes that these parts stand for."""
        return b"".join(self._part(part, authority) for part in parts)

    def _part(self, part: Part, authority: str) -> bytes:
        match part:
            case Credential(key=key, transforms=steps):
                return transform(self._secrets[key], steps)
            case HostName():
                return authority.encode()
            case _:
                return part

    def head(self, probe: Probe, authority: str) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
        """Return the target and the header lines of a probe, rendered."""
        lines = tuple((self.render(n, authority), self.render(v, authority)) for n, v in probe.headers)
        if probe.exact:  # as whoever translates it for HTTP/1.1 does (RFC 9113 section 8.3.1)
            named = tuple((b"Host", value) for name, value in lines if name == b":authority")
            same = {(b"host", value) for _, value in named}
            lines = (*named, *(line for line in lines if line[0][:1] != b":" and line not in same))
        return self.render(probe.target, authority), lines

    def fields(self, probe: Probe, authority: str) -> tuple[tuple[bytes, bytes], ...] | None:
        """Return the fields that HTTP/2 sends for a probe, or None where it cannot express it (RFC 9113 section 8)."""
        lines = [(self.render(n, authority), self.render(v, authority)) for n, v in probe.headers]
        if probe.exact:
            return tuple(lines)
        rest = [(name.lower(), value.strip(b" \t")) for name, value in lines]
        if any(name in ONLY_HTTP_1 for name, _ in rest):
            return None
        host = next((place for place, (name, _) in enumerate(rest) if name == b"host"), None)
        named = () if host is None else ((b":authority", rest.pop(host)[1]),)
        target = self.render(probe.target, authority)
        return ((b":method", probe.method), (b":scheme", b"https"), *named, (b":path", target), *rest)

    def message(self, probe: Probe, authority: str) -> bytes:
        """Return the whole request as it goes to the target."""
        target, lines = self.head(probe, authority)
        version = {"0.9": b"", "1.0": b" HTTP/1.0"}.get(probe.protocol, b" HTTP/1.1")
        head = b"".join((probe.method, b" ", target, version, b"\r\n", *(n + b": " + v + b"\r\n" for n, v in lines)))
        return head + b"\r\n" + self.render(probe.body, authority)

    def hide(self, data: bytes) -> bytes:
        """Return the data with every run of a secret replaced by the key's reference."""
        hits = self._hits(data)
        data = _cut(data, hits) if hits else data
        return data if self._formats is None else self._formats.sub(b"[a key]", data)

    def hide_text(self, text: str) -> str:
        """Return a sentence with every run of a secret replaced, and on one line: it may quote what a target said."""
        return visible(self.hide(text.encode("utf-8", "replace")).decode("utf-8", "replace"), "")

    def shown(self, data: bytes) -> tuple[str, ...]:
        """Return the references of the keys of which a run stands in the data, raw, percent-encoded or in base64."""
        return tuple(dict.fromkeys(key for _, _, key in self._hits(data)))

    def _hits(self, data: bytes) -> list[tuple[int, int, str]]:
        """Return each run of a secret: where it starts, where it stops, and whose it is."""
        found = self._runs(data)
        if _PERCENT.search(data):
            plain, places = _unquoted(data)
            found += [(places[start], places[stop], key) for start, stop, key in self._runs(plain)]
        return sorted(found)

    def _runs(self, data: bytes) -> list[tuple[int, int, str]]:
        lower, usual, found = data.lower(), data.translate(_USUAL_BASE64), []
        windows, encoded = self._windows, self._encoded
        if not self._grams.isdisjoint([lower[at : at + GRAM] for at in range(0, len(lower), GRAM)]):
            for start in range(len(data) - WINDOW + 1):
                key = windows.get(lower[start : start + WINDOW])
                if key is not None:
                    found.append((start, start + WINDOW, key))
        if not self._encoded_grams.isdisjoint(
            [usual[at : at + BASE64_GRAM] for at in range(0, len(usual), BASE64_GRAM)]
        ):
            for start in range(len(data) - BASE64_WINDOW + 1):
                key = encoded.get(usual[start : start + BASE64_WINDOW])
                if key is not None:
                    found.append((start, start + BASE64_WINDOW, key))
        return found


def _unquoted(data: bytes) -> tuple[bytes, list[int]]:
    """Return the data percent-decoded, and for each byte of it, and for its end, where that stands in the data."""
    plain, done = bytearray(), 0
    places: list[int] = []
    for match in _PERCENT.finditer(data):
        plain += data[done : match.start()]
        places += range(done, match.start() + 1)
        plain.append(int(match[0][1:], 16))
        done = match.end()
    return bytes(plain + data[done:]), [*places, *range(done, len(data) + 1)]


def _cut(data: bytes, hits: Iterable[tuple[int, int, str]]) -> bytes:
    """Replace each stretch of overlapping hits by the reference of its key."""
    pieces, done, end, key = [], 0, 0, ""
    for start, stop, name in hits:
        if start >= end:
            if key:
                pieces.append(b"[key " + key.encode() + b"]")
                done = end
            pieces.append(data[done:start])
            key = name
        end = max(end, stop)
    pieces.append(b"[key " + key.encode() + b"]" + data[end:])
    return b"".join(pieces)


def visible(text: str, lines: str = "\n") -> str:
    """Return text with every control character written out, so that it can neither move a cursor nor break a line."""
    return "".join(c if c.isprintable() or c in lines else f"\\x{ord(c):02x}" for c in text)
