"""HTTP/2 at the reference server: the same decisions, the malformed refused on its own stream, everything bounded."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from authcontract_conformance.driver._http2 import Fields
from authcontract_conformance.driver._http2_pool import Http2Pool
from authcontract_conformance.driver._wire import Answer
from authcontract_conformance.exchange._exchange import Delivery
from authcontract_conformance.reference import Answer as Response
from authcontract_conformance.reference import Message, Server
from authcontract_conformance.reference import _http2 as server_side
from authcontract_conformance.reference._certificate import Certificate, make_certificate
from authcontract_conformance.reference._http import MAX_BODY, MAX_LINE, MAX_TARGET, Head
from authcontract_conformance.reference._http2 import MAX_RESETS, MAX_STREAMS, read_fields
from authcontract_conformance.reference._listener import Connection
from authcontract_conformance.reference._port import Port, Writer
from authcontract_conformance.run._target import origin
from authcontract_policy import Cause
from hyperframe.frame import ContinuationFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame
from shop import Caller, shop

USUAL = {b":method": b"GET", b":scheme": b"https", b":authority": b"shop", b":path": b"/v1/orders"}
MALFORMED, LARGE = Cause.MALFORMED_REQUEST, Cause.TOO_LARGE


def fields(*more: tuple[bytes, bytes], without: str = "", **said: bytes) -> Fields:
    """Return the fields of a usual request, some pseudo-headers said otherwise or left out, and some more fields."""
    pseudo = USUAL | {f":{name}".encode(): value for name, value in said.items()}
    return (*((name, value) for name, value in pseudo.items() if name != f":{without}".encode()), *more)


# --- what the fields say --------------------------------------------------------------------------------------------


def test_a_request() -> None:
    head = read_fields(fields((b"accept", b"*/*"), (b"cookie", b"a"), (b"cookie", b"b")))
    assert (head.method, head.target, head.problem, head.keep_alive) == (b"GET", b"/v1/orders", None, True)
    assert head.headers == ((b"host", b"shop"), (b"accept", b"*/*"), (b"cookie", b"a"), (b"cookie", b"b"))


def test_lines_of_one_name_stay_apart() -> None:
    """Two keys are two lines for the contract, as over HTTP/1.1."""
    lines = ((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b"))
    assert read_fields(fields(*lines)).headers[1:] == lines


ODD: dict[str, tuple[Fields, Cause | None]] = {
    "no name but Host": (fields((b"host", b"shop"), without="authority"), None),
    "Host beside the same name": (fields((b"host", b"shop")), None),
    "Host beside another name": (fields((b"host", b"other")), MALFORMED),
    "two Hosts beside a name": (fields((b"host", b"shop"), (b"host", b"other")), MALFORMED),
    "two names": (fields((b":authority", b"shop")), MALFORMED),
    "two methods": (fields((b":method", b"POST")), MALFORMED),
    "two paths": (fields((b":path", b"/")), MALFORMED),
    "no method": (fields(without="method"), MALFORMED),
    "no scheme": (fields(without="scheme"), MALFORMED),
    "no path": (fields(without="path"), MALFORMED),
    "an empty path": (fields(path=b""), MALFORMED),
    "an empty method": (fields(method=b""), MALFORMED),
    "a method with a space": (fields(method=b"GET /"), MALFORMED),
    "a method with a line": (fields(method=b"GET\r\nx:"), MALFORMED),
    "a URL for a path": (fields(path=b"https://shop/v1/orders"), MALFORMED),
    "a path without a slash": (fields(path=b"v1/orders"), MALFORMED),
    "an asterisk": (fields(path=b"*"), MALFORMED),
    "an asterisk with OPTIONS": (fields(path=b"*", method=b"OPTIONS"), None),
    "another scheme": (fields(scheme=b"http"), None),
    "a scheme of nobody": (fields(scheme=b"a+b-c.1"), None),
    "a URL for a scheme": (fields(scheme=b"https://shop/?"), MALFORMED),
    "a scheme that begins with a digit": (fields(scheme=b"1s"), MALFORMED),
    "a pseudo-header of nobody": (fields((b":protocol", b"websocket")), MALFORMED),
    "a status": (fields((b":status", b"200")), MALFORMED),
    "a pseudo-header behind others": ((*fields((b"x", b"y"), without="path"), (b":path", b"/")), MALFORMED),
    "a name in upper case": (fields((b"Accept", b"*/*")), MALFORMED),
    "a name that is none": (fields((b"a b", b"c")), MALFORMED),
    "an empty name": (fields((b"", b"c")), MALFORMED),
    "a name with a colon": (fields((b"a:b", b"c")), MALFORMED),
    "NUL": (fields((b"x", b"a\0b")), MALFORMED),
    "a line break": (fields((b"x", b"a\r\nb: c")), MALFORMED),
    "a space before": (fields((b"x", b" a")), MALFORMED),
    "a tab behind": (fields((b"x", b"a\t")), MALFORMED),
    "an empty value": (fields((b"x", b"")), None),
    "bytes that are no text": (fields((b"x", b"\xff\x80")), None),
    "connection": (fields((b"connection", b"close")), MALFORMED),
    "proxy-connection": (fields((b"proxy-connection", b"close")), MALFORMED),
    "keep-alive": (fields((b"keep-alive", b"5")), MALFORMED),
    "transfer-encoding": (fields((b"transfer-encoding", b"chunked")), MALFORMED),
    "upgrade": (fields((b"upgrade", b"h2c")), MALFORMED),
    "te: trailers": (fields((b"te", b"trailers")), None),
    "te: gzip": (fields((b"te", b"gzip")), MALFORMED),
    "CONNECT": (((b":method", b"CONNECT"), (b":authority", b"shop:443")), None),
    "CONNECT with a path": (fields(method=b"CONNECT"), MALFORMED),
    "CONNECT to nowhere": (((b":method", b"CONNECT"),), MALFORMED),
    "an unknown method": (fields(method=b"FOO"), None),
    "a long path": (fields(path=b"/" + b"x" * MAX_TARGET), LARGE),
    "a long field": (fields((b"x", b"y" * MAX_LINE)), LARGE),
    "nothing": ((), MALFORMED),
}


@pytest.mark.parametrize(("said", "problem"), ODD.values(), ids=list(ODD))
def test_what_is_wrong_with_it(said: Fields, problem: Cause | None) -> None:
    assert read_fields(said).problem is problem


def test_a_long_path_has_a_status_of_its_own() -> None:
    assert read_fields(fields(path=b"/" + b"x" * MAX_TARGET)).long_target
    assert not read_fields(fields((b"x", b"y" * MAX_LINE))).long_target


# --- over the wire --------------------------------------------------------------------------------------------------


@cache
def certificate() -> Certificate:
    return make_certificate()


@asynccontextmanager
async def listening(serve: Callable[[Message], Response]) -> AsyncIterator[tuple[Port, str]]:
    port = Port(serve, Writer(time.time), "https")
    server = await asyncio.get_running_loop().create_server(
        partial(Connection, port), "127.0.0.1", 0, ssl=certificate().context()
    )
    try:
        yield port, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in tuple(port.open):
            connection.close()
        await asyncio.sleep(0.02)


def talk(
    use: Callable[[Http2Pool], Awaitable[Any]], serve: Callable[[Message], Response] | None = None
) -> tuple[Any, list[Message]]:
    """Use a pool on a listener; returns what came of it, and the messages that got through."""
    messages: list[Message] = []

    def kept(message: Message) -> Response:
        messages.append(message)
        return serve(message) if serve is not None else Response(200, (("X-Seen", "yes"),), message.body)

    async def main() -> Any:
        async with listening(kept) as (_, url):
            pool = Http2Pool(origin(url, certificate().certificate), size=16, timeout=5)
            try:
                return await use(pool)
            finally:
                pool.close()

    return asyncio.run(main()), messages


def test_a_message_is_as_one_of_http_1() -> None:
    """The server behind the listener gets the same head, body and place, and is told the version."""
    sent = fields((b"content-type", b"text/plain"), method=b"POST")
    answer, (message,) = talk(lambda pool: pool.send(sent, b"a body"))
    assert (message.protocol, message.scheme, message.body, message.peer) == ("2", "https", b"a body", "127.0.0.1")
    assert message.head == read_fields(sent)
    assert (answer.status, answer.body) == (200, b"a body")
    names = [name for name, _ in answer.headers]
    assert names == ["date", "x-seen", "content-length"]


def test_each_connection_has_its_number() -> None:
    async def use(pool: Http2Pool) -> None:
        for name in ("a", "b", "a"):
            await pool.send(fields(), b"", name=name)

    _, messages = talk(use)
    assert [message.connection for message in messages] == [1, 2, 1]


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_content(status: int) -> None:
    answer, _ = talk(lambda pool: pool.send(fields(), b""), lambda _: Response(status, (), b""))
    assert (answer.status, answer.body) == (status, b"")
    assert "content-length" not in dict(answer.headers)


def test_head_has_the_length_and_no_content() -> None:
    answer, _ = talk(lambda pool: pool.send(fields(method=b"HEAD"), b""), lambda _: Response(200, (), b"four"))
    assert (answer.status, answer.body, dict(answer.headers)["content-length"]) == (200, b"", "4")


def test_large_bodies_both_ways() -> None:
    body = b"0123456789" * 90_000
    answer, (message,) = talk(lambda pool: pool.send(fields(method=b"POST"), body))
    assert (message.body == body, answer.body == body) == (True, True)


def test_a_body_over_the_bound_is_refused_and_the_connection_lives() -> None:
    async def use(pool: Http2Pool) -> tuple[Answer, Answer]:
        return await pool.send(fields(method=b"POST"), b"x" * (MAX_BODY + 1)), await pool.send(fields(), b"")

    (first, second), messages = talk(use, lambda m: Response(200 if m.head.problem is None else 413))
    assert (first.status, second.status) == (413, 200)
    assert [(m.head.problem, m.connection) for m in messages] == [(LARGE, 1), (None, 1)]


def test_what_is_malformed_ends_its_own_stream_alone() -> None:
    async def use(pool: Http2Pool) -> list[Answer]:
        sent = (fields((b"Upper", b"x")), fields())
        return [await pool.send(each, body) for each in sent for body in (b"", b"body")]

    answers, messages = talk(use, lambda m: Response(200 if m.head.problem is None else 400))
    assert [answer.status for answer in answers] == [400, 400, 200, 200]
    assert {message.connection for message in messages} == {1}


def test_the_shop_decides_alike_over_both() -> None:
    """Whatever the version, the same request gets the same refusal, with the same body."""
    server = Server(shop())
    caller = Caller(server)
    key = caller.key("read")
    order = caller.order(caller.key())
    rows = [
        (method, path, secret)
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "FOO", "CONNECT")
        for path in ("/v1/orders", f"/v1/orders/{order}", "/v1/nowhere", "/v1/keys")
        for secret in (None, key.secret, "sk_live_" + "x" * 30)
    ]

    def said(method: str, path: str, secret: str | None) -> Fields:
        line = ((b"authorization", f"Bearer {secret}".encode()),) if secret else ()
        if method == "CONNECT":
            return ((b":method", b"CONNECT"), (b":authority", b"shop"), *line)
        return fields(*line, method=method.encode(), path=path.encode())

    async def use(pool: Http2Pool) -> list[Answer]:
        return [await pool.send(said(*row), b"") for row in rows]

    answers, _ = talk(use, server.serve)
    for (method, path, secret), answer in zip(rows, answers, strict=True):
        if method == "CONNECT":
            path = "shop"  # noqa: PLW2901  it names no path
        line = ((b"Authorization", f"Bearer {secret}".encode()),) if secret else ()
        head = Head(method=method.encode(), target=path.encode(), headers=((b"Host", b"shop"), *line))
        expected = server.serve(Message(head=head))
        assert answer.status == expected.status, (method, path)
        if method != "HEAD":
            assert _without_id(answer.body) == _without_id(expected.body)


def _without_id(body: bytes) -> Any:
    value = json.loads(body) if body else None
    if isinstance(value, dict):
        value.pop("request_id", None)
        if isinstance(value.get("error"), dict):
            value["error"].pop("request_id", None)
    return value


# --- hostile clients ------------------------------------------------------------------------------------------------


class Client:
    """A client that says whatever it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.h2.initiate_connection()

    async def say(self, *frames: Frame) -> None:
        self.writer.write(self.h2.data_to_send() + b"".join(frame.serialize() for frame in frames))
        await self.writer.drain()

    async def until_the_end(self) -> list[Any]:
        """Return every event until the server hangs up."""
        found: list[Any] = []
        with suppress(OSError):  # it may hang up on what is still under way
            while data := await self.reader.read(65536):
                found += self.h2.receive_data(data)
        return found


def attack(use: Callable[[Client], Awaitable[None]], serve: Callable[[Message], Response] | None = None) -> list[Any]:
    """Let a client do something, and return what the server said until it hung up."""

    async def main() -> list[Any]:
        async with listening(serve or (lambda _: Response(200, (), b"x" * 1000))) as (_, url):
            where = origin(url, certificate().certificate)
            reader, writer = await asyncio.open_connection(where.host, where.port, ssl=where.http2)
            client = Client(reader, writer)
            try:
                async with asyncio.timeout(5):
                    with suppress(OSError):
                        await use(client)
                    return await client.until_the_end()
            finally:
                writer.transport.abort()

    return asyncio.run(main())


def code(events: list[Any]) -> str | None:
    """Return the error code of the goodbye, or None where there is none."""
    said = next((e.error_code for e in events if isinstance(e, h2.events.ConnectionTerminated)), None)
    return None if said is None else h2.errors.ErrorCodes(said).name


async def rapid_resets(client: Client) -> None:
    """Open requests and give them up at once (the attack of 2023)."""
    for number in range(1, 2 * MAX_RESETS + 100, 2):
        client.h2.send_headers(number, fields())
        client.h2.reset_stream(number)
    await client.say()


async def resets(client: Client) -> None:
    for number in range(1, 2 * MAX_RESETS + 100, 2):
        client.h2.send_headers(number, fields(), end_stream=False)
        client.h2.reset_stream(number)
        await client.say()


async def pings(client: Client) -> None:
    await client.say(*(PingFrame(0, b"12345678") for _ in range(server_side.MAX_IDLE_FRAMES + 10)))


async def too_many_streams(client: Client) -> None:
    for number in range(1, 2 * MAX_STREAMS + 20, 2):
        client.h2.send_headers(number, fields(method=b"POST"))
    await client.say()


async def continuations(client: Client) -> None:
    await client.say(HeadersFrame(1, b""), *(ContinuationFrame(1, b"") for _ in range(100)))


async def header_bomb(client: Client) -> None:
    client.h2.send_headers(1, fields(*((b"x", b"y" * 4000) for _ in range(100))), end_stream=True)
    await client.say()


async def garbage(client: Client) -> None:
    await client.say()
    client.writer.write(b"\xff" * 500)
    await client.writer.drain()


async def unreadable(client: Client) -> None:
    await client.say(HeadersFrame(1, b"\xff" * 20, flags=["END_HEADERS", "END_STREAM"]))


async def http_1(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    await client.writer.drain()


async def goodbye(client: Client) -> None:
    await client.say(GoAwayFrame(0))


async def reset_of_nobody(client: Client) -> None:
    await client.say(RstStreamFrame(99, 8))


ATTACKS = {
    rapid_resets: "ENHANCE_YOUR_CALM",
    resets: "ENHANCE_YOUR_CALM",
    pings: "ENHANCE_YOUR_CALM",
    too_many_streams: "PROTOCOL_ERROR",
    continuations: "PROTOCOL_ERROR",
    header_bomb: "ENHANCE_YOUR_CALM",
    garbage: "FRAME_SIZE_ERROR",
    unreadable: "PROTOCOL_ERROR",
    http_1: None,
    goodbye: None,
    reset_of_nobody: "PROTOCOL_ERROR",
}


@pytest.mark.parametrize(("use", "said"), ATTACKS.items(), ids=[use.__name__ for use in ATTACKS])
def test_a_client_that_misbehaves_is_cut_off(use: Callable[[Client], Awaitable[None]], said: str | None) -> None:
    """Whatever it does, the connection ends at once, and says why."""
    assert code(attack(use)) == said


def test_a_client_that_opens_no_window_fills_no_memory() -> None:
    """Answers that nobody takes are kept up to a bound."""

    async def greedy(client: Client) -> None:
        codes = h2.settings.SettingCodes
        client.h2.update_settings({codes.INITIAL_WINDOW_SIZE: 0})
        for number in range(1, 2 * 50, 2):
            client.h2.send_headers(number, fields(), end_stream=True)
        await client.say()

    events = attack(greedy, lambda _: Response(200, (), b"x" * (server_side.MAX_UNSENT // 40)))
    assert code(events) == "ENHANCE_YOUR_CALM"


def test_a_slow_client_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is never completed holds nothing for ever."""
    monkeypatch.setattr(server_side, "REQUEST_TIMEOUT", 0.2)

    async def slow(client: Client) -> None:
        client.h2.send_headers(1, fields(method=b"POST"))
        await client.say()

    began = time.monotonic()
    assert code(attack(slow)) == "NO_ERROR"
    assert time.monotonic() - began < 2


def test_an_idle_client_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_side, "REQUEST_TIMEOUT", 0.1)
    monkeypatch.setattr(server_side, "IDLE_TIMEOUT", 0.2)

    async def idle(client: Client) -> None:
        await client.say()

    assert code(attack(idle)) == "NO_ERROR"


def test_a_server_that_stops_says_goodbye() -> None:
    """A client learns which of its requests were not answered, and may send those elsewhere."""

    async def main() -> tuple[list[Any], Answer]:
        async with listening(lambda _: Response(200)) as (port, url):
            where = origin(url, certificate().certificate)
            reader, writer = await asyncio.open_connection(where.host, where.port, ssl=where.http2)
            client = Client(reader, writer)
            await client.say()
            pool = Http2Pool(where, size=1, timeout=2)
            answer = await pool.send(fields(), b"")
            for connection in tuple(port.open):
                connection.close()
            found = await client.until_the_end()
            writer.transport.abort()
            pool.close()
            return found, answer

    events, answer = asyncio.run(main())
    assert code(events) == "NO_ERROR"
    assert answer.delivery is Delivery.ANSWERED


def test_who_asks_for_http_1_gets_it() -> None:
    """ALPN decides, and a client without it gets HTTP/1.1."""

    async def main() -> bytes:
        async with listening(lambda m: Response(200, (), m.protocol.encode())) as (_, url):
            where = origin(url, certificate().certificate)
            reader, writer = await asyncio.open_connection(where.host, where.port, ssl=where.tls)
            writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            found = await reader.read()
            writer.close()
            return found

    assert asyncio.run(main()).endswith(b"\r\n\r\n1.1")
