"""The frozen values answer what is asked of them: tables, texts by cause, sources, places."""

from typing import Any

import pytest
from authcontract_policy import (
    Bound,
    ByCause,
    Cause,
    Check,
    Dimension,
    Kind,
    ManagedBy,
    Policy,
    Promise,
    Requirement,
    Rotation,
    Secret,
    SentAs,
    Span,
    Table,
    parse_policy,
)
from authcontract_policy._build import Tables, alphabet, build, dimension_of, seconds
from hypothesis import given
from hypothesis import strategies as st
from policy_contracts import FILES, Edits, edited

NAMES = {
    Dimension.PLAN: ("starter", "pro"),
    Dimension.ENVIRONMENT: ("live", "test"),
    Dimension.KIND: ("token",),
    Dimension.KEY: ("no key", "any key"),
}


def policy_of(name: str, edits: Edits = ()) -> Policy:
    policy, problems = parse_policy(edited(FILES[name], edits).encode(), "p.yaml")
    assert policy is not None, problems
    return policy


@st.composite
def written_tables(draw: st.DrawFn, left: tuple[Dimension, ...] = tuple(NAMES)) -> Any:
    """Draw a table as an author could write it: nested at will, complete or with `others`."""
    if not left or draw(st.booleans()):
        return draw(st.integers(1, 9))
    dimension = draw(st.sampled_from(left))
    rest = tuple(each for each in left if each is not dimension)
    named = draw(st.lists(st.sampled_from(NAMES[dimension]), unique=True, min_size=1))
    table = {heading: draw(written_tables(left=rest)) for heading in named}
    if len(named) < len(NAMES[dimension]) or len(table) == 1:
        table["others"] = draw(written_tables(left=rest))
    return table


def look_up(written: Any, headings: dict[Dimension, str]) -> Any:
    """Read a table the naive way: in each block take the row that any heading names, else `others`."""
    while isinstance(written, dict):
        row = next((name for name in headings.values() if name in written), "others")
        written = written[row]
    return written


@given(
    written=written_tables(),
    plan=st.sampled_from(NAMES[Dimension.PLAN]),
    environment=st.sampled_from(NAMES[Dimension.ENVIRONMENT]),
    key=st.sampled_from(NAMES[Dimension.KEY]),
)
def test_a_table_answers_as_its_rows_read(written: Any, plan: str, environment: str, key: str) -> None:
    headings = {
        Dimension.PLAN: plan,
        Dimension.ENVIRONMENT: environment,
        Dimension.KIND: "token",
        Dimension.KEY: key,
    }
    document = {"plans": ["starter", "pro"], "environments": ["live", "test"], "keys": {"kinds": {"token": {}}}}

    table = Tables(document).of(written)

    assert table.lookup(headings) == look_up(written, headings)
    assert table.lookup(headings) in table.values()


def test_a_table_without_a_row_answers_nothing() -> None:
    table: Table[int] = Table(dimension=Dimension.PLAN, rows=(("starter", Table(value=1)),))

    assert table.lookup({Dimension.PLAN: "pro"}) is None
    assert table.lookup({}) is None
    assert table.lookup({Dimension.PLAN: "starter"}) == 1
    assert table.values() == (1,)
    nothing: Table[int] = Table()
    assert nothing.values() == ()


def test_a_text_by_cause_falls_back_to_others() -> None:
    text = ByCause(texts=((Cause.MISSING, "a"),), others="b")

    assert (text.of(Cause.MISSING), text.of(Cause.EXPIRED)) == ("a", "b")
    assert ByCause(texts=((Cause.MISSING, "a"),)).of(Cause.EXPIRED) is None


def test_headings_must_be_of_one_sort() -> None:
    assert dimension_of(frozenset({"starter", "others"}), NAMES) == (Dimension.PLAN,)
    assert dimension_of(frozenset({"starter", "live"}), NAMES) == ()
    assert dimension_of(frozenset({"others"}), NAMES) == ()
    assert dimension_of(frozenset({"starter"}), NAMES, frozenset({Dimension.PLAN})) == ()


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("0 seconds", 0),
        ("1 second", 1),
        ("90 seconds", 90),
        ("1 minute", 60),
        ("24 hours", 86_400),
        ("7 days", 604_800),
    ],
)
def test_durations_are_seconds(written: str, length: int) -> None:
    assert seconds(written) == length


def test_an_alphabet_is_every_character_once() -> None:
    assert alphabet("a-c 0-2 - _ b") == "-012_abc"


def test_the_blocks_of_a_policy_become_values() -> None:
    harbour, stripe, roles, synaptiq = (policy_of(name) for name in ("harbour", "stripe", "roles", "synaptiq"))

    assert harbour.precedence is not None
    assert harbour.precedence[-3:] == (Check.LIMIT, Check.OBJECT, Check.BODY)
    assert stripe.keys.sent_as[0] == SentAs(carrier="header", name="Authorization", template="Basic base64(<key>:)")
    assert stripe.keys.rotation == Rotation(grace=Bound(at_most=604_800))
    assert roles.keys.rotation == Rotation(grace=Bound(exact=172_800), while_in_grace="ends_old_key")
    assert roles.keys.takes_effect_within == 60
    assert roles.keys.kinds["workspace key"] == Kind(
        name="workspace key",
        holds="one scope",
        prefix=Table(value="db_"),
        secret=Secret(length=Bound(exact=40), alphabet="0123456789abcdef"),
        lifetime=Bound(at_most=31_536_000),
    )
    advised = synaptiq.keys.kinds["API key"].advised_lifetime
    assert advised is not None
    assert advised.values() == (7_776_000, "unlimited")
    assert harbour.capabilities["Quote rates"].requires == Requirement(keyword="any key")
    assert roles.errors["use_https"].body == "any"
    assert roles.rate_limits["exports"].concurrent == Table(value=2)
    assert stripe.silences["ST-1"].confirmed is False
    assert Promise(promise="GET with ?watch=true needs watch instead of list") in policy_of("kube").not_covered


def test_a_key_may_be_sent_as_query_parameter_and_managed_by_operations() -> None:
    edits = (
        ("sent_as: [Authorization: Bearer <key>]", "sent_as: ['?key=<key>']\n  managed_by: {create: createShipment}"),
    )

    keys = policy_of("harbour", edits).keys

    assert keys.sent_as == (SentAs(carrier="query", name="key", template="<key>"),)
    assert keys.managed_by == ManagedBy(create="createShipment")


def test_a_confirmed_silence_is_known_as_such() -> None:
    policy = policy_of("spotify", (("  assumed:\n", "  confirmed:\n    SP-9: Yes.\n  assumed:\n"),))

    assert policy.silences["SP-9"].confirmed
    assert not policy.silences["SP-1"].confirmed


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (("errors", "unauthorized", "status"), "Error Responses"),
        (("errors", "unauthorized", "headers", "WWW-Authenticate", "missing"), "G-28"),
        (("keys", "rotation", "while_in_grace"), "G-20"),
        (("keys", "rotation"), "Key Rotation"),
        (("precedence",), "G-05"),
        (("headers", "Strict-Transport-Security"), "G-31"),
        (("version",), "Authentication"),
        (("nothing", "here"), "Authentication"),
    ],
)
def test_the_nearest_source_counts(path: tuple[str | int, ...], source: str) -> None:
    assert policy_of("synaptiq").source(path) == source


def test_a_policy_without_sources_has_none() -> None:
    assert policy_of("harbour").source(("errors", "key-missing")) is None


def test_a_source_by_field_may_leave_a_field_out() -> None:
    policy = policy_of("github", (("source: {others: Authenticating to the REST API, headers", "source: {headers"),))

    assert policy.source(("headers", "X-OAuth-Scopes")) == "Scopes for OAuth apps"
    assert policy.source(("plans",)) is None


def test_a_place_that_is_not_there_is_the_block_around_it() -> None:
    document = policy_of("harbour").document

    assert document.span(("errors", "nothing", "status")) == document.keys["errors",]
    assert document.span(()) == document.values[()]
    assert isinstance(document.span(("plans", 0)), Span)


def test_building_twice_gives_equal_policies() -> None:
    policy = policy_of("harbour")

    assert build(policy.document) == policy
