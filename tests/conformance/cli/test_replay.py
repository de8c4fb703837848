"""`replay`: a finding comes again while the defect is there, and does not once it is repaired."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from authcontract_conformance.cli import run

ROOT = Path(__file__).parents[3]
SYNAPTIQ = str(ROOT / "policy" / "synaptiq.yaml")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the log of a run that found something."""
    file = tmp_path_factory.mktemp("run") / "run.ndjson"
    options = ["--policy", SYNAPTIQ, "--fault", "no-key-for-get", "--no-fuzz", "--only", "AUTH-1", "--log", str(file)]
    program = [sys.executable, "-m", "authcontract_conformance", "verify", *options]
    assert subprocess.run(program, check=False, capture_output=True).returncode == 1
    return file


def repaired(log: Path, place: Path) -> Path:
    """Return the log as if the server had been right in the meantime."""
    first, *rest = log.read_text("utf-8").splitlines(keepends=True)
    header = json.loads(first)
    at = header["command"].index("--fault")
    header["command"] = [*header["command"][:at], *header["command"][at + 2 :]]
    file = place / "repaired.ndjson"
    file.write_text("".join([json.dumps(header) + "\n", *rest]), "utf-8")
    return file


def test_a_finding_comes_again(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(log), "f1"]) == 1
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("✘ F1 comes again: AUTH-1, ")


def test_a_repaired_server_is_not_accused(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(repaired(log, tmp_path)), "F1"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("✔ F1 does not come again")


def test_a_finding_that_is_not_there_is_named(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(log), "F77"]) == 2
    assert "has no finding `F77`" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"event": "case"}'])
def test_what_is_no_log_is_said_to_be_none(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file.ndjson"
    file.write_text(content, "utf-8")
    assert run(["replay", str(file), "F1"]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_log_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(tmp_path / "nowhere.ndjson"), "F1"]) == 2
    assert "cannot be read" in capsys.readouterr().err
