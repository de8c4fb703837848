"""Deployments on loopback in threads of their own, for runs that judge them from this process or another one."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from authcontract_conformance.cli import run as command
from authcontract_conformance.reference import Answer, Message, Server
from authcontract_conformance.reference._certificate import Certificate, make_certificate
from authcontract_conformance.reference._listener import Connection
from authcontract_conformance.reference._port import Port, Writer
from conversations import POLICIES, contract

T = TypeVar("T")
Serve = Callable[[Message], Answer]


@cache
def certificate() -> Certificate:
    """Return the certificate of every deployment of this session."""
    return make_certificate()


@contextmanager
def in_thread(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep something asynchronous open on a loop in a thread, for the length of a block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        value = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(60)
        try:
            yield value
        finally:
            asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@asynccontextmanager
async def _listening(serve: Serve, *, secure: bool) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    port = Port(serve, Writer(time.time), "https" if secure else "http")
    server = await loop.create_server(
        partial(Connection, port), "127.0.0.1", 0, ssl=certificate().context() if secure else None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(port.open):
            connection.close()
        await asyncio.sleep(0.05)


@contextmanager
def listening(serve: Serve, *, secure: bool = True) -> Iterator[int]:
    """Answer requests on a port of loopback, by TLS or not; gives the port."""
    with in_thread(_listening(serve, secure=secure)) as port:
        yield port


@dataclass(slots=True)
class Deployment:
    """A contract served in this process, and keys of it."""

    name: str
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        """Make the server, with nothing in it."""
        self.server = Server(contract(self.name))

    def key(self, scopes: str, organisation: str = "acme", environment: str | None = None) -> str:
        """Issue a key and return it."""
        policy = contract(self.name).policy
        _, secret = self.server.keyring.issue(
            organisation=organisation,
            environment=environment or next(iter(policy.environments), None),
            kind=next(iter(policy.keys.kinds)),
            scopes=frozenset(scopes.split()),
            plan=policy.plans[-1] if policy.plans else None,
            now=self.server.clock.now(),
        )
        return secret


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of `verify` came to."""

    code: int
    out: str
    err: str
    events: list[dict[str, Any]]
    seconds: float

    @property
    def verdict(self) -> Any:
        """Return what `--format json` printed."""
        return json.loads(self.out)


def target_file(folder: Path, url: str, keys: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """Write a target file that trusts the deployments of this session."""
    (folder / "ca.pem").write_text(certificate().certificate)
    path = folder / "target.yaml"
    path.write_text(yaml.safe_dump({"url": url, "trust": "ca.pem", "keys": list(keys), **more}))
    return path


def verify(capsys: Any, log: Path, *options: str, name: str = "synaptiq") -> Outcome:
    """Run `authcontract verify` in this process, without what is generated."""
    began = time.monotonic()
    code = command(["verify", "--policy", str(POLICIES[name]), "--no-fuzz", "--log", str(log), *options])
    said = capsys.readouterr()
    lines = log.read_text("utf-8").splitlines() if log.is_file() else []
    return Outcome(code, said.out, said.err, [json.loads(line) for line in lines], time.monotonic() - began)
