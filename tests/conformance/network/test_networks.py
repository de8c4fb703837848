"""Networks that misbehave: nobody is accused for them, the run ends, says the cause, and finds what it can find."""

import faulthandler
import json
import re
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authcontract_conformance.driver._launch import Announcement, reference_server
from conversations import POLICIES, loaded
from deployments import Outcome, certificate, in_thread, verify
from unreliable import (
    Behind,
    Proxy,
    Trouble,
    after,
    between,
    closed,
    cut_off,
    dated,
    dripping,
    gateway_error,
    half_closed,
    late,
    lost,
    replaced,
    reset_in_the_middle,
    was_reset,
    with_length,
)

#: Clauses with what a network can spoil: keys and objects that are made, what is done once, what is counted.
CLAUSES = "AUTH-1,LIFE-4,TEN-1,RATE-3"
#: Whatever happens takes less; a run that hangs is ended with what it was doing.
HANGS = 120.0
LOST = r"no (whole response|connection) within 0.5 s"
CUT = "closed in the middle of the response"
RESET = "connection lost: Connection reset by peer|Connection reset by peer"
SURPLUS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True)
class Row:
    """A trouble and how it is told; None: whatever its share is, it keeps nobody from judging."""

    trouble: Trouble
    cause: str | None
    shares: tuple[float, ...] = (0.02, 0.2, 1.0)


def wire(act: Any, cause: str | None, **more: Any) -> Row:
    return Row(Trouble(act=act, **more), cause)


def gateway(act: Any, cause: str | None, **more: Any) -> Row:
    return Row(Trouble(act=act, gateway=True, **more), cause)


CLOSED = "closed without a response|closed before a whole response|the connection was (aborted|closed)|connection lost"
NETWORKS: dict[str, Row] = {
    "late by a time that differs": wire(late, None),
    "a connection that is closed as soon as it is open": wire(closed, CLOSED, on="opening"),
    "a connection that is reset as soon as it is open": wire(was_reset, RESET, on="opening"),
    "a request that is lost": wire(lost, LOST, on="request"),
    "a request in whose place the connection is closed": wire(closed, CLOSED, on="request"),
    "a request in whose place the connection is reset": wire(was_reset, RESET, on="request"),
    "a response that is lost": wire(lost, LOST),
    "a response in whose place the connection is closed": wire(closed, CLOSED),
    "a response in whose place the connection is half closed": wire(half_closed, CLOSED),
    "a response in whose place the connection is reset": wire(was_reset, RESET),
    "packets that end in the middle": wire(cut_off, f"{CLOSED}|TLS|{CUT}"),
    "a reset in the middle of a body": gateway(reset_in_the_middle, f"{RESET}|{CUT}"),
    "a body that ends in the middle": gateway(cut_off, CUT),
    "a body that comes a byte at a time": gateway(dripping, LOST),
    "a body that is said to be longer than it is": gateway(with_length(5), LOST),
    "a body that is said to be shorter than it is": gateway(with_length(-5), "the body goes on after its end"),
    "a response that belongs to nothing, after each": gateway(replaced(lambda data: data + SURPLUS), None),
    "some 1xx responses first": gateway(after(3), None),
    "1xx responses without an end": gateway(after(50), "1xx responses without an end"),
    "a gateway that reaches no server": gateway(gateway_error, r"\b50[234]\b"),
    "a date long ago": gateway(dated(b"Thu, 01 Jan 1970 00:00:00 GMT"), None),
    "a date far ahead": gateway(dated(b"Fri, 01 Jan 2100 00:00:00 GMT"), None),
}


# --- a server, and the network before it ----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(HANGS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the contract once for all rows."""
    monkeypatch.setattr("authcontract_conformance.cli.verify.load_contract", lambda *_: loaded("synaptiq"))


def serving(*extra: str) -> Iterator[Announcement]:
    specification = loaded("synaptiq").specification
    assert specification is not None
    with in_thread(reference_server(str(POLICIES["synaptiq"]), specification.document.file, extra)) as announcement:
        yield announcement


@pytest.fixture(scope="module")
def correct() -> Iterator[Announcement]:
    yield from serving()


@pytest.fixture(scope="module")
def faulty() -> Iterator[Announcement]:
    yield from serving("--fault", "no-key-for-get")


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
    """Runs against the embedded server over a network that misbehaves."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    log: Path
    #: Of the last run.
    proxy: Proxy | None = None

    def run(self, server: Announcement, trouble: Trouble, share: float, *options: str) -> Outcome:
        control(server, "/reset")
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

        self.put_before(reached)
        return verify(self.capsys, self.log, "--timeout", "0.5", "--format", "json", *options)

    def put_before(self, reached: Callable[..., AbstractAsyncContextManager[Announcement]]) -> None:
        self.monkeypatch.setattr("authcontract_conformance.run._connection.reference_server", reached)


@pytest.fixture
def network(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Network:
    return Network(capsys, monkeypatch, tmp_path / "run.ndjson")


def unjudged(found: Outcome) -> list[str]:
    """Return the reasons for which cases were not judged, and clauses without cases."""
    events = [event for event in found.events if event["event"] in ("case", "clause")]
    return [event["reason"] for event in events if event["word"] == "inconclusive"]


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_nobody_is_accused_of_the_network(name: str, share: float, network: Network, correct: Announcement) -> None:
    """What cannot be judged says so by its cause; where nothing can, one sentence does, and the exit code is 3."""
    row = NETWORKS[name]
    found = network.run(correct, row.trouble, share, "--only", CLAUSES)
    assert network.proxy is not None
    assert network.proxy.struck > 0
    assert not [event for event in found.events if event["event"] == "finding"]
    if row.cause is None:
        assert (found.code, found.verdict["verdict"], unjudged(found)) == (0, "conformant", [])
    elif share == 1:
        assert found.code == 3
        assert re.search(row.cause, found.err.splitlines()[-1])
        assert found.out == ""
    else:
        said = unjudged(found)
        assert found.verdict["verdict"] == ("inconclusive" if said else "conformant")
        assert found.code == (3 if said else 0)
        assert [reason for reason in said if not re.search(row.cause, reason)] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_defect_is_found_over_a_bad_network(name: str, network: Network, faulty: Announcement) -> None:
    """With one lost in fifty, what is asked again is answered."""
    found = network.run(faulty, NETWORKS[name].trouble, 0.02, "--only", "AUTH-1")
    assert found.code == 1
    assert found.verdict["clauses"] == {"AUTH-1": "fail"}
    assert {finding["clause"] for finding in found.verdict["findings"]} == {"AUTH-1"}
