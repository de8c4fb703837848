"""A server that goes away and comes back, names and certificates that change, clocks that are moved by others."""

import asyncio
import datetime as dt
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authcontract_conformance.driver._launch import Announcement
from authcontract_conformance.reference._certificate import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from deployments import certificate, in_thread, target_file, verify
from networks import Network, control, embedded, unjudged
from scripted import serving
from unreliable import Behind, Link, Trouble, between, closed, down, gateway_error

#: Clauses whose requests may all be sent again.
PATIENT = "AUTH-1,LIFE-4,TEN-1"
#: The server is down after so many responses.
SOME = 40


# --- the server -----------------------------------------------------------------------------------------------------


def test_a_server_that_starts_again_costs_nothing(network: Network, correct: Announcement) -> None:
    """All wait for it, and what was under way is sent again."""
    found = network.run(correct, down(SOME, 1.0), 1.0, "--only", PATIENT)
    assert (found.code, found.verdict["verdict"], unjudged(found)) == (0, "conformant", [])
    assert any("Connection refused" in event.get("problem", "") for event in found.events)


def test_a_server_that_starts_again_behind_a_gateway_costs_nothing(network: Network, correct: Announcement) -> None:
    """Who answers meanwhile is the gateway."""
    answered, began = 0, 0.0

    async def act(link: Link, data: bytes) -> None:
        nonlocal answered, began
        answered += 1
        now = asyncio.get_running_loop().time()
        began = now if answered == SOME else began
        if answered >= SOME and now - began < 1.0:
            await gateway_error(link, data)
        else:
            link.onward.write(data)

    found = network.run(correct, Trouble(act=act, gateway=True), 1.0, "--only", PATIENT)
    assert (found.code, found.verdict["verdict"], unjudged(found)) == (0, "conformant", [])
    assert {event["status"] for event in found.events if event["event"] == "exchange"} & {502, 503, 504}


def test_a_server_that_does_not_come_back_is_gone(network: Network, correct: Announcement) -> None:
    found = network.run(correct, down(SOME, None), 1.0, "--only", PATIENT)
    assert (found.code, found.verdict["findings"]) == (3, [])
    assert found.verdict["stopped"] == "the target is gone: Connection refused"
    assert found.verdict["clauses"]["LIFE-4"] == "inconclusive"


def test_an_embedded_server_that_dies_is_gone(network: Network) -> None:
    """Its control port is gone, too; that is no defect of ours."""
    with embedded() as server:
        control_port = urlsplit(server.control_url).port or 0
        url = urlsplit(str(server.base_url))

        @asynccontextmanager
        async def reached(*_: Any) -> AsyncIterator[Announcement]:
            behind = Behind(port=control_port, trusts="", shows=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            before = replace(behind, port=url.port or 0)
            async with between(None, 0, behind) as controls, between(None, 0, before) as serves:
                at_once = down(SOME, None)

                async def act(link: Link, data: bytes) -> None:
                    await at_once.act(link, data)
                    if serves.is_down:
                        controls.stop()

                serves.trouble, serves.share = Trouble(act=act), 1.0
                yield replace(
                    server,
                    base_url=url._replace(netloc=f"127.0.0.1:{serves.port}").geturl(),
                    control_url=f"http://127.0.0.1:{controls.port}",
                )

        found = network.judge(server, reached, "--only", f"RATE-2,{PATIENT}")
    assert (found.code, found.verdict["findings"]) == (3, [])
    assert "Connection refused" in found.verdict["stopped"]
    assert not [event for event in found.events if "internal error" in event.get("what", "")]


# --- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [90.0, 90_000.0], ids=["by more than a window", "by more than a grace"])
def test_nobody_is_accused_of_a_clock_that_others_move(seconds: float, network: Network, correct: Announcement) -> None:
    """Whoever has quota again at once, or a key that is dead too early, has it by the clock."""

    async def act(link: Link, data: bytes) -> None:
        await asyncio.to_thread(control, correct, "/clock/advance", seconds=seconds)
        link.onward.write(data)

    found = network.run(correct, Trouble(act=act, on="request"), 0.04, "--only", "RATE-1,RATE-3,RATE-10,LIFE-5")
    assert found.verdict["findings"] == []
    assert found.code == 3
    assert "somebody else has moved the target's clock meanwhile" in unjudged(found)


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_name_that_leads_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: list[Any]) -> None:
    file = target_file(tmp_path, "https://no-such-host.invalid/api/v1", keys)
    found = verify(capsys, tmp_path / "run.ndjson", "--target", str(file))
    assert found.code == 3
    assert "Error: the target did not answer: its name leads to no address: " in found.err


def test_a_name_that_is_not_always_found(
    network: Network, correct: Announcement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third look-up fails, and each connection takes one."""
    look_up, asked = socket.getaddrinfo, 0

    def sometimes(host: Any, *more: Any, **options: Any) -> Any:
        nonlocal asked
        asked += host == "localhost"
        if host == "localhost" and asked % 3 == 0:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", sometimes)
    url = urlsplit(str(correct.base_url))
    behind = Behind(port=url.port or 0, trusts="", shows=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    @asynccontextmanager
    async def reached(*_: Any) -> AsyncIterator[Announcement]:
        async with between(Trouble(act=closed), 0.1, behind) as proxy:
            yield replace(correct, base_url=url._replace(netloc=f"localhost:{proxy.port}").geturl())

    found = network.judge(correct, reached, "--only", PATIENT)
    assert asked > SOME / 4
    assert found.verdict["findings"] == []
    said = unjudged(found)
    assert found.code == (3 if said else 0)
    assert [reason for reason in said if not re.search("its name leads to no address|closed|aborted", reason)] == []


# --- certificates ---------------------------------------------------------------------------------------------------


def made_for(name: str, begins: dt.timedelta, ends: dt.timedelta) -> Certificate:
    """Make a certificate that is good from then to then, as seen from now."""
    private = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a network that misbehaves")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(built.public_bytes(serialization.Encoding.PEM).decode("ascii"), key)


HOUR = dt.timedelta(hours=1)
CERTIFICATES = {
    "expired": (("localhost", -2 * HOUR, -HOUR), "certificate has expired"),
    "of tomorrow": (("localhost", HOUR, 2 * HOUR), "certificate is not yet valid"),
    "for another name": (("api.example.com", -HOUR, HOUR), "Hostname mismatch, certificate is not valid for"),
}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Lend a key that no server has issued."""
    monkeypatch.setenv("KEY_READ", "sk_live_" + "r" * 32)
    return [{"name": "read", "from_environment": "KEY_READ", "scopes": ["read"], "plan": "enterprise"}]


@pytest.mark.parametrize("name", CERTIFICATES)
def test_no_key_goes_where_the_certificate_is_wrong(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: list[Any]
) -> None:
    """It is said what is wrong with it, and not a byte of a request is sent."""
    what, sentence = CERTIFICATES[name]
    shown, sent = made_for(*what), bytearray()

    async def keeping(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        sent.extend(await reader.read(1000))

    with in_thread(serving(keeping, shown.context())) as server:
        file = target_file(tmp_path, f"https://localhost:{server.port}/api/v1", keys)
        (tmp_path / "ca.pem").write_text(shown.certificate)
        found = verify(capsys, tmp_path / "run.ndjson", "--target", str(file))
    assert found.code == 3
    assert f"Error: the target did not answer: TLS: the certificate is not trusted: {sentence}" in found.err
    assert sent == b""


def test_a_certificate_that_expires_in_the_middle(network: Network, correct: Announcement, tmp_path: Path) -> None:
    """Nobody goes on with connections that cannot be opened any more."""
    expired, chain = made_for("localhost", -2 * HOUR, -HOUR), tmp_path / "chain.pem"
    chain.write_bytes(expired._private_key + expired.certificate.encode())
    url = urlsplit(str(correct.base_url))
    shows = certificate().context()
    shows.set_alpn_protocols(["http/1.1"])
    left = SOME

    async def act(link: Link, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            shows.load_cert_chain(chain)
        link.onward.write(data)
        if left <= 0:
            link.close()

    @asynccontextmanager
    async def reached(*_: Any) -> AsyncIterator[Announcement]:
        behind = Behind(port=url.port or 0, trusts=correct.certificate, shows=shows)
        async with between(Trouble(act=act, gateway=True), 1.0, behind) as proxy:
            address = url._replace(netloc=f"localhost:{proxy.port}").geturl()
            trusted = certificate().certificate + expired.certificate
            yield replace(correct, base_url=address, certificate=trusted)

    found = network.judge(correct, reached, "--only", PATIENT)
    assert (found.code, found.verdict["findings"]) == (3, [])
    assert (
        found.verdict["stopped"] == "the target is gone: TLS: the certificate is not trusted: certificate has expired"
    )
