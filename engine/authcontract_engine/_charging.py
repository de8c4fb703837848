"""What a request takes from each limit: from whose allowance, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from authcontract_policy import (
    ANY_KEY,
    NO_KEY,
    Cause,
    Dimension,
    Operation,
    Policy,
    RateLimit,
    Resolution,
    matches,
    selector,
)

from ._reading import METHODS, Reading
from ._values import Charge, KeyRecord


class Charges:
    """The limits of a contract, ready to be charged; immutable."""

    def __init__(self, policy: Policy, resolution: Resolution, operations: Iterable[Operation]) -> None:
        self._policy = policy
        self._resolution = resolution
        limits = policy.rate_limits.values()
        self._costs = {limit.name: _costs(limit, operations) for limit in limits}
        self._general = tuple(limit.name for limit in limits if not limit.operations)

    def of(self, operation: Operation | None, key: KeyRecord | None, reading: Reading | None) -> tuple[Charge, ...]:
        """Return what each limit takes for a call; without a reading that of anybody, from wherever."""
        names = self._resolution.limits[operation.id] if operation is not None else self._general
        found = []
        for name in names:
            limit = self._policy.rate_limits[name]
            if limit.requests is None:
                continue
            headings = _headings(key)
            amount = limit.requests.lookup(headings)
            bucket = self._bucket(limit, operation, key, reading)
            if not isinstance(amount, int) or bucket is None:
                continue
            burst = limit.burst.lookup(headings) if limit.burst is not None else None
            cost = self.cost(limit.name, None, operation, _method_of(operation, reading))
            found.append(Charge(limit=name, bucket=bucket, amount=amount, burst=burst or amount, cost=cost))
        return tuple(found)

    def _bucket(
        self, limit: RateLimit, operation: Operation | None, key: KeyRecord | None, reading: Reading | None
    ) -> tuple[str, ...] | None:
        """Return whom a request is counted with, or None where the limit does not speak of it."""
        parts = [limit.name]
        for whom in limit.per:
            part = self._counted_as(whom, operation, key, reading)
            if part is None:
                return None
            parts.append(part)
        return tuple(parts)

    def _counted_as(
        self, whom: str, operation: Operation | None, key: KeyRecord | None, reading: Reading | None
    ) -> str | None:
        if whom == "ip":
            return reading.request.peer if reading is not None else ""
        if whom == "operation":
            return operation.id if operation is not None else ""
        if whom == "object":
            return "/".join(reading.path_parameters.values()) if reading is not None else ""
        if key is None:
            return None
        rotation = self._policy.keys.rotation
        lineage = key.lineage if rotation is not None and rotation.shares_limits and key.lineage else key.id
        return {
            "key": lineage,
            "user": key.user,
            "organisation": key.organisation,
            "application": key.application,
            "environment": key.environment or "",
            "scope": " ".join(sorted(key.scopes)),
        }[whom]

    def cost(self, limit: str, cause: Cause | None, operation: Operation | None, method: str) -> int:
        """Return units by the cause, else by the operation, else by the method, else 1."""
        by_name, by_operation, others = self._costs[limit]
        if cause is not None and cause in by_name:
            return by_name[cause]
        if cause is Cause.THROTTLED:
            return 0  # a refusal for quota is counted only where the policy says what it costs
        if operation is not None and operation.id in by_operation:
            return by_operation[operation.id]
        return by_name.get(method, others)


def _headings(key: KeyRecord | None) -> Mapping[Dimension, str | None]:
    if key is None:
        return {Dimension.KEY: NO_KEY}
    scope = next(iter(key.scopes)) if len(key.scopes) == 1 else None
    return {
        Dimension.PLAN: key.plan,
        Dimension.ENVIRONMENT: key.environment,
        Dimension.KIND: key.kind,
        Dimension.SCOPE: scope,
        Dimension.KEY: ANY_KEY,
    }


def _method_of(operation: Operation | None, reading: Reading | None) -> str:
    if reading is not None:
        return reading.request.method.decode("latin-1")
    return operation.method if operation is not None else ""


def _costs(limit: RateLimit, operations: Iterable[Operation]) -> tuple[Mapping[str, int], Mapping[str, int], int]:
    """Return costs by cause or method, by operation id, and for everything else."""
    by_name = {name: cost for name, cost in limit.costs.items() if name in _METHODS or name in _CAUSES}
    by_operation: dict[str, int] = {}
    for text, cost in limit.costs.items():
        if text not in by_name and text != "others":
            by_operation |= {op.id: cost for op in operations if matches(selector(text), op)}
    return by_name, by_operation, limit.costs.get("others", 1)


_METHODS = frozenset(method.decode() for method in METHODS)
_CAUSES = frozenset(cause.value for cause in Cause)
