"""`diff`: who gains, who loses, and nothing where only the text differs."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from authcontract_conformance.cli.diff import command
from click.testing import CliRunner, Result
from policy_contracts import FILES, SPECIFICATIONS, Edits, edited

SCHEMA = json.loads(files("authcontract_conformance").joinpath("schemas", "diff.schema.json").read_text("utf-8"))
OPENS = (("{requires: owner,  operations: [deleteProject]}", "{requires: editor,  operations: [deleteProject]}"),)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return where a changed policy of roles may stand, beside its specification."""
    specification = SPECIFICATIONS["roles"]
    (tmp_path / specification.name).write_bytes(specification.read_bytes())
    return tmp_path / "new.yaml"


def diff(new: Path, edits: Edits, *arguments: str) -> Result:
    new.write_text(edited(FILES["roles"], edits), "utf-8")
    return CliRunner().invoke(command, [str(FILES["roles"]), str(new), *arguments])


def test_a_decision_is_told_in_words_with_both_lines(changed: Path) -> None:
    result = diff(changed, OPENS)

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "1 decision changes:",
        "  `DELETE /projects/{id}` for editor: refused (403 role_too_low) -> allowed (opens access)",
        f"      - {FILES['roles']}:26: Delete projects: {{requires: owner, operations: [deleteProject]}}",
        f"      + {changed}:26: Delete projects: {{requires: editor, operations: [deleteProject]}}",
        "",
        "1 change: 1 opens access; 47 decisions stay as they were.",
    ]


def test_what_is_the_same_for_many_is_said_once(changed: Path) -> None:
    result = diff(
        changed, (("{requires: viewer, operations: [listProjects,", "{requires: owner, operations: [listProjects,"),)
    )

    said = "  `GET /projects` for viewer, editor: allowed -> refused (403 role_too_low) (closes access)"
    assert said in result.output.splitlines()


def test_limits_and_grace_are_told_too(changed: Path) -> None:
    result = diff(changed, (("viewer: 60", "viewer: 90"), ("grace: 48 hours", "grace: 1 hour")))

    assert result.exit_code == 1
    assert "`by role` for viewer: 60 requests -> 90 requests (allows more)" in result.output
    assert "`keys.rotation.grace`: 48 hours -> 1 hour" in result.output
    assert result.output.endswith("2 changes: 1 allows more; 48 decisions stay as they were.\n")


def test_text_alone_changes_nothing(changed: Path) -> None:
    result = diff(changed, (("Manage members: ", "Look after members: "), ("48 hours", "2 days")))

    assert result.exit_code == 0
    assert result.output == (
        "Nothing changes: the policies differ in their text only, and 48 decisions, all limits and all answers stay as "
        "they were.\n"
    )


def test_a_policy_is_no_other_than_itself(changed: Path) -> None:
    result = diff(changed, ())

    assert result.exit_code == 0
    assert result.output.startswith("Nothing changes: the two policies are the same, ")


@pytest.mark.parametrize(
    "edits", [(), OPENS, (("viewer: 60", "viewer: 90"), ("  exports: {concurrent: 2", "  exports: {concurrent: 3"))]
)
def test_json_follows_its_published_schema(changed: Path, edits: Edits) -> None:
    result = diff(changed, edits, "--format", "json")

    found = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    assert result.exit_code == bool(found["changes"])


def test_a_policy_with_errors_cannot_be_compared(changed: Path) -> None:
    result = diff(changed, (("requires: viewer", "requires: vieewer"),))

    assert result.exit_code == 2
    assert "error[undeclared-scope]" in result.output
    assert "did you mean `viewer`?" in result.output
