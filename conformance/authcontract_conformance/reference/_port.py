"""A listening port: what its connections share, whichever version of HTTP they speak."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, Literal, Protocol, TypeAlias

from ._message import Answer, Message

Serve: TypeAlias = Callable[[Message], Answer]
#: Statuses that have no content, hence no length either (RFC 9110 section 8.6).
_BARE: Final = frozenset({204, 304})


class Writer:
    """Renders answers; keeps the Date line of the current second, as one is made thousands of times."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._second = -1
        self._date = ""

    def date(self) -> str:
        """Return what the Date line says now."""
        second = int(self._now())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True)
        return self._date

    def render(self, answer: Answer, *, head_only: bool, close: str) -> bytes:
        """Return the bytes of a response."""
        status = answer.status
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\nDate: {self.date()}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
        if status not in _BARE:
            lines.append(f"Content-Length: {len(answer.body)}\r\n")
        lines.append(close)
        lines.append("\r\n")
        head = "".join(lines).encode("latin-1", "replace")
        return head if head_only or status in _BARE else head + answer.body


_REASONS: Final = {int(status): status.phrase for status in HTTPStatus}


class Closing(Protocol):
    """A connection, as far as its port is concerned."""

    def close(self) -> None:
        """Close at once."""


class Port:
    """What the connections of one listening port share."""

    def __init__(
        self,
        serve: Serve,
        writer: Writer,
        scheme: Literal["https", "http"],
        environment: str | None = None,
    ) -> None:
        self.serve = serve
        self.writer = writer
        self.scheme: Literal["https", "http"] = scheme
        self.environment = environment
        self.open: set[Closing] = set()
        self._opened = 0

    def number(self) -> int:
        """Return the number of a new connection."""
        self._opened += 1
        return self._opened
