"""The process around a server: its ports, its announcement, and its end.

It says on one line of standard output where it listens, and it does not outlive whoever started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from authcontract_engine import Contract
from authcontract_policy import Algorithm, Dimension

from ._certificate import make_certificate
from ._control import Control
from ._listener import Connection
from ._port import Port, Writer
from ._seams import CORRECT, Seams
from ._server import Server

#: The only interface that a server with known defects, or a clock that others move, may be reached on.
HOST: Final = "127.0.0.1"
#: Seconds between two looks at whether the parent is still there.
_PARENT_CHECK: Final = 0.5
#: Connections that wait to be accepted; a burst opens dozens at once.
_BACKLOG: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a contract is served."""

    #: 0: any free port. With several environments the first has this one, the others follow it.
    port: int = 0
    plaintext_port: int = 0
    #: Whether there is a control port.
    control: bool = False
    #: None: the algorithm of each limit.
    algorithm: Algorithm | None = None
    seams: Seams = CORRECT


def serve(contract: Contract, options: Options, out: TextIO = sys.stdout) -> None:
    """Serve a contract until SIGTERM, SIGINT or the end of the parent; raises `OSError` where a port is taken."""
    # A slow shutdown of a client's connection is none of our business any more.
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(contract, options, out))


async def _run(contract: Contract, options: Options, out: TextIO) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(contract, seams=options.seams, algorithm=options.algorithm)
    ports = _Ports(server)
    try:
        announcement = await ports.open(options)
        out.write(json.dumps(announcement) + "\n")
        out.flush()
        await _until_orphaned(stop)
    finally:
        ports.close()


class _Ports:
    """Every listening port of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._certificate = make_certificate()
        self._writer = Writer(server.clock.now)
        self._listening: list[tuple[asyncio.Server, Port]] = []

    async def open(self, options: Options) -> Mapping[str, Any]:
        """Open the ports and return the announcement of them."""
        context = self._certificate.context()
        self._server.seams.secure(self._server, context)
        environments = self._environments()
        base: dict[str | None, str] = {}
        plain: dict[str | None, str] = {}
        for number, environment in enumerate(environments):
            path = self._path(environment)
            port = Port(self._server.serve, self._writer, "https", environment)
            at = await self._listen(port, options.port + number if options.port else 0, context)
            base[environment] = f"https://{HOST}:{at}{path}"
            port = Port(self._server.serve, self._writer, "http", environment)
            at = await self._listen(port, options.plaintext_port + number if options.plaintext_port else 0)
            plain[environment] = f"http://{HOST}:{at}{path}"
        token = secrets.token_urlsafe(32) if options.control else None
        control_url = None
        if token is not None:
            control = Port(Control(self._server, token).serve, Writer(self._server.clock.now), "http")
            control_url = f"http://{HOST}:{await self._listen(control, 0)}"
        return {
            "event": "listening",
            "base_url": _one_or_each(base),
            "plaintext_url": _one_or_each(plain),
            "control_url": control_url,
            "control_token": token,
            "certificate": self._certificate.certificate,
            "pid": os.getpid(),
        }

    def _environments(self) -> tuple[str | None, ...]:
        """Return the environments that have a base URL of their own; (None,) where one serves all."""
        table = self._server.contract.policy.base_url
        if table.dimension is not Dimension.ENVIRONMENT:
            return (None,)
        return self._server.contract.policy.environments

    def _path(self, environment: str | None) -> str:
        url = self._server.contract.policy.base_url.lookup({Dimension.ENVIRONMENT: environment})
        return urlsplit(url or "").path.rstrip("/")

    async def _listen(self, port: Port, number: int, context: Any = None) -> int:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(partial(Connection, port), HOST, number, ssl=context, backlog=_BACKLOG)
        self._listening.append((listening, port))
        found: int = listening.sockets[0].getsockname()[1]
        return found

    def close(self) -> None:
        """Close every port and every connection."""
        for listening, port in self._listening:
            listening.close()
            for connection in tuple(port.open):
                connection.close()


def _one_or_each(urls: Mapping[str | None, str]) -> str | Mapping[str, str]:
    only = urls.get(None)
    return only if only is not None else {str(environment): url for environment, url in urls.items()}


async def _until_orphaned(stop: asyncio.Event) -> None:
    """Wait until told to stop, or until the parent is gone: its end of our standard input closes, or we are adopted."""
    loop = asyncio.get_running_loop()
    piped = _is_pipe()
    if piped:
        loop.add_reader(0, _read_on, loop, stop)
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PARENT_CHECK)
    if piped:
        loop.remove_reader(0)


def _is_pipe() -> bool:
    """Tell whether standard input is a pipe, as whoever starts us from a program leaves it."""
    try:
        return stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:
        return False  # closed


def _read_on(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Read over what stands in standard input; its end means that whoever held it is gone."""
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stop.set()
