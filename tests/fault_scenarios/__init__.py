"""What each fault does, told by scenarios; one module for each of the fault modules."""

from __future__ import annotations

from fault_scenarios import (
    caching,
    challenges,
    credentials,
    cross_origin,
    errors,
    generated,
    http2,
    isolation,
    leaks,
    lifecycle,
    limits,
    management,
    methods,
    new_keys,
    precedence,
    presentation,
    quota,
    routes,
    scopes,
    tenants,
    transport,
)
from fault_scenarios._scenario import Shown

SHOWN: Shown = {
    **credentials.SHOWN,
    **errors.SHOWN,
    **scopes.SHOWN,
    **methods.SHOWN,
    **isolation.SHOWN,
    **limits.SHOWN,
    **lifecycle.SHOWN,
    **generated.SHOWN,
    **presentation.SHOWN,
    **routes.SHOWN,
    **precedence.SHOWN,
    **caching.SHOWN,
    **challenges.SHOWN,
    **cross_origin.SHOWN,
    **transport.SHOWN,
    **leaks.SHOWN,
    **quota.SHOWN,
    **management.SHOWN,
    **new_keys.SHOWN,
    **tenants.SHOWN,
    **http2.SHOWN,
}
