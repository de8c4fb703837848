"""The faults: what a server may do wrong, each with the clauses that must catch it; one table for each subject."""

from typing import Final

from . import _credentials, _errors, _generated, _isolation, _lifecycle, _limits, _methods, _scopes
from ._fault import Family, Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *_credentials.FAULTS,
    *_errors.FAULTS,
    *_scopes.FAULTS,
    *_methods.FAULTS,
    *_isolation.FAULTS,
    *_limits.FAULTS,
    *_lifecycle.FAULTS,
    *_generated.FAULTS,
)


def fault(name: str) -> Fault | None:
    """Return the fault with this name, or None."""
    return next((found for found in FAULTS if found.name == name), None)


__all__ = ["FAULTS", "Family", "Fault", "fault"]
