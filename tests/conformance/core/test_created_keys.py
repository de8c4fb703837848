"""A key that the API makes is the key that was needed, or it is used for nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.exchange._exchange import Need
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._management import operation_for
from authcontract_conformance.world._world import World
from authcontract_policy import Operation, Specification
from conversations import Conversation

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
