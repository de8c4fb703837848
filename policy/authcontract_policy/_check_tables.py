"""Tables: the headings are declared names of one sort, all of them have a row, and the sort makes sense there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._build import dimension_of, dimensions
from ._diagnostics import Diagnostic, did_you_mean, listing, quote, suggestion
from ._families import is_family
from ._model import OTHERS, Dimension, Path, Policy
from ._places import at_key

#: By what each word may differ.
_ALLOWED: Final[Mapping[str, frozenset[Dimension]]] = {
    "base_url": frozenset({Dimension.ENVIRONMENT}),
    "shown_once": frozenset({Dimension.ENVIRONMENT, Dimension.KIND}),
    "prefix": frozenset({Dimension.ENVIRONMENT}),
    "advised_lifetime": frozenset({Dimension.ENVIRONMENT, Dimension.PLAN, Dimension.SCOPE}),
    "requests": frozenset(Dimension),
    "concurrent": frozenset(Dimension),
    "burst": frozenset(Dimension),
}
_MANY: Final = {
    Dimension.PLAN: "plans",
    Dimension.ENVIRONMENT: "environments",
    Dimension.KIND: "kinds of key",
    Dimension.SCOPE: "scopes",
    Dimension.KEY: "`no key` and `any key`",
}


def check_tables(policy: Policy) -> Iterator[Diagnostic]:
    """Yield what is wrong with every value that differs by plan, environment, kind of key or scope."""
    for path, value in _tables(policy.document.value):
        yield from _table(policy, path, value, str(path[-1]), frozenset())


def _tables(whole: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    keys = whole["keys"]
    yield ("base_url",), whole["base_url"]
    yield ("keys", "shown_once"), keys.get("shown_once")
    for name, kind in keys["kinds"].items():
        for word in ("prefix", "advised_lifetime"):
            yield ("keys", "kinds", name, word), kind.get(word)
    for name, limit in whole.get("rate_limits", {}).items():
        for word in ("requests", "concurrent", "burst"):
            yield ("rate_limits", name, word), limit.get(word)


def _table(policy: Policy, path: Path, value: Any, word: str, above: frozenset[Dimension]) -> Iterator[Diagnostic]:
    if not isinstance(value, dict):
        return
    names = dimensions(policy.document.value)
    fits = dimension_of(frozenset(value), names, above)
    if len(fits) != 1:
        yield _no_sort(policy, path, value, fits, above)
        return
    sort = fits[0]
    if sort not in _ALLOWED[word]:
        allowed = " or ".join(_MANY[each] for each in Dimension if each in _ALLOWED[word])
        message = f"{quote(word)} cannot differ by {sort.value}"
        yield at_key(policy.document, path, "wrong-headings", message, help=f"its headings are {allowed}")
    lacking = [name for name in names[sort] if name not in value and not is_family(name)]
    if lacking and OTHERS not in value:
        message = f"there is no row for {listing(lacking)}"
        yield at_key(policy.document, path, "missing-row", message, help=f"add it, or {quote(OTHERS)}")
    several = [name for name, kind in policy.keys.kinds.items() if kind.holds != "one scope"]
    if sort is Dimension.SCOPE and several:
        message = f"which row counts for {listing(several)}, which can hold several scopes?"
        help_ = "only where each key holds one scope can a value differ by scope"
        yield at_key(policy.document, path, "scope-table", message, help=help_)
    for heading, below in value.items():
        yield from _table(policy, (*path, heading), below, word, above | {sort})


def _no_sort(
    policy: Policy, path: Path, value: Mapping[str, Any], fits: tuple[Dimension, ...], above: frozenset[Dimension]
) -> Diagnostic:
    """Report headings of no sort, or of several; point at the first that does not belong to the others."""
    document, names = policy.document, dimensions(policy.document.value)
    if fits:
        message = f"the headings could be {' or '.join(_MANY[each] for each in fits)}"
        return at_key(document, path, "headings-unclear", message, help="give one of them another name")
    for sort in Dimension:
        if sort in above and set(value) & set(names[sort]):
            message = f"{_MANY[sort]} are told apart further out already"
            return at_key(document, path, "headings-unclear", message, help="nest a table under other headings")
    nearest = max(Dimension, key=lambda sort: len(set(value) & set(names[sort])))
    stranger = next((each for each in value if each != OTHERS and each not in names[nearest]), OTHERS)
    common = set(value) & set(names[nearest])
    known = [*names[nearest]] if common else [each for sort in names for each in names[sort]]
    near = did_you_mean(stranger, known)
    help_ = f"did you mean {quote(near)}?" if near else suggestion(stranger, [*known, OTHERS])
    what = f"none of the {_MANY[nearest]}" if common else "no declared name"
    return at_key(document, (*path, stranger), "unknown-heading", f"{quote(stranger)} is {what}", help=help_)
