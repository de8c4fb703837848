"""The client of HTTP/2 against servers that do anything: each gives its delivery, in bounded time and memory.

The first part is what the client relies on in `h2`, so that a new version of it that behaves otherwise is noticed here.
Longer than other modules because the servers are scripted frame by frame, beside the rows that use them.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest
from authcontract_conformance.driver._http2 import UNTOUCHED, Fields, Http2Connection
from authcontract_conformance.driver._http2_pool import Http2Pool
from authcontract_conformance.driver._wire import Answer, Gate, Origin
from authcontract_conformance.exchange._exchange import Delivery
from authcontract_conformance.reference._certificate import Certificate, make_certificate
from authcontract_conformance.run._target import origin
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

GET: Fields = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/leads"))
#: Whatever a target does, it is over within the timeout and a little.
TIMEOUT = 1.0
PATIENCE = 5.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK = [(":status", "200"), ("content-type", "application/json")]


@cache
def certificate() -> Certificate:
    return make_certificate()


class Peer:
    """The server's side of a connection: speaks by `h2` where it behaves, and in raw frames where it does not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
            )
        )
        self.events: list[Any] = []
        #: What came in each read, to see what came together.
        self.reads: list[list[Any]] = []
        self.ended = 0

    async def begin(self, **settings: int) -> None:
        codes = h2.settings.SettingCodes
        said = {codes[name]: value for name, value in settings.items()}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=said)
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def raw(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.serialize() for frame in frames))
        await self.writer.drain()

    async def read(self) -> list[Any]:
        """Return what the next bytes mean; raises `EOFError` at the end."""
        data = await self.reader.read(65536)
        if not data:
            raise EOFError
        found = self.h2.receive_data(data)
        for event in found:
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.events += found
        self.reads.append(found)
        await self.flush()
        return found

    async def requests(self, wanted: int = 1) -> list[int]:
        """Wait for whole requests; returns their streams in the order in which they ended."""
        while True:
            ended = [event.stream_id for event in self.events if isinstance(event, h2.events.StreamEnded)]
            if len(ended) >= self.ended + wanted:
                found = ended[self.ended : self.ended + wanted]
                self.ended += wanted
                return found
            await self.read()

    async def answer(self, stream: int, body: bytes = b"{}", headers: Any = None) -> None:
        self.h2.send_headers(stream, headers or OK)
        self.h2.send_data(stream, body, end_stream=True)
        await self.flush()

    def head(self, stream: int) -> list[tuple[bytes, bytes]]:
        """Return the fields of a request as they came."""
        event = next(e for e in self.events if isinstance(e, h2.events.RequestReceived) and e.stream_id == stream)
        return [(bytes(name), bytes(value)) for name, value in event.headers]


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def serving(*scripts: Script, protocols: tuple[str, ...] = ("h2",)) -> AsyncIterator[tuple[Origin, list[Peer]]]:
    """Let each connection meet the next script, the last one again and again."""
    peers: list[Peer] = []
    tasks: list[asyncio.Task[Any]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        peers.append(peer)
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        with suppress(EOFError, OSError, h2.exceptions.ProtocolError, asyncio.CancelledError):
            await scripts[min(len(peers), len(scripts)) - 1](peer)
        writer.transport.abort()

    context = certificate().context()
    context.set_alpn_protocols(list(protocols))
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        port = server.sockets[0].getsockname()[1]
        yield origin(f"https://127.0.0.1:{port}", certificate().certificate), peers
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Use = Callable[[Http2Pool], Awaitable[Any]]


def talk(use: Use, *scripts: Script, timeout: float = TIMEOUT) -> tuple[Any, list[Peer]]:
    """Use a pool on a server with these scripts."""

    async def main() -> tuple[Any, list[Peer]]:
        async with serving(*scripts) as (where, peers):
            pool = Http2Pool(where, size=16, timeout=timeout)
            try:
                return await use(pool), peers
            finally:
                pool.close()

    began = time.monotonic()
    found = asyncio.run(main())
    assert time.monotonic() - began < PATIENCE
    return found


def ask(*scripts: Script, fields: Fields = GET, body: bytes = b"", **more: Any) -> tuple[Answer, list[Peer]]:
    """Send one request to a script."""
    return talk(lambda pool: pool.send(fields, body, **more), *scripts)


def echo(body: bytes = b"{}", headers: Any = None, **settings: int) -> Script:
    """Answer every request in the same way."""

    async def script(peer: Peer) -> None:
        await peer.begin(**settings)
        while True:
            for stream in await peer.requests():
                await peer.answer(stream, body, headers)

    return script


# --- what we rely on in h2 ------------------------------------------------------------------------------------------


def test_h2_sends_the_fields_that_it_is_given() -> None:
    """Names in upper case, pseudo-headers twice, behind others, empty or missing: nothing is changed or refused."""
    fields = (
        (b"Upper", b" spaced "),
        (b":path", b""),
        (b":path", b"/b#c"),
        (b":authority", b"x"),
        (b":authority", b"y"),
        (b"connection", b"close"),
        (b"cookie", b"a"),
        (b"cookie", b"b"),
        (b":method", b"G T"),
    )
    answer, (peer,) = ask(echo(), fields=fields)
    assert answer.status == 200
    assert peer.head(1) == list(fields)


def test_h2_gives_each_field_of_a_response_as_it_came() -> None:
    """Sloppy headers of a response, which HTTP/2 forbids, end no connection."""
    fields = [(b":status", b"401"), (b"X-Upper", b"\xe9"), (b"connection", b"close"), (b"set-cookie", b"a=b")]

    async def script(peer: Peer) -> None:
        await peer.begin()
        await peer.requests()
        head = HeadersFrame(1, Encoder().encode(fields), flags=["END_HEADERS", "END_STREAM"])
        await peer.raw(head)
        await peer.read()

    answer, _ = ask(script)
    assert (answer.status, answer.headers) == (
        401,
        (("X-Upper", "é"), ("connection", "close"), ("set-cookie", "a=b")),
    )


@pytest.mark.parametrize("frame", [b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"])
def test_h2_acknowledges_by_itself(frame: bytes) -> None:
    """Settings and pings are answered without our doing."""
    one = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    one.initiate_connection()
    one.receive_data(b"\0\0\0\x04\0\0\0\0\0")
    one.data_to_send()
    one.receive_data(frame)
    assert one.data_to_send()[4] == 0x1  # ACK


def test_h2_bounds_header_blocks() -> None:
    one = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    one.initiate_connection()
    one.receive_data(SettingsFrame(0).serialize())
    one.send_headers(1, GET, end_stream=True)
    endless = HeadersFrame(1, b"").serialize() + ContinuationFrame(1, b"").serialize() * 1000
    with pytest.raises(h2.exceptions.ProtocolError, match="Too many continuation frames"):
        one.receive_data(endless)


# --- what comes back ------------------------------------------------------------------------------------------------


def test_a_response() -> None:
    answer, _ = ask(echo(b'{"a":1}'))
    assert (answer.delivery, answer.status, answer.body, answer.problem) == (Delivery.ANSWERED, 200, b'{"a":1}', "")
    assert answer.headers == (("content-type", "application/json"),)


def test_head_has_no_body_whatever_its_length_says() -> None:
    async def script(peer: Peer) -> None:
        await peer.begin()
        (stream,) = await peer.requests()
        peer.h2.send_headers(stream, [(":status", "200"), ("content-length", "500")], end_stream=True)
        await peer.flush()
        await peer.read()

    answer, _ = ask(script, fields=((b":method", b"HEAD"), *GET[1:]))
    assert (answer.delivery, answer.status, answer.body) == (Delivery.ANSWERED, 200, b"")


@pytest.mark.parametrize("size", [1, 16_384, 70_000, 400_000])
def test_bodies_keep_to_the_windows_of_both_sides(size: int) -> None:
    """A window is 64 KiB by default, so that larger bodies have to wait for the other side to open it."""

    async def script(peer: Peer) -> None:
        await peer.begin()
        (stream,) = await peer.requests()
        body = b"".join(event.data for event in peer.events if isinstance(event, h2.events.DataReceived))
        peer.h2.send_headers(stream, OK)
        while body:
            room = min(peer.h2.local_flow_control_window(stream), peer.h2.max_outbound_frame_size)
            if room == 0:
                await peer.read()
            peer.h2.send_data(stream, body[:room])
            body = body[room:]
            await peer.flush()
        peer.h2.end_stream(stream)
        await peer.flush()
        await peer.read()

    sent = bytes(range(256)) * (size // 256 + 1)
    answer, _ = ask(script, body=sent[:size], fields=((b":method", b"POST"), *GET[1:]))
    assert (answer.delivery, answer.body == sent[:size]) == (Delivery.ANSWERED, True)


def test_an_answer_before_the_whole_request_is_taken() -> None:
    """A window that never opens holds nobody up who is answered already."""

    async def script(peer: Peer) -> None:
        await peer.begin(INITIAL_WINDOW_SIZE=10)
        while not any(isinstance(event, h2.events.RequestReceived) for event in peer.events):
            await peer.read()
        await peer.answer(1, b"no", [(":status", "413")])
        with suppress(EOFError):
            while True:
                await asyncio.wait_for(peer.reader.read(100), 2)

    answer, _ = ask(script, body=b"x" * 1000)
    assert (answer.delivery, answer.status) == (Delivery.ANSWERED, 413)


def test_many_requests_share_one_connection() -> None:
    async def use(pool: Http2Pool) -> list[Answer]:
        return list(await asyncio.gather(*(pool.send(GET, b"") for _ in range(50))))

    answers, peers = talk(use, echo())
    assert {answer.status for answer in answers} == {200}
    assert len(peers) == 1


def test_as_many_at_once_as_the_target_wants() -> None:
    """With one request at a time for each connection, none is refused."""

    async def use(pool: Http2Pool) -> list[Answer]:
        return list(await asyncio.gather(*(pool.send(GET, b"") for _ in range(20))))

    answers, peers = talk(use, echo(MAX_CONCURRENT_STREAMS=1))
    assert {answer.status for answer in answers} == {200}
    assert all(peer.h2.open_inbound_streams <= 1 for peer in peers)


def test_connections_by_name_and_alone() -> None:
    async def use(pool: Http2Pool) -> None:
        for name in ("a/1", "a/1", "b/1", None):
            await pool.send(GET, b"", name=name)
        await pool.send(GET, b"", alone=True)
        pool.forget("a/")
        await pool.send(GET, b"", name="a/1")

    _, peers = talk(use, echo())
    assert [peer.ended for peer in peers] == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("body", [b"", b"x", b"a body"])
def test_a_burst_is_completed_by_one_write(body: bytes) -> None:
    """All but the last frames come first; then those of all requests in one packet, so that none is ahead."""

    async def script(peer: Peer) -> None:
        await peer.begin()
        for stream in await peer.requests(30):
            await peer.answer(stream)
        await peer.read()

    async def use(pool: Http2Pool) -> list[Answer]:
        gate = Gate(30)
        return list(await asyncio.gather(*(pool.send(GET, body, gate=gate) for _ in range(30))))

    answers, (peer,) = talk(use, script, timeout=3.0)
    assert {answer.status for answer in answers} == {200}
    ends = [sum(isinstance(event, h2.events.StreamEnded) for event in read) for read in peer.reads]
    assert [number for number in ends if number] == [30]


# --- hostile and unlucky --------------------------------------------------------------------------------------------


def raw(*frames: Frame, forever: bool = False) -> Script:
    """Speak HTTP/2 until a request is there, and then say these frames, over and over if asked to."""

    async def script(peer: Peer) -> None:
        await peer.begin()
        await peer.requests()
        await peer.raw(*frames)
        while forever:
            await peer.raw(*frames)
            await asyncio.sleep(0)  # writing alone lets nobody else have a turn
        while await peer.reader.read(1024):
            pass

    return script


def bytes_first(data: bytes) -> Script:
    """Say something in the place of settings."""

    async def script(peer: Peer) -> None:
        peer.writer.write(data)
        await peer.writer.drain()
        while await peer.reader.read(1024):
            pass

    return script


def head(*fields: tuple[str, str], ends: bool = False, **more: Any) -> HeadersFrame:
    flags = ["END_HEADERS", *(["END_STREAM"] if ends else [])]
    return HeadersFrame(1, Encoder().encode(fields or OK), flags=flags, **more)


async def hanging(peer: Peer) -> None:
    await peer.begin()
    while True:
        await peer.read()


async def mute(peer: Peer) -> None:
    """Agree to HTTP/2 and say nothing."""
    while await peer.reader.read(1024):
        pass


async def header_bomb(peer: Peer) -> None:
    """One small block of which each byte stands for thousands."""
    await peer.begin()
    await peer.requests()
    block = Encoder().encode([(":status", "200"), ("x", "y" * 4000)]) + b"\xbe" * 5000
    await peer.raw(HeadersFrame(1, block, flags=["END_HEADERS"]))
    await peer.reader.read()


HOSTILE: dict[str, tuple[Script, Delivery, str]] = {
    "mute": (mute, Delivery.TIMEOUT, "no whole response within 1 s"),
    "hanging": (hanging, Delivery.TIMEOUT, "no whole response within 1 s"),
    "half a response": (raw(head()), Delivery.TIMEOUT, "no whole response within 1 s"),
    "HTTP/1.1": (
        bytes_first(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Delivery.GARBAGE,
        "not HTTP/2: it does not begin with",
    ),
    "zeros": (bytes_first(b"\0" * 100), Delivery.GARBAGE, "not HTTP/2: it does not begin with settings"),
    "a large frame": (raw(DataFrame(1, b"x" * 20_000)), Delivery.GARBAGE, "a frame over 16384 bytes"),
    "a body before its head": (raw(DataFrame(1, b"x")), Delivery.GARBAGE, "not HTTP/2: "),
    "a stream of nobody": (raw(head(ends=True), DataFrame(99, b"x")), Delivery.ANSWERED, ""),
    "a push": (raw(PushPromiseFrame(1, 2, b"\x88", flags=["END_HEADERS"])), Delivery.GARBAGE, "not HTTP/2: "),
    "an unreadable block": (raw(HeadersFrame(1, b"\xff" * 9, flags=["END_HEADERS"])), Delivery.GARBAGE, "not HTTP/2: "),
    "no status": (raw(head(("x", "y"), ends=True)), Delivery.GARBAGE, "not HTTP/2: a response without one status"),
    "two statuses": (
        raw(head((":status", "200"), (":status", "403"), ends=True)),
        Delivery.GARBAGE,
        "not HTTP/2: a response without one status",
    ),
    "a status that is none": (
        raw(head((":status", "2000"), ends=True)),
        Delivery.GARBAGE,
        "not HTTP/2: a response without one status",
    ),
    "1xx for ever": (raw(head((":status", "103")), forever=True), Delivery.GARBAGE, ""),
    "a header bomb": (header_bomb, Delivery.GARBAGE, "not HTTP/2: "),
    "continuations for ever": (
        raw(HeadersFrame(1, b""), *(ContinuationFrame(1, b"") for _ in range(100)), forever=True),
        Delivery.GARBAGE,
        "not HTTP/2: Too many continuation frames received.",
    ),
    "empty bodies for ever": (
        raw(head(), *(DataFrame(1, b"") for _ in range(1000)), forever=True),
        Delivery.GARBAGE,
        "",
    ),
    "pings for ever": (
        raw(*(PingFrame(0, b"12345678") for _ in range(1000)), forever=True),
        Delivery.GARBAGE,
        "2000 small frames without an end",
    ),
    "windows for ever": (
        raw(*(WindowUpdateFrame(0, window_increment=1) for _ in range(1000)), forever=True),
        Delivery.GARBAGE,
        "",
    ),
    "priorities for ever": (raw(*(PriorityFrame(1) for _ in range(1000)), forever=True), Delivery.GARBAGE, ""),
    "resets for ever": (raw(*(RstStreamFrame(1, 8) for _ in range(1000)), forever=True), Delivery.CLOSED, "CANCEL"),
    "settings for ever": (raw(*(SettingsFrame(0) for _ in range(1000)), forever=True), Delivery.GARBAGE, ""),
    "a reset": (raw(RstStreamFrame(1, 1)), Delivery.CLOSED, "the target reset the request: PROTOCOL_ERROR"),
    "a reset with a code of nobody": (raw(RstStreamFrame(1, 999)), Delivery.CLOSED, "the target reset the request: "),
    "a short goodbye": (
        raw(GoAwayFrame(0)),
        Delivery.CLOSED,
        "the target ended the connection: NO_ERROR",
    ),
    "a goodbye in anger": (
        raw(GoAwayFrame(0, last_stream_id=0, error_code=11)),
        Delivery.CLOSED,
        "the target ended the connection: ENHANCE_YOUR_CALM",
    ),
}


@pytest.mark.parametrize(("script", "delivery", "problem"), HOSTILE.values(), ids=list(HOSTILE))
def test_whatever_a_target_does_is_bounded_and_named(script: Script, delivery: Delivery, problem: str) -> None:
    answer, _ = ask(script, resend=False)
    assert answer.delivery is delivery
    assert problem in answer.problem
    assert answer.problem or answer.status


def test_a_body_without_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.begin()
        await peer.requests()
        await peer.raw(head())
        while True:
            await peer.raw(DataFrame(1, b"x" * 16_384))
            await asyncio.sleep(0)

    answer, _ = ask(script)
    assert answer.delivery is Delivery.GARBAGE


def test_one_bad_response_leaves_the_others_alone() -> None:
    """A request that is given up, for its size or its time, ends no other one on its connection."""

    async def script(peer: Peer) -> None:
        await peer.begin()
        first, second, third = await peer.requests(3)
        peer.h2.send_headers(first, [(":status", "20")])
        peer.h2.reset_stream(second, 2)
        await peer.flush()
        await peer.answer(third)
        while True:
            await peer.read()

    async def use(pool: Http2Pool) -> list[Answer]:
        return list(await asyncio.gather(*(pool.send(GET, b"", resend=False) for _ in range(3))))

    answers, _ = talk(use, script)
    found = {(answer.delivery, answer.reset) for answer in answers}
    assert found == {(Delivery.GARBAGE, ""), (Delivery.CLOSED, "INTERNAL_ERROR"), (Delivery.ANSWERED, "")}


def test_a_goodbye_in_the_middle() -> None:
    """What came before the goodbye is still answered; what came after goes to a new connection, once."""

    async def leaving(peer: Peer) -> None:
        await peer.begin()
        streams = await peer.requests(3)
        await peer.raw(GoAwayFrame(0, last_stream_id=streams[0], error_code=0))
        await asyncio.sleep(0.05)
        await peer.answer(streams[0], b"old")
        while await peer.reader.read(1024):
            pass

    async def use(pool: Http2Pool) -> list[Answer]:
        return list(await asyncio.gather(*(pool.send(GET, b"") for _ in range(3))))

    answers, peers = talk(use, leaving, echo(b"new"))
    assert sorted(answer.body for answer in answers) == [b"new", b"new", b"old"]
    assert len(peers) == 2


def test_what_must_not_be_sent_twice_is_not() -> None:
    answer, peers = ask(raw(GoAwayFrame(0, last_stream_id=0, error_code=0)), echo(), resend=False)
    assert (answer.delivery, answer.reset, len(peers)) == (Delivery.CLOSED, UNTOUCHED, 1)


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async def once(peer: Peer) -> None:
        await peer.begin()
        (stream,) = await peer.requests()
        await peer.answer(stream)

    async def use(pool: Http2Pool) -> list[int]:
        first = await pool.send(GET, b"")
        await asyncio.sleep(0.1)
        return [first.status, (await pool.send(GET, b"")).status]

    statuses, peers = talk(use, once, echo())
    assert (statuses, len(peers)) == ([200, 200], 2)


class Written(asyncio.Transport):
    """The transport of a connection that agreed on HTTP/2; keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"ssl_object": self})
        self.written = b""

    def selected_alpn_protocol(self) -> str:
        return "h2"

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        self.written += data


def test_nothing_is_said_before_the_preface() -> None:
    """nginx sends its settings at once, and ends a connection whose first bytes acknowledge them."""

    async def main() -> bytes:
        connection, transport = Http2Connection(), Written()
        connection.connection_made(transport)
        connection.data_received(SettingsFrame().serialize())
        return transport.written

    written = asyncio.run(main())
    assert written.startswith(PREFACE)
    assert written.endswith(SettingsFrame(flags=["ACK"]).serialize())


# --- whether a target speaks it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("protocols", "offered"), [(("h2", "http/1.1"), True), (("http/1.1",), False), ((), False)])
def test_it_is_offered_by_alpn(protocols: tuple[str, ...], offered: bool) -> None:  # noqa: FBT001  a row of the table
    async def main() -> tuple[bool, Answer]:
        async with serving(echo(), protocols=protocols) as (where, _):
            pool = Http2Pool(where, size=1, timeout=TIMEOUT)
            found = await pool.offered(), await pool.send(GET, b"")
            pool.close()
            return found

    found, answer = asyncio.run(main())
    assert found is offered
    assert answer.delivery is (Delivery.ANSWERED if offered else Delivery.REFUSED)
    assert offered or answer.problem == "the target does not offer HTTP/2"


def test_nobody_listens() -> None:
    async def main() -> tuple[bool, Answer]:
        async with serving(echo()) as (where, _):
            pass
        pool = Http2Pool(where, size=1, timeout=TIMEOUT)
        return await pool.offered(), await pool.send(GET, b"")

    found, answer = asyncio.run(main())
    assert (found, answer.delivery) == (False, Delivery.REFUSED)


def test_plain_addresses_speak_none() -> None:
    async def main() -> bool:
        return await Http2Pool(origin("http://127.0.0.1:1", None), size=1, timeout=TIMEOUT).offered()

    assert asyncio.run(main()) is False
    assert origin("http://127.0.0.1:1", None).http2 is None
    assert isinstance(origin("https://127.0.0.1:1", None).http2, ssl.SSLContext)
