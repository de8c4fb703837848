"""Who may call what, as bit masks: a bit for each scope, plan and kind of key.

A scope counts only on its own methods, so a way in that needs a scope which does not count on the operation's method
is none, and is left out when the contract is compiled. What a key holds is then one mask, whatever the method.
"""

from __future__ import annotations

from collections.abc import Iterable

from authcontract_policy import Operation, Policy, Resolution

from ._values import KeyRecord


class Grants:
    """What every key holds and every operation needs."""

    def __init__(self, policy: Policy, resolution: Resolution) -> None:
        self._policy = policy
        self._resolution = resolution
        self._bits = {name: 1 << at for at, name in enumerate((*resolution.scopes, *policy.plans, *policy.keys.kinds))}
        self.plans = self._mask(policy.plans)
        self.everything = self._mask(self._bits)
        self._scopes = {scope: self._mask(names) for scope, names in resolution.closure.items()}

    def held(self, key: KeyRecord) -> int:
        """Return everything that a key holds: a name that the policy does not know holds nothing."""
        kind = self._policy.keys.kinds.get(key.kind)
        if kind is None:
            return 0
        mask = self._bits[kind.name]
        if key.plan in self._policy.plans:
            mask |= self._bits[key.plan]
        for scope in self._resolution.scopes if kind.holds == "every scope" else key.scopes:
            mask |= self._scopes.get(scope, 0)
        return mask

    def needs(self, operation: Operation, kind_of_object: str | None) -> tuple[int, ...] | None:
        """Return the masks of which one must be held whole; None: no key is needed."""
        alternatives = self._resolution.grants[operation.id, kind_of_object].alternatives
        if alternatives is None:
            return None
        return tuple(self._mask(names) for names in alternatives if self._counts(names, operation.method))

    def _counts(self, names: Iterable[str], method: str) -> bool:
        rules = (self._resolution.methods.get(name) for name in names)
        return all(methods is None or method in methods for methods in rules)

    def _mask(self, names: Iterable[str]) -> int:
        return sum(self._bits[name] for name in set(names))
