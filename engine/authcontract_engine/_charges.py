"""What a request takes from each limit and from whose allowance, and what it cost in the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authcontract_policy import (
    ANY_KEY,
    NO_KEY,
    OTHERS,
    Cause,
    Dimension,
    Operation,
    Policy,
    RateLimit,
    Resolution,
    Specification,
    matches,
    selector,
)

from ._values import UNKNOWN, Charge, KeyRecord, Unknown

if TYPE_CHECKING:
    from ._reading import Reading

_CAUSES: Final = frozenset(cause.value for cause in Cause)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """What requests of one sort cost under each limit that counts them; the same value for all of that sort."""

    #: (limit, units, units even if refused for quota).
    costs: tuple[tuple[RateLimit, int, int], ...]
    #: Whether key and price alone say what is charged; not so where the peer, operation or object counts.
    by_key_alone: bool


@dataclass(frozen=True, slots=True)
class _Costs:
    """The `costs` of one limit, as they are looked up: by cause, else operation, else method, else others."""

    by_cause: Mapping[str, int]
    by_operation: Mapping[str, int]
    by_method: Mapping[str, int]
    others: int

    @classmethod
    def of(cls, limit: RateLimit, operations: Iterable[Operation]) -> _Costs:
        by_cause, by_method, by_operation = dict[str, int](), dict[str, int](), dict[str, int]()
        for name, units in limit.costs.items():
            if name in _CAUSES:
                by_cause[name] = units
            elif name in _METHODS:
                by_method[name] = units
            elif name != OTHERS:
                by_operation |= {each.id: units for each in operations if matches(selector(name), each)}
        return cls(by_cause, by_operation, by_method, limit.costs.get(OTHERS, 1))

    def usual(self, operation: Operation | None, method: str) -> int:
        found = self.by_operation.get(operation.id) if operation is not None else None
        return self.by_method.get(method, self.others) if found is None else found

    def refused(self) -> int:
        """Return what a refusal for quota takes: nothing, unless the policy says so."""
        return self.by_cause.get(Cause.THROTTLED, 0)


class Charges:
    """The limits of a policy over the operations of a specification."""

    def __init__(self, policy: Policy, specification: Specification, resolution: Resolution) -> None:
        rotation = policy.keys.rotation
        self._by_lineage = rotation is not None and bool(rotation.shares_limits)
        self._limits = policy.rate_limits
        self._costs = {name: _Costs.of(limit, specification.operations) for name, limit in policy.rate_limits.items()}
        self._names = resolution.limits
        self._general = tuple(name for name, limit in policy.rate_limits.items() if not limit.operations)
        self._sorts: dict[tuple[tuple[str, int], ...], Price] = {}
        self.usual = {each.id: self.price(each, each.method) for each in specification.operations}

    def counting(self, operation: Operation | None) -> tuple[RateLimit, ...]:
        """Return the limits that count an operation, or whatever leads to none."""
        names = self._general if operation is None else self._names[operation.id]
        return tuple(self._limits[name] for name in names)

    def refusing(self, operation: Operation | None, key: KeyRecord | Unknown | None) -> Iterator[str]:
        """Yield the limits that may refuse a request for an operation, or one that leads to none, by such a key."""
        for limit in self.counting(operation):
            tables = [table for table in (limit.requests, limit.concurrent) if table is not None]
            if key is UNKNOWN:
                amounts = [amount for table in tables for amount in table.values()]
            else:
                amounts = [amount for table in tables if (amount := table.lookup(_headings(key))) is not None]
            if any(amount != "unlimited" for amount in amounts):
                yield limit.name

    def price(self, operation: Operation | None, method: str) -> Price:
        """Return what a request for an operation costs, or one that leads to none."""
        limits = [limit for limit in self.counting(operation) if limit.requests is not None]
        costs = tuple((limit.name, self._costs[limit.name].usual(operation, method)) for limit in limits)
        found = self._sorts.get(costs)
        if found is None:
            found = self._sorts[costs] = Price(
                tuple((self._limits[name], units, self._costs[name].refused()) for name, units in costs),
                not any(whom in ("ip", "operation", "object") for limit in limits for whom in limit.per),
            )
        return found

    def of(
        self, price: Price, key: KeyRecord | None, operation: Operation | None, reading: Reading | None
    ) -> tuple[Charge, ...]:
        """Return what a price comes to for a key; without a reading for nobody's address and no object."""
        headings = _headings(key)
        found = []
        for limit, units, refused in price.costs:
            amount = limit.requests.lookup(headings) if limit.requests is not None else None
            parts = [self._counted_as(whom, key, operation, reading) for whom in limit.per]
            if isinstance(amount, int) and None not in parts:
                bucket = (limit.name, *(part for part in parts if part is not None))
                burst = limit.burst.lookup(headings) if limit.burst is not None else None
                found.append(Charge(limit.name, bucket, amount, burst or amount, units, refused))
        return tuple(found)

    def settled(self, charge: Charge, cause: Cause | None, operation: Operation | None, method: str) -> int:
        """Return what a request cost in the end."""
        costs = self._costs[charge.limit]
        if cause is Cause.THROTTLED:
            return charge.cost_refused
        found = costs.by_cause.get(cause) if cause is not None else None
        return costs.usual(operation, method) if found is None else found

    def _counted_as(
        self, whom: str, key: KeyRecord | None, operation: Operation | None, reading: Reading | None
    ) -> str | None:
        """Return one of the names that a request is counted under; None: the limit says nothing of it."""
        match whom:
            case "ip":
                return reading.request.peer if reading is not None else ""
            case "operation":
                return operation.id if operation is not None else ""
            case "object":
                return "/".join(reading.path_parameters.values()) if reading is not None else ""
        if key is None:
            return None
        match whom:
            case "key":
                return key.lineage if self._by_lineage and key.lineage else key.id
            case "scope":
                return " ".join(sorted(key.scopes))
            case "environment":
                return key.environment or ""
            case _:
                found: str | None = getattr(key, whom)
                return found


def _headings(key: KeyRecord | None) -> Mapping[Dimension, str | None]:
    if key is None:
        return {Dimension.KEY: NO_KEY}
    return {
        Dimension.PLAN: key.plan,
        Dimension.ENVIRONMENT: key.environment,
        Dimension.KIND: key.kind,
        # A table by scope stands only where every key holds one.
        Dimension.SCOPE: next(iter(key.scopes)) if len(key.scopes) == 1 else None,
        Dimension.KEY: ANY_KEY,
    }
