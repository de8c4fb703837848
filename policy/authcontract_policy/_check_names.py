"""Names that mean two things or nothing, and an order of checks that nobody could follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ._diagnostics import Diagnostic, Related, quote, suggestion
from ._model import Check, Path, Policy
from ._places import at_key, at_value, key_span, value_span

#: What must be known before a check can be made, e.g. no scope counts before the key is known.
_NEEDS: Final = (
    (Check.SYNTAX, Check.KEY),
    (Check.SYNTAX, Check.PATH),
    (Check.KEY, Check.SCOPE),
    (Check.KEY, Check.OBJECT),
    (Check.PATH, Check.METHOD),
    (Check.METHOD, Check.SCOPE),
    (Check.METHOD, Check.BODY),
    (Check.METHOD, Check.OBJECT),
)


def check_precedence(policy: Policy) -> Iterator[Diagnostic]:
    """Yield checks that stand before one on which they depend."""
    order = policy.precedence or ()
    for first, second in _NEEDS if order else ():
        if order.index(first) > order.index(second):
            yield at_value(
                policy.document,
                ("precedence", order.index(second)),
                "precedence-impossible",
                f"{quote(second)} cannot be checked before {quote(first)}",
                help=f"put {quote(first)} before it",
            )


def check_names(policy: Policy) -> Iterator[Diagnostic]:
    """Yield names that `requires` could read in two ways."""
    what: dict[str, tuple[str, Path]] = {}
    for noun, names in (
        ("a plan", {name: ("plans", index) for index, name in enumerate(policy.plans)}),
        ("a kind of key", {name: ("keys", "kinds", name) for name in policy.keys.kinds}),
        ("a scope", {name: ("scopes", name) for name in policy.scopes}),
    ):
        for name, path in names.items():
            if name in what:
                other, first = what[name]
                related = (Related(span=key_span(policy.document, first), label=f"{other} here"),)
                message = f"{quote(name)} is {noun} and {other} at once"
                yield at_key(policy.document, path, "name-twice", message, related=related)
            else:
                what[name] = noun, path


def check_objects(policy: Policy) -> Iterator[Diagnostic]:
    """Yield kinds of object that a row names and `objects` does not."""
    for name, row in policy.capabilities.items():
        for index, kind in enumerate(row.objects):
            if kind not in policy.objects:
                yield at_value(
                    policy.document,
                    ("capabilities", name, "objects", index),
                    "undeclared-object",
                    f"{quote(kind)} is no kind of object of this policy",
                    help=suggestion(kind, policy.objects) or "declare it under `objects`",
                )


def check_bounds(policy: Policy) -> Iterator[Diagnostic]:
    """Yield keys whose secret part could not exist."""
    for name, kind in policy.keys.kinds.items():
        if kind.secret is None:
            continue
        path: Path = ("keys", "kinds", name, "secret")
        length = kind.secret.length
        if length.at_least is not None and length.at_most is not None and length.at_least > length.at_most:
            least = Related(span=value_span(policy.document, (*path, "length", "at_least")), label="more than that")
            message = "the longest secret is shorter than the shortest"
            yield at_value(policy.document, (*path, "length", "at_most"), "bounds-crossed", message, related=(least,))
        for part in policy.document.value["keys"]["kinds"][name]["secret"]["alphabet"].split(" "):
            if part[0] > part[-1]:
                message = f"the range {quote(part)} runs backwards"
                help_ = f"write {quote(part[::-1])}"
                place = (*path, "alphabet")
                yield at_value(policy.document, place, "range-backwards", message, text=part, help=help_)
