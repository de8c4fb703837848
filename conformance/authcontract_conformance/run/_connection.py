"""Reaching a target: the embedded reference server, started for the run, or a deployment of which a file speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from authcontract_policy import Loaded

from authcontract_conformance.driver._clock import Clock, WallClock
from authcontract_conformance.driver._control import Control
from authcontract_conformance.driver._http2_pool import Http2Pool
from authcontract_conformance.driver._keys import DeclaredKeys, KeySource
from authcontract_conformance.driver._launch import Announcement, reference_server
from authcontract_conformance.driver._wire import Pool
from authcontract_conformance.run._target import Target, by_environment, origin

#: Connections that a run keeps to one address.
CONNECTIONS = 16
#: What the API must be able to do with keys for the clauses on their lives; what is about rotating needs that besides.
MANAGING = ("create", "revoke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A target with everything that reaches it."""

    name: str
    pools: Mapping[tuple[str, str | None], Pool]
    #: By environment; empty where the target does not offer it everywhere.
    http2: Mapping[str | None, Http2Pool] = field(default_factory=dict)
    source: KeySource
    clock: Clock
    capabilities: frozenset[str]
    urls: Mapping[str | None, str]
    exclude: frozenset[str] = frozenset()
    untested: frozenset[str] = frozenset()
    environments: tuple[str, ...] = ()
    #: Plans of its keys; empty: all of the policy.
    plans: tuple[str, ...] = ()


@asynccontextmanager
async def connect(
    loaded: Loaded,
    target: Target | None,
    *,
    server: tuple[str, ...] = (),
    running: Announcement | None = None,
    within: float = 10.0,
) -> AsyncIterator[Connected]:
    """Reach a target for as long as the block lasts; without one, start the reference server with these arguments.

    One that runs already is taken as it is.
    """
    async with AsyncExitStack() as stack:
        if target is not None:
            yield await _declared(loaded, target, within, stack)
            return
        if running is None:
            policy, specification = loaded.policy, loaded.specification
            assert policy is not None  # noqa: S101  the caller checked it
            assert specification is not None  # noqa: S101  the caller checked it
            running = await stack.enter_async_context(
                reference_server(policy.document.file, specification.document.file, server)
            )
        yield await _embedded(running, within, stack)


async def _embedded(server: Announcement, within: float, stack: AsyncExitStack) -> Connected:
    control = Control(origin(server.control_url, None), server.control_token)
    stack.callback(control.close)
    await control.freeze()
    urls = by_environment(server.base_url)
    plaintext = by_environment(server.plaintext_url) if server.plaintext_url else {}
    embedded = Target(name="the reference server", urls=urls, plaintext=plaintext, trust=server.certificate)
    pools = _pools(embedded, within, stack)
    http2 = await _http2(embedded, within, stack)
    capabilities = {"clock", "key management", "second organisation"}
    if http2:
        capabilities.add("HTTP/2")
    if server.plaintext_url:
        capabilities.add("plaintext port")
    return Connected(
        name=embedded.name,
        pools=pools,
        http2=http2,
        source=control,
        clock=control,
        capabilities=frozenset(capabilities),
        urls=urls,
    )


async def _declared(loaded: Loaded, target: Target, within: float, stack: AsyncExitStack) -> Connected:
    http2 = await _http2(target, within, stack)
    return Connected(
        name=target.name,
        pools=_pools(target, within, stack),
        http2=http2,
        source=DeclaredKeys(target.keys),
        clock=WallClock(),
        capabilities=offers(loaded, target) | ({"HTTP/2"} if http2 else set()),
        urls=target.urls,
        exclude=target.exclude,
        untested=target.untested,
        environments=target.environments,
        plans=tuple(dict.fromkeys(k.record.plan for k in target.keys if k.record.plan and k.organisation == "A")),
    )


def offers(loaded: Loaded, target: Target) -> frozenset[str]:
    """Return what a deployment offers by its file and its contract; what it speaks must be asked."""
    capabilities = set()
    if target.plaintext:
        capabilities.add("plaintext port")
    if any(key.organisation == "B" for key in target.keys):
        capabilities.add("second organisation")
    managed_by = loaded.policy.keys.managed_by if loaded.policy is not None else None
    if managed_by and all(getattr(managed_by, what) not in (None, *target.exclude) for what in MANAGING):
        capabilities.add("key management")
    return frozenset(capabilities)


def _pools(target: Target, within: float, stack: AsyncExitStack) -> Mapping[tuple[str, str | None], Pool]:
    pools = {place: Pool(where, size=CONNECTIONS, timeout=within) for place, where in target.origins().items()}
    for pool in pools.values():
        stack.callback(pool.close)
    return pools


async def _http2(target: Target, within: float, stack: AsyncExitStack) -> Mapping[str | None, Http2Pool]:
    """Ask every address for HTTP/2; a target that offers it only here and there is taken for one that does not."""
    pools = {
        environment: Http2Pool(where, size=CONNECTIONS, timeout=within)
        for (channel, environment), where in target.origins().items()
        if channel == "tls" and where.http2 is not None
    }
    for pool in pools.values():
        stack.callback(pool.close)
    offered = await asyncio.gather(*(pool.offered() for pool in pools.values()))
    return pools if all(offered) else {}
