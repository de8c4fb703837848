"""What a clause asks for and what it gets: probes, exchanges and the other requests to the driver.

A probe holds exact bytes, except that a key stands in it by reference: the id of a key and the transformations that
turn it into what is sent. So a probe can be logged, compared and replayed, and no secret is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from authcontract_engine import KeyRecord


@dataclass(frozen=True, slots=True)
class Credential:
    """A key by reference, with the transformations of `_transform.TRANSFORMS` applied in order."""

    key: str
    transforms: tuple[tuple[str | int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class HostName:
    """Stands for the target's own authority (`host:port`)."""


NOT_IMPLEMENTED = 501
#: How a server answers what was to be done once, and is done (RFC 9110 sections 15.5.1, 15.5.5, 15.5.10 to 15.5.13).
ONCE = frozenset({400, 404, 409, 410, 412, 422})
#: The stream error that a malformed request is (RFC 9113 section 8.1.1).
MALFORMED = "PROTOCOL_ERROR"
#: Random text by which an effect is recognised; nothing else looks like it.
CANARY = re.compile(rb"canary-[0-9a-f]{16}")
#: JSON that is nested deeper is a target trying our stack.
MAX_DEPTH = 64
Part: TypeAlias = bytes | Credential | HostName
Parts: TypeAlias = tuple[Part, ...]
HOST: Parts = (HostName(),)


class Purpose(StrEnum):
    """Why a request is sent; only probes are judged."""

    PROBE = "probe"
    CONTROL = "control"
    FIXTURE = "fixture"
    EFFECT = "effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One request, byte for byte."""

    method: bytes
    target: Parts
    headers: tuple[tuple[Parts, Parts], ...] = ()
    body: Parts = ()
    #: Plaintext goes to the target's plaintext port; "clear" is plaintext that is sent to the port of TLS.
    channel: Literal["tls", "plain", "clear"] = "tls"
    #: In HTTP/2 the header lines become fields, and Host becomes `:authority`. A probe with a line for a pseudo-header
    #: goes out as exactly its lines, on a connection of its own.
    #: "0.9" is a request line without a version, and nothing after it.
    protocol: Literal["0.9", "1.0", "1.1", "2"] = "1.1"
    #: Which base URL receives it, where each environment has its own.
    environment: str | None = None
    #: Probes with the same name share one connection, in order; None: any of the pool.
    connection: str | None = None
    #: False where a clause counts quota itself: sent at once, never retried.
    paced: bool = True
    purpose: Purpose = Purpose.PROBE
    #: operationId that it is about.
    operation: str | None = None
    #: A few words for people: what is special about this request.
    label: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the ids of the keys in it, each once."""
        places = [self.target, self.body, *(part for line in self.headers for part in line)]
        return tuple(dict.fromkeys(p.key for place in places for p in place if isinstance(p, Credential)))

    @property
    def exact(self) -> bool:
        """Tell whether its header lines are the very fields that HTTP/2 sends."""
        return self.protocol == "2" and any(bytes_of(name).startswith(b":") for name, _ in self.headers)

    @property
    def canary(self) -> str | None:
        """Return the canary that its body carries, or None."""
        found = CANARY.search(b"".join(part for part in self.body if isinstance(part, bytes)))
        return found[0].decode() if found else None


def bytes_of(parts: Parts) -> bytes:
    """Return what of parts is no reference."""
    return b"".join(part for part in parts if isinstance(part, bytes))


class Delivery(StrEnum):
    """What became of a request on the wire."""

    ANSWERED = "answered"
    #: The connection could not be opened.
    REFUSED = "refused"
    #: Closed or reset before a whole response came; it may have been executed (R7).
    CLOSED = "closed"
    TIMEOUT = "timeout"
    #: Something came that is no HTTP response, or is larger than the bound.
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A probe with the response that came."""

    number: int
    probe: Probe
    #: The target's own, as a Host header says it.
    authority: str = "target"
    delivery: Delivery
    #: 0 unless answered.
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    #: Seconds of the driver's monotonic clock.
    sent_at: float = 0.0
    received_at: float = 0.0
    #: Why it was not answered, in words.
    problem: str = ""
    #: Name of the error code with which the target ended an HTTP/2 stream, or the connection because of it.
    reset: str = ""
    #: Why the same request was sent before in vain, where it may have been carried out then (R7); "" where it was not.
    before: str = ""
    _json: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def answered(self) -> bool:
        """Tell whether a whole response came."""
        return self.delivery is Delivery.ANSWERED

    @property
    def succeeded(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004  the range that RFC 9110 section 15.3 names

    @property
    def repeats(self) -> bool:
        """Tell whether its answer may be the one to a second time: what was deleted is not there, and the like."""
        return bool(self.before) and self.status in ONCE

    @property
    def malformed(self) -> bool:
        """Tell whether the target refused it as malformed in HTTP/2's own way (RFC 9113 section 8.1.1)."""
        return self.reset == MALFORMED

    @property
    def broken(self) -> bool:
        """Tell whether nothing can be judged by it: no response, or an error of the server (R6).

        501 is none: it is how a server refuses a method that it does not know (RFC 9110 section 9.1).
        """
        return not self.answered or (self.status >= 500 and self.status != NOT_IMPLEMENTED)  # noqa: PLR2004  section 15.6

    def header(self, name: str) -> str | None:
        """Return all values of a header joined by a comma, or None."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    def json(self) -> Any:
        """Return the body as JSON, or None if it is none or nested too deep."""
        if not self._json:
            try:
                value = json.loads(self.body)
            except (ValueError, RecursionError):
                value = None
            self._json.append(None if _too_deep(value) else value)
        return self._json[0]


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        holders = [inner for inner in level if isinstance(inner, dict | list)]
        level = [inner for holder in holders for inner in (holder.values() if isinstance(holder, dict) else holder)]
        if not level:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Burst:
    """Probes sent at once on several connections; gives their exchanges in the same order."""

    probes: tuple[Probe, ...]
    connections: int = 8
    #: True: each on a connection of its own, all but their last byte first, then the last bytes of all.
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """Agree on a version of TLS and hang up before anything is sent; gives True where the target agrees to it."""

    version: Literal["TLSv1", "TLSv1.1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Move the target's clock forward; gives None."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let the target's time pass: by its clock where it can be moved, else by waiting; gives None."""

    seconds: float


KeyState: TypeAlias = Literal["active", "unknown", "revoked", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A key that a clause needs, described by what it may do."""

    #: "A" is the first organisation, "B" the second.
    organisation: str = "A"
    environment: str | None = None
    kind: str
    scopes: frozenset[str] = frozenset()
    plan: str | None = None
    #: True: used by nobody else, before or after.
    own: bool = False
    #: active: as issued · unknown: well-formed, never issued · revoked · expired.
    state: KeyState = "active"
    #: True: what it lacks matters, so that a key with more scopes is none for this need.
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the run may use, as the oracle knows it: everything but the secret."""

    record: KeyRecord
    need: Need

    @property
    def id(self) -> str:
        """Return the reference by which probes name it."""
        return self.record.id


@dataclass(frozen=True, slots=True)
class Acquire:
    """Ask for a key; gives a `Key`, or ends the case as skipped where the target offers none."""

    need: Need
    #: The case of whose organisations it is to be; None: of its own.
    case: str | None = None


@dataclass(frozen=True, slots=True)
class Rotate:
    """Rotate a key by the target's key management; gives the new `Key`."""

    key: Key


@dataclass(frozen=True, slots=True)
class Revoke:
    """Revoke a key by the target's key management; gives None."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Learn:
    """Tell the driver of a key that a response showed, so that it is kept secret and can be sent; gives a `Key`."""

    exchange: Exchange
    #: Where the secret stands in the JSON body.
    path: tuple[str | int, ...]
    record: KeyRecord
    need: Need


Action: TypeAlias = Probe | Burst | Handshake | Advance | Wait | Acquire | Rotate | Revoke | Learn
Json: TypeAlias = Mapping[str, Any]
