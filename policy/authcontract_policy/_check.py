"""What a well-formed policy means wrongly: each check is a small generator, and two tables say which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ._alternatives import Patch, patches
from ._build import build
from ._check_access import check_base_url, check_callable, check_managed_by, check_redundant, check_specified
from ._check_errors import check_causes, check_may_differ, check_placeholders, check_texts, check_use
from ._check_limits import check_bursts, check_costs
from ._check_names import check_bounds, check_names, check_objects, check_precedence
from ._check_sources import check_silences, check_sources
from ._check_tables import check_tables
from ._diagnostics import Diagnostic, Related, Severity, first_of, has_errors, in_order, quote
from ._model import Policy, Span
from ._operations import Specification
from ._places import at_value, value_span
from ._resolution import Resolution
from ._resolve import resolve
from ._schema import violations

#: Need the policy alone.
_OF_POLICY: Final[tuple[Callable[[Policy], Iterator[Diagnostic]], ...]] = (
    check_precedence,
    check_names,
    check_objects,
    check_bounds,
    check_causes,
    check_use,
    check_texts,
    check_placeholders,
    check_may_differ,
    check_tables,
    check_bursts,
    check_sources,
    check_silences,
)
#: Need the operations too.
_OF_CONTRACT: Final[tuple[Callable[[Policy, Specification, Resolution], Iterator[Diagnostic]], ...]] = (
    check_redundant,
    check_callable,
    check_specified,
    check_base_url,
    check_managed_by,
    lambda policy, specification, _: check_costs(policy, specification),
)
#: A policy with more alternatives than this is hostile; the silences known today are forty.
_MOST_PATCHES: Final = 200


def check(policy: Policy, specification: Specification | None) -> tuple[Resolution | None, tuple[Diagnostic, ...]]:
    """Return the resolution over the specification, and everything that is wrong with what the policy means.

    Without a specification only what the policy says by itself is checked. There is a resolution exactly when there
    is a specification and no error.
    """
    resolution, problems = _meaning(policy, specification)
    problems = in_order((*problems, *_check_alternatives(policy, specification, problems)))
    return (None if has_errors(problems) else resolution), problems


def _meaning(policy: Policy, specification: Specification | None) -> tuple[Resolution | None, tuple[Diagnostic, ...]]:
    problems = [problem for check_one in _OF_POLICY for problem in first_of(check_one(policy))]
    if specification is None:
        return None, tuple(problems)
    resolution, found = resolve(policy, specification)
    problems += found
    for check_one in _OF_CONTRACT:
        problems += first_of(check_one(policy, specification, resolution))
    return resolution, tuple(problems)


def _check_alternatives(
    policy: Policy, specification: Specification | None, standing: tuple[Diagnostic, ...]
) -> Iterator[Diagnostic]:
    """Yield what each `otherwise` would bring in that is not wrong already."""
    known = {(problem.code, problem.message) for problem in standing}
    for index, patch in enumerate(patches(policy.document)):
        if index == _MOST_PATCHES:
            message = f"there are more than {_MOST_PATCHES} alternatives"
            yield at_value(policy.document, patch.path, "too-many", message)
            return
        if patch.document.value == policy.document.value:
            yield at_value(
                policy.document,
                patch.path,
                "alternative-changes-nothing",
                "this is what the policy says already",
                severity=Severity.WARNING,
                help="delete it, or state what else would be as good",
            )
        for problem in _of_patch(patch, specification):
            if problem.severity is not Severity.INFO and (problem.code, problem.message) not in known:
                yield _relocated(problem, patch, policy)


def _of_patch(patch: Patch, specification: Specification | None) -> tuple[Diagnostic, ...]:
    shape = tuple(violations(patch.document, patch.changed))
    return shape or _meaning(build(patch.document), specification)[1]


def _relocated(problem: Diagnostic, patch: Patch, policy: Policy) -> Diagnostic:
    """Point into the alternative: what it breaks elsewhere is its fault, and becomes the second place."""
    if any(_contains(span, problem.span) for span in patch.spans()):
        return problem
    return replace(
        problem,
        span=value_span(policy.document, patch.path),
        message=f"with this alternative for {quote(patch.silence)}: {problem.message}",
        related=(Related(span=problem.span, label="wrong then"), *problem.related),
    )


def _contains(outer: Span, inner: Span) -> bool:
    same_line = (outer.file, outer.line) == (inner.file, inner.line)
    return same_line and outer.column <= inner.column < outer.end
