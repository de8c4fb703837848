"""The faults: what a server may do wrong, each with the clauses that must catch it; one table for each subject."""

from typing import Final

from . import (
    _caching,
    _challenges,
    _credentials,
    _cross_origin,
    _errors,
    _generated,
    _http2,
    _isolation,
    _leaks,
    _lifecycle,
    _limits,
    _management,
    _methods,
    _new_keys,
    _precedence,
    _presentation,
    _quota,
    _rotation,
    _routes,
    _scopes,
    _tenants,
    _transport,
    _trust,
    _undocumented,
)
from ._fault import Family, Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *_credentials.FAULTS,
    *_presentation.FAULTS,
    *_trust.FAULTS,
    *_challenges.FAULTS,
    *_errors.FAULTS,
    *_scopes.FAULTS,
    *_methods.FAULTS,
    *_undocumented.FAULTS,
    *_transport.FAULTS,
    *_isolation.FAULTS,
    *_tenants.FAULTS,
    *_routes.FAULTS,
    *_precedence.FAULTS,
    *_limits.FAULTS,
    *_quota.FAULTS,
    *_lifecycle.FAULTS,
    *_management.FAULTS,
    *_rotation.FAULTS,
    *_new_keys.FAULTS,
    *_leaks.FAULTS,
    *_caching.FAULTS,
    *_cross_origin.FAULTS,
    *_http2.FAULTS,
    *_generated.FAULTS,
)


def fault(name: str) -> Fault | None:
    """Return the fault with this name, or None."""
    return next((found for found in FAULTS if found.name == name), None)


__all__ = ["FAULTS", "Family", "Fault", "fault"]
