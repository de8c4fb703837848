"""The clauses, one module a family; a family's `CLAUSES` is its table."""

from collections.abc import Mapping
from functools import cache

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.clauses._merged import MERGED as MERGED

from . import (
    caching,
    carriers,
    challenges,
    charges,
    credentials,
    cross_origin,
    dead_keys,
    environments,
    errors,
    evasion,
    generated,
    leaks,
    lifecycle,
    limits,
    management,
    mass_assignment,
    methods,
    new_keys,
    overrides,
    precedence,
    presentation,
    quota,
    races,
    retry_after,
    rotation,
    routes,
    scopes,
    secure_transport,
    tenants,
    throttled,
    transport,
)

#: In the order in which a reader wants them.
FAMILIES = (
    credentials,
    presentation,
    carriers,
    challenges,
    errors,
    scopes,
    mass_assignment,
    methods,
    overrides,
    transport,
    secure_transport,
    environments,
    tenants,
    routes,
    precedence,
    limits,
    races,
    evasion,
    throttled,
    charges,
    quota,
    retry_after,
    lifecycle,
    dead_keys,
    rotation,
    management,
    new_keys,
    leaks,
    caching,
    cross_origin,
    generated,
)


@cache
def catalogue() -> Mapping[str, Clause]:
    """Return every clause by id, in the order of the families."""
    return {clause.id: clause for family in FAMILIES for clause in family.CLAUSES}
