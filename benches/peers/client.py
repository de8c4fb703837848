"""The application in a process of its own, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .app.seed import KEYS

ROOT = Path(__file__).parents[2]
SECRETS = {key.name: key.secret for key in KEYS}
BASE = "/api/v1"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Application:
    """A running application."""

    port: int
    plain_port: int
    certificate: Path
    count: Path

    @property
    def url(self) -> str:
        """The base URL."""
        return f"https://localhost:{self.port}{BASE}"

    @property
    def plain_url(self) -> str:
        """The base URL over plain HTTP."""
        return f"http://localhost:{self.plain_port}{BASE}"

    def call(  # noqa: PLR0913  # a request has that many parts
        self,
        method: str,
        path: str,
        key: str = "",
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        plain: bool = False,
    ) -> Answer:
        """Send one request, with the key of that name or with that secret."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = (
            http.client.HTTPConnection("localhost", self.plain_port)
            if plain
            else http.client.HTTPSConnection("localhost", self.port, context=context)
        )
        fields = {"Authorization": f"Bearer {SECRETS.get(key, key)}"} if key else {}
        content = None if body is None else json.dumps(body)
        if content is not None:
            fields["Content-Type"] = "application/json"
        try:
            connection.request(method, BASE + path, body=content, headers=fields | (headers or {}))
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.getheaders()}
        kind = received.get("content-type", "")
        return Answer(response.status, json.loads(raw) if raw and "json" in kind else raw.decode(), received)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost, and its key; return both files."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "300", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
    return certificate, key


@contextmanager
def application(python: Path, folder: Path, defect: str = "") -> Iterator[Application]:
    """Run the application with a defect, or without one."""
    certificate, key = make_certificate(folder)
    port = free_port()
    running = Application(port, free_port(), certificate, folder / f"requests-{port}")
    process = subprocess.Popen(
        [python, "-m", "benches.peers.app"],
        cwd=ROOT,
        env={
            **os.environ,
            "DEFECT": defect,
            "PORT": str(running.port),
            "PLAIN_PORT": str(running.plain_port),
            "TLS_CERTIFICATE": str(certificate),
            "TLS_KEY": str(key),
            "REQUEST_COUNT": str(running.count),
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_up(running)
        yield running
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(running: Application) -> None:
    end = time.monotonic() + START_SECONDS
    for port in (running.port, running.plain_port):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                break
