"""Connections of HTTP/2 to one origin: shared by whoever may, named for a case, or alone for one request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from authcontract_conformance.exchange._exchange import Delivery

from ._http2 import UNTOUCHED, Fields, Http2Connection
from ._wire import Answer, Gate, Origin, words


class Http2Pool:
    """Connections of HTTP/2 to one origin; requests share them, but named ones are kept apart for their case."""

    def __init__(self, origin: Origin, *, size: int, timeout: float) -> None:
        self.origin = origin
        self._timeout = timeout
        self._shared: list[Http2Connection] = []
        self._named: dict[str, Http2Connection] = {}
        self._opening = asyncio.Lock()
        #: Requests at once; a burst that is to be complete at one moment may be larger.
        self._slots = asyncio.Semaphore(size)

    async def offered(self) -> bool:
        """Tell whether the target agrees to speak HTTP/2; no request is sent."""
        try:
            self._shared.append(await Http2Connection.open(self.origin, self._timeout))
        except OSError:  # also TimeoutError
            return False
        return True

    async def send(  # noqa: PLR0913  what is sent, and where
        self,
        fields: Fields,
        body: bytes,
        *,
        name: str | None = None,
        alone: bool = False,
        resend: bool = True,
        gate: Gate | None = None,
    ) -> Answer:
        """Send on a shared connection, on the one called `name`, or `alone` on a new one; the last frame at the gate.

        A connection that the target closed just before is replaced once (`resend`), and so is one on which it took no
        more requests.
        """
        if gate is not None:
            return await self._send(fields, body, name, alone=alone, resend=False, gate=gate)
        async with self._slots:
            return await self._send(fields, body, name, alone=alone, resend=resend, gate=None)

    async def _send(  # noqa: PLR0913  as above
        self, fields: Fields, body: bytes, name: str | None, *, alone: bool, resend: bool, gate: Gate | None
    ) -> Answer:
        before = ""
        for attempt in (1, 2):
            try:
                connection, fresh = await self._take(name, alone=alone)
            except TimeoutError:
                return Answer(delivery=Delivery.REFUSED, problem=f"no connection within {self._timeout:g} s")
            except OSError as error:
                return Answer(delivery=Delivery.REFUSED, problem=words(error))
            try:
                answer = await connection.exchange(fields, body, within=self._timeout, gate=gate)
            finally:
                if alone:
                    connection.close()
            stale = answer.delivery is Delivery.CLOSED and not answer.started and not fresh
            if not (resend and attempt == 1 and (answer.reset == UNTOUCHED or stale)):
                return replace(answer, before=before)
            before = "" if answer.reset == UNTOUCHED else answer.problem
        raise AssertionError  # the second attempt always returns

    async def _take(self, name: str | None, *, alone: bool) -> tuple[Http2Connection, bool]:
        """Return a connection, and whether it was opened for this."""
        if alone:
            return await Http2Connection.open(self.origin, self._timeout), True
        async with self._opening:  # many begin at once, and one connection is enough for them
            if name is not None:
                kept = self._named.get(name)
                if kept is not None and not kept.stale:
                    return kept, False
                self._named[name] = await Http2Connection.open(self.origin, self._timeout)
                return self._named[name], True
            self._shared = [kept for kept in self._shared if not kept.stale]
            room = next((kept for kept in self._shared if not kept.full), None)
            if room is not None:
                return room, False
            opened = await Http2Connection.open(self.origin, self._timeout)
            self._shared.append(opened)
            return opened, True

    def forget(self, prefix: str) -> None:
        """Close the named connections of a case."""
        for name in [name for name in self._named if name.startswith(prefix)]:
            self._named.pop(name).close()

    def close(self) -> None:
        """Close every connection."""
        for connection in [*self._shared, *self._named.values()]:
            connection.close()
        self._shared.clear()
        self._named.clear()
