"""Runs of `verify` against the embedded server, with a network between them that misbehaves."""

import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authcontract_conformance.driver._launch import Announcement, reference_server
from conversations import POLICIES, loaded
from deployments import Outcome, certificate, in_thread, verify
from unreliable import Behind, Proxy, Trouble, between


@contextmanager
def embedded(*extra: str) -> Iterator[Announcement]:
    """Serve the first contract in a process of its own."""
    specification = loaded("synaptiq").specification
    assert specification is not None
    with in_thread(reference_server(str(POLICIES["synaptiq"]), specification.document.file, extra)) as announcement:
        yield announcement


def control(server: Announcement, path: str, **body: Any) -> None:
    """Ask the control port for something."""
    request = urllib.request.Request(
        f"{server.control_url}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {server.control_token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        response.read()


@dataclass(slots=True)
class Network:
    """What lies between the driver and the embedded server."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    log: Path
    #: Of the last run.
    proxy: Proxy | None = None

    def run(self, server: Announcement, trouble: Trouble, share: float, *options: str) -> Outcome:
        """Judge a server that has forgotten everything, through a proxy with this trouble."""
        assert isinstance(server.base_url, str)
        url = urlsplit(server.base_url)
        shows = certificate().context()
        shows.set_alpn_protocols(["http/1.1"])  # a gateway of ours reads no HTTP/2
        behind = Behind(port=url.port or 0, trusts=server.certificate, shows=shows)

        @asynccontextmanager
        async def reached(*_: Any) -> AsyncIterator[Announcement]:
            async with between(trouble, share, behind) as proxy:
                self.proxy = proxy
                address = url._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
                shown = certificate().certificate if trouble.gateway else server.certificate
                yield replace(server, base_url=address, certificate=shown)

        return self.judge(server, reached, *options)

    def judge(
        self,
        server: Announcement,
        reached: Callable[..., AbstractAsyncContextManager[Announcement]],
        *options: str,
    ) -> Outcome:
        """Judge a server that has forgotten everything, as it is reached."""
        control(server, "/reset")
        self.monkeypatch.setattr("authcontract_conformance.run._connection.reference_server", reached)
        return verify(self.capsys, self.log, "--format", "json", *options)


def unjudged(found: Outcome) -> list[str]:
    """Return the reasons for which cases and clauses were not judged."""
    events = [event for event in found.events if event["event"] in ("case", "clause")]
    return [event["reason"] for event in events if event["word"] == "inconclusive"]
