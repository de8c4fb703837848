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
        "a part that still helps is told with what it takes besides",
        "harbour",
        (("{all_of: [shipments:read, business]}", "shipments:read"),),
        tuple(
            ("decision", "GET /forecasts", whom, "allowed with business", "allowed", "opens access")
            for whom in ("shipments:read", "shipments:write")
        ),
    ),
    (
        "kinds of keys that are told apart from now on",
        "stripe",
        (("each operation:  {requests: 25,", "each operation:  {requests: {secret key: 25, restricted key: 9},"),),
        (("limit", "each operation", "restricted key", "25 requests", "9 requests", "allows less"),),
    ),
    (
        "an amount that is published is told",
        "stripe",
        (
            (
                "meter events:    {requests: {live: 1000, test: unpublished}",
                "meter events:    {requests: {live: 1000, test: 9}",
            ),
        ),
        (("limit", "meter events", "test", "unpublished", "9 requests", ""),),
    ),
    (
        "a plan that comes has amounts of its own",
        "harbour",
        (
            ("plans: [free, business]", "plans: [free, business, custom]"),
            ("business: {live: 1000, test: 20}", "business: {live: 1000, test: 20}, custom: {live: 5, test: 5}"),
            ("burst: {free: 20, business: 100}", "burst: {free: 20, others: 100}"),
        ),
        (
            ("limit", "requests", "custom, live", "not stated", "5 requests", ""),
            ("limit", "requests", "custom, test", "not stated", "5 requests", ""),
            ("limit", "requests", "custom", "not stated", "100 at once", ""),
            ("rule", "plans", "", "[free, business]", "[free, business, custom]", ""),
        ),
    ),
    (
        "who needs no key may do more",
        "github",
        (("requests: {no key: 10, any key: unlimited}", "requests: {no key: 20, any key: unlimited}"),),
        (("limit", "search, without a key", "no key", "10 requests", "20 requests", "allows more"),),
    ),
    (
        "a ceiling that becomes a promise is told by its word",
        "stripe",
        (("window: 1 hour, per: [object], may_be_lower: true", "window: 1 hour, per: [object], may_be_lower: false"),),
        (("limit", "one PaymentIntent", "may_be_lower", "true", "false", ""),),
    ),
    (
        "a whole block is told in a line",
        "roles",
        (("  rotation: {grace: 48 hours, while_in_grace: ends_old_key}\n", ""),),
        (("rule", "keys.rotation", "", "{grace: 48 hours, while_in_grace: ends_old_key}", "not stated", ""),),
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


def test_another_answer_for_one_row_neither_opens_nor_closes() -> None:
    keys = "requires: {any_of: [admin:public_key, keys=write]}, operations: [users/delete-public-ssh-key]"

    found = changes(contract("github"), contract("github", (f"{keys}, refused_with: hidden", keys)))

    assert {each.what for each in found} == {f"DELETE /user/keys/{{key_id}} ({kind})" for kind in ("public", "private")}
    assert {(each.before, each.after) for each in found} == {("refused (404 hidden)", "refused (403 forbidden)")}
    assert {each.effect for each in found} == {""}


def test_an_operation_that_comes_is_told_with_those_who_may() -> None:
    archive = "  /projects/{id}/archive:\n    post: {operationId: archiveProject, tags: [projects], responses: {}}\n"
    before = slip("roles", (), (("  /health:", f"{archive}  /health:"),))
    assert before.policy is not None
    assert before.specification is not None
    with_archive = compile(before.policy, before.specification, before.resolution)

    comes, goes = changes(contract("roles"), with_archive), changes(with_archive, contract("roles"))

    who = "allowed for editor, owner"
    what = "POST /projects/{id}/archive"
    assert [told(each) for each in comes] == [("operation", what, "", "does not exist", who, "opens access")]
    assert [told(each) for each in goes] == [("operation", what, "", who, "does not exist", "closes access")]


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
