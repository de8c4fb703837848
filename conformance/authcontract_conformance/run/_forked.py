"""A reference server forked from this process: it imports, loads and compiles nothing, and listens in milliseconds."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from authcontract_engine import Contract

from authcontract_conformance.driver._launch import Announcement, LaunchError, announced
from authcontract_conformance.reference import Options, serve

#: Seconds until a server must say that it listens.
START_TIMEOUT = 30.0


@contextmanager
def forked_server(contract: Contract, options: Callable[[], Options]) -> Iterator[Announcement]:
    """Serve a contract in a process of its own for as long as the block lasts; raises `LaunchError`.

    Call it where no event loop runs and no other thread does: a fork copies neither. The options are made in the new
    process, so that a fault that cannot be planted ends that one only.
    """
    said = tempfile.TemporaryFile()  # noqa: SIM115  a pipe that nobody reads would stop a server that says much
    heard, speaks = os.pipe()
    listens, held = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(heard)
        os.close(held)
        _serve(contract, options, (listens, speaks), said)
    os.close(speaks)
    os.close(listens)
    try:
        yield _announcement(heard, said)
    finally:
        os.close(heard)
        os.close(held)
        os.kill(process, signal.SIGKILL)  # it has nothing to save, and need not be waited for
        os.waitpid(process, 0)
        said.close()


def _serve(contract: Contract, options: Callable[[], Options], wires: tuple[int, int], said: IO[bytes]) -> None:
    """Serve until told to stop, and end this process; it never returns."""
    code = 1
    try:
        os.dup2(wires[0], 0)
        os.dup2(said.fileno(), 2)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        # Open to the very end: whoever waits at the other side reads what went wrong as soon as it closes.
        serve(contract, options(), os.fdopen(wires[1], "w", closefd=False))
        code = 0
    except BaseException as error:  # noqa: BLE001  the edge of a process: whatever it was, it is said
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def _announcement(heard: int, said: IO[bytes]) -> Announcement:
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([heard], [], [], START_TIMEOUT)
        if not ready:
            raise LaunchError(f"the reference server did not start within {START_TIMEOUT:g} s")
        piece = os.read(heard, 65536)
        if not piece:
            said.seek(0)
            words = said.read().decode("utf-8", "replace").strip()
            raise LaunchError(f"the reference server did not start: {words[-2000:] or 'it said nothing'}")
        line += piece
    return announced(line)
