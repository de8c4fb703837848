"""What is possible where facts are unknown: each adds what it may do, and nothing else."""

from dataclasses import replace

from authcontract_engine import UNKNOWN, Decision, Facts, KeyRecord, MemoryKeys, Object, Reservation
from authcontract_policy import Cause
from leads import LEADS, NOW, bearer, contract, known, operation, refused_by, request, shown
from second_opinion import both

UNCLEAR = dict.fromkeys(["usage", "object", "body", "object_kind", "key_state_conflict"], UNKNOWN)


def causes(decisions: frozenset[Decision]) -> set[str]:
    return {"allowed" if decision.cause is None else decision.cause.value for decision in decisions}


def test_an_unknown_key_may_be_anybodys() -> None:
    facts = Facts(now=NOW, key=UNKNOWN)
    dead = {"unknown", "expired", "revoked"}
    assert causes(LEADS.possible(shown("read"), facts)) == {*dead, "allowed", "insufficient_scope"}
    assert causes(LEADS.possible(request("/v1/leads"), facts)) == {"missing"}
    assert causes(LEADS.possible(request("/v1/leads", "GET", bearer("nonsense")), facts)) == {"unknown"}
    urls = {"production": "https://api.example/v1", "sandbox": "https://sandbox.example/v1"}
    apart = contract({"base_url": urls})
    sent = replace(shown("read"), environment="production")
    assert causes(apart.possible(sent, facts)) == {*dead, "wrong_environment", "allowed", "insufficient_scope"}


def test_each_unknown_fact_adds_what_it_may_do() -> None:
    sent = shown("write", "/v1/leads/7", "PATCH")
    assert causes(LEADS.possible(sent, known("write"))) == {"allowed"}
    assert causes(LEADS.possible(sent, known("write", usage=UNKNOWN))) == {"allowed", "throttled"}
    assert causes(LEADS.possible(sent, known("write", body=UNKNOWN))) == {"allowed", "invalid_body"}
    assert causes(LEADS.possible(sent, known("write", object=UNKNOWN))) == {
        "allowed", "unknown_object", "foreign_object"
    }  # fmt: skip
    assert causes(LEADS.possible(sent, known("write", key_state_conflict=UNKNOWN))) == {"allowed"}
    assert causes(LEADS.possible(sent, known("write", object=Object.ABSENT, body=UNKNOWN))) == {
        "unknown_object", "invalid_body"
    }  # fmt: skip
    refused = shown("read", "/v1/leads/7", "PATCH")
    assert causes(LEADS.possible(refused, known("read", **UNCLEAR))) == {"insufficient_scope", "throttled"}


def test_a_state_that_forbids_is_met_where_keys_are_managed() -> None:
    found = contract(
        {"keys.managed_by": {"rotate": "updateLead"}, "errors.conflict": {"status": 409, "when": ["key_state"]}}
    )
    facts = known("write", key_state_conflict=UNKNOWN)
    sent = shown("write", "/v1/leads/7", "PATCH")
    assert causes(found.possible(sent, facts)) == {"allowed", "key_state"}
    assert causes(found.possible(shown("write"), facts)) == {"allowed"}
    decision = found.decide(sent, replace(facts, key_state_conflict=True))
    assert (decision.cause, decision.error, decision.statuses) == (Cause.KEY_STATE, "conflict", (409,))
    assert found.possible(sent, replace(facts, key_state_conflict=True)) == {decision}


def test_of_several_limits_that_refuse_the_error_of_any_will_do() -> None:
    limits = {name: {"requests": 1, "window": "1 minute", "per": ["key"]} for name in ("one", "two")}
    found = contract({"rate_limits": {**limits, "free": {"requests": "unlimited", "window": "1 day", "per": ["key"]}}})
    both_refuse = found.possible(shown("read"), known("read", usage=refused_by("one", "two")))
    assert {decision.limit for decision in both_refuse} == {"one", "two"}
    unknown = found.possible(shown("read"), known("read", usage=UNKNOWN))
    assert {decision.limit for decision in unknown} == {None, "one", "two"}
    unnamed = found.possible(shown("read"), known("read", usage=Reservation(admitted=False)))
    assert {(decision.cause, decision.limit) for decision in unnamed} == {(Cause.THROTTLED, None)}


def test_on_objects_of_an_unknown_kind() -> None:
    """GitHub's private repositories: hidden from who may not, and from somebody without a key."""
    found = both("github").contract
    keys = MemoryKeys(found)
    record, secret = keys.issue(
        organisation="o", environment=None, kind="classic token", scopes=["public_repo"], plan="standard", now=NOW
    )
    sent = request("/repos/o/r", "GET", bearer(secret))
    facts = Facts(now=NOW, key=record)
    on = {kind: found.decide(sent, replace(facts, object_kind=kind)) for kind in ("public", "private", None, UNKNOWN)}
    assert (on["public"].allowed, on["private"].error, on[None].error, on[UNKNOWN].error) == (True, *["hidden"] * 3)
    assert found.possible(sent, replace(facts, object_kind=UNKNOWN)) == {on["public"], on["private"]}
    assert on["public"].rule.path == ("capabilities", "Read public repositories", "requires")
    anonymous = request("/repos/o/r")
    assert found.decide(anonymous, Facts(now=NOW, object_kind="public")).allowed
    assert found.decide(anonymous, Facts(now=NOW, object_kind="private")).error == "hidden"
    called = operation(found, "repos/get")
    assert found.permit(called, None, "public").allowed
    assert not found.permit(called, None).allowed
    assert found.permit(operation(found, "users/get-authenticated"), None).cause is Cause.MISSING


def test_only_the_plan_is_in_the_way() -> None:
    found = both("harbour").contract
    called = operation(found, "getForecast")

    def key(plan: str, *scopes: str) -> KeyRecord:
        return KeyRecord(
            id=f"{plan} {scopes}", digest="", kind="access token", plan=plan, scopes=frozenset(scopes), issued_at=NOW
        )

    assert found.permit(called, key("business", "shipments:write")).allowed
    refused = found.permit(called, key("free", "shipments:read"))
    assert (refused.cause, refused.error, refused.statuses) == (Cause.INSUFFICIENT_PLAN, "upgrade-plan", (402,))
    assert found.permit(called, key("free", "billing:read")).cause is Cause.INSUFFICIENT_SCOPE
    facts = Facts(now=NOW, key=UNKNOWN)
    target = found.base_path("live") + called.path
    sent = request(target, "GET", bearer("hb_live_" + "a" * 43), environment="live")
    assert {"insufficient_plan", "insufficient_scope", "allowed"} <= causes(found.possible(sent, facts))
