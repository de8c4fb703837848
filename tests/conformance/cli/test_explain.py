"""`explain`: whatever has a code says what it is."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.cli.explain import command
from authcontract_conformance.faults import FAULTS
from authcontract_policy import CODES
from click.testing import CliRunner, Result

ROOT = Path(__file__).parents[3]
SYNAPTIQ = str(ROOT / "policy" / "synaptiq.yaml")
SCHEMA = json.loads(
    files("authcontract_conformance").joinpath("schemas", "explain.schema.json").read_text("utf-8"),
)


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_alone_it_lists_every_clause_with_its_promise() -> None:
    result = explain()

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines() if line[0] != " "] == list(catalogue())
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize("code", [*catalogue(), *MERGED, *CODES, *(fault.name for fault in FAULTS)])
def test_every_code_is_explained(code: str) -> None:
    result = explain(code, "--format", "json")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["code"] == code
    assert len(found["summary"]) > 10


def test_the_list_follows_the_published_schema() -> None:
    found = json.loads(explain("--format", "json").stdout)
    jsonschema.validate(found, SCHEMA)
    assert [each["code"] for each in found] == list(catalogue())


def test_a_clause_says_why_it_matters_and_what_proves_it() -> None:
    output = explain("auth-1").output

    assert output.startswith("AUTH-1  (clause)\nA request without a key is refused")
    for label in ("level", "why", "checked", "kept by", "source", "proved by"):
        assert f"\n{label} " in output
    assert "no-key-for-get" in output


@pytest.mark.parametrize("merged", MERGED)
def test_a_merged_clause_says_where_it_went_and_why(merged: str) -> None:
    found = json.loads(explain(merged, "--format", "json").stdout)["details"]

    assert found["judged in"] in {*catalogue(), "no clause"}
    assert found["why"] == MERGED[merged].reason


def test_a_fault_says_who_must_catch_it_and_how_to_see_it() -> None:
    fault = FAULTS[0]
    output = explain(fault.name).output

    assert fault.sentence in " ".join(output.split())
    assert f"authcontract verify --fault {fault.name}" in output


def test_a_silence_says_its_answer_and_whether_it_is_confirmed() -> None:
    result = explain("g-05", "--policy", SYNAPTIQ)

    assert result.exit_code == 0
    assert result.output.startswith("G-05  (silence)\n")
    assert "assumed; the owner has not confirmed it" in result.output
    assert "6 other answers" in result.output


def test_a_code_like_another_is_suggested() -> None:
    result = explain("AUHT-1", "--policy", SYNAPTIQ)

    assert result.exit_code == 2
    assert "nothing is called `AUHT-1`; did you mean `AUTH-1`?" in result.output


def test_a_broken_policy_stands_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks what a diagnostic means has a policy with errors."""
    (tmp_path / "policy.yaml").write_text("nonsense", "utf-8")
    monkeypatch.chdir(tmp_path)

    assert explain("unknown-word").exit_code == 0
