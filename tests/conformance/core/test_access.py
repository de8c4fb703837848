"""Which keys are worth trying on an operation: each minimal way in, and each single thing that may be lacking."""

from functools import cache

import authcontract_engine as engine
import pytest
from authcontract_conformance.exchange._exchange import Need
from authcontract_conformance.world._access import Access
from authcontract_engine import Contract
from authcontract_policy import Operation, load
from policy_contracts import FILES


@cache
def contract(name: str) -> Contract:
    found = load(FILES[name])
    assert found.policy is not None
    assert found.specification is not None
    return engine.compile(found.policy, found.specification, found.resolution)


def of(name: str, operation: str) -> tuple[Access, Operation]:
    found = contract(name).specification.operation(operation)
    assert found is not None
    return Access(contract(name)), found


def held(needs: tuple[Need, ...]) -> set[str]:
    """Return the scopes of each key in words."""
    return {" + ".join(sorted(need.scopes) or ["nothing"]) for need in needs}


@pytest.mark.parametrize("name", ["github", "harbour", "roles"])
def test_what_suffices_may_and_what_does_not_may_not(name: str) -> None:
    """For every operation; and whoever may call nothing at all is among those who may not."""
    access = Access(contract(name))
    for operation in contract(name).operations:
        may, may_not = access.sufficient(operation), access.insufficient(operation)
        kind = contract(name).policy.objects[-1] if contract(name).policy.objects else None
        assert may, operation.id
        assert all(access.permits(operation, need, kind) for need in may), operation.id
        assert not any(access.permits(operation, need, kind) for need in may_not), operation.id
        assert len({*may, *may_not}) == len(may) + len(may_not), operation.id


#: Operation -> what suffices, what does not, where a key holds one of three scopes.
ROLES: dict[str, tuple[set[str], set[str]]] = {
    "listProjects": ({"viewer", "editor", "owner"}, set()),
    "createProject": ({"editor", "owner"}, {"viewer"}),
    "deleteProject": ({"owner"}, {"viewer", "editor"}),
}


@pytest.mark.parametrize("name", ROLES)
def test_where_a_key_holds_one_scope_every_scope_is_tried(name: str) -> None:
    access, operation = of("roles", name)
    assert (held(access.sufficient(operation)), held(access.insufficient(operation))) == ROLES[name]


def test_all_of_is_refused_without_each_one_of_them() -> None:
    access, buy = of("harbour", "buyLabel")
    assert held(access.sufficient(buy)) == {"billing:manage + labels:buy"}
    assert {"nothing", "billing:manage", "labels:buy"} <= held(access.insufficient(buy))


def test_each_way_of_any_of_suffices() -> None:
    access, dispute = of("harbour", "disputeInvoice")
    assert {"billing:manage", "billing:read + shipments:write"} <= held(access.sufficient(dispute))
    assert {"nothing", "billing:read", "shipments:write"} <= held(access.insufficient(dispute))


def test_a_scope_that_includes_the_required_one_is_tried_too() -> None:
    access, read = of("harbour", "listShipments")
    assert held(access.sufficient(read)) == {"shipments:read", "shipments:write"}


def test_a_plan_is_a_requirement_like_a_scope() -> None:
    access, forecast = of("harbour", "getForecast")
    assert all(need.plan == "business" for need in access.sufficient(forecast))
    lacking = [need for need in access.insufficient(forecast) if need.scopes == {"shipments:read"}]
    assert [need.plan for need in lacking] == ["free"]


def test_any_key_and_no_key() -> None:
    access, rates = of("harbour", "quoteRates")
    assert held(access.sufficient(rates)) == {"nothing"}
    assert access.insufficient(rates) == ()
    assert not access.public(rates)
    roles = Access(contract("roles"))
    public = [operation for operation in contract("roles").operations if roles.public(operation)]
    assert [operation.path for operation in public] == ["/health"]
    assert roles.insufficient(public[0]) == ()


def test_classic_scopes_and_fine_grained_permissions() -> None:
    """On private repositories, what GitHub documents: one classic scope, or two permissions together."""
    access, merge = of("github", "pulls/merge")
    may = access.sufficient(merge)
    assert {"repo", "contents=write + pull_requests=write"} <= held(may)
    may_not = held(access.insufficient(merge))
    assert {"nothing", "contents=write", "pull_requests=write"} <= may_not
    assert "repo" not in may_not
    assert {need.kind for need in may} == {"classic token", "OAuth app token", "fine-grained token"}


def test_the_number_of_keys_is_linear_in_what_is_required() -> None:
    """Nobody waits for every subset of every scope."""
    for name in ("github", "harbour", "roles"):
        access = Access(contract(name))
        kinds = len(contract(name).policy.keys.kinds)
        for operation in contract(name).operations:
            tried = len(access.sufficient(operation)) + len(access.insufficient(operation))
            assert tried <= kinds * 10, (name, operation.id)


def test_an_environment_is_handed_on() -> None:
    access, read = of("harbour", "listShipments")
    assert {need.environment for need in access.sufficient(read, "test")} == {"test"}
    assert access.strongest(read, "test") == access.sufficient(read, "test")[0]


def test_any_other_scope_is_tried_and_all_others_together_where_every_key_can_be_had() -> None:
    access, make = of("harbour", "createShipment")
    everything = "billing:manage + billing:read + labels:buy + shipments:read"
    wide = held(access.insufficient(make, wide=True))
    assert wide == {"nothing", "billing:manage", "billing:read", "labels:buy", "shipments:read", everything}


def test_of_very_many_scopes_only_those_with_like_names_are_tried() -> None:
    access, merge = of("github", "pulls/merge")
    kinds = len(contract("github").policy.keys.kinds)
    assert len(access.insufficient(merge, wide=True)) <= len(access.insufficient(merge)) + 2 * kinds


#: Contract -> operations, and the scopes of a key for all of them.
FOR_ALL: dict[str, tuple[tuple[str, ...], str]] = {
    "harbour": (("listShipments", "buyLabel"), "billing:manage + labels:buy + shipments:read"),
    "roles": (("listProjects", "deleteProject"), "owner"),
}


@pytest.mark.parametrize("name", FOR_ALL)
def test_one_key_may_call_several_operations(name: str) -> None:
    """Where keys hold several scopes it holds what each takes, else the scope that includes the others."""
    names, scopes = FOR_ALL[name]
    operations = [of(name, each)[1] for each in names]
    found = Access(contract(name)).for_all(operations)
    assert found is not None
    assert " + ".join(sorted(found.scopes)) == scopes
