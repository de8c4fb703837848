"""Whole runs against the reference server as a process of its own, over real TLS."""

import asyncio
import base64
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from authcontract_conformance._events import Event, PhaseStarted
from authcontract_conformance.driver._driver import Driver
from authcontract_conformance.exchange._vault import WINDOW, Vault
from authcontract_conformance.oracle._verdict import Level, RunVerdict, Word
from authcontract_conformance.reports._log import EventLog
from authcontract_conformance.reports._summary import summary
from authcontract_conformance.reports._terminal import Terminal
from authcontract_conformance.run._run import Options, Result
from authcontract_conformance.run._run import verify as judge
from authcontract_engine import KeyRecord
from conversations import POLICIES, loaded
from deployments import verify
from rich.console import Console

ROOT = Path(__file__).parents[3]


def run(name: str, *sinks: Callable[[Event], None], **options: Any) -> Result:
    """Judge the embedded server of a contract, without what is generated."""

    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return asyncio.run(judge(loaded(name), None, Options(fuzz=False, **options), emit))


@cache
def plain_run(name: str) -> Result:
    """Return what the correct server comes to."""
    return run(name)


def words(result: Result) -> dict[str, Word]:
    return {verdict.clause: verdict.word for verdict in result.clauses}


@pytest.mark.parametrize("name", list(POLICIES))
def test_the_correct_server_is_conformant(name: str) -> None:
    """Each MUST that means something for the contract passes; what is left open is what the policy leaves open."""
    result = plain_run(name)
    assert result.verdict is RunVerdict.CONFORMANT
    assert result.findings == ()
    assert (result.trouble, result.stopped, result.interrupted) == (0, None, False)
    musts = [v for v in result.clauses if v.level is Level.MUST and v.applicable]
    open_ = {v.clause: v.reason for v in musts if v.word is Word.UNSPECIFIED}
    assert all("the policy does not say" in reason for reason in open_.values()), open_
    assert {v.clause: v.reason for v in musts if v.word is not Word.PASS and v.clause not in open_} == {}
    assert len(musts) >= 20
    assert all(v.reason for v in result.clauses if not v.applicable)


def test_the_first_contract_leaves_no_clause_out() -> None:
    verdicts = plain_run("synaptiq").clauses
    applicable = [verdict for verdict in verdicts if verdict.applicable]
    assert {verdict.word for verdict in applicable} == {Word.PASS}
    assert len(applicable) >= len(verdicts) - 5


def test_the_order_of_the_cases_changes_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and objects are each case's own, so a case finds the same whatever ran before it."""
    straight = plain_run("roles")
    drive = Driver.run

    async def shuffled(self: Driver, planned: Any) -> None:
        mixed = random.Random(7)  # noqa: S311  an order, no secret
        pairs = [(clause, [case]) for clause, cases in planned for case in cases]
        mixed.shuffle(pairs)
        await drive(self, pairs)

    monkeypatch.setattr(Driver, "run", shuffled)
    assert words(run("roles")) == words(straight)


def test_another_seed_changes_no_verdict() -> None:
    assert words(run("roles", seed=99)) == words(plain_run("roles"))


# --- no key anywhere (Decided 16) -----------------------------------------------------------------------------------


@dataclass
class Secrets:
    """Every secret that the run knew, with the length of its public prefix."""

    known: set[tuple[bytes, int]] = field(default_factory=set)

    def windows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each nine bytes of a secret part in each way to write them, and whether the case counts."""
        for secret, prefix in self.known:
            for start in range(prefix, len(secret) - WINDOW + 1):
                window = secret[start : start + WINDOW]
                yield window.lower(), quote(window.lower(), safe="").encode()
                for offset in range(3):
                    encoded = base64.b64encode(b"\0" * offset + window)
                    # What depends on neighbours is dropped: the padded group, and a last one that is not full.
                    whole = encoded[4 if offset else 0 : (offset + WINDOW) // 3 * 4]
                    yield whole, whole


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Look over the vault's shoulder."""
    found = Secrets()
    add = Vault.add

    def noting(self: Vault, record: KeyRecord | None, key: str, secret: bytes, prefix: int = 0) -> None:
        found.known.add((secret, prefix))
        add(self, record, key, secret, prefix)

    monkeypatch.setattr(Vault, "add", noting)
    return found


def written(folder: Path, fault: str) -> tuple[Result, dict[str, bytes]]:
    """Run with a fault and return everything that was written: log, both streams, and the JSON."""
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(Console(file=out, width=100), Console(file=err), progress=False)
    path = folder / "run.ndjson"
    with EventLog(path) as log, terminal:
        result = run("synaptiq", log, terminal, server=("--fault", fault))
    texts = {"log": path.read_bytes(), "stdout": out.getvalue().encode(), "stderr": err.getvalue().encode()}
    return result, {**texts, "json": json.dumps(summary(result), ensure_ascii=False).encode()}


def test_no_key_is_in_anything_that_a_run_writes(tmp_path: Path, secrets: Secrets) -> None:
    """The server repeats keys in its answers; neither nine characters of one nor their encodings are written."""
    result, texts = written(tmp_path, "key-in-message")
    assert words(result)["LEAK-1"] is Word.FAIL
    assert len(secrets.known) > 200
    # All in one set of windows: a run knows hundreds of keys, and a search for each would take minutes.
    shapes = {shape for pair in secrets.windows() for shape in pair}
    sizes = {len(shape) for shape in shapes}
    for name, text in texts.items():
        lower = text.lower()
        shown = {
            piece
            for size in sizes
            for where in (text, lower)
            for piece in (where[at : at + size] for at in range(len(where) - size + 1))
            if piece in shapes
        }
        assert shown == set(), name
    assert b"[key " in texts["log"]
    # The check itself works: with one key in the log it would have been seen.
    secret, prefix = next(iter(secrets.known))
    assert secret[prefix : prefix + WINDOW].lower() in shapes


# --- interrupted, unwritable ----------------------------------------------------------------------------------------


def start(log: Path) -> subprocess.Popen[str]:
    """Start `authcontract verify` as a process with a session of its own."""
    options = ["--policy", str(POLICIES["synaptiq"]), "--log", str(log), "--no-fuzz", "--format", "json"]
    return subprocess.Popen(
        [sys.executable, "-m", "authcontract_conformance", "verify", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def events(log: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log, also while it is written."""
    text = log.read_text("utf-8") if log.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("whom", ["process", "group"])
def test_ctrl_c_in_the_middle(whom: str, tmp_path: Path) -> None:
    """Exit 130, what was found so far in log and verdict, and no server left behind; a terminal signals both."""
    log = tmp_path / "run.ndjson"
    process = start(log)
    try:
        until(lambda: sum(event["event"] == "case" for event in events(log)) > 20)
        servers = children(process.pid)
        assert servers
        if whom == "group":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    verdict = json.loads(out)
    assert verdict["interrupted"] is True
    assert verdict["verdict"] == "inconclusive"
    written = events(log)
    assert written[-1]["event"] == "run_finished"
    assert written[-1]["interrupted"] is True
    judged = sum(event["event"] == "case" for event in written)
    assert judged > 20
    until(lambda: all(gone(server) for server in servers), 5.0)


def test_ctrl_c_before_anything_was_asked(tmp_path: Path) -> None:
    """While the server still starts."""
    process = start(tmp_path / "run.ndjson")
    try:
        until(lambda: bool(children(process.pid)))
        servers = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    until(lambda: all(gone(server) for server in servers), 5.0)


@pytest.mark.parametrize("log", ["/dev/full", "/proc/none/run.ndjson", "{folder}/file/run.ndjson", "{folder}"])
def test_a_log_that_cannot_be_written(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said in one sentence, exit 3, before or while anything is sent; a run without a log proves nothing later."""
    (tmp_path / "file").write_text("")
    found = verify(capsys, Path(log.format(folder=tmp_path)), name="roles")
    assert found.code == 3
    assert found.err.splitlines()[-1].startswith("Error: the log `")
    assert "cannot be written: " in found.err
    assert "Traceback" not in found.err


def test_standard_output_that_is_full(tmp_path: Path) -> None:
    """The verdict cannot be printed: exit 3 and a sentence, although the run itself went well."""
    only = ["--only", "AUTH-2", "--format", "json", "--log", str(tmp_path / "run.ndjson")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "authcontract_conformance", "verify", "--policy", str(POLICIES["roles"]), *only],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3, done.stderr
    assert "no space left" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_phases_are_announced() -> None:
    """What a bar needs: how many cases there will be, before the first of them."""
    seen: list[Event] = []
    run("roles", seen.append, only=frozenset({"AUTH-3", "AUTH-2"}))
    phases = [event for event in seen if isinstance(event, PhaseStarted)]
    assert [(phase.phase, phase.cases) for phase in phases] == [("clauses", 2)]
