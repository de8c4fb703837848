"""The listener: one connection's bytes become messages in order, and their answers go back in the same order.

It keeps the request target and every header line as received (design.md, Decided 14), decides nothing, and ends a
connection on which it can no longer tell where the next request begins.
"""

from __future__ import annotations

import asyncio
from typing import Final

from authcontract_policy import Cause

from ._http import MAX_BODY, MAX_HEAD, MAX_TARGET, ChunkError, Head, Problem, read_chunks, read_head
from ._http2 import PROTOCOLS, Http2Connection
from ._message import Message
from ._port import Port

#: Seconds within which a request must be complete once its first byte came; a slower client is cut off.
REQUEST_TIMEOUT: Final = 20.0
#: Seconds for which an idle connection is kept.
IDLE_TIMEOUT: Final = 120.0
#: Seconds for which what a refused client still sends is read over: closing at once would reset the connection, and
#: the client might lose the answer (RFC 9112 section 9.6).
LINGER: Final = 1.0
#: Empty lines before a request line that are read over (RFC 9112 section 2.2).
_MAX_EMPTY: Final = 8
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client's connection, made for its port when it comes."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._number = port.number()
        self._transport: asyncio.Transport
        self._peer = ""
        self._buffer = b""
        #: The head whose body is still coming.
        self._head: Head | None = None
        #: When the last head was complete.
        self._began = 0.0
        self._closing = False
        self._clock = asyncio.get_running_loop()
        self._since = self._clock.time()
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch the time."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what create_server always gives
        self._transport = transport
        secured = transport.get_extra_info("ssl_object")
        if secured is not None and secured.selected_alpn_protocol() == PROTOCOLS[0]:
            other = Http2Connection(self._port, self._number)
            transport.set_protocol(other)
            other.connection_made(transport)
            return
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._port.open.add(self)
        self._timer = self._clock.call_later(REQUEST_TIMEOUT, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  how it ended changes nothing
        """Stop watching."""
        self._port.open.discard(self)
        self._timer.cancel()

    def close(self) -> None:
        """Close at once, for a server that stops."""
        self._transport.abort()

    def _check_time(self) -> None:
        busy = bool(self._buffer) or self._head is not None
        allowed = REQUEST_TIMEOUT if busy else IDLE_TIMEOUT
        waited = self._clock.time() - self._since
        if waited >= allowed:
            self._transport.abort()
        else:
            self._timer = self._clock.call_later(min(allowed - waited, REQUEST_TIMEOUT), self._check_time)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete now."""
        if self._closing:
            return
        if not self._buffer and self._head is None:
            self._since = self._clock.time()
        self._buffer = self._buffer + data if self._buffer else bytes(data)
        while self._buffer and not self._closing:
            if not self._step():
                return

    def eof_received(self) -> bool:
        """Close when the client has said all; whatever was complete is answered by now."""
        return False

    def _step(self) -> bool:
        """Take one request off the buffer and answer it; False while it is incomplete."""
        head = self._head
        if head is None:
            head = self._take_head()
            if head is None:
                return False
            if head.problem is not None:
                self._answer(head, b"")
                return False
        length = head.length
        if length == 0:
            self._head = None
            self._answer(head, b"")
            return True
        if self._head is None and head.expects_continue and not self._buffer:
            self._transport.write(_CONTINUE)
        self._head = head
        if length is None:
            return self._take_chunks(head)
        if len(self._buffer) < length:
            return False
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        self._head = None
        self._answer(head, body)
        return True

    def _take_head(self) -> Head | None:
        buffer = self._buffer
        for _ in range(_MAX_EMPTY):
            if not buffer.startswith(b"\r\n"):
                break
            buffer = buffer[2:]
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            self._buffer = buffer
            return self._hopeless(buffer)
        self._buffer = buffer[end + 4 :]
        self._began = self._clock.time()
        return read_head(buffer[:end])

    def _hopeless(self, buffer: bytes) -> Head | None:
        """Return a head with a problem if no more bytes can make this one good."""
        if len(buffer) > MAX_HEAD:
            first = buffer.partition(b"\r\n")[0].split(b" ", 2)
            return Head(problem=Cause.TOO_LARGE, long_target=len(first) > 1 and len(first[1]) > MAX_TARGET)
        if b"\n\n" in buffer or b"\n\r\n" in buffer:
            # Empty lines that are none of HTTP's: this client will wait forever.
            return Head(problem=Cause.MALFORMED_REQUEST)
        return None

    def _take_chunks(self, head: Head) -> bool:
        try:
            found = read_chunks(self._buffer)
        except ChunkError as error:
            self._refuse(head, error.problem)
            return False
        if found is None:
            if len(self._buffer) > MAX_BODY + MAX_HEAD:
                self._refuse(head, Cause.TOO_LARGE)
            return False
        body, end = found
        self._buffer = self._buffer[end:]
        self._head = None
        self._answer(head, body)
        return True

    def _refuse(self, head: Head, problem: Problem) -> None:
        self._head = None
        self._answer(Head(method=head.method, target=head.target, headers=head.headers, problem=problem), b"")

    def _answer(self, head: Head, body: bytes) -> None:
        port = self._port
        message = Message(
            head=head,
            body=body,
            scheme=port.scheme,
            peer=self._peer,
            environment=port.environment,
            connection=self._number,
            began=self._began,
        )
        answer = port.serve(message)
        keep = head.keep_alive and head.problem is None
        close = "" if keep else "Connection: close\r\n"
        self._transport.write(port.writer.render(answer, head_only=head.method == b"HEAD", close=close))
        self._since = self._clock.time()
        if not keep:
            self._closing = True
            if head.problem is None:
                self._transport.close()
            else:
                self._buffer = b""
                self._clock.call_later(LINGER, self._transport.close)
