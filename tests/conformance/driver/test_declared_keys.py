"""Which declared key does for a need: the exact one first, one with more scopes only where something is allowed."""

import asyncio
from dataclasses import replace

import pytest
from authcontract_conformance.driver._keys import Declared, DeclaredKeys
from authcontract_conformance.exchange._exchange import Need
from authcontract_engine import KeyRecord


def _declared(name: str, organisation: str, *scopes: str) -> Declared:
    record = KeyRecord(id=name, digest="", kind="key", scopes=frozenset(scopes), issued_at=0.0)
    return Declared(record=record, secret=name.encode(), organisation=organisation)


KEYS = (
    _declared("reads", "A", "read"),
    _declared("does all", "A", "read", "write", "admin"),
    _declared("reads and writes", "A", "read", "write"),
    _declared("does all for B", "B", "read", "write", "admin"),
)


def _need(*scopes: str, organisation: str = "A", own: bool = False, exact: bool = False) -> Need:
    return Need(kind="key", scopes=frozenset(scopes), organisation=organisation, own=own, exact=exact)


@pytest.mark.parametrize(
    ("need", "found"),
    [
        pytest.param(_need("read"), "reads", id="exactly these"),
        pytest.param(_need("write"), "reads and writes", id="the one with the least more"),
        pytest.param(_need("admin"), "does all", id="the only one with more"),
        pytest.param(_need(), "reads", id="any key"),
        pytest.param(_need("read", organisation="B"), "does all for B", id="of another organisation"),
        pytest.param(_need("other"), None, id="a scope that none has"),
        pytest.param(_need("read", exact=True), "reads", id="what is refused, exactly"),
        pytest.param(_need("write", exact=True), None, id="what is refused, by no key with more"),
        pytest.param(_need(exact=True), None, id="no scope at all"),
        pytest.param(_need("write", own=True), None, id="a key of its own is not another's"),
    ],
)
def test_key_for_a_need(need: Need, found: str | None) -> None:
    source = DeclaredKeys(KEYS)
    assert source.offers(need) is (found is not None)
    if found is not None:
        issued = asyncio.run(source.issue(need, need.organisation))
        assert issued.record.id == found


def _on(name: str, organisation: str, plan: str) -> Declared:
    declared = _declared(name, organisation, "read")
    return replace(declared, record=replace(declared.record, plan=plan))


@pytest.mark.parametrize(
    ("organisation", "plan", "found"),
    [
        pytest.param("A", "large", "ours", id="our plan"),
        pytest.param("A", "small", None, id="a plan that we have not"),
        pytest.param("B", "large", "theirs", id="a second organisation may have bought another one"),
        pytest.param("B", "small", "theirs", id="their plan"),
    ],
)
def test_plan_of_an_organisation(organisation: str, plan: str, found: str | None) -> None:
    source = DeclaredKeys((_on("ours", "A", "large"), _on("theirs", "B", "small")))
    need = replace(_need("read", organisation=organisation), plan=plan)
    assert source.offers(need) is (found is not None)
    if found is not None:
        assert asyncio.run(source.issue(need, organisation)).record.id == found
