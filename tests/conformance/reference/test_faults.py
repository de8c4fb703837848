"""Each fault does what its sentence says, and nothing of it happens on the correct server."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.faults import FAULTS, Family, fault
from authcontract_conformance.reference import CORRECT
from fault_scenarios import SHOWN
from fault_scenarios._scenario import admitted, life
from shop import Caller


def test_the_catalogue_covers_every_clause_and_family() -> None:
    assert len(FAULTS) >= 87
    assert len({each.name for each in FAULTS}) == len(FAULTS)
    assert {clause for each in FAULTS for clause in each.clauses} == set(catalogue())
    assert set(SHOWN) == {each.name for each in FAULTS}
    assert {each.family for each in FAULTS} == set(Family)
    assert all(each.sentence[0].isupper() or each.sentence[0] == "`" for each in FAULTS)
    assert fault("no-limit") is not None
    assert fault("nothing") is None


@pytest.mark.parametrize("name", [each.name for each in FAULTS])
def test_a_fault_does_what_its_sentence_says(
    serving: Callable[..., Caller], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # what is counted too late is counted after this test
    found = fault(name)
    assert found is not None
    scenario, right, wrong = SHOWN[name]

    assert scenario(serving()) == right
    assert scenario(serving(found.plant(CORRECT))) == wrong


def test_two_servers_with_one_fault_share_nothing(serving: Callable[..., Caller]) -> None:
    found = fault("beginning-of-key-works")
    assert found is not None
    first, second = (serving(found.plant(CORRECT)) for _ in range(2))

    assert second.status("GET", "/orders", first.key().secret[:-1]) == 401


def test_revocation_is_cached_for_a_minute_only(serving: Callable[..., Caller]) -> None:
    found = fault("revocation-cached")
    assert found is not None
    scenario = life("use", "revoke", "wait:61")

    assert scenario(serving(found.plant(CORRECT))) == (401,)


def test_late_counting_catches_up(serving: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only requests that come close together slip through."""
    found = fault("counted-too-late")
    assert found is not None
    now = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))

    assert admitted()(serving(found.plant(CORRECT))) == 12
