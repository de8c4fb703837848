"""The wire client: exact bytes out over TCP or TLS, one bounded response in, parsed by `h11`.

No client library sends what the variants need (two Authorization lines, `/a/../b`, a space before the colon), so the
request is written as it is; what comes back is a stranger's and goes through a strict parser with bounds on everything.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import h11

from authcontract_conformance.exchange._exchange import Delivery

#: A refusal is small and a list of a few objects too; more than this is a target trying our memory.
MAX_BODY = 2 * 1024 * 1024
MAX_HEAD = 64 * 1024
#: Pieces of a body; one that comes a byte at a time would keep us busy for longer than anybody waits.
MAX_PIECES = 10_000
#: 1xx responses before the final one; more is a storm.
MAX_INFORMATIONAL = 8
#: RFC 9112 section 4.
BEGINNING = b"HTTP/1."
CHUNK = 64 * 1024
#: Seconds that a request waits for others that are to be complete with it, and that the bytes before its last one need
#: to arrive.
HELD, ARRIVING = 2.0, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where bytes go: never anywhere else than a target's own addresses."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    #: The same, offering HTTP/2 too; None where it is not tried.
    http2: ssl.SSLContext | None = None
    #: Path of the base URL, without a trailing slash.
    path: str = ""

    @property
    def authority(self) -> str:
        """Return what a Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.tls else 80
        return host if self.port == usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request."""

    delivery: Delivery
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    problem: str = ""
    #: Whether the connection can carry another request.
    reusable: bool = False
    #: Whether anything at all was received.
    started: bool = False
    #: Name of the error code with which the target ended an HTTP/2 stream.
    reset: str = ""
    #: What became of the same request on a kept connection, if it was sent there before.
    before: str = ""


class Gate:
    """Holds the last byte of several requests back until all the others have come as far."""

    def __init__(self, requests: int) -> None:
        self._missing = requests
        self._open = asyncio.Event()

    def without_one(self) -> None:
        """Wait for one fewer: it has come, or it never will."""
        self._missing -= 1
        if self._missing == 0:
            # One timer for all, so that all go on in the same turn of the loop, however busy the machine is.
            asyncio.get_running_loop().call_later(ARRIVING, self._open.set)

    async def passed(self) -> None:
        """Wait for the others, but not for one that never comes."""
        self.without_one()
        with suppress(TimeoutError):
            async with asyncio.timeout(HELD):
                await self._open.wait()


class _Reader(asyncio.StreamReader):
    """A reader that counts what came, so that a byte for which nobody asked is noticed."""

    came = 0

    def feed_data(self, data: Any) -> None:
        self.came += len(data)
        super().feed_data(data)


class Connection:
    """One TCP or TLS connection, used for one request after the other.

    It writes to the transport itself: the `StreamWriter` of Python 3.11 takes a TLS connection that was aborted for one
    that was forgotten, and a request is small enough to be handed over at once.
    """

    def __init__(self, reader: _Reader, transport: asyncio.Transport) -> None:
        self._reader = reader
        self._transport = transport
        self._taken = 0

    @classmethod
    async def open(cls, origin: Origin, within: float) -> Connection:
        """Connect; raises `OSError` (also for TLS) or `TimeoutError`."""
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=MAX_HEAD * 2, loop=loop)
        async with asyncio.timeout(within):
            transport, _ = await loop.create_connection(
                lambda: asyncio.StreamReaderProtocol(reader, loop=loop), origin.host, origin.port, ssl=origin.tls
            )
        return cls(reader, transport)

    @property
    def stale(self) -> bool:
        """Tell whether the other side has closed it meanwhile, or said what would be taken for the next response."""
        gone = self._reader.at_eof() or self._reader.exception() is not None or self._transport.is_closing()
        return gone or self._reader.came > self._taken

    def close(self) -> None:
        """Close without waiting for the other side."""
        self._transport.abort()

    async def exchange(self, data: bytes, *, head: bool, within: float, gate: Gate | None = None) -> Answer:
        """Send these bytes and read one response; never raises for what the target does."""
        parser, before = _parser(head=head), self._taken
        held = 0.0 if gate is None else HELD + ARRIVING
        try:
            async with asyncio.timeout(held + within):
                if gate is not None:
                    self._transport.write(data[:-1])
                    await gate.passed()
                    data = data[-1:]
                self._transport.write(data)
                return await self._receive(parser)
        except h11.RemoteProtocolError as error:
            delivery, problem = Delivery.GARBAGE, f"not an HTTP response: {error}"
        except _TooMuchError as error:
            delivery, problem = Delivery.GARBAGE, str(error)
        except TimeoutError:
            came = self._taken - before
            delivery = Delivery.TIMEOUT
            problem = f"no whole response within {within:g} s" + (f", {came} bytes of it" if came else "")
        except EOFError as error:
            delivery, problem = Delivery.CLOSED, str(error)
        except OSError as error:
            delivery, problem = Delivery.CLOSED, f"connection lost: {words(error)}"
        started = parser.their_state is not h11.SEND_RESPONSE or parser.trailing_data[0] != b""
        # HTTP/0.9 is answered by a bare body: what came in the place of a response may be what nobody should see.
        body = parser.trailing_data[0] if delivery is Delivery.GARBAGE else b""
        return Answer(delivery=delivery, body=body, problem=problem, started=started)

    async def _receive(self, parser: h11.Connection) -> Answer:
        status, body, informational, pieces = 0, bytearray(), 0, 0
        headers: tuple[tuple[str, str], ...] = ()
        while True:
            event = await self._event(parser)
            if isinstance(event, h11.InformationalResponse):
                informational += 1
                if informational > MAX_INFORMATIONAL:
                    raise _TooMuchError("1xx responses without an end")
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers.raw_items())
            elif isinstance(event, h11.Data):
                body += event.data
                pieces += 1
                if pieces > MAX_PIECES:
                    raise _TooMuchError(f"a body in more than {MAX_PIECES} pieces")
                if len(body) > MAX_BODY:
                    raise _TooMuchError(f"a body over {MAX_BODY} bytes")
            else:
                rest = parser.trailing_data[0]
                if body and rest and rest[: len(BEGINNING)] != BEGINNING:
                    raise _TooMuchError("the body goes on after its end")
                return Answer(
                    delivery=Delivery.ANSWERED,
                    status=status,
                    headers=headers,
                    body=bytes(body),
                    reusable=parser.their_state is h11.DONE and not rest and not self.stale,
                    started=True,
                )

    async def _event(self, parser: h11.Connection) -> object:
        """Return the next part of the response, reading as much as it takes; raises `EOFError` where it ends early."""
        ended = False
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                if ended:
                    raise EOFError("closed in the middle of the response") from None
                raise
            if event is not h11.NEED_DATA:
                return event
            chunk = await self._reader.read(CHUNK)
            self._taken += len(chunk)
            ended = not chunk
            if parser.their_state is h11.SEND_RESPONSE:
                start = (parser.trailing_data[0] + chunk)[: len(BEGINNING)]
                if not start:
                    raise EOFError("closed without a response")
                if not BEGINNING.startswith(start):
                    # Another protocol waits for us to speak it; nothing more will come.
                    parser.receive_data(chunk)
                    raise h11.RemoteProtocolError(f"it does not begin with {BEGINNING.decode()}")
            parser.receive_data(chunk)


class _TooMuchError(Exception):
    """The target sends more than anybody means, of what the text says."""


def _parser(*, head: bool) -> h11.Connection:
    """Return a parser that expects one response; the request shown to it only says whether a body may follow."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    parser.send(h11.Request(method=b"HEAD" if head else b"GET", target=b"/", headers=[(b"host", b"-")]))
    parser.send(h11.EndOfMessage())
    return parser


def words(error: OSError) -> str:
    """Return what went wrong on a connection, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"its name leads to no address: {error.strerror}"
    if error.errno is not None and not error.args[2:]:
        return os.strerror(error.errno)  # asyncio's own text names an address and a Python tuple
    return error.strerror or str(error) or "the connection was aborted"


_OLD: Final = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}


class Pool:
    """Connections to one origin, at most `size` at once; named ones are kept apart for their case."""

    def __init__(self, origin: Origin, *, size: int, timeout: float) -> None:
        self.origin = origin
        self._timeout = timeout
        self._free: list[Connection] = []
        self._named: dict[str, Connection] = {}
        self._slots = asyncio.Semaphore(size)

    async def send(
        self, data: bytes, *, head: bool, name: str | None = None, resend: bool = True, gate: Gate | None = None
    ) -> Answer:
        """Send on a free connection, or on the one called `name`; the last byte once the gate opens.

        A kept connection that the target closed just before is replaced once (`resend`), since nothing of the request
        was answered; where a request must not be sent twice the caller says so.
        """
        async with self._slots:
            before = ""
            for attempt in (1, 2):
                try:
                    connection, fresh = await self._take(name)
                except TimeoutError:
                    return Answer(delivery=Delivery.REFUSED, problem=f"no connection within {self._timeout:g} s")
                except OSError as error:
                    return Answer(delivery=Delivery.REFUSED, problem=words(error))
                try:
                    answer = await connection.exchange(data, head=head, within=self._timeout, gate=gate)
                except BaseException:
                    connection.close()
                    raise
                self._give_back(connection, name, reusable=answer.reusable)
                stale = answer.delivery is Delivery.CLOSED and not answer.started and not fresh
                if not (stale and resend and attempt == 1):
                    return replace(answer, before=before)
                before = answer.problem
        raise AssertionError  # the second attempt always returns

    async def agrees_to(self, version: Literal["TLSv1", "TLSv1.1"]) -> bool | str:
        """Tell whether the target agrees to such a TLS, or say why that cannot be known; nothing is sent.

        The certificate is not looked at: no key goes over this connection.
        """
        if self.origin.tls is None:
            return "the target is not called over TLS"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are just what is asked for
            context.minimum_version = context.maximum_version = _OLD[version]
        try:
            context.set_ciphers("ALL:@SECLEVEL=0")
            async with self._slots, asyncio.timeout(self._timeout):
                connection = await Connection.open(replace(self.origin, tls=context), self._timeout)
        except ssl.SSLError as error:
            if error.reason == "NO_PROTOCOLS_AVAILABLE":
                return f"this machine's TLS library cannot speak {version}"
            return False
        except ConnectionResetError:
            return False
        except (OSError, TimeoutError):
            return "no connection could be opened for it"
        connection.close()
        return True

    async def _take(self, name: str | None) -> tuple[Connection, bool]:
        if name is not None:
            kept = self._named.pop(name, None)
            if kept is not None and not kept.stale:
                return kept, False
            if kept is not None:
                kept.close()
        while name is None and self._free:
            kept = self._free.pop()
            if not kept.stale:
                return kept, False
            kept.close()
        return await Connection.open(self.origin, self._timeout), True

    def _give_back(self, connection: Connection, name: str | None, *, reusable: bool) -> None:
        if not reusable:
            connection.close()
        elif name is None:
            self._free.append(connection)
        else:
            if (other := self._named.pop(name, None)) is not None:
                other.close()  # several requests of this name were under way at once; one connection is kept
            self._named[name] = connection

    def forget(self, prefix: str) -> None:
        """Close the named connections of a case."""
        for name in [name for name in self._named if name.startswith(prefix)]:
            self._named.pop(name).close()

    def close(self) -> None:
        """Close every connection."""
        for connection in [*self._free, *self._named.values()]:
            connection.close()
        self._free.clear()
        self._named.clear()
