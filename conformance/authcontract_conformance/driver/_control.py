"""The reference server's control port: its clock, and keys without asking the API for them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from authcontract_engine import KeyRecord

from authcontract_conformance.exchange._exchange import Need

from ._keys import Issued
from ._wire import Origin, Pool

#: Seconds by which adding up in another order may differ.
ROUNDING = 0.001
#: The control port answers at once; longer means that the server is gone.
TIMEOUT = 10.0


class ControlError(Exception):
    """The control port did not do what it was asked."""


class Control:
    """A client of the control port; also the key source and the clock of a target that has one."""

    makes_organisations = True
    frozen = True
    movable = True

    def __init__(self, origin: Origin, token: str) -> None:
        self._pool = Pool(origin, size=8, timeout=TIMEOUT)
        self._token = token
        self._now = 0.0
        #: When the clock would stand where it stands, had only the run moved it; and moves that are on their way.
        self._expected = 0.0
        self._moving = 0
        self.moved = 0

    def __repr__(self) -> str:
        return f"Control({self._pool.origin.authority})"

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control port and return its JSON answer; raises `ControlError`."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._pool.origin.authority}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        answer = await self._pool.send(head.encode() + content, head=False)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  RFC 9110 section 15.3
            raise ControlError(f"{method} {path}: {answer.problem or answer.status}")
        return json.loads(answer.body) if answer.body else None

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()

    # --- the clock ---

    def now(self) -> float:
        """Return the server's time as of the last call that moved or read it."""
        return self._now

    async def freeze(self) -> None:
        """Stop the server's clock, so that only `advance` moves it."""
        self._now = self._expected = float((await self.call("POST", "/clock/freeze"))["now"])

    async def advance(self, seconds: float) -> None:
        """Move the server's clock forward."""
        self._expected += seconds
        self._moving += 1
        try:
            self._stands_at(await self.call("POST", "/clock/advance", {"seconds": seconds}))
        finally:
            self._moving -= 1

    async def look(self) -> None:
        """Read the clock, and notice whether somebody else has moved it."""
        self._stands_at(await self.call("GET", "/clock"))
        if self._moving == 0 and abs(self._now - self._expected) > ROUNDING:
            self.moved += 1
            self._expected = self._now

    def _stands_at(self, answer: Any) -> None:
        self._now = max(self._now, float(answer["now"]))  # the answers to two moves may come in any order

    # --- keys ---

    def known(self) -> tuple[Issued, ...]:
        """Return nothing: keys are issued as they are needed."""
        return ()

    def offers(self, need: Need) -> bool:  # noqa: ARG002  there is every key
        """Tell that any key can be had."""
        return True

    async def issue(self, need: Need, organisation: str) -> Issued:
        """Issue a key of any organisation."""
        answer = await self.call(
            "POST",
            "/keys",
            {
                "organisation": organisation,
                "environment": need.environment,
                "kind": need.kind,
                "scopes": sorted(need.scopes),
                "plan": need.plan,
            },
        )
        return _issued(answer, need, organisation)

    async def rotate(self, record: KeyRecord) -> tuple[KeyRecord, Issued]:
        """Rotate a key as the dashboard would."""
        answer = await self.call("POST", f"/keys/{record.id}/rotate")
        need = Need(environment=record.environment, kind=record.kind, scopes=record.scopes, plan=record.plan)
        new = _issued(answer, need, record.organisation)
        lineage = record.lineage or record.id
        old = replace(record, rotated_at=self._now, grace=answer.get("grace"), lineage=lineage)
        return old, Issued(replace(new.record, lineage=lineage), new.secret)

    async def revoke(self, record: KeyRecord) -> KeyRecord:
        """Revoke a key as the dashboard would."""
        await self.call("DELETE", f"/keys/{record.id}")
        return replace(record, revoked_at=self._now)


def _issued(answer: Any, need: Need, organisation: str) -> Issued:
    record = KeyRecord(
        id=answer["id"],
        digest="",
        kind=need.kind,
        scopes=need.scopes,
        plan=need.plan,
        environment=need.environment,
        organisation=organisation,
        user=answer.get("user"),
        application=answer.get("application"),
        lineage=answer.get("lineage") or answer["id"],
        issued_at=float(answer["issued_at"]),
        expires_at=answer.get("expires_at"),
    )
    return Issued(record, answer["secret"].encode())
