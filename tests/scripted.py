"""Servers on loopback that behave as a script says: what no server does by itself, on purpose.

A script gets the streams of one connection; when it returns, the connection is closed. `serving` starts it and gives
its `Scripted`, which counts connections and keeps what was received.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from authcontract_conformance.driver._wire import Origin

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Scripted:
    """A running server: where it is, how often it was connected to, and what it was sent."""

    port: int = 0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)

    def origin(self, tls: ssl.SSLContext | None = None) -> Origin:
        """Return its address for the wire client."""
        return Origin(host="127.0.0.1", port=self.port, tls=tls)


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """Serve a script on a free port of loopback until the end of the block."""
    found = Scripted()
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.sleep(0)


async def request(reader: asyncio.StreamReader) -> bytes:
    """Read one request without a body."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(*pieces: bytes, times: int = 1) -> Script:
    """Return a script that answers so many requests by these bytes, each piece written by itself, then closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(times):
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()

    return script


async def blurting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever comes as one who speaks HTTP and got something else."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def hanging(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read and say nothing, for ever."""
    while await reader.read(65536):
        pass


def resetting(*pieces: bytes) -> Script:
    """Return a script that says something and resets the connection, so that nothing is read after it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        sock = writer.get_extra_info("socket")
        # Linger for zero seconds: closing sends RST (socket(7)).
        sock.setsockopt(1, 13, (1).to_bytes(4, "little") + (0).to_bytes(4, "little"))
        writer.transport.abort()

    return script
