"""Which dead keys are tried: those that the contract's keys can become, and what cannot be had keeps nobody back."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from authcontract_conformance.clauses._dead import DEAD, all_to_be_had, tried_together
from authcontract_conformance.world._world import World
from authcontract_policy import Keys, load
from policy_contracts import FILES

TOGETHER, APART = (DEAD,), (("unknown",), ("revoked",), ("expired",))
#: Contract -> what is tried in one case where the clock can be moved: its keys are rotated, end, or never do.
TRIED = {"synaptiq": TOGETHER, "roles": TOGETHER, "kube": TOGETHER, "github": (DEAD[:2],), "stripe": TOGETHER}


def world(keys: Keys, *capabilities: str) -> World:
    """Return a world of which only its keys and what its target can do are looked at."""
    settings = SimpleNamespace(capabilities=frozenset(capabilities))
    return cast("World", SimpleNamespace(policy=SimpleNamespace(keys=keys), settings=settings))


def keys_of(name: str) -> Keys:
    found = load(FILES[name]).policy
    assert found is not None
    return found.keys


@pytest.mark.parametrize("name", TRIED)
def test_what_no_key_becomes_is_left_out(name: str) -> None:
    assert tried_together(world(keys_of(name), "clock")) == TRIED[name]
    assert all_to_be_had(world(keys_of(name), "clock")) == TRIED[name][0]


def test_where_only_some_keys_end_those_are_tried_in_a_case_of_their_own() -> None:
    """A kind whose keys do not expire must not keep the case of its revoked keys from being tried."""
    keys = keys_of("kube")
    endless: dict[str, Any] = {name: replace(kind, lifetime=None) for name, kind in keys.kinds.items()}
    mixed = replace(keys, kinds={**keys.kinds, **{f"{name} for ever": kind for name, kind in endless.items()}})
    assert tried_together(world(mixed, "clock")) == (DEAD[:2], DEAD[2:])


@pytest.mark.parametrize("name", TRIED)
def test_where_the_clock_cannot_be_moved_each_is_tried_apart(name: str) -> None:
    assert tried_together(world(keys_of(name))) == APART
