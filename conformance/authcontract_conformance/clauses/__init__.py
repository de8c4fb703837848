"""The clauses, one module a family; a family's `CLAUSES` is its table."""

from collections.abc import Mapping
from functools import cache

from authcontract_conformance.clauses._clause import Clause

from . import (
    credentials,
    environments,
    errors,
    generated,
    leaks,
    lifecycle,
    limits,
    methods,
    scopes,
    tenants,
    transport,
)

FAMILIES = (credentials, errors, scopes, methods, transport, environments, tenants, limits, lifecycle, leaks, generated)

#: Ids that became cells of another clause; they still explain themselves (Decided 21).
MERGED: Mapping[str, str] = {"SCOPE-3": "SCOPE-1", "SCOPE-4": "SCOPE-1"}


@cache
def catalogue() -> Mapping[str, Clause]:
    """Return every clause by id, in the order of the families."""
    return {clause.id: clause for family in FAMILIES for clause in family.CLAUSES}
