"""`explain`: whatever has a code says what it is."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.cli.explain import command
from authcontract_conformance.faults import FAULTS
from authcontract_conformance.oracle._verdict import Basis, Level
from authcontract_conformance.reports._meaning import verdicts
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


VARIANTS = sorted({variant for clause in catalogue().values() for variant in clause.variants})


@pytest.mark.parametrize("code", [*catalogue(), *MERGED, *VARIANTS, *CODES, *(fault.name for fault in FAULTS)])
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
    for label in ("level", "why", "checked", "pass", "fail", "inconclusive", "kept by", "source", "proved by"):
        assert f"\n{label} " in output
    assert "no-key-for-get" in output


@pytest.mark.parametrize("clause", catalogue())
def test_what_each_verdict_means_follows_from_the_clause(clause: str) -> None:
    """Only a MUST can fail; what it needs is named where it is skipped; a standard is excused by no silence."""
    found = catalogue()[clause]
    meant = verdicts(found)
    assert ("fail" in meant) == (found.level is Level.MUST)
    assert ("unspecified" in meant) == (found.level is Level.UNSPEC or found.basis is Basis.CONTRACT)
    assert {"pass", "warn", "inconclusive", "skipped"} <= meant.keys()
    assert all(need.value in meant["skipped"] for need in found.needs)
    assert ("run is inconclusive" in meant["inconclusive"]) == (found.level is Level.MUST)


def test_a_variant_says_which_clauses_try_it() -> None:
    found = json.loads(explain("v-c10", "--format", "json").stdout)

    assert (found["kind"], found["code"]) == ("variant", "V-C10")
    assert found["summary"].startswith("A way to show a key; ")
    assert set(found["details"]) == {c.id for c in catalogue().values() if "V-C10" in c.variants}


@pytest.mark.parametrize(
    "arguments", [("--family", "LIFE"), ("life",), ("LIFE-*",), ("--family", "life-?,LIFE-1?,LIFE-M")], ids=" ".join
)
def test_a_family_or_a_glob_lists_its_clauses(arguments: tuple[str, ...]) -> None:
    listed = [line.split()[0] for line in explain(*arguments).output.splitlines() if line[0] != " "]
    assert listed == [clause for clause in catalogue() if clause.startswith("LIFE-")]


@pytest.mark.parametrize("arguments", [("--family", "LIFF"), ("LIFF-*",), ("AUTH-1", "--family", "LIFE")], ids=" ".join)
def test_what_lists_nothing_is_refused(arguments: tuple[str, ...]) -> None:
    result = explain(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize(
    "arguments", [(), ("AUTH-1",), ("SCOPE-3",), ("LIFE",), ("V-C10",), ("no-key-for-get",)], ids=str
)
def test_every_line_fits_the_terminal(arguments: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off: what stands beside a label on a wide terminal stands below it on a narrow one."""
    monkeypatch.setenv("COLUMNS", str(width))
    narrow = explain(*arguments).output
    monkeypatch.setenv("COLUMNS", "200")
    wide = explain(*arguments).output
    assert max(map(len, narrow.splitlines())) <= width
    assert "".join(narrow.split()).replace("-", "") == "".join(wide.split()).replace("-", "")


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
