"""The engine is not its own judge: a table typed from the documentation, hand-written cases, and a naive evaluator."""

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

#: Typed by hand from Synaptiq's page on authentication: what each scope gets, and what somebody without a key gets.
#: Where the page is silent the row ends with the silence that answers it.
SYNAPTIQ = """
operation           no key            read           write          admin
listLeads           401 unauthorized  ok             ok             ok
getLead             401 unauthorized  ok             ok             ok
createLead          401 unauthorized  403 forbidden  ok             ok
updateLead          401 unauthorized  403 forbidden  ok             ok
deleteLead          401 unauthorized  403 forbidden  403 forbidden  ok
listConversations   401 unauthorized  ok             ok             ok
getConversation     401 unauthorized  ok             ok             ok
deleteConversation  401 unauthorized  403 forbidden  403 forbidden  ok
queryAnalytics      401 unauthorized  ok             ok             ok
sendChatMessage     401 unauthorized  403 forbidden  ok             ok
triggerWorkflow     401 unauthorized  403 forbidden  ok             ok             G-03
listWebhooks        401 unauthorized  403 forbidden  403 forbidden  ok             G-02
createWebhook       401 unauthorized  403 forbidden  403 forbidden  ok
deleteWebhook       401 unauthorized  403 forbidden  403 forbidden  ok
listKeys            401 unauthorized  403 forbidden  403 forbidden  ok             G-02
createKey           401 unauthorized  403 forbidden  403 forbidden  ok
rotateKey           401 unauthorized  403 forbidden  403 forbidden  ok
revokeKey           401 unauthorized  403 forbidden  403 forbidden  ok
getOrganization     401 unauthorized  403 forbidden  403 forbidden  ok             G-02
updateOrganization  401 unauthorized  403 forbidden  403 forbidden  ok             G-03
"""


def typed() -> dict[tuple[str, str], str]:
    """Return (operation, column) -> `ok` or status and code."""
    heading, *rows = SYNAPTIQ.strip().splitlines()
    starts = [heading.index(column) for column in ("no key", "read", "write", "admin")]
    ends = [*starts[1:], starts[-1] + len("403 forbidden")]
    return {
        (row.split()[0], heading[start:end].strip()): row[start:end].strip()
        for row in rows
        for start, end in zip(starts, ends, strict=True)
    }


@pytest.mark.parametrize(("place", "expected"), list(typed().items()), ids=["-".join(place) for place in typed()])
def test_synaptiq_answers_what_its_page_says(place: tuple[str, str], expected: str) -> None:
    """Status and code as the page has them, in the body that the page shows."""
    operation, column = place
    synaptiq = both("synaptiq")
    request, facts = synaptiq.call(operation, None, None if column == "no key" else {"scopes": [column]})
    decision = synaptiq.contract.decide(request, facts)
    if expected == "ok":
        assert decision.allowed
        return
    assert not decision.allowed
    refusal = synaptiq.contract.refuse(decision, synaptiq.contract.read(request), facts)
    error = json.loads(refusal.body)["error"]
    assert f"{refusal.status} {error['code']}" == expected
    assert error["doc_url"] == "https://synaptiqintel.com/docs/api-reference/authentication"
    assert set(error) == {"code", "message", "doc_url"}


def test_the_typed_table_is_complete() -> None:
    """An operation that the table forgets would be judged by the policy alone."""
    operations = {operation.id for operation in both("synaptiq").contract.operations}
    assert {operation for operation, _ in typed()} == operations


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
