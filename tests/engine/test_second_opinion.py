"""The engine is not its own judge: what the documentation of eight APIs says, asked of it and of a naive evaluator."""

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from authcontract_policy import Operation
from policy_contracts import FILES
from second_opinion import EVALUATORS, Both, Key, both

FOLDER = Path(__file__).parent / "decisions"
Evaluator = Callable[[Both, str, str | None, Key], str]
evaluators = pytest.mark.parametrize("ask", list(EVALUATORS.values()), ids=list(EVALUATORS))


def cases() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(file.read_text("utf-8"))
        for case in content["cases"]:
            yield pytest.param(content["contract"], case, id=f"{file.stem}: {case['what']}")


@evaluators
@pytest.mark.parametrize(("contract", "case"), list(cases()))
def test_a_key_gets_what_the_case_says(contract: str, case: dict[str, Any], ask: Evaluator) -> None:
    expected, kind = dict(case["expect"]), case.get("object")
    others = expected.pop("others", None)
    if others is not None:
        unnamed = [each.id for each in both(contract).contract.operations if each.id not in expected]
        assert unnamed, "`others` is nobody"
        expected |= dict.fromkeys(unnamed, others)
    assert {operation: ask(both(contract), operation, kind, case["key"]) for operation in expected} == expected


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_case_files_have_their_documented_shape(file: Path) -> None:
    schema = json.loads((FOLDER / "decisions.schema.json").read_text("utf-8"))
    content = yaml.safe_load(file.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(content)
    assert content["contract"] == file.stem
    assert len({case["what"] for case in content["cases"]}) == len(content["cases"])


@cache
def secured() -> tuple[tuple[Operation, tuple[frozenset[str], ...]], ...]:
    """Return DigitalOcean's operations with the scopes of each entry of their `security`, straight from the file."""
    contract = both("digitalocean").contract
    document = contract.specification.document.value
    return tuple(
        (
            operation,
            tuple(
                frozenset(scope for scopes in entry.values() for scope in scopes)
                for entry in document["paths"][operation.path][operation.method.lower()].get(
                    "security", document.get("security")
                )
            ),
        )
        for operation in contract.operations
    )


def expected_of_digitalocean() -> Iterator[tuple[str, Key, str]]:
    """Yield operation, key and answer: each entry suffices, each but one of its scopes does not."""
    for operation, entries in secured():
        if not entries:
            yield operation.id, None, "allowed"
            continue
        yield operation.id, None, "missing"
        yield operation.id, {"scopes": ["full_access"]}, "allowed"
        yield operation.id, {"scopes": []}, word(frozenset() in entries)
        yield operation.id, {"scopes": ["read_only"]}, word(any(_only_reads(scopes) for scopes in entries))
        for scopes in entries:
            yield operation.id, {"scopes": sorted(scopes)}, "allowed"
        if len(entries) == 1:
            for scope in sorted(entries[0]):
                yield operation.id, {"scopes": sorted(entries[0] - {scope})}, "insufficient_scope"


def word(allowed: bool) -> str:  # noqa: FBT001  turns one into the other
    return "allowed" if allowed else "insufficient_scope"


def _only_reads(scopes: frozenset[str]) -> bool:
    return all(scope.endswith(":read") for scope in scopes)


@evaluators
def test_digitalocean_asks_for_what_its_specification_lists(ask: Evaluator) -> None:
    asked = list(expected_of_digitalocean())
    assert len(asked) > 3000
    wrong = [
        (operation, key, expected)
        for operation, key, expected in asked
        if ask(both("digitalocean"), operation, None, key) != expected
    ]
    assert wrong == []


@evaluators
@pytest.mark.parametrize("contract", sorted(FILES))
def test_one_scope_more_never_loses(contract: str, ask: Evaluator) -> None:
    """What a key may do, a key with one scope more may do too."""
    asked, drawn = both(contract), random.Random(contract)  # noqa: S311  which cases, not which keys
    policy, scopes = asked.contract.policy, asked.contract.resolution.scopes
    gained = 0
    for _ in range(300):
        fewer = drawn.sample(scopes, min(len(scopes), drawn.randint(0, 3)))
        more = sorted({*fewer, drawn.choice(scopes)})
        operation = drawn.choice(asked.contract.operations).id
        kind_of_object = drawn.choice(policy.objects or (None,))
        key = {"kind": drawn.choice(list(policy.keys.kinds)), "plan": drawn.choice((None, *policy.plans))}
        before = ask(asked, operation, kind_of_object, {**key, "scopes": fewer})
        after = ask(asked, operation, kind_of_object, {**key, "scopes": more})
        assert (before, after) == (before, "allowed") or before != "allowed", (operation, fewer, more)
        gained += before != after
    assert gained
