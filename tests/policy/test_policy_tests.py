"""The decisions that product people wrote down beside a policy hold, by both evaluators."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import authcontract_policy
import jsonschema
import pytest
import yaml
from policy_contracts import ROOT
from second_opinion import Both, both

SCHEMA = Path(authcontract_policy.__file__).parent / "tests.schema.json"
FILES = sorted((ROOT / "policy").glob("*.tests.yaml"))


def written() -> Iterator[Any]:
    for file in FILES:
        for case in yaml.safe_load(file.read_text("utf-8")):
            contract = file.name.removesuffix(".tests.yaml")
            key = case["key"] if case["key"] == "none" else " ".join(case["key"].values())
            yield pytest.param(contract, case, id=f"{contract}: {key} {case['request']} {case['expect']}")


def asked(contract: Both, case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the case as both evaluators take requests."""
    method, _, path = case["request"].partition(" ")
    request = {"method": method, "path": path, "key": None, "throttled": "limit" in case}
    request |= {word: case[word] for word in ("object", "body") if word in case} | {
        "scheme": case.get("sent_over", "https")
    }
    if case["key"] == "none":
        return request
    policy, key = contract.contract.policy, dict(case["key"])
    scopes = key.pop("scopes", [key.pop("scope")] if "scope" in key else [])
    usual = {"plan": next(iter(policy.plans), None), "environment": next(iter(policy.environments), None)}
    return {**request, "state": key.pop("state", "active"), "key": {**usual, **key, "scopes": scopes}}


@pytest.mark.parametrize(("contract", "case"), list(written()))
def test_a_written_decision_holds(contract: str, case: dict[str, Any]) -> None:
    contracted = both(contract)
    errors = {cause: name for name, row in contracted.opinion.policy["errors"].items() for cause in row.get("when", ())}
    request = asked(contracted, case)

    decision = contracted.decide(request)
    naive = contracted.first_cause(request)

    assert (decision.error or "allowed") == case["expect"]
    assert errors.get(naive, naive) == case["expect"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_decisions_has_its_documented_shape_and_no_line_twice(file: Path) -> None:
    cases = yaml.safe_load(file.read_text("utf-8"))
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(cases)
    assert len({json.dumps(case, sort_keys=True) for case in cases}) == len(cases)
