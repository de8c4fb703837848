"""Correct servers that other people's parts are made of, each started on loopback and judged like any deployment.

A stack is a folder with a policy, a specification, a server in the idiom of its parts, and `stack.py`, whose one row
says how the server starts. The rest is told to it by environment variables:

- `PORT`: where it listens, on 127.0.0.1. `WORK`: a folder that it may write to.
- `KEY_<organisation>_<SCOPE>_<number>`: a key that lives. `KEY_<organisation>_<SCOPE>_REVOKED` and `..._EXPIRED`: one
  that the server knows and refuses.
- `LIMITER`: which of its ways of counting requests it uses.
- `DEFECT`: the mistake that is made on purpose; empty: none.
- `PLAIN_PORT`: where a stack that serves TLS listens for plain HTTP; `CHAIN` is its certificate with the private key.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import string
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance.reference._certificate import make_certificate
from yaml import safe_dump

FOLDER = Path(__file__).parent
CERTIFICATE, CHAIN = "certificate.pem", "chain.pem"
ROOT = FOLDER.parents[1]
#: Python with the packages of `requirements.lock`; a venv of its own, since they are nothing that authcontract needs.
PYTHON = Path(os.environ.get("FOREIGN_PYTHON", ROOT / ".venv-foreign" / "bin" / "python"))
#: Seconds until a server must answer, until it must have ended, and until a run must have.
STARTS_WITHIN, ENDS_WITHIN, RUNS_WITHIN = 60.0, 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Key:
    """A key that its owner lends for the test; what it is stands in the name of its variable."""

    organisation: str
    scope: str
    #: A number where it lives, else how it died.
    mark: str

    @property
    def variable(self) -> str:
        return f"KEY_{self.organisation}_{self.scope.upper()}_{self.mark}"

    @property
    def secret(self) -> str:
        """Return the same secret each time, so that a run can be repeated."""
        draw = random.Random(self.variable)  # noqa: S311  it opens nothing but a server on loopback
        return "sk_" + "".join(draw.choices(string.ascii_letters + string.digits, k=30))

    @property
    def row(self) -> Mapping[str, Any]:
        """Return the key as a target file describes it."""
        state = "active" if self.mark.isdigit() else self.mark.lower()
        return {
            "name": self.variable.removeprefix("KEY_").lower(),
            "from_environment": self.variable,
            "scopes": [self.scope],
            "organisation": self.organisation,
            "state": state,
        }


SCOPES = ("read", "write", "admin")
#: Several alike let a run go on with one while another waits for its quota.
KEYS = (
    *(Key("A", scope, str(number)) for scope in SCOPES for number in range(1, 5 if scope == "write" else 41)),
    *(Key("B", scope, str(number)) for scope in SCOPES for number in (1, 2)),
    *(Key("A", scope, mark) for scope in SCOPES for mark in ("REVOKED", "EXPIRED")),
)


@dataclass(frozen=True, slots=True)
class Defect:
    """A mistake that a team makes with these parts, and the clauses whose promise it breaks."""

    name: str
    #: Clauses or families to judge; one of them has to fail.
    clauses: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A server made of other people's parts."""

    name: str
    folder: Path
    #: What starts it; `{python}`, `{folder}`, `{port}` and `{work}`, a folder for the length of a run, are filled in.
    command: tuple[str, ...]
    #: Programs that the machine needs for it.
    programs: tuple[str, ...] = ()
    #: Packages that `PYTHON` must be able to import.
    packages: tuple[str, ...] = ()
    #: Files beside `stack.py` that must exist before it can start, such as what npm installs.
    files: tuple[str, ...] = ()
    #: Where its API begins below the origin.
    path: str = ""
    #: Whether it serves TLS, with plain HTTP on a port beside it.
    secure: bool = False
    #: Its ways of counting requests.
    limiters: tuple[str, ...] = ("own",)
    defects: tuple[Defect, ...] = ()
    #: Clause -> why a correct server of these parts does not pass it. Another one that neither passes nor is skipped is
    #: an error.
    not_passed: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        """Say what this machine lacks for it; nothing where it can run."""
        programs = [program for program in self.programs if shutil.which(program) is None]
        files = [file for file in self.files if not (self.folder / file).exists()]
        imports = "; ".join(f"import {package}" for package in self.packages)
        lacks_python = bool(self.packages) and (
            not PYTHON.exists()
            or subprocess.run([PYTHON, "-c", imports], check=False, capture_output=True, cwd=FOLDER.parent).returncode
        )
        packages = [f"{', '.join(self.packages)} (tests/foreign/requirements.lock)"] if lacks_python else []
        return ", ".join([*programs, *files, *packages])

    def needed(self) -> None:
        """Skip a test where the machine lacks something for the stack; in CI nothing may be lacking."""
        lacks = self.missing()
        if lacks and os.environ.get("CI"):
            pytest.fail(f"{self.name} needs {lacks}")
        if lacks:
            pytest.skip(f"{self.name} needs {lacks}")


def stacks() -> tuple[Stack, ...]:
    """Return every stack that there is a folder of, by name."""
    rows = [import_module(f"foreign.{path.parent.name}.stack").STACK for path in sorted(FOLDER.glob("*/stack.py"))]
    assert all(isinstance(row, Stack) for row in rows)
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    stack: Stack
    port: int
    work: Path
    #: Where it listens for plain HTTP.
    plain_port: int

    @property
    def target(self) -> Mapping[str, Any]:
        """Return what a target file says of where it is."""
        plain = f"http://127.0.0.1:{self.plain_port}{self.stack.path}"
        if not self.stack.secure:
            return {"url": plain}
        url = f"https://127.0.0.1:{self.port}{self.stack.path}"
        return {"url": url, "plaintext": plain, "trust": CERTIFICATE}

    @property
    def log(self) -> Path:
        """Return the file with what the server said."""
        return self.work / "server.log"


def secrets() -> Mapping[str, str]:
    """Return the variables that hold the keys."""
    return {key.variable: key.secret for key in KEYS}


@contextmanager
def running(stack: Stack, work: Path, limiter: str | None = None, defect: str = "") -> Iterator[Running]:
    """Serve a stack for the length of a block; `work` is an empty folder that it may write to."""
    port = _free_port()
    plain_port = _free_port() if stack.secure else port
    values = {"python": str(PYTHON), "folder": str(stack.folder), "port": str(port), "work": str(work)}
    # Nothing of the tests' own environment that a server might take for its own, such as PYTHONPATH.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    told = {"PORT": str(port), "LIMITER": limiter or stack.limiters[0], "DEFECT": defect, "WORK": str(work)}
    if stack.secure:
        _make_certificate(work)
        told |= {"PLAIN_PORT": str(plain_port), "CHAIN": str(work / CHAIN)}
    server = Running(stack, port, work, plain_port)
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [part.format(**values) for part in stack.command],
            cwd=stack.folder,
            env={**inherited, **secrets(), **told, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(server, process)
            yield server
        finally:
            _end(process)


def _make_certificate(work: Path) -> None:
    made = make_certificate()
    (work / CERTIFICATE).write_text(made.certificate)
    (work / CHAIN).touch(mode=0o600)
    (work / CHAIN).write_bytes(made._private_key + made.certificate.encode())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert isinstance(port, int)
    return port


def _wait_until_it_answers(server: Running, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with (
            suppress(OSError, HTTPException),
            closing(HTTPConnection("127.0.0.1", server.plain_port, timeout=STARTS_WITHIN)) as connection,
        ):
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    pytest.fail(f"{server.stack.name} does not start:\n{server.log.read_text('utf-8', 'replace')[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run of `authcontract verify` came to."""

    code: int
    verdict: Mapping[str, Any]
    #: Clause -> the reason that its verdict gives.
    reasons: Mapping[str, str]

    @property
    def words(self) -> Mapping[str, str]:
        """Return the verdict word of each clause."""
        words: Mapping[str, str] = self.verdict["clauses"]
        return words

    def only(self, *words: str) -> Mapping[str, str]:
        """Return the clauses with one of these words, with the word and the reason."""
        return {clause: f"{word}: {self.reasons[clause]}" for clause, word in self.words.items() if word in words}

    @property
    def failures(self) -> Sequence[str]:
        """Return each failure in one line."""
        return [
            f"{row['clause']} {row['subject']}: expected {row['expected']}; got {row['got']}; {row['reason']}"
            for row in self.verdict["findings"]
            if row["word"] == "fail"
        ]


def judge(server: Running, *options: str) -> Judged:
    """Judge a server as its owner would, by the command line, with the target file written into its folder."""
    stack, work = server.stack, server.work
    target, log = work / "target.yaml", work / "run.ndjson"
    target.write_text(safe_dump({**server.target, "keys": [key.row for key in KEYS]}))
    command = [sys.executable, "-m", "authcontract_conformance", "verify", "--format", "json", "--log", str(log)]
    policy = ["--policy", str(stack.folder / "policy.yaml"), "--target", str(target)]
    # The run ends by itself first, so that it can say what it found by then.
    bounds = ["--max-time", str(RUNS_WITHIN - 10)]
    done = subprocess.run(
        [*command, *policy, *bounds, *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=RUNS_WITHIN,
        env={**os.environ, **secrets()},
    )
    if not done.stdout:
        pytest.fail(f"{stack.name} could not be judged (exit code {done.returncode}):\n{done.stderr[-4000:]}")
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    reasons = {event["clause"]: event["reason"] for event in events if event["event"] == "clause"}
    return Judged(done.returncode, json.loads(done.stdout), reasons)
