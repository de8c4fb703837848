"""Whole decisions: what holds of every request, whatever it is, and what the order of the checks means."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from authcontract_engine import (
    UNKNOWN,
    Body,
    ContractError,
    Facts,
    KeyRecord,
    Object,
    Request,
    Reservation,
    compile,  # noqa: A004  the design's name
)
from authcontract_policy import Cause, Check, Resolution
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leads import HOST, ISSUED, LEADS, NOW, OPEN, PATHS, bearer, contract, known, operation, refused_by, request, shown
from policy_contracts import FILES
from second_opinion import both, filled

QUICK = settings(max_examples=150, deadline=None, database=None, derandomize=True)

names = st.one_of(st.sampled_from([b"Host", b"Authorization", b"authorization", b"X", b""]), st.binary(max_size=12))
values = st.one_of(
    st.sampled_from([b"api.example", bearer(ISSUED["admin"][1])[1], bearer(ISSUED["read"][1])[1]]),
    st.binary(max_size=40),
)
anything = st.builds(
    Request,
    scheme=st.sampled_from(["https", "http"]),
    peer=st.text(max_size=5),
    environment=st.sampled_from([None, "production", "sandbox", "nowhere"]),
    method=st.one_of(st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE"]), st.binary(max_size=8)),
    target=st.one_of(st.sampled_from([b"/v1/leads", b"/v1/leads/7", b"/v1/health", b"*"]), st.binary(max_size=30)),
    headers=st.lists(st.tuples(names, values), max_size=5).map(tuple),
)


records = [None, *(record for record, _ in ISSUED.values())]
facts_known = st.builds(
    Facts,
    now=st.sampled_from([NOW, NOW, NOW, 0.0, float("inf"), float("nan")]),
    key=st.sampled_from(records),
    usage=st.sampled_from([None, None, Reservation(admitted=True), refused_by("by plan")]),
    object=st.sampled_from([Object.OWN, *Object]),
    object_kind=st.sampled_from([None, "private"]),
    body=st.sampled_from([Body.VALID, Body.VALID, Body.INVALID]),
    key_state_conflict=st.sampled_from([False, False, True]),
)
fields = st.sets(st.sampled_from(["key", "usage", "object", "object_kind", "body"]))
facts_unclear = st.builds(lambda facts, unclear: but(facts, unclear), facts_known, fields)  # noqa: PLW0108  defined below


def but(facts: Facts, unclear: Collection[str]) -> Facts:
    """Return the facts with some of them unknown."""
    changes: dict[str, Any] = dict.fromkeys(unclear, UNKNOWN)
    return replace(facts, **changes)


# --- of every request ----------------------------------------------------------------------------------------------


@QUICK
@given(anything, facts_unclear)
@example(Request(method=b"", target=b"", headers=()), Facts(now=NOW))
def test_every_request_is_decided(sent: Request, facts: Facts) -> None:
    """No bytes and no facts raise; a refusal says why, and can be rendered."""
    reading = LEADS.read(sent)
    decision = LEADS.decide(sent, facts)
    assert decision == LEADS.decide(reading, facts)
    assert decision.allowed == (decision.cause is None)
    assert isinstance(LEADS.charges(reading, None if facts.key is UNKNOWN else facts.key, facts.now), tuple)
    if not decision.allowed:
        assert LEADS.refuse(decision, reading, facts).status in decision.statuses


likely = st.builds(
    request,
    st.sampled_from(["/v1/leads", "/v1/leads/7", "/v1/leads/search", "/v1/health", "/v1/nowhere"]),
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
    st.sampled_from([bearer(secret) for _, secret in ISSUED.values()] + [bearer("sk_live_"), (b"Accept", b"*/*")]),
)


@QUICK
@given(likely, facts_known, fields)
def test_what_is_decided_was_possible(sent: Request, facts: Facts, unclear: set[str]) -> None:
    """Of everything that may be decided where facts are unknown, one is what the facts give once they are known."""
    reading = LEADS.read(sent)
    if not LEADS.charges(reading, None if facts.key is UNKNOWN else facts.key, facts.now):
        facts = replace(facts, usage=None)
    if reading.operation is None:
        # Nobody can say what is wrong with a body that no operation takes.
        facts = replace(facts, body=Body.VALID)
    decision = LEADS.decide(sent, facts)
    assert LEADS.possible(sent, facts) == {decision}
    assert decision in LEADS.possible(sent, but(facts, unclear))


@QUICK
@given(anything)
def test_without_a_key_nothing_is_allowed_but_what_needs_none(sent: Request) -> None:
    """Whatever is sent: only the row without key and OPTIONS, which does nothing, are open to a key that is unknown."""
    decision = LEADS.decide(sent, Facts(now=NOW, key=None))
    if decision.allowed:
        assert decision.operation is None or decision.operation.id == "getHealth"
        assert decision.operation is not None or sent.method == b"OPTIONS"


lines = st.lists(
    st.sampled_from([(b"Accept", b"*/*"), (b"X-Forwarded-For", b"10.0.0.1"), (b"X-HTTP-Method-Override", b"GET"),
                     (b"X-Original-URL", b"/v1/health"), (b"Cookie", b"key=1"), (b"Authorization_", b"Bearer x")]),
    max_size=4,
)  # fmt: skip


@QUICK
@given(st.sampled_from(list(ISSUED)), st.sampled_from(LEADS.operations), lines, st.randoms())
def test_order_case_and_unknown_headers_change_nothing(scope: str, called: Any, more: Any, chance: Any) -> None:
    target = "/v1" + filled(called)
    plain = shown(scope, target, called.method)
    mixed = [(name.swapcase(), value) for name, value in (*plain.headers, *more)]
    chance.shuffle(mixed)
    assert LEADS.decide(plain, known(scope)) is LEADS.decide(replace(plain, headers=tuple(mixed)), known(scope))


@pytest.mark.parametrize("name", FILES)
def test_one_more_scope_never_loses_an_operation(name: str) -> None:
    """With every scope of each contract, on every operation that needs a key and for every kind of it."""
    found = both(name).contract
    kinds = [None, *found.policy.objects]
    scopes = found.resolution.scopes[:: max(1, len(found.resolution.scopes) // 12)]
    for kind in found.policy.keys.kinds:
        fewer = KeyRecord(id="fewer", digest="", kind=kind, scopes=frozenset(scopes[:1]), issued_at=NOW)
        more = [replace(fewer, id=scope, scopes=fewer.scopes | {scope}) for scope in scopes]
        for called in found.operations[:: max(1, len(found.operations) // 60)]:
            for objects in kinds:
                if found.permit(called, fewer, objects).allowed:
                    assert all(found.permit(called, key, objects).allowed for key in more)


@pytest.mark.parametrize("name", FILES)
def test_every_operation_can_be_called_by_somebody(name: str) -> None:
    """Who holds everything is allowed each operation, or lacks a plan only."""
    found = both(name).contract
    for called in found.operations:
        decisions = {
            found.permit(called, KeyRecord(id=f"{kind} {plan}", digest="", kind=kind, plan=plan,
                                           scopes=frozenset(found.resolution.scopes), issued_at=NOW))
            for kind in found.policy.keys.kinds
            for plan in (*found.policy.plans, None)
        }  # fmt: skip
        assert any(decision.allowed for decision in decisions)


def test_decisions_are_shared() -> None:
    """One value for each operation, cause and rule: the same object, however often it is asked for."""
    for facts in (known("read"), known("read", body=Body.INVALID), known("read", object=Object.ABSENT)):
        first, second = (LEADS.decide(shown("read"), facts) for _ in range(2))
        assert first is second


# --- deny by default -----------------------------------------------------------------------------------------------


class Broken:
    """A record that a store of somebody else's got wrong."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_what_raises_refuses() -> None:
    """A mistake inside a check lets nobody through, neither in a decision nor in the set of possible ones."""
    facts = Facts(now=NOW, key=Broken())  # type: ignore[arg-type]
    decision = LEADS.decide(shown("admin"), facts)
    assert (decision.allowed, decision.cause, decision.statuses) == (False, Cause.INSUFFICIENT_SCOPE, (403,))
    assert LEADS.possible(shown("admin"), facts) == {decision}
    assert LEADS.charges(LEADS.read(shown("admin")), facts.key, NOW) == ()  # type: ignore[arg-type]


def test_a_key_of_a_kind_or_scope_that_the_policy_does_not_know_holds_nothing() -> None:
    record = replace(ISSUED["admin"][0], id="odd")
    called = operation(LEADS, "listLeads")
    assert LEADS.permit(called, record).allowed
    assert not LEADS.permit(called, replace(record, kind="nonsense")).allowed
    assert not LEADS.permit(called, replace(record, scopes=frozenset({"nonsense"}))).allowed
    assert LEADS.permit(called, replace(record, plan="nonsense")).allowed


def test_a_resolution_with_gaps_makes_no_contract() -> None:
    gaps = replace(LEADS.resolution, grants={})
    with pytest.raises(ContractError, match="no capability decides `listLeads`"):
        compile(LEADS.policy, LEADS.specification, gaps)


def test_a_policy_that_does_not_fit_makes_no_contract() -> None:
    elsewhere = both("roles").contract.specification
    with pytest.raises(ContractError, match="matches no operation"):
        compile(LEADS.policy, elsewhere)
    assert isinstance(compile(LEADS.policy, LEADS.specification).resolution, Resolution)
    assert "8 operations" in repr(LEADS)


def test_more_keys_than_are_kept_are_worked_out_anew() -> None:
    called = operation(LEADS, "listLeads")
    for at in range(4100):
        record = replace(ISSUED["read"][0], id=f"key {at}")
        assert LEADS.permit(called, record).allowed


# --- methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_known_method_that_the_path_does_not_have(method: str) -> None:
    decision = LEADS.decide(shown("admin", "/v1/leads/7", method), known("admin"))
    assert (decision.cause, decision.statuses) == (Cause.METHOD_NOT_ALLOWED, (405,))


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "get", "Get", "GETS"])
def test_a_method_that_nobody_knows(method: str) -> None:
    decision = LEADS.decide(shown("admin", "/v1/leads/7", method), known("admin"))
    assert (decision.cause, decision.statuses) == (Cause.METHOD_NOT_ALLOWED, (405, 501))


@pytest.mark.parametrize("target", ["/v1/leads", "/v1/leads/7", "*"])
def test_options_does_nothing_and_needs_no_key(target: str) -> None:
    for sent in (request(target, "OPTIONS"), shown("read", target, "OPTIONS"), request(target, "OPTIONS", bearer("x"))):
        decision = LEADS.decide(sent, Facts(now=NOW))
        assert (decision.allowed, decision.operation) == (True, None)
        assert LEADS.charges(LEADS.read(sent), ISSUED["read"][0], NOW) == ()


def test_options_on_a_path_that_is_not_there() -> None:
    assert LEADS.decide(request("/v1/nowhere", "OPTIONS"), Facts(now=NOW)).cause is Cause.UNKNOWN_PATH


def test_a_documented_options_is_an_operation_like_others() -> None:
    found = contract(OPEN, {**PATHS, "/leads": {"options": "describeLeads"}})
    assert found.decide(request("/v1/leads", "OPTIONS"), Facts(now=NOW)).cause is Cause.MISSING


def test_head_is_decided_as_get() -> None:
    for scope in ISSUED:
        head = LEADS.decide(shown(scope, method="HEAD"), known(scope))
        assert head is LEADS.decide(shown(scope), known(scope))


# --- the order of the checks ---------------------------------------------------------------------------------------

#: Everything that is wrong with one request, by check, in the order in which the policy finds it.
WRONG: dict[Check, Cause] = {
    Check.TRANSPORT: Cause.PLAINTEXT,
    Check.SYNTAX: Cause.TOO_LARGE,
    Check.KEY: Cause.UNKNOWN,
    Check.LIMIT: Cause.THROTTLED,
    Check.SCOPE: Cause.INSUFFICIENT_SCOPE,
    Check.BODY: Cause.INVALID_BODY,
    Check.OBJECT: Cause.FOREIGN_OBJECT,
}
ORDERS = [
    None,
    ["transport", "syntax", "path", "method", "key", "scope", "limit", "object", "body"],
    ["syntax", "transport", "key", "limit", "path", "method", "body", "scope", "object"],
]


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_check_in_the_policys_order_decides(order: list[str] | None) -> None:
    """With everything wrong at once, mending what was found shows what comes next."""
    found = contract({"precedence": order} if order else {})
    wrong, seen = set(WRONG), []
    while wrong:
        sent = replace(
            shown("read", method="POST"),
            scheme="http" if Check.TRANSPORT in wrong else "https",
            problem=Cause.TOO_LARGE if Check.SYNTAX in wrong else None,
        )
        facts = Facts(
            now=NOW,
            key=ISSUED["read" if Check.SCOPE in wrong else "write"][0],
            usage=refused_by("by plan") if Check.LIMIT in wrong else None,
            body=Body.INVALID if Check.BODY in wrong else Body.VALID,
            object=Object.FOREIGN if Check.OBJECT in wrong else Object.OWN,
        )
        if Check.SCOPE not in wrong:
            sent = replace(sent, headers=shown("write").headers)
        if Check.KEY in wrong:
            facts = replace(facts, key=None)
        cause = found.decide(sent, facts).cause
        check = next(check for check, each in WRONG.items() if each is cause)
        seen.append(check)
        wrong.remove(check)
    assert seen == [check for check, _ in found.checks if check in WRONG]


def test_a_request_without_host_is_refused_before_its_key_is_looked_at() -> None:
    sent = shown("read")
    sent = replace(sent, headers=tuple(line for line in sent.headers if line != HOST))
    assert LEADS.decide(sent, known("read")).cause is Cause.MALFORMED_REQUEST
