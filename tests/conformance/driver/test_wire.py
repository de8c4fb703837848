"""The wire client against servers that do anything: each gives its delivery, in bounded time and memory."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import pytest
from authcontract_conformance.driver._wire import MAX_BODY, MAX_HEAD, MAX_INFORMATIONAL, Answer, Origin, Pool
from authcontract_conformance.exchange._exchange import Delivery
from authcontract_conformance.reference._certificate import make_certificate
from scripted import Script, Scripted, hanging, request, resetting, saying, serving

GET = b"GET /leads HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#: Whatever a target does, it is over within the timeout and a little.
TIMEOUT = 1.0
PATIENCE = 5.0


def ask(script: Script, *, head: bool = False, timeout: float = TIMEOUT) -> tuple[Answer, Scripted]:
    """Send one request to a script."""

    async def talk() -> tuple[Answer, Scripted]:
        async with serving(script) as server:
            pool = Pool(server.origin(), size=2, timeout=timeout)
            answer = await pool.send(GET, head=head)
            pool.close()
            return answer, server

    began = time.monotonic()
    found = asyncio.run(talk())
    assert time.monotonic() - began < PATIENCE
    return found


ANSWERED: dict[str, tuple[Script, int, bytes]] = {
    "length": (saying(OK), 200, b"{}"),
    "chunked": (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 200, b"{}"),
    "chunked in pieces": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chu", b"nked\r\n\r\n1\r\n{\r\n1", b"\r\n}\r\n0\r\n", b"\r\n"),
        200,
        b"{}",
    ),
    "chunked with a trailer": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"),
        200,
        b"{}",
    ),
    "until the connection ends": (saying(b"HTTP/1.1 200 OK\r\n\r\n{}"), 200, b"{}"),
    "HTTP/1.0": (saying(b"HTTP/1.0 200 OK\r\n\r\n{}"), 200, b"{}"),
    "no content": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), 204, b""),
    "after 100 Continue": (saying(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), 200, b"{}"),
    "after early hints": (saying(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK), 200, b"{}"),
    "without a reason phrase": (saying(b"HTTP/1.1 403 \r\nContent-Length: 0\r\n\r\n"), 403, b""),
    "an unknown status": (saying(b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n"), 599, b""),
    "bytes that are no text": (
        saying(b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\n\xff\x00"),
        200,
        b"\xff\x00",
    ),
    "another response behind it": (saying(OK + OK), 200, b"{}"),
    "as large as is allowed": (saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_BODY), 200, b"x" * MAX_BODY),
}


@pytest.mark.parametrize(("script", "status", "body"), ANSWERED.values(), ids=list(ANSWERED))
def test_a_response(script: Script, status: int, body: bytes) -> None:
    answer, _ = ask(script)
    assert (answer.delivery, answer.status, answer.body, answer.problem) == (Delivery.ANSWERED, status, body, "")
    assert answer.started


def test_head_has_no_body_whatever_its_length_says() -> None:
    answer, _ = ask(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), head=True)
    assert (answer.delivery, answer.status, answer.body, answer.reusable) == (Delivery.ANSWERED, 200, b"", True)


def test_header_lines_come_as_they_were_sent() -> None:
    lines = b"Set-Cookie: a\r\nSet-Cookie: b\r\nX-Odd:  spaced \r\nX-Latin: \xe9\r\nContent-Length: 0\r\n"
    answer, _ = ask(saying(b"HTTP/1.1 401 No\r\n" + lines + b"\r\n"))
    assert answer.headers == (
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
        ("X-Odd", "spaced"),
        ("X-Latin", "é"),
        ("Content-Length", "0"),
    )


async def storm(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """1xx for ever."""
    await request(reader)
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without end."""
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no single read takes long."""
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say who one is, and wait to be answered in the same protocol."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await hanging(reader, writer)


NO_HTTP = "not an HTTP response"
SENT_ON = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"
LINES = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"

NOT_ANSWERED: dict[str, tuple[Script, Delivery, str]] = {
    "closed without a word": (saying(b""), Delivery.CLOSED, "closed without a response"),
    "closed in the middle of the head": (saying(b"HTTP/1.1 200 OK\r\nCont"), Delivery.CLOSED, "closed in the middle"),
    "closed in the middle of the body": (saying(SENT_ON), Delivery.CLOSED, "closed in the middle"),
    "closed in the middle of a chunk": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"),
        Delivery.CLOSED,
        "closed in the middle",
    ),
    "reset without a word": (resetting(), Delivery.CLOSED, "connection lost"),
    "reset in the middle of the body": (resetting(SENT_ON), Delivery.CLOSED, "connection lost"),
    "hanging": (hanging, Delivery.TIMEOUT, "no whole response within 0.3 s"),
    "dripping": (dripping, Delivery.TIMEOUT, "no whole response within 0.3 s, 4"),
    "another protocol": (greeting, Delivery.GARBAGE, NO_HTTP),
    "another version": (saying(b"HTTP/2 200\r\n\r\n"), Delivery.GARBAGE, NO_HTTP),
    "binary": (saying(bytes(range(256)) * 8), Delivery.GARBAGE, NO_HTTP),
    "TLS alert": (saying(b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"), Delivery.GARBAGE, NO_HTTP),
    "a page without a head": (saying(b"<html>\r\n<body>hello\r\n\r\n"), Delivery.GARBAGE, NO_HTTP),
    "a length that is none": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        Delivery.GARBAGE,
        NO_HTTP,
    ),
    "two lengths": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        Delivery.GARBAGE,
        NO_HTTP,
    ),
    "more than the announced length": (
        saying(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"data":[]}'),
        Delivery.GARBAGE,
        "the body goes on after its end",
    ),
    "a chunk size that is none": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Delivery.GARBAGE,
        NO_HTTP,
    ),
    "switching protocols": (
        saying(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        Delivery.GARBAGE,
        NO_HTTP,
    ),
    "1xx without an end": (storm, Delivery.GARBAGE, "1xx responses without an end"),
    "a body without end": (flood, Delivery.GARBAGE, f"a body over {MAX_BODY} bytes"),
    "10 MB": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n", b"x" * 10485760),
        Delivery.GARBAGE,
        "a body over",
    ),
    "chunks of a byte": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000),
        Delivery.GARBAGE,
        "a body in more than 10000 pieces",
    ),
    "100,000 header lines": (saying(LINES), Delivery.GARBAGE, NO_HTTP),
    "a header line without end": (
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6),
        Delivery.GARBAGE,
        NO_HTTP,
    ),
}


@pytest.mark.parametrize(("script", "delivery", "problem"), NOT_ANSWERED.values(), ids=list(NOT_ANSWERED))
def test_no_response(script: Script, delivery: Delivery, problem: str) -> None:
    answer, server = ask(script, timeout=0.3 if delivery is Delivery.TIMEOUT else 4.0)
    assert (answer.delivery, answer.status) == (delivery, 0)
    assert len(answer.body) <= (2 * MAX_HEAD if delivery is Delivery.GARBAGE else 0)
    assert answer.problem.startswith(problem)
    assert not answer.reusable
    assert server.connections == 1


def test_the_bounds_are_what_they_are_for() -> None:
    """A head of 64 KiB and eight 1xx are more than any server means."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"y" * (MAX_HEAD - 100) + b"\r\n\r\n"
    assert ask(saying(head))[0].delivery is Delivery.ANSWERED
    informational = b"HTTP/1.1 103 Early Hints\r\n\r\n" * MAX_INFORMATIONAL
    assert ask(saying(informational + OK))[0].delivery is Delivery.ANSWERED


# --- connections ----------------------------------------------------------------------------------------------------


def talk(script: Script, steps: Callable[[Pool], Awaitable[Any]], *, size: int = 4) -> tuple[Any, Scripted]:
    """Use one pool against a script."""

    async def session() -> tuple[Any, Scripted]:
        async with serving(script) as server:
            pool = Pool(server.origin(), size=size, timeout=TIMEOUT)
            try:
                return await steps(pool), server
            finally:
                pool.close()

    return asyncio.run(session())


def test_a_connection_is_used_again() -> None:
    async def five(pool: Pool) -> list[int]:
        return [(await pool.send(GET, head=False)).status for _ in range(5)]

    statuses, server = talk(saying(OK, times=5), five)
    assert statuses == [200] * 5
    assert server.connections == 1


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        OK + b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["connection: close", "HTTP/1.0", "until the end", "bytes that belong to nothing"],
)
def test_a_connection_that_may_not_be_used_again_is_not(response: bytes) -> None:
    """What is left over from one response must never become part of the next."""

    async def twice(pool: Pool) -> list[Answer]:
        return [await pool.send(GET, head=False) for _ in range(2)]

    answers, server = talk(saying(response), twice)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"{}")] * 2
    assert server.connections == 2


def test_what_comes_before_it_is_asked_for_is_no_response() -> None:
    """Else the response that belongs to nothing would be taken for the next one's, and somebody accused of it."""

    async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await hanging(reader, writer)

    async def twice(pool: Pool) -> list[int]:
        first = await pool.send(GET, head=False)
        await asyncio.sleep(0.1)
        return [first.status, (await pool.send(GET, head=False)).status]

    statuses, server = talk(unasked, twice)
    assert statuses == [200, 200]
    assert server.connections == 2


def closing_after(answered: int) -> Script:
    """Answer so many requests on the first connection, read one more and close; later connections answer."""
    first = True

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        limit, first = (answered if first else 100), False
        for _ in range(limit):
            await request(reader)
            writer.write(OK)
        await request(reader)

    return script


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_once() -> None:
    async def twice(pool: Pool) -> list[Answer]:
        return [await pool.send(GET, head=False) for _ in range(2)]

    answers, server = talk(closing_after(1), twice)
    assert [answer.delivery for answer in answers] == [Delivery.ANSWERED] * 2
    assert [answer.before for answer in answers] == ["", "closed without a response"]
    assert server.connections == 2


def test_no_connection_of_a_case_outlives_it() -> None:
    """A target with room for a hundred connections would else be shut for whoever comes next."""
    ended = asyncio.Semaphore(0)

    async def as_long_as_it_takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await request(reader)
                writer.write(OK)
                await writer.drain()
        finally:
            ended.release()

    async def three_of_one_name(pool: Pool) -> None:
        await asyncio.gather(*(pool.send(GET, head=False, name="case/1") for _ in range(3)))
        pool.forget("case/")
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await ended.acquire()

    _, server = talk(as_long_as_it_takes, three_of_one_name, size=3)
    assert server.connections == 3


def test_a_request_that_may_count_is_never_sent_twice() -> None:
    """Where a clause counts quota, a lost answer stays lost: it may have been counted (R7)."""

    async def twice(pool: Pool) -> list[Delivery]:
        return [(await pool.send(GET, head=False, resend=False)).delivery for _ in range(2)]

    deliveries, server = talk(closing_after(1), twice)
    assert deliveries == [Delivery.ANSWERED, Delivery.CLOSED]
    assert server.connections == 1


def test_a_fresh_connection_that_is_closed_is_not_tried_again() -> None:
    async def once(pool: Pool) -> Delivery:
        return (await pool.send(GET, head=False)).delivery

    delivery, server = talk(saying(b""), once)
    assert delivery is Delivery.CLOSED
    assert server.connections == 1


def test_named_connections_are_kept_apart_and_forgotten() -> None:
    async def steps(pool: Pool) -> None:
        for name in ("a/1", "a/2", "a/1", None):
            await pool.send(GET, head=False, name=name)
        pool.forget("a/")
        await pool.send(GET, head=False, name="a/1")

    _, server = talk(saying(OK, times=5), steps)
    assert server.connections == 4


def test_no_more_connections_than_the_pool_has() -> None:
    open_now = most = 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        for _ in range(20):
            await request(reader)
            await asyncio.sleep(0.005)
            writer.write(OK)

    async def at_once(pool: Pool) -> set[int]:
        return {answer.status for answer in await asyncio.gather(*(pool.send(GET, head=False) for _ in range(12)))}

    statuses, _ = talk(counting, at_once, size=3)
    assert statuses == {200}
    assert most == 3


def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    """A connection with an answer on its way would give it to the next request."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await asyncio.sleep(0.05)
        writer.write(OK)
        await request(reader)

    async def steps(pool: Pool) -> int:
        task = asyncio.ensure_future(pool.send(GET, head=False))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (await pool.send(GET, head=False)).status

    status, server = talk(late, steps)
    assert status == 200
    assert server.connections == 2


# --- connecting -----------------------------------------------------------------------------------------------------


def connect(origin: Origin, timeout: float = TIMEOUT) -> Answer:
    return asyncio.run(Pool(origin, size=1, timeout=timeout).send(GET, head=False))


def test_nobody_listens() -> None:
    async def free_port() -> int:
        async with serving(hanging) as server:
            return server.port

    answer = connect(Origin(host="127.0.0.1", port=asyncio.run(free_port()), tls=None))
    assert (answer.delivery, answer.started) == (Delivery.REFUSED, False)
    assert "refused" in answer.problem.lower() or "connect" in answer.problem.lower()


def test_a_name_that_does_not_exist() -> None:
    answer = connect(Origin(host="no-such-host.invalid", port=443, tls=None), timeout=5.0)
    assert answer.delivery is Delivery.REFUSED
    assert answer.problem


def secure(script: Script, client: ssl.SSLContext) -> Answer:
    """Ask over TLS a server with a certificate of its own making."""
    made = make_certificate()

    async def session() -> Answer:
        async with serving(script, made.context()) as server:
            return await Pool(server.origin(client), size=1, timeout=TIMEOUT).send(GET, head=False)

    return asyncio.run(session())


def test_an_untrusted_certificate() -> None:
    """It is said what is wrong, and no byte of the request is sent."""
    received: list[bytes] = []

    async def keeping(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    answer = secure(keeping, ssl.create_default_context())
    assert answer.delivery is Delivery.REFUSED
    assert answer.problem == "TLS: the certificate is not trusted: self-signed certificate"
    assert received == []


def test_tls_to_a_port_that_speaks_plain_http() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def session() -> Answer:
        async with serving(plain) as server:
            return await Pool(server.origin(ssl.create_default_context()), size=1, timeout=TIMEOUT).send(
                GET, head=False
            )

    answer = asyncio.run(session())
    assert answer.delivery is Delivery.REFUSED
    assert answer.problem.startswith("TLS: ")


def test_a_handshake_that_never_ends() -> None:
    async def session() -> Answer:
        async with serving(hanging) as server:
            return await Pool(server.origin(ssl.create_default_context()), size=1, timeout=0.3).send(GET, head=False)

    began = time.monotonic()
    answer = asyncio.run(session())
    assert (answer.delivery, answer.problem) == (Delivery.REFUSED, "no connection within 0.3 s")
    assert time.monotonic() - began < PATIENCE


# --- what is expected of h11 ----------------------------------------------------------------------------------------


def test_h11_keeps_what_the_wire_client_relies_on() -> None:
    """Names as sent, a strict parser, a bound on the head, HEAD without a body."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1000)
    parser.send(h11.Request(method=b"HEAD", target=b"/", headers=[(b"host", b"-")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(b"HTTP/1.1 200 OK\r\nX-CamelCase: a\r\nContent-Length: 9\r\n\r\n")
    response = parser.next_event()
    assert isinstance(response, h11.Response)
    assert list(response.headers.raw_items()) == [(b"X-CamelCase", b"a"), (b"Content-Length", b"9")]
    assert isinstance(parser.next_event(), h11.EndOfMessage)
    assert parser.their_state is h11.DONE

    bounded = h11.Connection(h11.CLIENT, max_incomplete_event_size=1000)
    bounded.send(h11.Request(method=b"GET", target=b"/", headers=[(b"host", b"-")]))
    bounded.receive_data(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000)
    with pytest.raises(h11.RemoteProtocolError):
        bounded.next_event()
