"""The access table agrees with the decisions that it stands for."""

from functools import cache

import pytest
from authcontract_engine import Contract, KeyRecord, access, compile, holders  # noqa: A004  the design's name
from authcontract_policy import load
from policy_contracts import FILES


@cache
def contract(name: str) -> Contract:
    loaded = load(FILES[name])
    assert loaded.policy is not None
    assert loaded.specification is not None
    return compile(loaded.policy, loaded.specification, loaded.resolution)


@pytest.mark.parametrize("name", FILES)
def test_a_cell_lacks_nothing_exactly_where_the_contract_allows(name: str) -> None:
    for row in access(contract(name)):
        for cell in row.cells:
            assert cell.allowed == (frozenset() in cell.lacks), (row.label, cell.holder.name)


@pytest.mark.parametrize("name", sorted({*FILES} - {"digitalocean"}))
def test_whoever_adds_what_is_lacking_gets_in(name: str) -> None:
    """Each set of names that a cell lacks opens the operation, and no smaller one does."""
    found = contract(name)
    policy = found.policy
    for row in access(found):
        for cell in (each for each in row.cells if each.holder.kind is not None and not each.allowed):
            assert cell.holder.kind is not None
            for names in cell.lacks:
                for left_out in (None, *names):
                    added = names - {left_out}
                    key = KeyRecord(
                        id="key",
                        digest="",
                        kind=next(iter(added & policy.keys.kinds.keys()), cell.holder.kind),
                        scopes=cell.holder.scopes | (added & {*found.resolution.scopes}),
                        plan=next(iter(added & {*policy.plans}), None),
                        issued_at=0.0,
                    )
                    allowed = found.permit(row.operation, key, row.object_kind).allowed
                    assert allowed == (left_out is None), (row.label, cell.holder.name, names, left_out)


def test_every_operation_has_a_row_on_every_kind_of_object() -> None:
    found = contract("github")

    labels = [row.label for row in access(found)]
    assert labels == [f"{operation.label} ({kind})" for operation in found.operations for kind in ("public", "private")]


def test_holders_are_nobody_each_scope_and_keys_that_hold_them_all() -> None:
    assert [each.name for each in holders(contract("synaptiq"))] == ["no key", "read", "write", "admin"]
    names = [each.name for each in holders(contract("stripe"))]
    assert (names[0], names[-1]) == ("no key", "secret key")


def test_a_scope_that_helps_but_does_not_suffice_says_what_else_it_takes() -> None:
    rows = {row.label: row for row in access(contract("harbour"))}
    cells = {cell.holder.name: cell for cell in rows["GET /forecasts"].cells}

    assert cells["shipments:read"].besides == {frozenset({"business"})}
    assert cells["billing:read"].besides == frozenset()
    assert cells["billing:read"].lacks == {frozenset({"shipments:read", "business"})}
    assert cells["no key"].decision.error == "key-missing"
