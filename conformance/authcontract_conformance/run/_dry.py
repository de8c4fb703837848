"""A target in memory: what a run would do to a deployment, done to a correct server of the same contract instead.

Nothing is sent, nothing listens, and time passes at once; so a run can be told beforehand by what it would send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

import authcontract_engine as engine
from authcontract_engine import Charge, KeyRecord, Reservation
from authcontract_policy import Loaded

from authcontract_conformance.driver._http2_pool import Http2Pool
from authcontract_conformance.driver._keys import Declared, DeclaredKeys, Issued
from authcontract_conformance.driver._wire import Answer, Gate, Origin, Pool
from authcontract_conformance.exchange._exchange import Delivery, Need
from authcontract_conformance.reference import CORRECT, Call, Message, Server
from authcontract_conformance.reference._clock import Clock
from authcontract_conformance.reference._http import Head, read_head
from authcontract_conformance.run._connection import Connected, offers
from authcontract_conformance.run._run import at
from authcontract_conformance.run._target import Target

#: Told of each request that limits are asked about: what it takes of them.
Charged = Callable[[tuple[Charge, ...]], None]


class DryTarget:
    """A correct server of a contract, reached without a socket, with the keys of a target or any key that is asked for.

    `embedded` stands in for the reference server, whose clock can be moved and which issues every key.
    """

    def __init__(self, loaded: Loaded, target: Target | None, charged: Charged = lambda _: None) -> None:
        assert loaded.policy is not None  # noqa: S101  the caller checked it
        assert loaded.specification is not None  # noqa: S101  likewise
        self._target = target
        self._charged = charged
        self._urls = _urls(loaded) if target is None else target.urls
        contract = engine.compile(at(loaded.policy, self._urls), loaded.specification, loaded.resolution)
        self.server = Server(contract, seams=replace(CORRECT, limit=self._limit))
        self.server.clock.freeze()
        self.clock = _Clock(self.server.clock, movable=target is None)
        self._keys = () if target is None else tuple(self._issued(declared) for declared in target.keys)
        self._offers = frozenset[str]() if target is None else offers(loaded, target)

    def _issued(self, declared: Declared) -> Declared:
        """Return a key like a declared one, with a secret of its own: the real one is for the target alone."""
        record, keyring, now = declared.record, self.server.keyring, self.server.clock.now()
        issued, secret = keyring.issue(
            organisation=record.organisation or "A",
            environment=record.environment,
            kind=record.kind,
            scopes=record.scopes,
            plan=record.plan,
            now=now,
        )
        if declared.state != "active":
            issued = replace(issued, revoked_at=record.revoked_at, expires_at=record.expires_at)
            keyring.records.put(issued)
        return replace(declared, record=issued, secret=secret.encode())

    def _limit(self, server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        self._charged(charges)
        return CORRECT.limit(server, call, charges)

    def connected(self) -> Connected:
        """Return the target as a run knows it."""
        urls = self._urls
        plaintext = urls if self._target is None else self._target.plaintext
        places = {("tls", name): url for name, url in urls.items()} | {
            ("plain", name): url for name, url in plaintext.items()
        }
        pools: dict[tuple[str, str | None], Pool] = {
            (channel, name): _Pool(self, url, "https" if channel == "tls" else "http", name)
            for (channel, name), url in places.items()
        }
        pools |= {("clear", name): _Pool(self, url, None, name) for name, url in urls.items()}
        if self._target is None:
            return Connected(
                name="the reference server",
                pools=pools,
                http2={name: _Http2Pool(self, url, name) for name, url in urls.items()},
                source=_Keys(self),
                clock=self.clock,
                capabilities=frozenset({"clock", "key management", "second organisation", "plaintext port", "HTTP/2"}),
                urls=urls,
            )
        return Connected(
            name=self._target.name,
            pools=pools,
            source=DeclaredKeys(self._keys),
            clock=self.clock,
            capabilities=self._offers,
            urls=urls,
            exclude=self._target.exclude,
            untested=self._target.untested,
            environments=self._target.environments,
            plans=tuple(dict.fromkeys(key.record.plan for key in self._target.keys if key.record.plan)),
        )


def _urls(loaded: Loaded) -> Mapping[str | None, str]:
    assert loaded.policy is not None  # noqa: S101  the caller checked it
    url = loaded.policy.base_url
    return {None: url.value or ""} if url.dimension is None else {name: row.value or "" for name, row in url.rows}


def _origin(url: str) -> Origin:
    """Return a place whose name goes into the request; nothing is ever connected to."""
    parts = urlsplit(url)
    return Origin(host=parts.hostname or "", port=parts.port or 80, tls=None, path=parts.path.rstrip("/"))


class _Clock:
    """Time that passes at once, and how much of it."""

    frozen = True
    moved = 0

    def __init__(self, clock: Clock, *, movable: bool) -> None:
        self._clock = clock
        #: A target whose clock cannot be moved is waited for; here that takes no time, but is no `Advance` either.
        self.movable = movable
        self.passed = 0.0

    def now(self) -> float:
        """Return the server's time."""
        return self._clock.now()

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds
        self._clock.advance(seconds)

    async def look(self) -> None:
        """See nothing: nobody else knows of it."""


class _Keys:
    """A key source that issues whatever is asked for, as the control port does."""

    makes_organisations = True

    def __init__(self, target: DryTarget) -> None:
        self._target = target

    def offers(self, need: Need) -> bool:  # noqa: ARG002  there is every key
        """Tell that any key can be had."""
        return True

    def known(self) -> tuple[Issued, ...]:
        """Return nothing: keys are issued as they are needed."""
        return ()

    async def issue(self, need: Need, organisation: str) -> Issued:
        """Issue a key of any organisation."""
        server = self._target.server
        record, secret = server.keyring.issue(
            organisation=organisation,
            environment=need.environment,
            kind=need.kind,
            scopes=need.scopes,
            plan=need.plan,
            now=server.clock.now(),
        )
        return Issued(record, secret.encode())

    async def rotate(self, record: KeyRecord) -> tuple[KeyRecord, Issued]:
        """Rotate a key."""
        server = self._target.server
        new, secret = server.keyring.rotate(record.id, server.clock.now())
        old = server.keyring.records.get(record.id)
        return old or record, Issued(new, secret.encode())

    async def revoke(self, record: KeyRecord) -> KeyRecord:
        """Revoke a key."""
        server = self._target.server
        server.keyring.revoke(record.id, server.clock.now())
        return server.keyring.records.get(record.id) or record


class _Served:
    """What both sorts of pools do: number the connections, and ask the server."""

    def __init__(self, target: DryTarget, environment: str | None) -> None:
        self._target = target
        self._environment = environment
        self._connections = 0
        self._names: dict[str, int] = {}

    def ask(  # noqa: PLR0913  what is asked, and how it comes
        self, head: Head, body: bytes, name: str | None, scheme: str, protocol: Literal["1.1", "2"], *, bodiless: bool
    ) -> Answer:
        """Return what a correct server answers."""
        if name is None or name not in self._names:
            self._connections += 1
        number = self._connections if name is None else self._names.setdefault(name, self._connections)
        server = self._target.server
        shared = server.contract.policy.base_url.dimension is None
        answer = server.serve(
            Message(
                head=head,
                body=body,
                scheme="https" if scheme == "https" else "http",
                protocol=protocol,
                environment=None if shared else self._environment,
                connection=number,
            )
        )
        return Answer(
            delivery=Delivery.ANSWERED,
            status=answer.status,
            headers=answer.headers,
            body=b"" if bodiless else answer.body,
            started=True,
        )


class _Pool(Pool):
    """Connections to nowhere; without a scheme nobody is there, as where TLS is spoken and plain bytes arrive."""

    def __init__(self, target: DryTarget, url: str, scheme: str | None, environment: str | None) -> None:
        super().__init__(_origin(url), size=1, timeout=1.0)
        self._scheme = scheme
        self._served = _Served(target, environment)

    async def agrees_to(self, version: Literal["TLSv1", "TLSv1.1"]) -> bool | str:  # noqa: ARG002  none of the old
        """Tell that a correct server speaks no old TLS."""
        return False

    async def send(
        self,
        data: bytes,
        *,
        head: bool,
        name: str | None = None,
        resend: bool = True,  # noqa: ARG002  nothing is ever lost
        gate: Gate | None = None,  # noqa: ARG002  nothing takes time
    ) -> Answer:
        """Answer at once."""
        if self._scheme is None:
            return Answer(delivery=Delivery.GARBAGE, problem="not an HTTP response")
        start, _, body = data.partition(b"\r\n\r\n")
        return self._served.ask(read_head(start), body, name, self._scheme, "1.1", bodiless=head)


class _Http2Pool(Http2Pool):
    """The same for HTTP/2."""

    def __init__(self, target: DryTarget, url: str, environment: str | None) -> None:
        super().__init__(_origin(url), size=1, timeout=1.0)
        self._served = _Served(target, environment)

    async def send(  # noqa: PLR0913  as the real one
        self,
        fields: tuple[tuple[bytes, bytes], ...],
        body: bytes,
        *,
        name: str | None = None,
        alone: bool = False,  # noqa: ARG002  every connection is nowhere
        resend: bool = True,  # noqa: ARG002  nothing is ever lost
        gate: Gate | None = None,  # noqa: ARG002  nothing takes time
    ) -> Answer:
        """Answer at once."""
        said = dict(reversed(fields))
        lines = tuple((field, value) for field, value in fields if not field.startswith(b":"))
        if b":authority" in said:
            lines = ((b"host", said[b":authority"]), *lines)
        method = said.get(b":method", b"GET")
        head = Head(method=method, target=said.get(b":path", b"/"), headers=lines, length=len(body))
        return self._served.ask(head, body, name, "https", "2", bodiless=method == b"HEAD")
