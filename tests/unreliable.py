"""A network between the driver and a server that misbehaves, by a seeded random, with a share of what passes.

`Proxy` relays bytes. By default it is a wire, and TLS passes through it unread; as a gateway it ends TLS itself, and so
sees messages. What passes is judged chunk by chunk: an HTTP message of the reference server is one chunk.
"""

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

#: What a fault does with a chunk in the place of passing it on.
Misbehave = Callable[["Link", bytes], Awaitable[None]]
LOCAL = "127.0.0.1"
#: Closing with these options resets a connection (socket(7), SO_LINGER for zero seconds).
RESETS = struct.pack("ii", 1, 0)


class _End(asyncio.Protocol):
    """One end of a link: what it receives waits in a queue, and b"" is its end."""

    def __init__(self, connected: Callable[["_End"], None] | None = None) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.Transport
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._connected is not None:
            self._connected(self)

    def data_received(self, data: bytes) -> None:
        self.received.put_nowait(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.received.put_nowait(b"")

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def reset(self) -> None:
        sock: socket.socket = self.transport.get_extra_info("socket")
        with suppress(OSError):  # closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
        self.transport.abort()


@dataclass(slots=True)
class Link:
    """One client's connection, and the one behind it to the server."""

    proxy: "Proxy"
    client: _End
    server: _End
    random: random.Random
    #: Of the pump that asks: where the chunk would go.
    onward: _End

    def close(self) -> None:
        """Close both sides as if all had been said."""
        for end in (self.client, self.server):
            if not end.transport.is_closing():
                end.transport.close()

    def reset(self) -> None:
        """Reset the client's connection, and drop the other."""
        self.client.reset()
        self.server.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How a network misbehaves."""

    act: Misbehave
    #: What of: a connection that is opened, what the client says, what the server says.
    on: Literal["opening", "request", "response"] = "response"
    #: True: the proxy is a gateway, which sees messages; False: a wire, which sees what TLS makes of them.
    gateway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The server behind a proxy, on this port of loopback."""

    port: int
    #: The certificate that it shows, which a gateway trusts.
    trusts: str
    #: What a gateway shows itself.
    shows: ssl.SSLContext


@dataclass(slots=True)
class Proxy:
    """A running proxy."""

    trouble: Trouble | None
    share: float
    seed: int
    behind: Behind
    port: int = 0
    #: How often it misbehaved, and how often it might have.
    struck: int = 0
    passed: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _ends: set[_End] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  what goes wrong, no secret

    @property
    def _is_gateway(self) -> bool:
        return self.trouble is not None and self.trouble.gateway

    async def listen(self) -> None:
        """Take connections, always on the same port."""
        tls = self.behind.shows if self._is_gateway else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _End(self._accept), LOCAL, self.port, ssl=tls, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def is_down(self) -> bool:
        """Tell whether it takes no connections."""
        return self._server is None or not self._server.is_serving()

    def stop(self) -> None:
        """Take no connections any more, and drop those that are open."""
        if self._server is not None:
            self._server.close()
        for end in tuple(self._ends):
            end.transport.abort()

    async def end(self) -> None:
        """End for good."""
        self.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _accept(self, client: _End) -> None:
        self.later(self._relay(client))

    def later(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something meanwhile."""
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, client: _End) -> None:
        loop = asyncio.get_running_loop()
        self._ends.add(client)
        server = _End()
        tls = ssl.create_default_context(cadata=self.behind.trusts) if self._is_gateway else None
        try:
            await loop.create_connection(lambda: server, LOCAL, self.behind.port, ssl=tls)
        except OSError:
            client.transport.abort()
            return
        self._ends.add(server)
        link = Link(self, client, server, self._random, client)
        try:
            if self._strikes("opening"):
                assert self.trouble is not None
                await self.trouble.act(link, b"")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(link, client, server, "request"))
                group.create_task(self._pump(link, server, client, "response"))
        finally:
            for end in (client, server):
                end.transport.abort()
                self._ends.discard(end)

    async def _pump(self, link: Link, source: _End, target: _End, what: Literal["request", "response"]) -> None:
        while data := await source.received.get():
            if self._strikes(what):
                assert self.trouble is not None
                await self.trouble.act(Link(self, link.client, link.server, self._random, target), data)
            else:
                target.write(data)
        if not target.transport.is_closing():
            target.transport.close()

    def _strikes(self, what: Literal["opening", "request", "response"]) -> bool:
        if self.trouble is None or self.trouble.on != what:
            return False
        self.passed += 1
        strikes = self._random.random() < self.share
        self.struck += strikes
        return strikes


@asynccontextmanager
async def between(trouble: Trouble | None, share: float, behind: Behind, seed: int = 1) -> AsyncIterator[Proxy]:
    """Stand before a server, and misbehave from the beginning."""
    proxy = Proxy(trouble, share, seed, behind)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.end()


def down(after: int, seconds: float | None) -> Trouble:
    """Let the server be gone after so many responses, for so long or for good."""
    left = after

    async def come_back(proxy: Proxy) -> None:
        if seconds is not None:
            await asyncio.sleep(seconds)
            await proxy.listen()

    async def act(link: Link, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left != 0:
            link.onward.write(data)
            return
        link.proxy.stop()
        link.proxy.later(come_back(link.proxy))

    return Trouble(act=act)


# --- what may happen to a chunk -------------------------------------------------------------------------------------


async def late(link: Link, data: bytes) -> None:
    """Be late, by a time that differs."""
    await asyncio.sleep(link.random.uniform(0, 0.03))
    link.onward.write(data)


async def lost(_link: Link, _data: bytes) -> None:
    """Swallow it."""


async def closed(link: Link, _data: bytes) -> None:
    """Close the connection in its place."""
    link.close()


async def half_closed(link: Link, _data: bytes) -> None:
    """Tell the client that nothing more comes, and go on reading what it says."""
    if link.client.transport.can_write_eof():
        link.client.transport.write_eof()
    else:
        link.client.transport.close()


async def was_reset(link: Link, _data: bytes) -> None:
    """Reset the connection in its place."""
    link.reset()


async def reset_in_the_middle(link: Link, data: bytes) -> None:
    """Pass most of it on, and reset the connection."""
    link.onward.write(data[: len(data) * 2 // 3])
    await asyncio.sleep(0.005)
    link.reset()


async def cut_off(link: Link, data: bytes) -> None:
    """Pass most of it on, and close the connection."""
    link.onward.write(data[:-3])
    link.close()


async def dripping(link: Link, data: bytes) -> None:
    """Pass it on a byte at a time, and take longer than anybody waits."""
    for at in range(len(data)):
        if link.onward.transport.is_closing():
            return
        link.onward.write(data[at : at + 1])
        await asyncio.sleep(0.1)


def replaced(change: Callable[[bytes], bytes]) -> Misbehave:
    """Pass another message on."""

    async def act(link: Link, data: bytes) -> None:
        link.onward.write(change(data))

    return act


def with_length(step: int) -> Misbehave:
    """Say that the body is so much longer than it is."""

    def change(data: bytes) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [
            f"Content-Length: {max(int(line.partition(b':')[2]) + step, 0)}".encode()
            if line.lower().startswith(b"content-length:")
            else line
            for line in head.split(b"\r\n")
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    return replaced(change)


def after(hints: int) -> Misbehave:
    """Send so many 1xx responses first."""
    return replaced(lambda data: b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * hints + data)


def dated(date: bytes) -> Misbehave:
    """Say that it is another time."""

    def change(data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        return b"\r\n".join(b"Date: " + date if line.startswith(b"Date:") else line for line in lines)

    return replaced(change)


async def gateway_error(link: Link, _data: bytes) -> None:
    """Answer as a gateway that could not reach the server."""
    status = link.random.choice((b"502 Bad Gateway", b"503 Service Unavailable", b"504 Gateway Timeout"))
    page = b"<html><title>" + status + b"</title></html>"
    lines = (
        b"HTTP/1.1 " + status,
        b"Server: a gateway",
        b"Content-Type: text/html",
        b"Content-Length: " + str(len(page)).encode(),
    )
    link.client.write(b"\r\n".join(lines) + b"\r\n\r\n" + page)
