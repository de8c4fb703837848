"""Which connections take a probe, by its channel, its environment and its version of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from authcontract_conformance.exchange._exchange import Probe
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import skipped
from authcontract_conformance.world._world import Ended

from ._http2 import Fields
from ._http2_pool import Http2Pool
from ._wire import Answer, Gate, Pool


@dataclass(frozen=True, slots=True)
class _Http1:
    """A probe's way in HTTP/1."""

    pool: Pool
    message: bytes

    @property
    def authority(self) -> str:
        return self.pool.origin.authority

    async def send(self, probe: Probe, name: str | None, gate: Gate | None) -> Answer:
        head = probe.method == b"HEAD"
        return await self.pool.send(self.message, head=head, name=name, resend=probe.paced, gate=gate)


@dataclass(frozen=True, slots=True)
class _Http2:
    """A probe's way in HTTP/2."""

    pool: Http2Pool
    fields: Fields
    body: bytes

    @property
    def authority(self) -> str:
        return self.pool.origin.authority

    async def send(self, probe: Probe, name: str | None, gate: Gate | None) -> Answer:
        alone, resend = probe.exact, probe.paced
        return await self.pool.send(self.fields, self.body, name=name, alone=alone, resend=resend, gate=gate)


Line: TypeAlias = _Http1 | _Http2


class Lines:
    """All connections of a run to its target."""

    def __init__(
        self,
        pools: Mapping[tuple[str, str | None], Pool],
        http2: Mapping[str | None, Http2Pool],
        vault: Vault,
    ) -> None:
        self._pools = pools
        #: By environment, where the target speaks HTTP/2.
        self._http2 = http2
        self._vault = vault

    def to(self, probe: Probe) -> Line:
        """Return the way that a probe takes, with the bytes that it sends; ends the case where there is none."""
        if probe.protocol == "2":
            return self._in_http_2(probe)
        pool = self._pools.get((probe.channel, probe.environment)) or self._pools.get((probe.channel, None))
        if pool is None:
            raise Ended(skipped(f"the target has no address for {probe.channel} {probe.environment or ''}".rstrip()))
        return _Http1(pool, self._vault.message(probe, pool.origin.authority))

    def _in_http_2(self, probe: Probe) -> Line:
        pool = self._http2.get(probe.environment) or self._http2.get(None)
        if pool is None:
            raise Ended(skipped("the target offers no HTTP/2"))
        authority = pool.origin.authority
        fields = self._vault.fields(probe, authority)
        if fields is None:
            raise Ended(skipped("HTTP/2 cannot express it"))
        return _Http2(pool, fields, self._vault.render(probe.body, authority))

    async def agree_to(self, version: Literal["TLSv1", "TLSv1.1"], environment: str | None) -> bool:
        """Tell whether the target agrees to this version of TLS; ends the case where that cannot be known."""
        pool = self._pools.get(("tls", environment)) or self._pools[("tls", None)]
        agreed = await pool.agrees_to(version)
        if isinstance(agreed, str):
            raise Ended(skipped(agreed))
        return agreed

    def forget(self, prefix: str) -> None:
        """Close the connections of a case."""
        for pool in self._pools.values():
            pool.forget(prefix)
        for shared in self._http2.values():
            shared.forget(prefix)
