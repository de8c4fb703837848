"""A key that the API makes is the key that was needed, or it is used for nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.exchange._exchange import Exchange, Need
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._management import create, operation_for
from authcontract_conformance.world._world import Ended, World
from authcontract_policy import Operation, Specification
from conversations import Conversation, instead

ARRAY = {"type": "array", "items": {"type": "string"}}
TEXT = {"type": "string"}


def _creator(scopes: dict[str, Any]) -> Operation:
    schema = {"type": "object", "properties": {"scopes": scopes}, "required": ["scopes"]}
    conversation = Conversation("synaptiq")
    operation = operation_for(World(conversation.settings, "case"), "create")
    assert operation is not None
    return replace(operation, id=f"create {scopes}", request_body={"application/json": schema})


def _sampler() -> Sampler:
    specification = Conversation("synaptiq").settings.contract.specification
    assert isinstance(specification, Specification)
    return Sampler(specification)


@pytest.mark.parametrize(
    ("field", "wanted", "bare", "sent"),
    [
        pytest.param({**ARRAY, "example": ["a", "b"]}, {"a"}, False, ["a"], id="one of several"),
        pytest.param({**ARRAY, "example": ["a", "b"]}, {"b", "a"}, False, ["a", "b"], id="several"),
        pytest.param({**ARRAY, "example": ["a", "b"]}, set(), True, [], id="none is an empty list, not the example"),
        pytest.param({**ARRAY, "example": ["a", "b"]}, set(), False, ["a", "b"], id="what needs none named"),
        pytest.param(TEXT, {"a"}, False, "a", id="a text"),
        pytest.param(TEXT, {"b", "a"}, False, "a b", id="several in a text"),
    ],
)
def test_body_asks_for_the_scopes_that_are_needed(
    field: dict[str, Any], wanted: set[str], *, bare: bool, sent: object
) -> None:
    need = Need(kind="secret", scopes=frozenset(wanted))
    assert json.loads(_sampler().key_body(_creator(field), need, bare=bare))["scopes"] == sent


@pytest.mark.parametrize(
    ("field", "possible"),
    [
        pytest.param(ARRAY, True, id="a list"),
        pytest.param({**ARRAY, "minItems": 1}, False, id="a list of one or more"),
        pytest.param(TEXT, False, id="a text"),
    ],
)
def test_key_without_scope_is_asked_for_only_where_the_schema_has_one(field: dict[str, Any], *, possible: bool) -> None:
    assert _sampler().scopeless(_creator(field)) is possible


def _created(told: dict[str, object], *, scopes: set[str]) -> str:
    """Return why a key that was asked for is not used, empty where it is, if its response says this of it."""

    def altered(exchange: Exchange) -> Exchange:
        value = exchange.json()
        if exchange.probe.operation != "createKey" or not exchange.succeeded or not isinstance(value, dict):
            return exchange
        kept = {name: inner for name, inner in value.items() if name not in ("scope", "environment", "plan")}
        return instead(exchange, exchange.status, json.dumps({**kept, **told}).encode())

    conversation = Conversation("synaptiq", altered=altered)
    world = conversation.world("case")
    operation = operation_for(world, "create")
    assert operation is not None
    need = replace(world.need(operation, own=True), scopes=frozenset(scopes))
    steps = create(world, operation, need)
    result: Any = None
    try:
        while True:
            result = conversation.perform(steps.send(result))
    except StopIteration:
        return ""
    except Ended as ended:
        return ended.judgement.reason if ended.judgement.word is Word.SKIPPED else f"{ended.judgement}"


def test_key_on_another_plan_than_its_organisation_is_not_asked_for() -> None:
    conversation = Conversation("synaptiq")
    world = conversation.world("case")
    operation = operation_for(world, "create")
    assert operation is not None
    steps = create(world, operation, replace(world.need(operation), plan="enterprise"))
    manager = conversation.perform(next(steps))
    with pytest.raises(Ended) as ended:
        steps.send(manager)
    assert ended.value.judgement.word is Word.SKIPPED
    assert ended.value.judgement.reason == "keys that the API creates are on the plan of their organisation: starter"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"scope": "read"}, "", id="what was asked for"),
        pytest.param({"scopes": ["read"]}, "", id="as a list"),
        pytest.param({"scopes": ["read", "offline"]}, "", id="a word that the contract does not have"),
        pytest.param({"role": "member"}, "", id="only words that the contract does not have"),
        pytest.param({"scopes": ["admin"]}, "with admin, not read", id="another scope"),
        pytest.param({"about": {"scopes": []}}, "with no scope, not read", id="none, in an object beside it"),
        pytest.param({"scopes": ["*"]}, "with ", id="all of them"),
        pytest.param({"environment": "sandbox"}, "sandbox, not production", id="another environment"),
    ],
)
def test_key_that_is_another_than_was_asked_for_is_not_used(told: dict[str, object], reason: str) -> None:
    found = _created(told, scopes={"read"})
    assert reason in found
    assert bool(reason) is bool(found)
