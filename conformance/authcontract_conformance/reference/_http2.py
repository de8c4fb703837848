"""HTTP/2 as the listener reads it: each stream becomes a message like one of HTTP/1.1, its fields as received.

`h2` unpacks the frames; what it would refuse in a request by ending the connection is refused here by the contract, on
the one stream (RFC 9113 section 8.1.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from authcontract_policy import Cause

from ._http import MAX_BODY, MAX_HEAD, MAX_LINE, MAX_TARGET, TOKEN, Head, Lines
from ._message import Answer, Message
from ._port import Port

#: What a connection is asked for by ALPN, ours first.
PROTOCOLS: Final = ("h2", "http/1.1")
#: Requests at once on one connection; RFC 9113 section 6.5.2 asks for no fewer.
MAX_STREAMS: Final = 100
#: Streams that a client may open and reset on one connection, which costs it nothing and us a request each.
MAX_RESETS: Final = 200
#: Frames that bring no request nearer to its end: settings, pings, windows, priorities.
MAX_IDLE_FRAMES: Final = 2_000
#: Bytes of answers that wait for a client to open its windows.
MAX_UNSENT: Final = 8 * 1024 * 1024
#: Seconds within which a request must be complete, and an answer be taken; and for which an idle connection is kept.
REQUEST_TIMEOUT: Final = 20.0
IDLE_TIMEOUT: Final = 120.0

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Bytes of a frame before its payload.
_HEADER: Final = 9

#: RFC 9113 section 8.2.2; TE may say `trailers` and nothing else.
_OF_THE_CONNECTION: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def read_fields(fields: Iterable[tuple[bytes, bytes]]) -> Head:
    """Return what the fields of a request say as a head; `:authority` stands where HTTP/1.1 has Host."""
    pseudo: dict[bytes, bytes] = {}
    lines: list[tuple[bytes, bytes]] = []
    wrong = large = False
    for name, value in fields:
        if name.startswith(b":"):
            # RFC 9113 section 8.3: each once, known, and before everything else.
            wrong = wrong or name not in _PSEUDO or name in pseudo or bool(lines)
            pseudo[name] = value
        else:
            wrong = wrong or _is_wrong(name, value)
            lines.append((name, value))
        large = large or len(name) + len(value) >= MAX_LINE
    method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    authority = pseudo.get(b":authority")
    if method == b"CONNECT":
        # RFC 9113 section 8.5: an authority, and neither scheme nor path.
        wrong = wrong or authority is None or b":path" in pseudo or b":scheme" in pseudo
        target = authority or b""
    else:
        wrong = wrong or not _is_scheme(pseudo.get(b":scheme", b"")) or not _is_path(target, method)
    hosts = {value.strip(b" \t") for name, value in lines if name == b"host"}
    if authority is not None:
        # Two names for one server: a proxy may go by one and the application by the other (RFC 9113 section 8.3.1).
        wrong = wrong or bool(hosts - {authority})
        lines = [(b"host", authority), *(line for line in lines if line != (b"host", authority))]
    if len(target) > MAX_TARGET or large:
        long = len(target) > MAX_TARGET
        return Head(method=method, target=target, problem=Cause.TOO_LARGE, long_target=long)
    wrong = wrong or not method or bool(method.translate(None, TOKEN))
    return Head(
        method=method,
        target=target,
        headers=tuple(lines),
        problem=Cause.MALFORMED_REQUEST if wrong else None,
        keep_alive=True,
        expects_continue=(b"expect", b"100-continue") in lines,
    )


def _is_wrong(name: bytes, value: bytes) -> bool:
    """Tell whether a field makes the request malformed (RFC 9113 sections 8.2.1 and 8.2.2)."""
    return (
        not name
        or bool(name.translate(None, TOKEN))
        or name != name.translate(None, _UPPER)
        or name in _OF_THE_CONNECTION
        or (name == b"te" and value != b"trailers")
        or value != value.strip(b" \t")
        or any(byte in value for byte in (b"\0", b"\r", b"\n"))
    )


def _is_scheme(text: bytes) -> bool:
    """Tell whether it is the name of a scheme and nothing more (RFC 3986 section 3.1)."""
    return text[:1].isalpha() and text.replace(b"+", b"").replace(b"-", b"").replace(b".", b"").isalnum()


def _is_path(target: bytes, method: bytes) -> bool:
    """Tell whether it is a path and query, or the asterisk of OPTIONS (RFC 9113 section 8.3.1)."""
    return target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")


@dataclass(slots=True)
class _Stream:
    """A request that is still coming, or whose answer is not taken yet."""

    head: Head
    #: Seconds of the loop's clock at which the head was complete.
    began: float
    body: bytearray = field(default_factory=bytearray)
    unsent: bytes = b""
    answered: bool = False


class Http2Connection(asyncio.Protocol):
    """One client's connection, taken over once TLS has agreed on HTTP/2."""

    def __init__(self, port: Port, number: int) -> None:
        self._port = port
        self._number = number
        self._peer = ""
        self._transport: asyncio.Transport
        self._streams: dict[int, _Stream] = {}
        self._buffer = b""
        #: Whether the client has said the preface.
        self._greeted = False
        self._resets = 0
        self._idle = 0
        self._clock = asyncio.get_running_loop()
        self._since = self._clock.time()
        self._timer: asyncio.TimerHandle
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                codes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                codes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
                codes.ENABLE_CONNECT_PROTOCOL: 0,
            },
        )
        self._h2.decoder.max_header_list_size = MAX_HEAD

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say our settings, and begin to watch the time."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what create_server always gives
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._port.open.add(self)
        self._timer = self._clock.call_later(REQUEST_TIMEOUT, self._check_time)
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  how it ended changes nothing
        """Stop watching."""
        self._port.open.discard(self)
        self._timer.cancel()

    def close(self) -> None:
        """Say which requests were still answered, and close, for a server that stops."""
        self._end(h2.errors.ErrorCodes.NO_ERROR)

    def eof_received(self) -> bool:
        """Close when the client has said all."""
        return False

    def _check_time(self) -> None:
        now = self._clock.time()
        late = any(now - stream.began >= REQUEST_TIMEOUT for stream in self._streams.values())
        if late or now - self._since >= IDLE_TIMEOUT:
            self._end(h2.errors.ErrorCodes.NO_ERROR)
        else:
            self._timer = self._clock.call_later(REQUEST_TIMEOUT / 2, self._check_time)

    def _end(self, code: h2.errors.ErrorCodes) -> None:
        if not self._transport.is_closing():
            with suppress(h2.exceptions.ProtocolError):  # where the client has said goodbye first
                self._h2.close_connection(code)
            self._flush()
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete now."""
        if self._transport.is_closing():
            return
        self._since = self._clock.time()
        self._buffer += data
        try:
            while self._whole_frame() and not self._transport.is_closing():
                self._take_frame()
        except h2.exceptions.FrameTooLargeError:
            self._end(h2.errors.ErrorCodes.FRAME_SIZE_ERROR)
        except h2.exceptions.ProtocolError:
            self._flush()  # `h2` has put the reason into it
            self._transport.close()
        if self._resets > MAX_RESETS or self._idle > MAX_IDLE_FRAMES or self._unsent() > MAX_UNSENT:
            self._end(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        self._flush()

    def _whole_frame(self) -> bool:
        """Tell whether the preface, or else the next frame, is there to its end; `h2` waits for one of any size."""
        if not self._greeted or len(self._buffer) < _HEADER:
            return not self._greeted and len(self._buffer) >= len(_PREFACE)
        if self._size() > self._h2.max_inbound_frame_size:
            raise h2.exceptions.FrameTooLargeError
        return len(self._buffer) >= _HEADER + self._size()

    def _size(self) -> int:
        return int.from_bytes(self._buffer[:3], "big")

    def _take_frame(self) -> None:
        end = _HEADER + self._size() if self._greeted else len(_PREFACE)
        frame, self._buffer, self._greeted = self._buffer[:end], self._buffer[end:], True
        for event in self._h2.receive_data(frame):
            self._hear(event)

    def _unsent(self) -> int:
        waiting = sum(len(stream.unsent) for stream in self._streams.values())
        return waiting + self._transport.get_write_buffer_size()

    def _hear(self, event: Any) -> None:
        match event:
            case h2.events.RequestReceived(headers=fields, stream_id=number):
                self._begin(number, read_fields(fields), whole=event.stream_ended is not None)
            case h2.events.DataReceived(data=data, stream_id=number):
                self._h2.acknowledge_received_data(event.flow_controlled_length, number)
                self._take(number, data)
            case h2.events.StreamEnded(stream_id=number):
                self._idle = 0
                self._answer(number)
            case h2.events.StreamReset(stream_id=number):
                self._resets += 1
                self._streams.pop(number, None)
            case h2.events.ConnectionTerminated():
                self._transport.close()
            case _:
                self._idle += 1
                self._send_more()

    def _begin(self, number: int, head: Head, *, whole: bool) -> None:
        self._streams[number] = _Stream(head, self._clock.time())
        if head.problem is not None and not whole:
            self._answer(number)  # whatever else it sends will not make it better
        elif head.expects_continue and not whole:
            self._h2.send_headers(number, [(":status", "100")])

    def _take(self, number: int, data: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None or stream.answered:
            return
        stream.body += data
        if len(stream.body) > MAX_BODY:
            head = stream.head
            stream.head = Head(method=head.method, target=head.target, headers=head.headers, problem=Cause.TOO_LARGE)
            self._answer(number)

    def _answer(self, number: int) -> None:
        stream, port = self._streams.get(number), self._port
        if stream is None or stream.answered:
            return
        stream.answered = True
        message = Message(
            head=stream.head,
            body=bytes(stream.body) if stream.head.problem is None else b"",
            scheme=port.scheme,
            protocol="2",
            peer=self._peer,
            environment=port.environment,
            connection=self._number,
            began=stream.began,
        )
        answer = port.serve(message)
        bare = stream.head.method == b"HEAD" or answer.status in _BARE
        stream.unsent = b"" if bare else answer.body
        self._h2.send_headers(number, self._fields(answer), end_stream=not stream.unsent)
        self._send(number, stream)

    def _fields(self, answer: Answer) -> Lines:
        fields = [(b":status", b"%d" % answer.status), (b"date", self._port.writer.date().encode())]
        fields += [(n.lower().encode("latin-1", "replace"), v.encode("latin-1", "replace")) for n, v in answer.headers]
        if answer.status not in _BARE:
            fields.append((b"content-length", b"%d" % len(answer.body)))
        return tuple(fields)

    def _send(self, number: int, stream: _Stream) -> None:
        """Send as much of an answer as the client's windows allow."""
        while stream.unsent:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            piece, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            self._h2.send_data(number, piece, end_stream=not stream.unsent)
        self._streams.pop(number, None)
        if stream.head.problem is not None:
            # What is still coming of it is not wanted (RFC 9113 section 8.1); for a whole one this changes nothing.
            self._drop(number)

    def _drop(self, number: int) -> None:
        with suppress(h2.exceptions.ProtocolError):  # where both sides have ended it
            self._h2.reset_stream(number, h2.errors.ErrorCodes.NO_ERROR)

    def _send_more(self) -> None:
        for number, stream in tuple(self._streams.items()):
            if stream.answered:
                self._send(number, stream)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)


#: Statuses that have no content (RFC 9110 section 8.6).
_BARE: Final = frozenset({204, 304})
