"""`check`: every problem at its line, an exit code, and a closing line."""

import json
from pathlib import Path

import jsonschema
import pytest
from authcontract_conformance.cli.check import command
from click.testing import CliRunner, Result

ROOT = Path(__file__).parents[3]
SYNAPTIQ = ROOT / "policy" / "synaptiq.yaml"
ROLES = ROOT / "tests" / "contracts" / "roles.yaml"
SCHEMA = json.loads((ROOT / "policy" / "authcontract_policy" / "diagnostics.schema.json").read_text("utf-8"))


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a policy with one slip."""
    file = tmp_path / "broken.yaml"
    file.write_text(ROLES.read_text("utf-8").replace("requires: editor", "requires: editr"), "utf-8")
    (tmp_path / "draftboard.openapi.yaml").write_bytes(ROLES.with_name("draftboard.openapi.yaml").read_bytes())
    return file


def test_a_sound_policy_can_be_used() -> None:
    result = check(ROLES)

    assert result.exit_code == 0
    assert result.output == f"✔ {ROLES} can be used: 12 operations, 3 scopes, 2 rate limits, 0 silences\n"


def test_notes_are_counted_and_shown_only_when_asked_for() -> None:
    quiet, verbose = check(SYNAPTIQ), check(SYNAPTIQ, "--verbose")

    assert (quiet.exit_code, verbose.exit_code) == (0, 0)
    assert "silences describe what the engine does anyway (--verbose shows which)" in quiet.output
    assert "note[" not in quiet.output
    assert "note[silence-uncited]" in verbose.output


def test_a_slip_is_shown_with_caret_and_help(broken: Path) -> None:
    result = check(broken)

    assert result.exit_code == 2
    assert "error[undeclared-scope]: `editr` is required here but declared nowhere" in result.output
    assert "^^^^^" in result.output
    assert "help: did you mean `editor`?" in result.output
    assert result.output.endswith(f"✘ {broken} cannot be used\n")


def test_one_broken_policy_of_several_is_enough(broken: Path) -> None:
    result = check(ROLES, broken)

    assert result.exit_code == 2
    assert f"✔ {ROLES} can be used" in result.output
    assert f"✘ {broken} cannot be used" in result.output


def test_json_follows_its_published_schema(broken: Path) -> None:
    result = check(broken, "--format", "json")

    found = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    assert [each["code"] for each in found] == ["undeclared-scope"]
    assert json.loads(check(ROLES, "--format", "json").stdout) == []


@pytest.mark.parametrize(
    ("format_", "start"), [("concise", "{}:25:44: undeclared-scope "), ("github", "::error file={}")]
)
def test_programs_get_a_line_for_each_problem(broken: Path, format_: str, start: str) -> None:
    result = check(broken, "--format", format_)

    assert result.exit_code == 2
    assert result.stdout.splitlines()[0].startswith(start.format(broken))


def test_a_file_that_is_not_there_is_a_located_problem() -> None:
    result = check("nowhere.yaml")

    assert result.exit_code == 2
    assert "error[cannot-read-file]" in result.output


def test_without_a_policy_that_of_the_folder_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert check().output.startswith("✔ policy/synaptiq.yaml")

    monkeypatch.chdir(tmp_path)
    result = check()
    assert result.exit_code == 2
    assert "no policy given" in result.output
