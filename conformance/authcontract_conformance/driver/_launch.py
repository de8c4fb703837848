"""The embedded default target: the reference server as a process of its own, gone when the run is."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

#: Seconds until a server must say that it listens; it loads the specification first.
START_TIMEOUT = 60.0
STOP_TIMEOUT = 5.0


class LaunchError(Exception):
    """The reference server did not start."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the server says once it listens."""

    base_url: str | dict[str, str]
    plaintext_url: str | dict[str, str] | None
    control_url: str
    control_token: str
    certificate: str

    def __repr__(self) -> str:
        return f"Announcement({self.base_url})"


@asynccontextmanager
async def reference_server(policy: str, specification: str, extra: Sequence[str] = ()) -> AsyncIterator[Announcement]:
    """Start the reference server for a contract and stop it at the end; raises `LaunchError`."""
    said = tempfile.TemporaryFile()  # noqa: SIM115  a pipe that nobody reads would stop a server that says much
    command = [sys.executable, "-m", "authcontract_conformance", "serve", "--policy", policy, "--spec", specification]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--control",
        *extra,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=said,
    )
    try:
        yield await _announcement(process, said)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                process.kill()
                await process.wait()
        said.close()


async def _announcement(process: asyncio.subprocess.Process, said: IO[bytes]) -> Announcement:
    assert process.stdout is not None  # noqa: S101  piped above
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)
    except TimeoutError:
        raise LaunchError(f"the reference server did not start within {START_TIMEOUT:g} s") from None
    if not line:
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()
        raise LaunchError(f"the reference server did not start: {words[-2000:] or 'it said nothing'}")
    return announced(line)


def announced(line: bytes) -> Announcement:
    """Return what a server says on its first line."""
    found: dict[str, Any] = json.loads(line)
    return Announcement(
        base_url=found["base_url"],
        plaintext_url=found["plaintext_url"],
        control_url=found["control_url"],
        control_token=found["control_token"],
        certificate=found["certificate"],
    )
