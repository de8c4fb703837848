"""A change tells what is decided otherwise, and nothing that is only written otherwise."""

import pytest
from authcontract_engine import Change, Contract, changes, compile  # noqa: A004  the design's name
from policy_contracts import Edits, slip


def contract(name: str, *edits: tuple[str, str]) -> Contract:
    loaded = slip(name, edits)
    assert loaded.policy is not None, loaded.diagnostics
    assert loaded.specification is not None
    return compile(loaded.policy, loaded.specification, loaded.resolution)


def told(change: Change) -> tuple[str, ...]:
    return (change.subject, change.what, change.whom, change.before, change.after, change.effect)


CASES: tuple[tuple[str, str, Edits, tuple[tuple[str, ...], ...]], ...] = (
    (
        "a scope that suffices opens what it did not",
        "roles",
        (("{requires: owner,  operations: [deleteProject]}", "{requires: editor,  operations: [deleteProject]}"),),
        (("decision", "DELETE /projects/{id}", "editor", "refused (403 role_too_low)", "allowed", "opens access"),),
    ),
    (
        "an alternative that is taken away closes",
        "harbour",
        (("{any_of: [billing:read, shipments:write]}", "billing:read"),),
        tuple(
            ("decision", what, "shipments:write", "allowed", "refused (403 scope-missing)", "closes access")
            for what in ("GET /invoices", "GET /invoices/{id}")
        ),
    ),
    (
        "a limit is told heading by heading",
        "harbour",
        (("free: {live: 100, test: 20}", "free: {live: 50, test: 20}"),),
        (("limit", "requests", "free, live", "100 requests", "50 requests", "allows less"),),
    ),
    (
        "grace is told in the policy's own words",
        "roles",
        (("grace: 48 hours", "grace: 1 hour"),),
        (("rule", "keys.rotation.grace", "", "48 hours", "1 hour", ""),),
    ),
    (
        "an answer's status is told once, and not for every operation",
        "roles",
        (("role_too_low: {status: 403", "role_too_low: {status: 404"),),
        (("rule", "errors.role_too_low.status", "", "403", "404", ""),),
    ),
    (
        "a limit that goes lets more through",
        "roles",
        (("  exports: {concurrent: 2, per: [organisation], operations: [exportProject]}", ""),),
        (("limit", "exports", "", "limits", "does not exist", "allows more"),),
    ),
    (
        "how a limit counts is told by its word",
        "roles",
        (("algorithm: fixed_window", "algorithm: sliding_log"),),
        (("limit", "by role", "algorithm", "fixed_window", "sliding_log", ""),),
    ),
    (
        "a confirmed silence binds",
        "spotify",
        (("not_covered:", "  confirmed:\n    SP-9: Indeed.\n\nnot_covered:"),),
        (("silence", "SP-9", "", "open", "confirmed", ""),),
    ),
)


@pytest.mark.parametrize(("name", "edits", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_change_is_told(name: str, edits: Edits, expected: tuple[tuple[str, ...], ...]) -> None:
    found = changes(contract(name), contract(name, *edits))

    assert tuple(map(told, found)) == expected


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("roles", (("grace: 48 hours", "grace: 2 days"),)),
        ("roles", (("Manage members: ", "Look after members: "),)),
        ("roles", (("[viewer]", "[viewer] "), ("# A role contract", "# The role contract"))),
        ("harbour", (("free: {live: 100, test: 20}", "free: {live: 100, others: 20}"),)),
        ("spotify", (("source: SP-2", "source: SP-3"),)),
    ],
    ids=["a duration", "the name of a row", "space and comments", "others for the one row left", "a source"],
)
def test_what_is_only_written_otherwise_changes_nothing(name: str, edits: Edits) -> None:
    assert changes(contract(name), contract(name, *edits)) == ()


def test_a_scope_that_comes_is_told_once() -> None:
    new = contract(
        "roles",
        ("  owner:  {includes: [editor]}", "  owner:  {includes: [editor]}\n  guest: {includes: [viewer]}"),
        ("viewer: 60,", "viewer: 60, guest: 30,"),
    )

    assert [told(each) for each in changes(contract("roles"), new)] == [
        ("scope", "guest", "", "does not exist", "opens 5 operations", "opens access"),
        ("limit", "by role", "guest", "not stated", "30 requests", ""),
    ]


def test_changes_run_backwards() -> None:
    """Taking a change back is the same change with both sides exchanged."""
    old = contract("harbour")
    new = contract(
        "harbour",
        ("{any_of: [billing:read, shipments:write]}", "billing:read"),
        ("free: {live: 100, test: 20}", "free: {live: 50, test: 20}"),
    )

    there = {(each.what, each.whom, each.before, each.after) for each in changes(old, new)}
    back = {(each.what, each.whom, each.after, each.before) for each in changes(new, old)}

    assert there == back
    assert len(there) == 3


def test_a_fingerprint_tells_changes_apart_and_lasts() -> None:
    new = contract("harbour", ("{any_of: [billing:read, shipments:write]}", "billing:read"))
    moved = contract(
        "harbour", ("{any_of: [billing:read, shipments:write]}", "billing:read"), ("scopes:", "# moved\nscopes:")
    )

    first, second = (tuple(each.fingerprint for each in changes(contract("harbour"), one)) for one in (new, moved))

    assert first == second
    assert len(set(first)) == len(first)
