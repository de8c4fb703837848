"""HTTP/2 over the wire: many requests at once on one connection, each with exactly the fields that it was given.

`h2` frames what is sent and reads what comes back, with its own checks of what we send switched off, since they would
refuse the variants. Every frame of the target's is counted and bounded before `h2` sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from authcontract_conformance.exchange._exchange import Delivery

from ._wire import ARRIVING, HELD, MAX_BODY, MAX_HEAD, MAX_INFORMATIONAL, Answer, Gate, Origin, words

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

#: What a connection asks for by ALPN (RFC 9113 section 3.2); the second is what a target without HTTP/2 takes.
PROTOCOLS: Final = ("h2", "http/1.1")
#: RFC 9113 section 4.2: the largest frame that a peer may send who was not allowed more.
MAX_FRAME: Final = 16_384
#: Frames that bring next to nothing, without the end of any response among them; each costs more than its bytes.
MAX_FRAMES: Final = 2_000
_NEXT_TO_NOTHING: Final = 256
#: Bytes that wait to be sent; a peer that reads nothing and asks for much would fill our memory with acknowledgements.
MAX_UNSENT: Final = 4 * 1024 * 1024
#: Seconds for which the last frames of a burst are gathered, so that they leave in one packet.
GATHERED: Final = 0.002
_HEADER: Final = 9
_GOAWAY, _SETTINGS = 0x7, 0x4
#: What one connection may receive unasked; all bodies of a run's slots fit.
_WINDOW: Final = 2**24
#: Not processed at all, hence safe to send again (RFC 9113 section 8.7).
UNTOUCHED: Final = "REFUSED_STREAM"


@dataclass(slots=True, eq=False)
class _Stream:
    """One request on its way."""

    number: int
    answer: asyncio.Future[Answer]
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    informational: int = 0
    started: bool = False

    def end(self, delivery: Delivery, problem: str = "", reset: str = "") -> None:
        if not self.answer.done():
            answered = delivery is Delivery.ANSWERED
            found = Answer(
                delivery=delivery,
                status=self.status if answered else 0,
                headers=self.headers if answered else (),
                body=bytes(self.body) if answered else b"",
                problem=problem,
                reusable=answered,
                started=self.started,
                reset=reset,
            )
            self.answer.set_result(found)


class NotOfferedError(OSError):
    """The target speaks no HTTP/2."""


class Http2Connection(asyncio.Protocol):
    """One TLS connection that carries many requests at once; whatever the target does becomes an `Answer`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            # A sloppy header is other clauses' to judge; here it would end every other request on the connection.
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
        )
        self._h2 = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.INITIAL_WINDOW_SIZE: MAX_BODY,
                codes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
                codes.MAX_FRAME_SIZE: MAX_FRAME,
            },
        )
        self._h2.decoder.max_header_list_size = MAX_HEAD
        self._transport: asyncio.Transport
        self._streams: dict[int, _Stream] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._buffer = b""
        self._frames = 0
        #: Whether the target has said its settings, and so that it speaks HTTP/2.
        self._ready = False
        #: Why there are no more requests on it; "" while there may be.
        self._over = ""
        self._delivery = Delivery.CLOSED
        self._reset = ""
        self._gathering: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, origin: Origin, within: float) -> Http2Connection:
        """Connect; raises `OSError` (also for TLS, and `NotOfferedError`) or `TimeoutError`."""
        if origin.http2 is None:
            raise NotOfferedError("HTTP/2 is not tried here")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            transport, connection = await loop.create_connection(cls, origin.host, origin.port, ssl=origin.http2)
        if not connection.agreed:
            transport.abort()
            raise NotOfferedError("the target does not offer HTTP/2")
        return connection

    # --- what a case asks for --------------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Tell whether it takes no more requests."""
        return bool(self._over) or self._transport.is_closing()

    @property
    def full(self) -> bool:
        """Tell whether the target wants no more requests on it for now."""
        limit = self._h2.remote_settings.max_concurrent_streams if self._ready else 1
        return len(self._streams) >= limit or self._h2.highest_outbound_stream_id >= 2**31 - 3

    @property
    def agreed(self) -> bool:
        """Tell whether the target chose HTTP/2."""
        chosen: str | None = self._transport.get_extra_info("ssl_object").selected_alpn_protocol()
        return chosen == PROTOCOLS[0]

    def close(self) -> None:
        """Close without waiting for the other side."""
        self._fail(Delivery.CLOSED, "closed by us")

    async def exchange(self, fields: Fields, body: bytes, *, within: float, gate: Gate | None = None) -> Answer:
        """Send a request and wait for its response, its last frame once the gate opens; never raises for the target."""
        stream = None
        held = 0.0 if gate is None else HELD + ARRIVING
        try:
            async with asyncio.timeout(held + within):
                await self._until(lambda: self.stale or (self._ready and not self.full))
                stream = self._open(fields, last=gate is None and not body)
                if gate is not None:
                    await self._send(stream, body[:-1], last=False)
                    await gate.passed()
                    await self._send(stream, body[-1:], last=True, gathered=True)
                elif body:
                    await self._send(stream, body, last=True)
                return await stream.answer
        except TimeoutError:
            return Answer(
                delivery=Delivery.TIMEOUT,
                problem=f"no whole response within {within:g} s",
                started=stream is not None and stream.started,
            )
        except _OverError as over:
            return Answer(delivery=self._delivery, problem=str(over), reset=self._reset)
        except h2.exceptions.H2Error as error:  # what the target has closed meanwhile takes nothing more
            return Answer(delivery=Delivery.CLOSED, problem=f"connection lost: {error}")
        finally:
            if stream is not None:
                self._leave(stream)

    # --- sending ---------------------------------------------------------------------------------------------------

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so; raises `_OverError` once it never can be."""
        while not ready():
            if self._transport.is_closing():
                raise _OverError(self._over or "the connection was closed")
            waiting: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(waiting)
            await waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def _open(self, fields: Fields, *, last: bool) -> _Stream:
        if self.stale:
            raise _OverError(self._over or "the connection was closed")
        number = self._h2.get_next_available_stream_id()
        stream = self._streams[number] = _Stream(number, self._loop.create_future())
        self._h2.send_headers(number, fields, end_stream=last)
        self._flush()
        return stream

    async def _send(self, stream: _Stream, body: bytes, *, last: bool, gathered: bool = False) -> None:
        """Send a piece of a body as fast as the target's windows allow, unless it has answered already."""
        while body or last:
            if stream.answer.done():
                return
            room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if body and room <= 0:
                self._flush()
                await self._until(lambda: stream.answer.done() or self._h2.local_flow_control_window(stream.number) > 0)
                continue
            piece, body = body[: max(room, 0)], body[max(room, 0) :]
            ends = last and not body
            self._h2.send_data(stream.number, piece, end_stream=ends)
            last = last and not ends
        if gathered:
            if self._gathering is None:
                self._gathering = self._loop.call_later(GATHERED, self._flush)
        else:
            self._flush()

    def _leave(self, stream: _Stream) -> None:
        """Forget a request; one that is not answered yet is cancelled."""
        self._streams.pop(stream.number, None)
        if not stream.answer.done() and not self._transport.is_closing():
            self._cancel(stream)
        if self._over and not self._streams:
            self._transport.abort()  # nobody else will: it is in no pool any more
        self._wake()

    def _cancel(self, stream: _Stream) -> None:
        try:
            self._h2.reset_stream(stream.number, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.H2Error:
            return  # it is closed already
        self._flush()

    def _flush(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    # --- receiving -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface, and allow for large bodies: a target may speak at once, and must get no answer before."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what create_connection always gives
        self._transport = transport
        if self.agreed:
            self._h2.initiate_connection()
            self._h2.increment_flow_control_window(_WINDOW)
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what still waits."""
        why = f"connection lost: {words(exc)}" if isinstance(exc, OSError) else "closed before a whole response"
        self._fail(Delivery.CLOSED, self._over or why)

    def eof_received(self) -> bool:
        """Close when the target has said all."""
        return False

    def data_received(self, data: bytes) -> None:
        """Take frame by frame what came, and end the connection at the first that makes no sense."""
        self._buffer += data
        try:
            while self._whole_frame() and not self._transport.is_closing():
                end = _HEADER + int.from_bytes(self._buffer[:3], "big")
                frame, self._buffer = self._buffer[:end], self._buffer[end:]
                self._take(frame)
            if self._gathering is None:  # what is gathered goes in one write, whatever comes meanwhile
                self._flush()
        except _NonsenseError as error:
            self._fail(Delivery.GARBAGE, str(error))
        except h2.exceptions.ProtocolError as error:
            self._fail(Delivery.GARBAGE, f"not HTTP/2: {error}")
        except Exception as error:  # noqa: BLE001  whatever a stranger's frame breaks in a parser is the stranger's
            self._fail(Delivery.GARBAGE, f"not HTTP/2: {type(error).__name__}")
        self._wake()

    def _whole_frame(self) -> bool:
        """Tell whether the next frame is there to its end."""
        if len(self._buffer) < _HEADER:
            return False
        size = int.from_bytes(self._buffer[:3], "big")
        if not self._ready and self._buffer[3] != _SETTINGS:
            raise _NonsenseError("not HTTP/2: it does not begin with settings")
        if size > MAX_FRAME:
            raise _NonsenseError(f"a frame over {MAX_FRAME} bytes")
        return len(self._buffer) >= _HEADER + size

    def _take(self, frame: bytes) -> None:
        self._frames += len(frame) < _NEXT_TO_NOTHING
        if self._frames > MAX_FRAMES:
            raise _NonsenseError(f"{MAX_FRAMES} small frames without an end")
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            raise _NonsenseError("frames that ask for more answers than it reads")
        if frame[3] == _GOAWAY:
            self._going_away(frame[_HEADER:])
            return
        for event in self._h2.receive_data(frame):
            self._hear(event)

    def _going_away(self, payload: bytes) -> None:
        """Take no more requests, and give up those that the target says it will not answer.

        `h2` is not told: it would refuse the answers that still come (RFC 9113 section 6.8).
        """
        if len(payload) < 8:  # noqa: PLR2004  last stream and error code
            raise _NonsenseError("not HTTP/2: a GOAWAY without its numbers")
        last = int.from_bytes(payload[:4], "big") & (2**31 - 1)
        code = _name(int.from_bytes(payload[4:8], "big"))
        fine = code == "NO_ERROR"
        self._over = f"the target ended the connection: {code}"
        self._reset = UNTOUCHED if fine else code
        for stream in tuple(self._streams.values()):
            if stream.number > last:
                stream.end(Delivery.CLOSED, self._over, self._reset)

    def _hear(self, event: Any) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._ready = True
        if isinstance(event, h2.events.DataReceived):
            # Whoever has left no longer reads, but the windows must not close for the others.
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if stream is not None:
            self._hear_of(stream, event)

    def _hear_of(self, stream: _Stream, event: Any) -> None:
        match event:
            case h2.events.InformationalResponseReceived():
                stream.started = True
                stream.informational += 1
                if stream.informational > MAX_INFORMATIONAL:
                    self._refuse(stream, "1xx responses without an end")
            case h2.events.ResponseReceived(headers=headers):
                stream.started = True
                self._take_head(stream, headers)
            case h2.events.DataReceived(data=data):
                stream.body += data
                if len(stream.body) > MAX_BODY:
                    self._refuse(stream, f"a body over {MAX_BODY} bytes")
            case h2.events.StreamEnded():
                self._frames = 0
                stream.end(Delivery.ANSWERED)
            case h2.events.StreamReset(error_code=code):
                name = _name(int(code))
                stream.end(Delivery.CLOSED, f"the target reset the request: {name}", name)

    def _take_head(self, stream: _Stream, headers: Any) -> None:
        pairs = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]
        statuses = [value for name, value in pairs if name == ":status"]
        if len(statuses) != 1 or len(statuses[0]) != 3 or not (statuses[0].isascii() and statuses[0].isdigit()):  # noqa: PLR2004  RFC 9110 section 15
            self._refuse(stream, "not HTTP/2: a response without one status")
            return
        stream.status = int(statuses[0])
        stream.headers = tuple((name, value) for name, value in pairs if not name.startswith(":"))

    def _refuse(self, stream: _Stream, problem: str) -> None:
        """Give one request up, and leave the others alone."""
        stream.end(Delivery.GARBAGE, problem)
        self._cancel(stream)

    def _fail(self, delivery: Delivery, problem: str) -> None:
        """End the connection, and every request on it."""
        if not self._over:
            self._over, self._delivery = problem, delivery
        for stream in tuple(self._streams.values()):
            stream.end(delivery, problem, self._reset)
        if not self._transport.is_closing():
            self._flush()
            self._transport.abort()
        self._wake()


class _OverError(Exception):
    """The connection takes no more requests, for the reason that the text says."""


class _NonsenseError(Exception):
    """The target sends what HTTP/2 knows nothing of, or more of it than anybody means."""


def _name(code: int) -> str:
    """Return the name of an error code (RFC 9113 section 7)."""
    try:
        return h2.errors.ErrorCodes(code).name
    except ValueError:
        return f"error {code}"
