"""The policy's names related to the specification's operations: scopes, capabilities, limits."""

from __future__ import annotations

from ._check_scopes import check_scopes
from ._coverage import cover, limits_of
from ._diagnostics import Diagnostic, first_of, in_order
from ._model import Policy
from ._operations import Specification
from ._requirements import alternatives
from ._resolution import Grant, Resolution
from ._scopes import scopes_of
from ._selectors import Extents


def resolve(policy: Policy, specification: Specification) -> tuple[Resolution, tuple[Diagnostic, ...]]:
    """Return what every name means for every operation, and where a name means nothing.

    Where a diagnostic is an error, the resolution leaves out what the error speaks of.
    """
    extents = Extents(specification.operations)
    scopes = scopes_of(policy, specification)
    decided, uncovered = cover(policy, specification, extents)
    limits, unmatched = limits_of(policy, specification, extents)
    operations = {operation.id: operation for operation in specification.operations}
    grants = {
        (operation_id, kind): Grant(
            capability=row,
            alternatives=alternatives(policy, policy.capabilities[row].requires, operations[operation_id]),
        )
        for (operation_id, kind), row in decided.items()
    }
    resolution = Resolution(
        scopes=scopes.known, methods=scopes.methods, closure=scopes.closure, grants=grants, limits=limits
    )
    return resolution, in_order((*first_of(check_scopes(policy, specification, scopes)), *uncovered, *unmatched))
