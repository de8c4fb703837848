"""What a row requires of a key, written out for one operation."""

from __future__ import annotations

from ._model import Policy, Requirement
from ._operations import Operation

#: What `as specified` means where the specification says nothing; a diagnostic has reported it.
NOBODY: tuple[frozenset[str], ...] = ()


def alternatives(policy: Policy, requirement: Requirement, operation: Operation) -> tuple[frozenset[str], ...] | None:
    """Return the sets of names of which one suffices; `(frozenset(),)`: any key; None: no key is needed."""
    match requirement.keyword:
        case None:
            return requirement.any_of
        case "any key":
            return (frozenset(),)
        case "no key":
            return None
        case _:
            return specified(policy, operation)


def specified(policy: Policy, operation: Operation) -> tuple[frozenset[str], ...] | None:
    """Read the specification's `security`: entries are any of, the scopes of one entry are all of.

    A kind of key named like a scheme answers that scheme only.
    """
    if operation.security is None:
        return NOBODY
    if not operation.security or {} in operation.security:
        return None
    entries = (
        frozenset(scope for scopes in entry.values() for scope in scopes)
        | (frozenset(entry) & policy.keys.kinds.keys())
        for entry in operation.security
    )
    return tuple(dict.fromkeys(entries))
