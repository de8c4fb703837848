"""Where a key is in its life: a function of its times and now."""

from typing import Any

import pytest
from authcontract_engine import Facts, KeyRecord, KeyState, MemoryKeys
from authcontract_policy import Cause
from leads import LEADS, NOW, bearer, issue, request

DAY = 86_400.0
ROTATED = {"rotated_at": NOW, "grace": DAY}
#: Times of a key, seconds from `NOW` -> its state.
CASES: dict[str, tuple[dict[str, Any], float, str]] = {
    "new": ({}, 0, "active"),
    "old": ({}, 1e9, "active"),
    "rotated": (ROTATED, 0, "grace"),
    "just before the deadline": (ROTATED, DAY - 0.001, "grace"),
    "at the deadline": (ROTATED, DAY, "expired"),
    "after it": (ROTATED, DAY + 1, "expired"),
    "rotated without grace": ({"rotated_at": NOW}, 0, "expired"),
    "to be rotated": (ROTATED, -1, "active"),
    "revoked": ({"revoked_at": NOW}, 0, "revoked"),
    "to be revoked": ({"revoked_at": NOW}, -0.001, "active"),
    "revoked in grace": (ROTATED | {"revoked_at": NOW + 1}, 1, "revoked"),
    "revoked, then past its grace": (ROTATED | {"revoked_at": NOW + 1}, 2 * DAY, "revoked"),
    "lifetime over": ({"expires_at": NOW}, 0, "expired"),
    "lifetime not over": ({"expires_at": NOW}, -0.001, "active"),
    "lifetime over in grace": (ROTATED | {"expires_at": NOW + 1}, 1, "expired"),
    "revoked at the epoch": ({"revoked_at": 0.0}, 0, "revoked"),
}


@pytest.mark.parametrize("name", CASES)
def test_state(name: str) -> None:
    times, later, state = CASES[name]
    key = KeyRecord(id="k", digest="", kind="API key", issued_at=NOW - DAY, **times)
    assert LEADS.state(key, NOW + later) is KeyState(state)


@pytest.mark.parametrize(
    ("rotate", "revoke", "later", "cause"),
    [
        pytest.param(False, False, 0, None, id="new"),
        pytest.param(True, False, 1, None, id="in grace"),
        pytest.param(True, False, DAY, Cause.EXPIRED, id="past its grace"),
        pytest.param(False, True, 0, Cause.REVOKED, id="revoked"),
    ],
)
def test_only_a_living_key_is_let_in(*, rotate: bool, revoke: bool, later: float, cause: Cause | None) -> None:
    keys = MemoryKeys(LEADS)
    record, secret = issue(keys)
    if rotate:
        keys.rotate(record.id, NOW)
    if revoke:
        keys.revoke(record.id, NOW)
    facts = Facts(now=NOW + later, key=keys.get(record.id))
    assert LEADS.decide(request("/v1/leads", "GET", bearer(secret)), facts).cause is cause


def test_a_record_of_another_key_lets_nobody_in() -> None:
    keys = MemoryKeys(LEADS)
    (_, shown), (other, _) = issue(keys), issue(keys)
    decision = LEADS.decide(request("/v1/leads", "GET", bearer(shown)), Facts(now=NOW, key=other))
    assert decision.cause is Cause.UNKNOWN
