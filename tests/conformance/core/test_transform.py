"""What is done to a key before it is sent."""

import ast
from pathlib import Path

import authcontract_conformance.clauses
import pytest
from authcontract_conformance.exchange._transform import TRANSFORMS, transform

KEY = b"sk_live_Ab3zZ9"

ROWS: dict[str, tuple[tuple[str | int, ...], bytes]] = {
    "last two dropped": (("drop_last", 2), b"sk_live_Ab3z"),
    "first seven": (("first", 7), b"sk_live"),
    "appended": (("append", "\0junk"), b"sk_live_Ab3zZ9\0junk"),
    "appended latin-1": (("append", "\xe9"), b"sk_live_Ab3zZ9\xe9"),
    "put into the middle": (("insert", "\xff"), b"sk_live\xff_Ab3zZ9"),
    "middle hidden": (("mask", 8), b"sk_live_****3zZ9"),
    "a twin of a letter": (("look_alike",), "\u017fk_live_Ab3zZ9".encode()),
    "full width": (("full_width",), "".join(chr(0xFEE0 + byte) for byte in KEY).encode()),
    "prepended": (("prepend", "x"), b"xsk_live_Ab3zZ9"),
    "case flipped": (("flip_case",), b"SK_LIVE_aB3Zz9"),
    "one letter flipped": (("flip_one", 8), b"sk_live_ab3zZ9"),
    "the next letter flipped where a digit stands": (("flip_one", 10), b"sk_live_Ab3ZZ9"),
    "the letter before flipped where none comes after": (("flip_one", 13), b"sk_live_Ab3zz9"),
    "digit altered, round the end": (("alter", -1), b"sk_live_Ab3zZ0"),
    "capital altered, round the end": (("alter", -2), b"sk_live_Ab3zA9"),
    "small letter altered": (("alter", 0), b"tk_live_Ab3zZ9"),
    "another character altered": (("alter", 2), b"skxlive_Ab3zZ9"),
    "prefix replaced": (("replace_prefix", "sk_live_>sk_test_"), b"sk_test_Ab3zZ9"),
    "prefix taken away": (("replace_prefix", "sk_live_>"), b"Ab3zZ9"),
    "a prefix that is not there": (("replace_prefix", "pk_>x"), b"xsk_live_Ab3zZ9"),
    "every byte percent-encoded": (("percent_encode",), b"%73%6B%5F%6C%69%76%65%5F%41%62%33%7A%5A%39"),
    "quoted": (("quote",), b"sk_live_Ab3zZ9"),
    "base64": (("base64", ""), b"c2tfbGl2ZV9BYjN6Wjk="),
    "base64 with a colon": (("base64", ":"), b"c2tfbGl2ZV9BYjN6Wjk6"),
}


@pytest.mark.parametrize(("step", "sent"), ROWS.values(), ids=list(ROWS))
def test_a_row(step: tuple[str | int, ...], sent: bytes) -> None:
    assert transform(KEY, (step,)) == sent


def test_no_row_is_forgotten() -> None:
    assert {step[0] for step, _ in ROWS.values()} == set(TRANSFORMS)


def test_steps_are_taken_in_order() -> None:
    assert transform(b"ab", (("append", ":"), ("base64", ""))) == b"YWI6"
    assert transform(b"ab", (("base64", ""), ("append", ":"))) == b"YWI=:"
    assert transform(b"ab", ()) == b"ab"


def test_an_unknown_name_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        transform(KEY, (("reverse",),))


def test_every_transformation_that_a_clause_names_exists() -> None:
    """A tuple that begins with a text and stands where a credential is made, or in a table of steps, is a step."""
    named: set[str] = set()
    for path in Path(authcontract_conformance.clauses.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Credential":
                named |= {
                    str(inner.elts[0].value)
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Tuple) and inner.elts and isinstance(inner.elts[0], ast.Constant)
                }
    from authcontract_conformance.clauses.credentials import ALTERED  # noqa: PLC0415  the only table of steps

    named |= {str(step[0]) for _, step in ALTERED}
    assert named >= {"replace_prefix", "drop_last", "base64"}
    assert named <= set(TRANSFORMS)
