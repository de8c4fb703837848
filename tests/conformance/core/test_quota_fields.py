"""What responses say of limits is read in every family that is in use, and what breaks the syntax is named."""

from contextlib import suppress
from typing import Any

import pytest
from authcontract_conformance.oracle._quota_fields import FieldError, Said, Token, promised, read_fields, read_list
from authcontract_policy import RateLimit
from conversations import answer, contract
from hypothesis import given
from hypothesis import strategies as st

LISTS: dict[str, tuple[str, Any]] = {
    "nothing": ("", []),
    "a string": ('"a"', [("a", {})]),
    "escapes": (r'"a\"\\b"', [('a"\\b', {})]),
    "parameters": ('"a";q=1;w=60', [("a", {"q": 1, "w": 60})]),
    "several": ('"a";r=1 , "b";r=0', [("a", {"r": 1}), ("b", {"r": 0})]),
    "a token": ("a:b/c;x", [(Token("a:b/c"), {"x": True})]),
    "a decimal": ("1.5", [(1.5, {})]),
    "bytes": (":YQ==:", [(b"YQ==", {})]),
    "a boolean": ("?0;a=?1", [(False, {"a": True})]),
    "the last of two parameters": ("1;a=1;a=2", [(1, {"a": 2})]),
}


@pytest.mark.parametrize(("text", "expected"), LISTS.values(), ids=list(LISTS))
def test_a_list_is_read(text: str, expected: Any) -> None:
    assert list(read_list(text)) == expected


NO_LISTS = ['"a', "a b", '"a",', ",", '"a";Q=1', '"a";q=', '"a" ;q=1;', "1.", "1.2345", "--1", '"é"', "?2", ":a", "é"]


@pytest.mark.parametrize("text", NO_LISTS)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        list(read_list(text))


@given(st.text(max_size=40))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    """A target's text raises nothing else."""
    with suppress(FieldError):
        list(read_list(text))
    read_fields(answer(200, None, (("RateLimit", text), ("RateLimit-Policy", text), ("X-RateLimit-Reset", text))))


LIMIT = Said(family="RateLimit", name="a", limit=30, window=60, remaining=29, reset=50)
FAMILIES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[Said, ...]]] = {
    "newest": ((("RateLimit-Policy", '"a";q=30;w=60'), ("RateLimit", '"a";r=29;t=50')), (LIMIT,)),
    "in any case": ((("ratelimit-policy", '"a";q=30;w=60'), ("RATELIMIT", '"a";r=29;t=50')), (LIMIT,)),
    "one field": (
        (("RateLimit", "limit=30, remaining=29, reset=50"), ("RateLimit-Policy", "30;w=60")),
        (Said(family="RateLimit with limit=", limit=30, remaining=29, reset=50),),
    ),
    "three fields": (
        (("RateLimit-Limit", "30, 30;w=60"), ("RateLimit-Remaining", "29"), ("RateLimit-Reset", "50")),
        (Said(family="RateLimit-*", limit=30, remaining=29, reset=50),),
    ),
    "a time of day": (
        (("X-RateLimit-Limit", "30"), ("X-RateLimit-Reset", "1764086400")),
        (Said(family="X-RateLimit-*", limit=30),),
    ),
    "nothing": ((), ()),
}


@pytest.mark.parametrize(("headers", "expected"), FAMILIES.values(), ids=list(FAMILIES))
def test_every_family_is_read(headers: tuple[tuple[str, str], ...], expected: tuple[Said, ...]) -> None:
    fields = read_fields(answer(200, None, headers))
    assert fields.said == expected
    assert (fields.malformed, fields.sloppy) == ((), ())


WRONG: dict[str, tuple[str, str, str]] = {
    "no quota": ("RateLimit-Policy", '"a";w=60', "`q` is missing"),
    "a negative quota": ("RateLimit-Policy", '"a";q=-1', "`q` is no whole number of at least 0"),
    "a window of nothing": ("RateLimit-Policy", '"a";q=1;w=0', "`w` is no whole number of at least 1"),
    "words for letters": ("RateLimit", '"a";remaining=1', "`r` is missing"),
    "nothing is left": ("RateLimit", '"a";t=1', "`r` is missing"),
    "a part is left": ("RateLimit", '"a";r=1.5', "`r` is no whole number of at least 0"),
    "no name": ("RateLimit", "5;r=1", "the name of a limit is no string"),
    "no list": ("RateLimit", "a b;r=1", "something follows an item that is no comma"),
}


@pytest.mark.parametrize(("name", "value", "problem"), WRONG.values(), ids=list(WRONG))
def test_what_breaks_the_syntax_is_named(name: str, value: str, problem: str) -> None:
    assert read_fields(answer(200, None, ((name, value),))).malformed == (f"{name}: {problem}",)


def test_a_name_without_quotes_is_sloppy() -> None:
    fields = read_fields(answer(200, None, (("RateLimit", "a;r=1"),)))
    assert fields.malformed == ()
    assert fields.sloppy == ("RateLimit: a is a word where a string in quotes belongs",)
    assert fields.said == (Said(family="RateLimit", name="a", remaining=1),)


def limit(name: str, **headers: str) -> RateLimit:
    return RateLimit(name=name, per=("key",), costs={}, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_the_policy_says_where_to_look() -> None:
    """A header of any name is read by its template; one that two limits share must name the limit."""
    own = limit("a", Quota="<remaining> of <limit>")
    found = answer(200, None, (("Quota", "7 of 9"),))
    assert promised(found, own, ()) == Said(family="policy", name="a", limit=9, remaining=7)
    assert promised(found, own, (limit("b", Other="<limit>"),)) == Said(family="policy", name="a", limit=9, remaining=7)
    assert promised(found, own, (limit("b", Quota="<remaining> of <limit>"),)) is None

    named = limit("a.b", RateLimit='"<limit_name>";r=<remaining>')
    both = answer(200, None, (("RateLimit", '"axb";r=1, "a.b";r=2'),))
    assert promised(both, named, (limit("axb", RateLimit='"<limit_name>";r=<remaining>'),)) == Said(
        family="policy", name="a.b", remaining=2
    )


def test_a_family_speaks_where_the_policy_is_silent() -> None:
    silent = limit("a")
    found = answer(200, None, (("X-RateLimit-Remaining", "7"),))
    assert promised(found, silent, ()) == Said(family="X-RateLimit-*", remaining=7)
    assert promised(found, silent, (limit("b"),)) is None
    assert promised(answer(200), silent, ()) is None


def test_what_the_contract_sends_is_read_back() -> None:
    """The names of limits may hold spaces."""
    row = contract("synaptiq").policy.rate_limits["by scope and plan"]
    sent = answer(
        200, None, (("RateLimit-Policy", '"by scope and plan";q=30;w=60'), ("RateLimit", '"by scope and plan";r=2;t=9'))
    )
    assert promised(sent, row, ()) == Said(family="policy", name=row.name, limit=30, window=60, remaining=2, reset=9)
