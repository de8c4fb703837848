"""What `verify` and `selftest` write for programs follows the published schemas."""

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from authcontract_conformance.cli import run

ROOT = Path(__file__).parents[3]
SYNAPTIQ = str(ROOT / "policy" / "synaptiq.yaml")


def schema(name: str) -> dict[str, Any]:
    text = files("authcontract_conformance").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_verdict_and_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server with a fault: one JSON object on standard output, one event a line in the log, exit 1."""
    log = tmp_path / "run.ndjson"
    clauses = [part for clause in ("AUTH-1", "SCOPE-5", "AUTH-10") for part in ("--only", clause)]
    options = ["--policy", SYNAPTIQ, "--fault", "no-key-for-get", "--no-fuzz", "--log", str(log), "--format", "json"]

    assert run(["verify", *options, *clauses]) == 1

    verdict = json.loads(capsys.readouterr().out)
    jsonschema.validate(verdict, schema("verify"))
    assert verdict["verdict"] == "not conformant"
    assert verdict["clauses"]["AUTH-1"] == "fail"
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    validator = jsonschema.Draft202012Validator(schema("events"))
    for event in events:
        validator.validate(event)
    assert (events[0]["event"], events[-1]["event"]) == ("run_started", "run_finished")
    counted = Counter(event["event"] for event in events)
    assert counted["finding"] == len(verdict["findings"]) > 0
    assert counted["exchange"] > 10


def test_a_self_test(capsys: pytest.CaptureFixture[str]) -> None:
    """One fault planted and caught: numbers and lists, exit 0."""
    assert run(["selftest", "--policy", SYNAPTIQ, "--fault", "no-key-for-get", "--format", "json"]) == 0

    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, schema("selftest"))
    assert (found["faults"], found["caught"], found["missed"]) == (1, 1, [])


@pytest.mark.parametrize("name", ["verify", "selftest", "events", "explain"])
def test_every_word_of_the_output_is_documented(name: str) -> None:
    """Each property at the top says what it is, here or where it refers to."""
    whole = schema(name)
    blocks = whole.get("oneOf", [whole])
    for block in blocks:
        for word, stated in block.get("properties", {}).items():
            assert stated.keys() & {"description", "$ref", "anyOf", "const", "enum"}, word
