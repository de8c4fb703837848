"""The clauses, one module a family; a family's `CLAUSES` is its table."""

from collections.abc import Mapping
from functools import cache

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.clauses._merged import MERGED as MERGED

from . import (
    asides,
    caching,
    carriers,
    challenges,
    charges,
    come_back,
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
    methods,
    new_keys,
    overrides,
    precedence,
    presentation,
    quota,
    races,
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
    asides,
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
    come_back,
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
