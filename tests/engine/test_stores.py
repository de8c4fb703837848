"""Keys and counts in memory: what is issued, what rotation does, and that limits are taken together or not at all."""

import hashlib
import math
from collections.abc import Callable

import pytest
from authcontract_engine import (
    STEPS,
    Charge,
    Contract,
    Facts,
    KeyStateError,
    MemoryKeys,
    MemoryLimiter,
    Reservation,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from leads import LEADS, NOW, bearer, contract, issue, operation, request

DAY = 86_400.0
GRACE = {"grace": "24 hours"}


def rotating(**rotation: object) -> Contract:
    return contract({"keys.rotation": {**GRACE, **rotation}})


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("environment", "prefix"), [("production", "sk_live_"), ("sandbox", "sk_test_")])
def test_an_issued_key_looks_as_documented(environment: str, prefix: str) -> None:
    keys = MemoryKeys(LEADS)
    record, secret = issue(keys, environment=environment)
    assert secret.startswith(prefix)
    assert secret.removeprefix(prefix).isalnum()
    assert len(secret.removeprefix(prefix)) == 30
    assert LEADS.read(request("/v1/leads", "GET", bearer(secret))).presented.digest == record.digest


def test_a_store_keeps_digests_and_no_secrets() -> None:
    keys = MemoryKeys(LEADS)
    record, secret = issue(keys)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert keys.by_digest(digest) is record
    assert keys.get(record.id) is record
    assert keys.all() == (record,)
    assert keys.by_digest(None) is None
    assert keys.get("another") is None
    assert secret[8:] not in repr(vars(keys))


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        ({"holds": "one scope"}, 32),
        ({"holds": "one scope", "secret": {"length": {"at_most": 40}, "alphabet": "0-9"}}, 40),
        ({"holds": "one scope", "secret": {"length": {"at_least": 50}, "alphabet": "0-9"}}, 50),
        ({"holds": "one scope", "secret": {"length": {"at_least": 5}, "alphabet": "0-9"}}, 32),
    ],
)
def test_length_of_a_secret(kind: dict[str, object], length: int) -> None:
    _, secret = issue(MemoryKeys(contract({"keys.kinds": {"API key": kind}})))
    assert len(secret) == length


def test_secrets_come_from_the_given_source() -> None:
    _, secret = issue(MemoryKeys(LEADS, lambda alphabet: alphabet[0]))
    assert len(set(secret.removeprefix("sk_live_"))) == 1


@pytest.mark.parametrize(("lifetime", "ends"), [("30 days", 30 * DAY), ({"at_most": "90 days"}, 90 * DAY)])
def test_a_lifetime_ends(lifetime: object, ends: float) -> None:
    found = contract({"keys.kinds": {"API key": {"holds": "one scope", "lifetime": lifetime}}})
    keys = MemoryKeys(found)
    record, _ = issue(keys)
    assert record.expires_at == NOW + ends
    later, _ = keys.rotate(record.id, NOW + DAY)
    assert later.expires_at == NOW + DAY + ends


def test_a_rotated_key_has_an_heir_with_the_same_rights() -> None:
    keys = MemoryKeys(LEADS)
    old, old_secret = issue(keys, "write", user="u", application="a", environment="sandbox", plan="pro")
    new, new_secret = keys.rotate(old.id, NOW + 1)
    inherited = ("kind", "scopes", "plan", "environment", "organisation", "user", "application", "lineage")
    assert [getattr(new, name) for name in inherited] == [getattr(old, name) for name in inherited]
    assert old_secret != new_secret
    rotated = keys.get(old.id)
    assert rotated is not None
    assert (rotated.rotated_at, rotated.grace, new.rotated_at) == (NOW + 1, DAY, None)
    assert keys.by_digest(old.digest) is rotated
    assert keys.by_digest(new.digest) is new
    assert keys.all() == (rotated, new)


@pytest.mark.parametrize("state", ["grace", "expired", "revoked"])
def test_only_an_active_key_is_rotated(state: str) -> None:
    """A key in another state is refused, and nothing changes."""
    keys = MemoryKeys(LEADS)
    record, _ = issue(keys)
    if state == "revoked":
        keys.revoke(record.id, NOW)
    else:
        keys.rotate(record.id, NOW)
    before = keys.all()
    with pytest.raises(KeyStateError, match="not active"):
        keys.rotate(record.id, NOW + (DAY if state == "expired" else 1))
    assert keys.all() == before


@pytest.mark.parametrize(
    ("meanwhile", "states"),
    [("allowed", ["grace", "grace", "active"]), ("ends_old_key", ["revoked", "grace", "active"]), ("refused", None)],
)
def test_rotating_again_meanwhile(meanwhile: str, states: list[str] | None) -> None:
    found = rotating(while_in_grace=meanwhile)
    keys = MemoryKeys(found)
    first, _ = issue(keys)
    issue(keys)
    second, _ = keys.rotate(first.id, NOW)
    if states is None:
        with pytest.raises(KeyStateError, match="predecessor is in grace"):
            keys.rotate(second.id, NOW + 1)
        keys.rotate(second.id, NOW + DAY)
        return
    keys.rotate(second.id, NOW + 1)
    kin = [key for key in keys.all() if key.lineage == first.id]
    assert [found.state(key, NOW + 1) for key in kin] == states


@pytest.mark.parametrize(
    ("rotation", "chosen", "grace"),
    [
        pytest.param({"grace": {"at_most": "7 days"}}, None, 7 * DAY, id="as long as it may be"),
        pytest.param({"grace": {"at_most": "7 days"}}, 60.0, 60.0, id="chosen"),
        pytest.param(None, None, 0.0, id="undocumented"),
    ],
)
def test_length_of_the_grace(rotation: object, chosen: float | None, grace: float) -> None:
    """Where the customer may choose it is as long as it may be, unless chosen; undocumented there is none."""
    keys = MemoryKeys(contract({"keys.rotation": rotation}))
    record, _ = issue(keys)
    keys.rotate(record.id, NOW, chosen)
    rotated = keys.get(record.id)
    assert rotated is not None
    assert rotated.grace == grace


def test_a_key_is_revoked_once() -> None:
    keys = MemoryKeys(LEADS)
    record, _ = issue(keys)
    keys.revoke(record.id, NOW)
    keys.revoke(record.id, NOW + 5)
    revoked = keys.get(record.id)
    assert revoked is not None
    assert revoked.revoked_at == NOW
    for act in (keys.revoke, keys.rotate):
        with pytest.raises(KeyError):
            act("another", NOW)


# --- limits --------------------------------------------------------------------------------------------------------


def limited(**limits: object) -> Contract:
    return contract({"rate_limits": limits})


def per_minute(amount: int, **more: object) -> dict[str, object]:
    return {"requests": amount, "window": "1 minute", "per": ["key"], **more}


def spending(found: Contract, scope: str = "read") -> Callable[[MemoryLimiter, float], Reservation]:
    """Return what reserves a call of `listLeads` by one key."""
    record, _ = issue(MemoryKeys(found), scope)
    charges = found.usual_charges(operation(found, "listLeads"), record)
    return lambda limiter, now: limiter.reserve(charges, now)


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_standings_while_an_allowance_is_used_up(algorithm: str) -> None:
    found = limited(calls=per_minute(3))
    spend, limiter = spending(found), MemoryLimiter(found, algorithm)
    standings = [spend(limiter, NOW).standings[0] for _ in range(4)]
    assert [each.remaining for each in standings] == [2, 1, 0, 0]
    assert [each.used for each in standings] == [1, 2, 3, 3]
    assert [each.admitted for each in standings] == [True, True, True, False]
    assert {(each.limit, each.amount, each.window) for each in standings} == {("calls", 3, 60)}
    # The clock stands at the beginning of a minute; a bucket has a unit again after a third of one, a counter once a
    # third of the last minute is out of reach.
    waits = {"token_bucket": 20, "window_counter": 80}
    wait = waits.get(algorithm, 60)
    assert [each.retry_after for each in standings] == [0, 0, 0, wait]
    assert standings[-1].reset_in == wait
    assert standings[-1].reset_at == NOW + wait
    limiter.reset()
    assert spend(limiter, NOW).admitted


def test_the_policys_algorithm_wins() -> None:
    found = limited(calls=per_minute(3, algorithm="token_bucket", burst=2))
    spend, limiter = spending(found), MemoryLimiter(found, "fixed_window")
    standings = [spend(limiter, NOW).standings[0] for _ in range(3)]
    assert [(each.remaining, each.used) for each in standings] == [(1, 1), (0, 2), (0, 2)]
    assert standings[-1].retry_after == 20


def test_windows_may_begin_with_the_first_request() -> None:
    found = limited(calls=per_minute(1, algorithm="fixed_window"))
    for alignment, left in (("aligned", 30.0), ("anchored", 60.0)):
        spend, limiter = spending(found), MemoryLimiter(found, alignment=alignment)  # type: ignore[arg-type]
        spend(limiter, NOW + 30)
        assert spend(limiter, NOW + 30).standings[0].retry_after == left


def test_a_clock_that_goes_back_stands_still() -> None:
    found = limited(calls=per_minute(1))
    spend, limiter = spending(found), MemoryLimiter(found)
    assert spend(limiter, NOW).admitted
    assert spend(limiter, NOW - 1000).standings[0].retry_after == 60


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(
    st.sampled_from(sorted(STEPS)),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(st.integers(0, 25), min_size=1, max_size=25),
)
def test_limits_are_taken_together_or_not_at_all(algorithm: str, amounts: list[int], gaps: list[int]) -> None:
    """One limit without room refuses the request, and then no other limit has lost anything by it."""
    found = limited(**{f"limit {at}": per_minute(amount) for at, amount in enumerate(amounts)})
    spend, limiter = spending(found), MemoryLimiter(found, algorithm)
    now = NOW
    for gap in gaps:
        now += gap
        reservation = spend(limiter, now)
        standings = reservation.standings
        assert reservation.admitted == all(each.admitted for each in standings)
        if not reservation.admitted:
            again = spend(limiter, now)
            assert again.standings == standings
            now += max(each.retry_after for each in standings)
            assert spend(limiter, now).admitted
        assert [each.amount for each in standings] == amounts


def test_what_is_refused_by_another_limit_says_what_is_left() -> None:
    found = limited(narrow=per_minute(1), wide=per_minute(5))
    spend, limiter = spending(found), MemoryLimiter(found)
    spend(limiter, NOW)
    refused = spend(limiter, NOW)
    assert [(each.limit, each.admitted, each.remaining) for each in refused.standings] == [
        ("narrow", False, 0),
        ("wide", True, 4),
    ]


def test_a_cost_above_the_amount_is_never_admitted() -> None:
    found = limited(calls=per_minute(2, costs={"GET": 3}))
    standing = spending(found)(MemoryLimiter(found), NOW).standings[0]
    assert (standing.admitted, standing.retry_after, standing.remaining) == (False, math.inf, 2)


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_a_refusal_that_costs_something_still_says_the_truth(algorithm: str) -> None:
    """Where each refusal counts, too, the wait that it names contains its own price."""
    found = limited(calls=per_minute(3, costs={"throttled": 1}))
    spend, limiter = spending(found), MemoryLimiter(found, algorithm)
    for _ in range(3):
        spend(limiter, NOW)
    retry = spend(limiter, NOW + 1).standings[0].retry_after
    other = MemoryLimiter(found, algorithm)
    for at in (NOW, NOW, NOW, NOW + 1):
        spend(other, at)
    assert spend(limiter, NOW + 1 + retry).admitted
    assert not spend(other, NOW + 1 + retry - 0.001).admitted


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_what_a_request_cost_is_fixed_by_its_outcome(algorithm: str) -> None:
    found = limited(calls=per_minute(9, costs={"unknown_object": 0, "invalid_body": 4}))
    record, _ = issue(MemoryKeys(found))
    charges = found.usual_charges(operation(found, "listLeads"), record)
    limiter = MemoryLimiter(found, algorithm)
    for final, left in ((1, 8), (0, 8), (4, 4)):
        reservation = limiter.reserve(charges, NOW)
        limiter.settle(reservation, [(charge, final) for charge in charges], NOW)
        free = tuple(Charge(c.limit, c.bucket, c.amount, c.burst, 0) for c in charges)
        assert limiter.reserve(free, NOW).standings[0].remaining == left


def test_a_changed_plan_goes_on_from_what_was_counted() -> None:
    found = limited(calls={"requests": {"starter": 3, "pro": 30}, "window": "1 minute", "per": ["key"]})
    keys, limiter = MemoryKeys(found), MemoryLimiter(found)
    record, _ = issue(keys)
    (starter,) = found.usual_charges(operation(found, "listLeads"), record)
    pro = Charge("calls", starter.bucket, 30, 30, 1)
    for _ in range(3):
        limiter.reserve((starter,), NOW)
    assert not limiter.reserve((starter,), NOW).admitted
    assert limiter.reserve((pro,), NOW).standings[0].remaining == 26
    assert limiter.reserve((starter,), NOW).standings[0].used == 3


def test_without_limits_nothing_is_counted() -> None:
    found = contract({"rate_limits": None})
    keys = MemoryKeys(found)
    record, secret = issue(keys)
    assert found.charges(found.read(request("/v1/leads", "GET", bearer(secret))), record, NOW) == ()
    assert MemoryLimiter(found).reserve((), NOW).admitted
    assert found.decide(request("/v1/leads", "GET", bearer(secret)), Facts(now=NOW, key=record)).allowed
