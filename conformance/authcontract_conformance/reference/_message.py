"""What crosses between the listener and those who answer: a whole request as received, and a whole response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ._http import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request, its bytes untouched, and where it came from."""

    head: Head
    body: bytes = b""
    #: How it arrived, not what it claims.
    scheme: Literal["https", "http"] = "https"
    #: Version of HTTP that brought it; everything of 1.x is the same here.
    protocol: Literal["1.1", "2"] = "1.1"
    peer: str = ""
    #: The environment whose port received it; None where one port serves all.
    environment: str | None = None
    #: Number of the connection, in the order of their opening.
    connection: int = 0
    #: Seconds of the listener's clock at which the head was complete; the body may have come much later.
    began: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; the listener adds Date and the framing."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    #: May show a new key, once; so it is in no repr.
    body: bytes = field(default=b"", repr=False)
