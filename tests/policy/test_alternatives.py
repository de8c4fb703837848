"""An assumed silence may allow other policies; each is as sound as the whole, or is located where it stands."""

from typing import Any

import pytest
from authcontract_policy import Diagnostic, Policy, Severity, alternatives, load
from authcontract_policy._alternatives import merged
from hypothesis import given
from hypothesis import strategies as st
from policy_contracts import FILES, Edits, slip, underlined

AFTER = "\nrate_limits:"


def allowing(*entries: str) -> Edits:
    """Add a silence with these alternatives to the policy of harbour."""
    lines = "".join(f"        - {entry}\n" for entry in entries)
    return ((AFTER, f"\nsilences:\n  assumed:\n    H-1:\n      answer: Yes.\n      otherwise:\n{lines}{AFTER}"),)


def policy_of(edits: Edits) -> Policy:
    loaded = slip("harbour", edits)
    assert loaded.diagnostics == ()
    assert loaded.policy is not None
    return loaded.policy


def problems_of(*entries: str) -> tuple[Diagnostic, ...]:
    return slip("harbour", allowing(*entries)).diagnostics


def test_an_alternative_is_the_whole_policy_with_the_entry_merged_in() -> None:
    policy = policy_of(allowing("errors: {https-only: {status: 426}}", "isolation: null", "source: x"))

    first, second, third = alternatives(policy)["H-1"]

    assert first.errors["https-only"].statuses == (426,)
    assert first.errors["https-only"].says == policy.errors["https-only"].says
    assert first.capabilities == policy.capabilities
    assert (policy.isolation, second.isolation) == (("environment", "organisation"), ())
    assert third.source(("errors",)) == "x"


def test_a_policy_without_alternatives_has_none() -> None:
    assert alternatives(policy_of(())) == {}


def test_a_place_in_the_alternative_is_found_in_its_entry() -> None:
    policy = policy_of(allowing("errors: {https-only: {status: 426}}"))

    document = alternatives(policy)["H-1"][0].document

    status = document.values["errors", "https-only", "status"]
    assert status.text[status.column - 1 : status.end - 1] == "426"
    assert document.keys["errors", "quota-exceeded"] == policy.document.keys["errors", "quota-exceeded"]
    assert len(document.keys) == len(list(document.keys)) == len(policy.document.keys)
    assert document.values[()] == policy.document.values[()]


@pytest.mark.parametrize(
    ("entry", "code", "marked", "message"),
    [
        (
            "errors: {https-only: {status: 200}}",
            "out-of-range",
            "200",
            "`200` is no HTTP status of a refusal: those go from 300 to 599",
        ),
        ("keys: null", "missing-word", "{keys: null}", "with this alternative for `H-1`: `keys` is missing"),
        ("key: {}", "unknown-word", "key", "`key` is no block that an alternative may change"),
        (
            "errors: {https-only: {when: [missing]}}",
            "cause-claimed-twice",
            "missing",
            "`missing` leads to `key-missing` already",
        ),
        (
            "errors: {https-only: {says: {title: Wait <retry_after>}}}",
            "placeholder-of-a-limit",
            "<retry_after>",
            "only a rate limit's own headers know `<retry_after>`",
        ),
        (
            "scopes: {'labels:buy': {methods: [GET]}}",
            "nobody-can-call",
            "scopes: {'labels:buy': {methods: [GET]}}",
            "with this alternative for `H-1`: no key can call `POST /shipments/{id}/label` (`buyLabel`)",
        ),
    ],
)
def test_a_slip_in_an_alternative_is_refused_where_it_stands(entry: str, code: str, marked: str, message: str) -> None:
    found = problems_of(entry if not marked.startswith("{") else f"{{{entry}}}")

    assert [(each.code, each.message) for each in found] == [(code, message)]
    assert underlined(found[0]).strip() == marked
    assert found[0].severity is Severity.ERROR


def test_what_an_alternative_breaks_elsewhere_is_the_second_place() -> None:
    (found,) = problems_of("scopes: {'labels:buy': {methods: [GET]}}")

    assert [each.span.text.split(":")[0].strip() for each in found.related] == ["Buy labels"]
    assert [each.label for each in found.related] == ["wrong then"]


def test_what_is_wrong_without_the_alternative_is_said_once() -> None:
    edits = (
        *allowing("errors: {https-only: {status: 426}}"),
        ("status: 402, when: [insufficient_plan]", "status: 402"),
    )

    assert [each.code for each in slip("harbour", edits).diagnostics] == ["error-never-happens"]


def test_an_alternative_is_checked_without_a_specification_too() -> None:
    loaded = slip("harbour", allowing("errors: {https-only: {when: [missing]}}"), (("openapi: 3.1.0", "openapi: x"),))

    assert [each.code for each in loaded.diagnostics] == ["openapi-version", "cause-claimed-twice"]


def test_too_many_alternatives_are_hostile() -> None:
    silences = "".join(
        f"    H-{number}: {{answer: Yes., otherwise: [{', '.join(['{source: x}'] * 8)}]}}\n" for number in range(30)
    )

    found = slip("harbour", ((AFTER, f"\nsilences:\n  assumed:\n{silences}{AFTER}"),)).diagnostics

    assert [each.message for each in found] == ["there are more than 200 alternatives"]


def test_synaptiq_states_alternatives_for_its_open_questions() -> None:
    policy = load(FILES["synaptiq"]).policy
    assert policy is not None

    found = alternatives(policy)

    assert len(found) >= 10
    assert all(policy.silences[silence].otherwise for silence in found)
    assert all(each != policy for patched in found.values() for each in patched)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3) | st.lists(below, max_size=2),
    max_leaves=8,
)


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {word: without_nulls(below) for word, below in value.items() if below is not None}


@given(value=VALUES, patch=VALUES)
def test_merging_twice_is_merging_once(value: Any, patch: Any) -> None:
    once = merged(value, patch)

    assert merged(once, patch) == once
    assert merged(value, {}) == (value if isinstance(value, dict) else {})
    if isinstance(patch, dict):
        assert merged({}, patch) == without_nulls(patch)
