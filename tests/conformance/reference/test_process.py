"""The server as a process of its own: what it announces, over TLS, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from shop import POLICY

COMMAND = (sys.executable, "-m", "authcontract_conformance", "serve")


class Served:
    """A server process and what it announced."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        self.process = process
        self.said: dict[str, Any] = json.loads(line)

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.said["certificate"])
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def send(self, url: str, method: str, path: str, secret: str | None = None, body: Any = None) -> tuple[int, Any]:
        parts = urlsplit(url)
        assert parts.hostname is not None
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=self.context(), timeout=10)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body)
        connection.request(method, parts.path + path, content, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.getheader("Server") is None
        assert answer.getheader("Date") is not None
        return answer.status, json.loads(data) if data[:1] in {b"{", b"["} else data

    def key(self, scope: str, environment: str = "live") -> str:
        wanted = {"organisation": "A", "environment": environment, "scopes": [scope], "plan": "large"}
        status, issued = self.send(self.said["control_url"], "POST", "/keys", self.said["control_token"], wanted)
        assert status == 200
        assert isinstance(issued["secret"], str)
        return issued["secret"]


@contextmanager
def started(*arguments: str, stdin: int = subprocess.PIPE) -> Iterator[Served]:
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with started("--policy", str(POLICY), "--control") as found:
        yield found


def test_it_says_where_it_listens(served: Served) -> None:
    said = served.said

    assert set(said) == {
        "event", "base_url", "plaintext_url", "control_url", "control_token", "certificate", "pid",
    }  # fmt: skip
    assert said["event"] == "listening"
    assert said["pid"] == served.process.pid
    assert said["base_url"].startswith("https://127.0.0.1:")
    assert said["base_url"].endswith("/v1")
    assert said["plaintext_url"].startswith("http://127.0.0.1:")
    assert len(said["control_token"]) >= 40


def test_the_certificate_is_for_loopback_only(served: Served) -> None:
    certificate = x509.load_pem_x509_certificate(served.said["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_requests_over_tls_are_answered_by_the_contract(served: Served) -> None:
    base = served.said["base_url"]
    read, write = served.key("read"), served.key("write")

    status, made = served.send(base, "POST", "/orders", write, {"name": "over TLS"})
    assert status == 201
    assert served.send(base, "GET", f"/orders/{made['id']}", read) == (200, made)
    assert served.send(base, "GET", "/orders")[0] == 401
    assert served.send(base, "POST", "/orders", read, {"name": "x"})[0] == 403
    assert served.send(served.said["plaintext_url"], "GET", "/orders", read)[0] == 403


def test_http_on_the_tls_port_gets_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(served.said["base_url"]).port), timeout=10) as raw:
        raw.sendall(b"GET /v1/orders HTTP/1.1\r\nHost: a\r\n\r\n")
        received = raw.recv(100)

    assert not received.startswith(b"HTTP/1.1 2")


def test_without_control_nobody_moves_the_clock() -> None:
    with started("--policy", str(POLICY)) as found:
        assert (found.said["control_url"], found.said["control_token"]) == (None, None)


def test_each_environment_has_a_port_of_its_own(tmp_path: Path) -> None:
    text = POLICY.read_text()
    one = "base_url: https://api.shop.example/v1"
    assert one in text
    text = text.replace(one, "base_url: {live: https://api.shop.example/v1, test: https://test.shop.example/v2}")
    policy = tmp_path / "shop.policy.yaml"
    policy.write_text(text)
    specification = POLICY.with_name("shop.openapi.yaml").read_text()
    servers = "servers: [{url: https://api.shop.example/v1}]"
    assert servers in specification
    both = "servers: [{url: https://api.shop.example/v1}, {url: https://test.shop.example/v2}]"
    (tmp_path / "shop.openapi.yaml").write_text(specification.replace(servers, both))

    with started("--policy", str(policy), "--control") as found:
        live, test = found.said["base_url"]["live"], found.said["base_url"]["test"]
        key = found.key("read", "test")

        assert test.endswith("/v2")
        assert set(found.said["plaintext_url"]) == {"live", "test"}
        assert found.send(test, "GET", "/orders", key)[0] == 200
        assert found.send(live, "GET", "/orders", key)[0] == 401


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told_to(number: signal.Signals) -> None:
    """With a client still connected, nothing on standard error."""
    with started("--policy", str(POLICY)) as found:
        port = urlsplit(found.said["plaintext_url"]).port
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 403"
            found.process.send_signal(number)
            assert found.process.wait(10) == 0
        assert found.process.stderr is not None
        assert found.process.stderr.read() == b""


def test_it_ends_when_the_other_end_of_its_input_does() -> None:
    with started("--policy", str(POLICY)) as found:
        assert found.process.stdin is not None
        found.process.stdin.close()

        assert found.process.wait(10) == 0


def test_it_does_not_outlive_its_parent() -> None:
    """Also where standard input is no pipe."""
    script = (
        "import subprocess, sys, json\n"
        f"server = subprocess.Popen({[*COMMAND, '--policy', str(POLICY)]!r}, stdin=subprocess.DEVNULL, "
        "stdout=subprocess.PIPE)\n"
        "print(json.loads(server.stdout.readline())['pid'], flush=True)\n"
        "server.returncode = 0  # it is meant to be left alone\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    orphan = int(ended.stdout)

    deadline = time.monotonic() + 10
    while _alive(orphan) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(orphan)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose new parent never looks is dead all the same.
    return not Path(f"/proc/{pid}/stat").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"


def test_a_fault_is_planted_by_its_name() -> None:
    with started("--policy", str(POLICY), "--control", "--fault", "no-key-for-get") as found:
        assert found.send(found.said["base_url"], "GET", "/orders")[0] == 200


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def test_what_cannot_be_served_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = _run("--policy", str(POLICY), "--port", port)
    wrong = _run("--policy", str(POLICY), "--fault", "no-key-for-got")
    missing = _run("--policy", "nowhere.yaml")

    assert (busy.returncode, busy.stdout) == (3, "")
    assert "address already in use" in busy.stderr
    assert "Traceback" not in busy.stderr
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean `no-key-for-get`?" in wrong.stderr
    assert missing.returncode == 2


def test_the_faults_are_listed_for_people_and_for_programs() -> None:
    text, data = _run("--list-faults"), _run("--list-faults", "--format", "json")
    rows = json.loads(data.stdout)

    assert len(rows) >= 36
    assert set(rows[0]) == {"name", "sentence", "family", "clauses"}
    assert all(row["name"] in text.stdout for row in rows)
    assert max(map(len, text.stdout.splitlines())) <= 100
