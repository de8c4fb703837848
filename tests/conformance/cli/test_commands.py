"""The command line as a whole: cheap help, near names, exit codes, and sentences where something cannot be."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from authcontract_conformance.cli import COMMANDS, run

ROOT = Path(__file__).parents[3]
SYNAPTIQ = str(ROOT / "policy" / "synaptiq.yaml")

#: Commands that read a policy, as one types them.
READERS = {
    "check": ["check", "{policy}"],
    "matrix": ["matrix", "{policy}"],
    "diff": ["diff", "{policy}", SYNAPTIQ],
    "decide": ["decide", "{policy}", "GET", "/leads"],
    "verify": ["verify", "--policy", "{policy}"],
    "selftest": ["selftest", "--policy", "{policy}"],
    "serve": ["serve", "--policy", "{policy}"],
    "explain": ["explain", "--policy", "{policy}", "G-05"],
}


def arguments(command: str, policy: Path) -> list[str]:
    return [part.replace("{policy}", str(policy)) for part in READERS[command]]


def test_help_imports_click_and_nothing_that_costs() -> None:
    """Whoever asks for help waits for no parser, no engine, no terminal library and no fuzzer."""
    program = (
        "import sys, json; from authcontract_conformance.cli import run; code = run(['--help']);"
        "json.dump([code, sorted(sys.modules)], sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    code, loaded = json.loads(done.stderr)

    assert code == 0
    assert all(f"  {name}" in done.stdout for name in COMMANDS)
    ours = [name for name in loaded if name.startswith("authcontract_")]
    assert ours == ["authcontract_conformance", "authcontract_conformance.cli", "authcontract_conformance.cli._shared"]
    costly = {"rich", "yaml", "jsonschema", "hypothesis", "schemathesis", "asyncio", "ssl", "h11", "jinja2"}
    assert costly.isdisjoint(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_each_command_says_of_itself(name: str) -> None:
    command = importlib.import_module(f"authcontract_conformance.cli.{name}").command
    assert command.get_short_help_str(limit=200) == COMMANDS[name]
    assert command.name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_in_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: authcontract")
    assert max(map(len, out.splitlines())) <= 80


def test_a_near_name_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chekc"]) == 2
    assert "No such command 'chekc'. Did you mean 'check'?" in capsys.readouterr().err


def test_a_name_like_none_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["zzz"]) == 2
    assert f"Commands: {', '.join(COMMANDS)}." in capsys.readouterr().err


@pytest.mark.parametrize("command", READERS)
def test_a_policy_that_is_not_there_is_a_located_problem(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(command, tmp_path / "nowhere.yaml")) == 2
    said = capsys.readouterr()
    assert "error[cannot-read-file]" in said.out + said.err
    assert "nowhere.yaml" in said.out + said.err


@pytest.mark.parametrize("command", READERS)
def test_a_folder_is_no_policy(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(command, tmp_path)) == 2
    said = capsys.readouterr()
    assert "error[cannot-read-file]" in said.out + said.err


@pytest.mark.parametrize("command", READERS)
def test_bad_yaml_is_shown_with_its_line(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nkeys: [\n", "utf-8")
    assert run(arguments(command, file)) == 2
    said = capsys.readouterr()
    assert "error[yaml-syntax]" in said.out + said.err
    assert "bad.yaml:" in said.out + said.err


def test_output_that_cannot_be_written_is_no_finding() -> None:
    """A full disk ends with 3, never with 1, which would be a finding, and without a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "authcontract_conformance", "explain"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 3
    assert done.stderr.lower().startswith("error: no space left on device")
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert run(["verify", "--policy", SYNAPTIQ, "--log", str(tmp_path / "file" / "run.ndjson")]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m authcontract_conformance explain --format json | head -c 1"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "FORCE_COLOR": ""}, {"TERM": "dumb"}])
def test_nobody_gets_colours_who_wants_none(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "authcontract_conformance", "explain", "AUTH-1"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert "AUTH-1" in done.stdout
    assert "\x1b" not in done.stdout
