"""What reaches the engine over a real socket is what was sent, for every row of the adversarial variants."""

from __future__ import annotations

import asyncio
import base64
from functools import partial

import pytest
from authcontract_conformance.reference import Answer, Message
from authcontract_conformance.reference import _listener as listener
from authcontract_conformance.reference._listener import Connection
from authcontract_conformance.reference._port import Port, Writer
from authcontract_policy import Cause

KEY = b"sk_live_" + b"a1B2c3D4e5" * 3
Lines = tuple[tuple[bytes, bytes], ...]


class Echo:
    """A port that keeps what it receives and answers 200."""

    def __init__(self) -> None:
        self.seen: list[Message] = []

    def serve(self, message: Message) -> Answer:
        self.seen.append(message)
        return Answer(200, (("X-Number", str(len(self.seen))),), b"body")

    def exchange(self, *pieces: bytes, wait: float = 0.0, until_closed: bool = True) -> bytes:
        """Send the pieces on one connection, one after the other, and return what came back until it was closed."""

        async def talk() -> bytes:
            port = Port(self.serve, Writer(lambda: 0.0), "http", "live")
            server = await asyncio.get_running_loop().create_server(partial(Connection, port), "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(wait)
                if not until_closed:
                    writer.write_eof()
                received = await asyncio.wait_for(reader.read(), 10)
                writer.close()
            return received

        return asyncio.run(talk())


@pytest.fixture
def echo() -> Echo:
    return Echo()


def _message(method: bytes, target: bytes, lines: Lines) -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\n" + b"".join(n + b":" + v + b"\r\n" for n, v in lines) + b"\r\n"


HOST = (b"Host", b" shop")
AUTH = (b"Authorization", b" Bearer " + KEY)
PATH = b"/api/v1/keys"


def _auth(value: bytes, name: bytes = b"Authorization") -> tuple[bytes, bytes, Lines]:
    return b"GET", PATH, (HOST, (name, value))


def _path(target: bytes, *lines: tuple[bytes, bytes]) -> tuple[bytes, bytes, Lines]:
    return b"GET", target, (*(lines or (HOST,)), AUTH)


def _method(method: bytes, *lines: tuple[bytes, bytes], target: bytes = PATH) -> tuple[bytes, bytes, Lines]:
    return method, target, (HOST, AUTH, *lines)


#: Every row of V-C, V-M and V-P that is HTTP at all; those that are not stand in the next test.
AS_RECEIVED = {
    "V-C01": _auth(b" bEaReR " + KEY),
    "V-C02": _auth(b" Bearer          " + KEY),
    "V-C03": _auth(b" Bearer\t" + KEY),
    "V-C04": _auth(b" Bearer" + KEY),
    "V-C05": _auth(b" Bearer\xa0\x85\x1c\x1d\x1e\x1f\x0b\x0c" + KEY),
    "V-C06": _auth(b" \t Bearer " + KEY + b" \t "),
    "V-C07": _auth(b' Bearer "' + KEY + b'", extra'),
    "V-C08": _auth(b" " + KEY),
    "V-C09": _auth(b" Basic " + base64.b64encode(KEY + b":")),
    "V-C10": (b"GET", PATH, (HOST, AUTH, (b"authorization", b" Bearer other"))),
    "V-C11": _auth(b" Bearer other, Bearer " + KEY),
    "V-C12": (b"GET", PATH + b"?access_token=" + KEY, (HOST,)),
    "V-C13": _auth(b" " + KEY, b"X-API-Key"),
    "V-C14": _auth(b" Bearer"),
    "V-C15": _auth(b" Bearer " + KEY[:-10]),
    "V-C16": _auth(b" Bearer " + KEY + b"=" * 64),
    "V-C17": _auth(b" Bearer " + KEY.swapcase()),
    "V-C18": _auth(b" Bearer " + KEY[:-1] + b"z"),
    "V-C19": _auth(" Bearer \u017f\u212a_live".encode()),
    "V-C21": (b"GET", PATH, (HOST, *[AUTH] * 200)),
    "V-C22": _auth(b" Bearer " + bytes(range(0x80, 0x100))),
    "V-C23": _auth(b" Bearer sk%5Flive%00"),
    "V-C24": _auth(b" Bearer key_1234"),
    "V-C25": _auth(b" Bearer sk_test_" + KEY[8:]),
    "V-C27": _auth(b""" Bearer ' OR '1'='1 {"$ne":null} .*"""),
    "V-C28": (b"GET", PATH, (HOST, AUTH, (b"Connection", b" Authorization"))),
    "V-C29": (b"GET", PATH, (HOST, (b"x-middleware-subrequest", b"1"), (b"X_Forwarded_User", b" admin"))),
    "V-C30": (b"GET", PATH, (HOST, AUTH, (b"X-Forwarded-For", b" a"))),
    "V-M01": _method(b"POST", (b"X-HTTP-Method-Override", b" DELETE")),
    "V-M02": _method(b"GET", (b"X-HTTP-Method", b" FOO")),
    "V-M03": _method(b"GET", target=PATH + b"?_method=DELETE"),
    "V-M04": _method(b"HEAD"),
    "V-M05": _method(b"GET", target=PATH + b"?action=delete"),
    "V-M06": _method(b"TRACE"),
    "V-M07": _method(b"dElEtE"),
    "V-M08": _method(b"GETS" * 1024),
    "V-M09": _method(b"PUT"),
    "V-M10": _method(b"PROPFIND"),
    "V-M11": _method(b"PATCH", (b"Content-Type", b" application/merge-patch+json")),
    "V-P01": _path(PATH + b"/.?"),
    "V-P02": _path(b"//api//v1/keys"),
    "V-P03": _path(b"/public/../api/v1/./keys"),
    "V-P04": _path(b"/api/v1/%2e%2e%2f%5c%252e/keys"),
    "V-P05": _path(b"/%61pi/v1/%6beys"),
    "V-P06": _path(b"/api;/v1/..;/keys;x=1"),
    "V-P07": _path(b"/API/V1/Keys"),
    "V-P08": _path(PATH + b"/x.css"),
    "V-P09": _path(PATH + b"%20%09%00%0a%0d%0a\x85\xa0"),
    "V-P10": _path(b"/health", HOST, (b"X-Original-URL", b" /api/v1/keys")),
    "V-P11": _path(b"https://other:8443/api/v1/keys"),
    "V-P12": _path(PATH, (b"Host", b" localhost/api/v1/health?"), (b"HOST", b""), (b"Host", b" X@y")),
    "V-P13": _path(PATH + b"?x=/public/health"),
    "V-P14": _path(b"/public#/../api/v1/keys"),
    "V-P15": _path("/api/v1%c0%afkeys\uff0f".encode()),
    "V-P16": _path(PATH, (b"X-No-Host", b" 1")),
}


@pytest.mark.parametrize("row", AS_RECEIVED)
def test_bytes_reach_the_engine_as_sent(echo: Echo, row: str) -> None:
    """Method, target and header lines come through unchanged: nothing is normalised, merged, folded or dropped."""
    method, target, lines = AS_RECEIVED[row]

    echo.exchange(_message(method, target, lines), until_closed=False)

    head = echo.seen[0].head
    assert (head.method, head.target, head.headers, head.problem) == (method, target, lines, None)


@pytest.mark.parametrize(
    ("row", "data", "problem"),
    [
        ("AUTH-7", b"GET / HTTP/1.1\r\nAuthorization : x\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("V-C20", b"GET / HTTP/1.1\r\nAuthorization: Bearer a\0junk\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("V-C20", b"GET / HTTP/1.1\r\nAuthorization: Bearer a\rb\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("V-C20", b"GET / HTTP/1.1\r\nAuthorization: Bearer a\nb: c\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("V-C21", b"GET / HTTP/1.1\r\nAuthorization: " + b"a" * 9000 + b"\r\n\r\n", Cause.TOO_LARGE),
        ("V-C21", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", Cause.TOO_LARGE),
        ("V-M08", b" / HTTP/1.1\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("V-P16", b"GET /\r\n\r\n", Cause.MALFORMED_REQUEST),
        (
            "V-P17",
            b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Cause.MALFORMED_REQUEST,
        ),
        ("ROUTE-4", b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Cause.MALFORMED_REQUEST),
        ("LF only", b"GET / HTTP/1.1\nHost: a\n\n", Cause.MALFORMED_REQUEST),
        ("chunk", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Cause.MALFORMED_REQUEST),
    ],
)
def test_what_is_no_http_is_answered_once_and_ends_the_connection(
    echo: Echo, row: str, data: bytes, problem: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows where the next request would begin, so what follows is never read as one."""
    monkeypatch.setattr(listener, "LINGER", 0.01)

    received = echo.exchange(data + b"GET /smuggled HTTP/1.1\r\n\r\n")

    assert [message.head.problem for message in echo.seen] == [problem], row
    assert b"Connection: close\r\n" in received


def test_requests_on_one_connection_are_answered_in_order(echo: Echo) -> None:
    """Pipelined requests are separate, with or without bodies; leading empty lines are read over."""
    data = (
        b"\r\n\r\nGET /1 HTTP/1.1\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
        b"GET /4 HTTP/1.1\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1\r\n\r\n"
    )

    received = echo.exchange(data)

    assert [message.head.target for message in echo.seen] == [b"/1", b"/2", b"/3", b"/4"]
    assert [message.body for message in echo.seen] == [b"", b"abc", b"def", b""]
    assert [line for line in received.split(b"\r\n") if line.startswith(b"X-Number")] == [
        b"X-Number: %d" % number for number in (1, 2, 3, 4)
    ]
    assert {message.connection for message in echo.seen} == {1}
    assert {(message.scheme, message.environment, message.peer) for message in echo.seen} == {
        ("http", "live", "127.0.0.1")
    }


def test_a_request_may_come_byte_by_byte(echo: Echo) -> None:
    data = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"

    echo.exchange(*(data[index : index + 1] for index in range(len(data))), wait=0.0005)

    assert [(message.head.target, message.body) for message in echo.seen] == [(b"/x", b"abc")]


def test_head_and_204_have_no_content() -> None:
    writer = Writer(lambda: 784111777.5)

    head = writer.render(Answer(200, (), b"abc"), head_only=True, close="")
    none = writer.render(Answer(204, (("A", "b"),), b""), head_only=False, close="Connection: close\r\n")

    assert head == b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\n"
    assert none == (
        b"HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nA: b\r\nConnection: close\r\n\r\n"
    )


def test_no_answer_names_the_software(echo: Echo) -> None:
    received = echo.exchange(b"GET / HTTP/1.0\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"server:" not in received.lower()


def test_a_client_that_waits_to_be_asked_is_asked(echo: Echo) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"

    received = echo.exchange(head, b"ab", wait=0.05)

    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert echo.seen[0].body == b"ab"


@pytest.mark.parametrize(
    ("name", "data"), [("REQUEST_TIMEOUT", b"GET / HTTP/1.1\r\n"), ("IDLE_TIMEOUT", b"")], ids=["unfinished", "idle"]
)
def test_a_silent_client_is_cut_off(echo: Echo, name: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_TIMEOUT", 0.05)
    monkeypatch.setattr(listener, name, 0.05)

    received = echo.exchange(data)

    assert received == b""
    assert echo.seen == []
