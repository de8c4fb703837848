"""`verify` on the command line: which clauses are judged, what is said before, and what a target's lacks cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance._events import ClauseJudged
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.cli import run
from authcontract_conformance.oracle._verdict import Level
from authcontract_conformance.reports._coverage import cost, lacking
from conversations import POLICIES
from deployments import Deployment, listening, target_file, verify


def judged(capsys: Any, folder: Path, *options: str) -> set[str]:
    found = verify(capsys, folder / "run.ndjson", "--format", "json", *options, name="roles")
    return set(found.verdict["clauses"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(("--only", "scope-3"), {"SCOPE-1"}, id="a merged id"),
        pytest.param(("--only", "AUTH-2,METH-1"), {"AUTH-2", "METH-1"}, id="with a comma"),
        pytest.param(("--only", "AUTH-2", "--only", "METH-1"), {"AUTH-2", "METH-1"}, id="twice"),
        pytest.param(
            ("--only", "meth", "--level", "must"),
            {c.id for c in catalogue().values() if c.id.startswith("METH-") and c.level is Level.MUST},
            id="a family, of it what binds",
        ),
        pytest.param(("--only", "AUTH-[12]", "--skip", "AUTH-1"), {"AUTH-2"}, id="a glob less one"),
    ],
)
def test_what_was_asked_for_is_judged(
    options: tuple[str, ...], expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(capsys, tmp_path, *options) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--only", "AUHT-1"), "Error: there is no clause `AUHT-1`; did you mean `AUTH-1`", id="only"),
        pytest.param(("--skip", "RAT"), "Error: there is no clause `RAT`; did you mean `RATE`", id="skip"),
        pytest.param(
            ("--only", "AUTH-1", "--skip", "AUTH"), "Error: no clause is left by --only AUTH-1", id="none left"
        ),
        pytest.param(("--level", "may"), "Invalid value for '--level'", id="a level that there is not"),
    ],
)
def test_what_selects_nothing_is_refused_before_anything_is_sent(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verify(capsys, tmp_path / "run.ndjson", *options, name="roles")
    assert found.code == 2
    assert said in found.err
    assert found.events == []


def test_before_a_run_it_is_said_about_how_long_it_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify(capsys, tmp_path / "run.ndjson", "--only", "AUTH-2", name="roles")
    assert found.code == 0
    (line,) = (line for line in found.out.splitlines() if line.startswith("About "))
    assert line.endswith(" s.")
    assert found.out.index("authcontract judges") < found.out.index(line) < found.out.index("AUTH-2")


def test_what_a_target_lacks_is_named_once_with_what_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Declared keys of one organisation, and no plaintext address."""
    deployment = Deployment("roles")
    monkeypatch.setenv("KEY_OWNER", deployment.key("owner"))
    keys = [{"name": "owner", "from_environment": "KEY_OWNER", "scopes": ["owner"]}]
    options = ("--only", "TEN,TRANS", "--timeout", "2")
    with listening(deployment.server.serve) as port:
        file = target_file(tmp_path, f"https://127.0.0.1:{port}", keys)
        text = verify(capsys, tmp_path / "a.ndjson", "--target", str(file), *options, name="roles")
        found = verify(capsys, tmp_path / "b.ndjson", "--target", str(file), *options, "--format", "json", name="roles")
    missing = found.verdict["missing"]
    assert set(missing) >= {"second organisation", "plaintext port"}
    assert text.out.count("no second organisation: ") == 1
    assert text.out.count("no plaintext port: ") == 1
    assert all(found.verdict["clauses"][clause] == "skipped" for names in missing.values() for clause in names)


def skipped(clause: str, *missing: str, **changes: Any) -> ClauseJudged:
    facts: dict[str, Any] = {"level": "MUST", "word": "skipped", "reason": "", "cases": 1, "skipped": 1}
    return ClauseJudged(clause=clause, promise="", missing=missing, **{"applicable": True, **facts, **changes})


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        pytest.param([], "", id="nothing was judged"),
        pytest.param([skipped("A-1", "clock")], "no clock: A-1 is skipped\n", id="one"),
        pytest.param(
            [skipped(f"A-{n}", "clock") for n in range(1, 7)],
            "no clock: A-1, A-2, A-3 and 3 more are skipped\n",
            id="many",
        ),
        pytest.param(
            [skipped("A-1", "clock", "plaintext port"), skipped("A-2", "clock")],
            "no clock: A-1, A-2 are skipped\nno plaintext port: A-1 is skipped\n",
            id="two lacks of one clause",
        ),
        pytest.param([skipped("A-1", "clock", word="fail")], "", id="what was judged nevertheless"),
        pytest.param([skipped("A-1", "clock", applicable=False)], "", id="what the contract does not ask"),
    ],
)
def test_each_lack_is_one_line(clauses: list[ClauseJudged], said: str) -> None:
    assert cost(clauses).plain == said
    assert bool(lacking(clauses)) == bool(said)


def test_help_names_what_a_selection_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--level [must|should|unspec]" in said
    assert "families" in said
    assert "--plan" in said


def test_a_plan_obeys_the_same_choice(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["verify", "--policy", str(POLICIES["roles"]), "--plan", "--format", "json", "--only", "auth-[12]"]
    assert run([*options, "--skip", "AUTH-1"]) == 0
    assert [clause["clause"] for clause in json.loads(capsys.readouterr().out)["clauses"]] == ["calibration", "AUTH-2"]
