"""What a request takes from each limit, from whose allowance, and what it cost in the end."""

from dataclasses import replace
from typing import Any

import pytest
from authcontract_engine import Body, Charge, Contract, Facts, KeyRecord, MemoryKeys, Object
from authcontract_policy import Cause
from leads import ISSUED, LEADS, NOW, bearer, contract, issue, known, operation, refused_by, request, shown
from second_opinion import both

READER = ISSUED["read"][0]


def counting(per: list[str], **more: Any) -> Contract:
    limit = {"requests": 9, "window": "1 minute", "per": per, **more}
    return contract({"rate_limits": {"calls": limit}})


def charged(found: Contract, key: KeyRecord | None, *lines: tuple[bytes, bytes], **chosen: Any) -> tuple[Charge, ...]:
    target, method = chosen.pop("target", "/v1/leads/7"), chosen.pop("method", "GET")
    return found.charges(found.read(request(target, method, *lines, **chosen)), key, NOW)


@pytest.mark.parametrize(
    ("per", "bucket"),
    [
        (["key"], ("calls", "{id}")),
        (["user"], ("calls", "u")),
        (["organisation", "environment"], ("calls", "org", "production")),
        (["application", "scope"], ("calls", "a", "read")),
        (["ip"], ("calls", "10.0.0.1")),
        (["key", "operation"], ("calls", "{id}", "getLead")),
        (["object"], ("calls", "7")),
    ],
)
def test_with_whom_a_request_is_counted(per: list[str], bucket: tuple[str, ...]) -> None:
    found = counting(per)
    record, secret = issue(MemoryKeys(found), user="u", application="a")
    (charge,) = charged(found, record, bearer(secret), peer="10.0.0.1")
    assert charge.bucket == tuple(part.replace("{id}", record.id) for part in bucket)
    assert (charge.limit, charge.amount, charge.burst, charge.cost) == ("calls", 9, 9, 1)
    usual = found.usual_charges(operation(found, "getLead"), record)
    assert [each.bucket[:1] for each in usual] == [("calls",)]


def test_what_a_key_does_not_have_is_not_counted() -> None:
    found = counting(["user"])
    record, secret = issue(MemoryKeys(found))
    assert charged(found, record, bearer(secret)) == ()


@pytest.mark.parametrize(("shares", "of_lineage"), [(True, True), (False, False), (None, False)])
def test_old_and_new_key_share_what_the_policy_says(*, shares: bool | None, of_lineage: bool) -> None:
    rotation = {"grace": "24 hours"} | ({} if shares is None else {"shares_limits": shares})
    found = contract({"keys.rotation": rotation})
    keys = MemoryKeys(found)
    old, _ = issue(keys)
    new, secret = keys.rotate(old.id, NOW)
    (charge,) = charged(found, new, bearer(secret))
    assert charge.bucket == ("by plan", old.id if of_lineage else new.id)


def test_without_a_key() -> None:
    """Limits of keys do not count it; a limit by address may have an amount of its own for it."""
    amounts = {"no key": 5, "any key": "unlimited"}
    found = counting(["ip"], requests=amounts)
    (charge,) = charged(found, None, target="/v1/health", peer="10.0.0.1")
    assert (charge.bucket, charge.amount) == (("calls", "10.0.0.1"), 5)
    record, secret = issue(MemoryKeys(found))
    assert charged(found, record, bearer(secret), target="/v1/health") == ()
    assert charged(LEADS, None, target="/v1/health") == ()


@pytest.mark.parametrize("amount", ["unlimited", "unpublished"])
def test_what_has_no_number_is_not_counted(amount: str) -> None:
    record, secret = issue(MemoryKeys(found := counting(["key"], requests=amount)))
    assert charged(found, record, bearer(secret)) == ()


def test_what_is_counted_at_the_same_time_is_not_counted_here() -> None:
    found = contract({"rate_limits": {"at once": {"concurrent": 2, "per": ["key"]}}})
    record, secret = issue(MemoryKeys(found))
    assert charged(found, record, bearer(secret)) == ()
    assert found.usual_charges(operation(found, "listLeads"), record) == ()


def test_amounts_of_the_table() -> None:
    """Synaptiq's nine cells: by scope and plan, whatever the method."""
    found = both("synaptiq").contract
    keys = MemoryKeys(found)
    amounts = {
        scope: [
            found.usual_charges(operation(found, "listLeads"), issue(keys, scope, plan=plan)[0])[0].amount
            for plan in ("starter", "pro", "enterprise")
        ]
        for scope in ("read", "write", "admin")
    }
    assert amounts == {"read": [120, 600, 3000], "write": [60, 300, 1500], "admin": [30, 150, 750]}


def test_burst_and_environment() -> None:
    found = both("harbour").contract
    keys = MemoryKeys(found)
    called = operation(found, "quoteRates")
    for plan, environment, amount, burst in (
        ("free", "live", 100, 20),
        ("free", "test", 20, 20),
        ("business", "live", 1000, 100),
    ):
        record, _ = keys.issue(
            organisation="o", environment=environment, kind="access token", scopes=[], plan=plan, now=NOW
        )
        (charge,) = found.usual_charges(called, record)
        assert (charge.amount, charge.burst, charge.cost) == (amount, burst, 5)
        assert charge.bucket == ("requests", "o", environment)


def test_a_limit_counts_the_operations_that_it_names() -> None:
    some = {"requests": 3, "window": "1 day", "per": ["key"], "operations": ["/leads/*"]}
    found = contract({"rate_limits.some": some})
    names = {
        target: [charge.limit for charge in charged(found, READER, bearer(ISSUED["read"][1]), target=target)]
        for target in ("/v1/leads", "/v1/health", "/v1/nowhere")
    }
    assert names == {"/v1/leads": ["by plan", "some"], "/v1/health": ["by plan"], "/v1/nowhere": ["by plan"]}


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        pytest.param(request(), READER, id="no key"),
        pytest.param(shown("read"), None, id="unknown key"),
        pytest.param(shown("read"), replace(READER, revoked_at=NOW), id="revoked key"),
        pytest.param(replace(shown("read"), scheme="http"), READER, id="plain HTTP"),
        pytest.param(replace(shown("read"), problem=Cause.TOO_LARGE), READER, id="unreadable"),
        pytest.param(shown("read", method="OPTIONS"), READER, id="OPTIONS"),
    ],
)
def test_what_is_refused_before_limits_is_charged_to_nobody(sent: Any, key: KeyRecord | None) -> None:
    assert LEADS.charges(LEADS.read(sent), key, NOW) == ()


COSTS = {"throttled": 2, "insufficient_scope": 3, "POST /leads": 5, "GET": 7, "others": 11}


@pytest.mark.parametrize(
    ("scope", "method", "facts", "units"),
    [
        pytest.param("write", "POST", {}, 5, id="by operation"),
        pytest.param("read", "GET", {}, 7, id="by method"),
        pytest.param("read", "HEAD", {}, 11, id="HEAD is a method of its own"),
        pytest.param("read", "PUT", {}, 11, id="others"),
        pytest.param("read", "POST", {}, 3, id="by cause before operation"),
        pytest.param("write", "POST", {"usage": refused_by("by plan")}, 2, id="refused for quota"),
        pytest.param("write", "POST", {"body": Body.INVALID}, 5, id="other causes as what was asked for"),
    ],
)
def test_what_a_request_cost(scope: str, method: str, facts: dict[str, Any], units: int) -> None:
    found = contract({"rate_limits.by plan.costs": COSTS})
    sent = shown(scope, method=method)
    (charge,) = found.charges(found.read(sent), ISSUED[scope][0], NOW)
    decision = found.decide(sent, known(scope, **facts))
    assert found.cost(charge, decision, method.encode()) == units
    assert charge.cost_refused == 2
    assert charge.cost == {"POST": 5, "GET": 7}.get(method, 11)


def test_a_refusal_for_quota_costs_nothing_unless_the_policy_says_so() -> None:
    (charge,) = LEADS.charges(LEADS.read(shown("read")), READER, NOW)
    decision = LEADS.decide(shown("read"), known("read", usage=refused_by("by plan")))
    assert (LEADS.cost(charge, decision, b"GET"), charge.cost_refused) == (0, 0)


def test_what_is_refused_before_limits_costs_nothing_in_the_end() -> None:
    """Where bodies are judged before limits are counted, a bad one is free, whatever its price would be later."""
    order = ["transport", "syntax", "key", "path", "method", "scope", "body", "object", "limit"]
    found = contract({"precedence": order})
    sent = shown("write", method="POST")
    (charge,) = found.charges(found.read(sent), ISSUED["write"][0], NOW)
    for facts in (known("write", body=Body.INVALID), known("write", object=Object.ABSENT)):
        assert found.cost(charge, found.decide(sent, facts), b"POST") == 0
    assert found.cost(charge, found.decide(sent, known("write")), b"POST") == 1


def test_charges_of_a_key_follow_its_record() -> None:
    """A key whose plan has changed is charged by its new plan, though it has the same id."""
    sent, called = shown("read"), operation(LEADS, "listLeads")
    amounts = [LEADS.usual_charges(called, key)[0].amount for key in (READER, replace(READER, plan="pro"), READER)]
    assert amounts == [3, 30, 3]
    assert LEADS.decide(sent, Facts(now=NOW, key=replace(READER, plan="pro"))).allowed
