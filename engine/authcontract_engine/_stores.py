"""The edge: keys and counts kept in memory. Other stores come behind the same methods."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from authcontract_policy import Bound, Dimension

from ._limits import ADJUSTMENTS, SECOND, STEPS, Adjustment, Alignment, Limit, Outcome, State, Step
from ._values import Charge, KeyRecord, KeyState, Reservation, Standing

if TYPE_CHECKING:
    from ._contract import Contract

#: What a secret is made of where the policy does not say.
USUAL_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
USUAL_LENGTH: Final = 32
_ID_LENGTH: Final = 12


class KeyStateError(Exception):
    """A key cannot be rotated in the state that it is in (G-21)."""


class MemoryKeys:
    """Issued keys, found by their digest; secrets are not kept."""

    def __init__(self, contract: Contract, choice: Callable[[str], str] = secrets.choice) -> None:
        self._contract = contract
        self._kinds = contract.policy.keys.kinds
        self._rotation = contract.policy.keys.rotation
        self._choice = choice
        self._records: dict[str, KeyRecord] = {}
        self._digests: dict[str, str] = {}

    def issue(  # noqa: PLR0913  what a key is made of
        self,
        *,
        organisation: str,
        environment: str | None,
        kind: str,
        scopes: Iterable[str],
        plan: str | None,
        now: float,
        user: str | None = None,
        application: str | None = None,
    ) -> tuple[KeyRecord, str]:
        """Issue a key; returns its record and its secret, which nobody else ever sees again."""
        identity = self._identity()
        record = KeyRecord(
            id=identity,
            digest="",
            kind=kind,
            scopes=frozenset(scopes),
            plan=plan,
            environment=environment,
            organisation=organisation,
            user=user,
            application=application,
            lineage=identity,
            issued_at=now,
        )
        return self._with_secret(record)

    def rotate(self, identity: str, now: float, grace: float | None = None) -> tuple[KeyRecord, str]:
        """Give a key its grace and issue its successor; raises `KeyError`, or `KeyStateError` for a key not active.

        Where the customer may choose the grace, it is as long as the policy allows unless stated.
        """
        old = self._records[identity]
        if self._contract.state(old, now) is not KeyState.ACTIVE:
            raise KeyStateError(f"key {identity} is not active")
        in_grace = [each for each in self._kin(old) if self._contract.state(each, now) is KeyState.GRACE]
        meanwhile = self._rotation.while_in_grace if self._rotation is not None else None
        if in_grace and meanwhile == "refused":
            raise KeyStateError(f"key {identity} was rotated and its predecessor is in grace")
        for each in in_grace if meanwhile == "ends_old_key" else ():
            self.revoke(each.id, now)
        if grace is None:
            grace = float(_usual(self._rotation.grace, 0)) if self._rotation is not None else 0.0
        self.put(replace(old, rotated_at=now, grace=grace))
        return self._with_secret(replace(old, id=self._identity(), issued_at=now))

    def revoke(self, identity: str, now: float) -> None:
        """Revoke a key for ever; raises `KeyError`."""
        record = self._records[identity]
        if record.revoked_at is None:
            self.put(replace(record, revoked_at=now))

    def put(self, record: KeyRecord) -> None:
        """Keep a record, in the place of an older one with its id."""
        older = self._records.get(record.id)
        if older is not None:
            del self._digests[older.digest]
        self._records[record.id] = record
        self._digests[record.digest] = record.id

    def by_digest(self, digest: str | None) -> KeyRecord | None:
        """Return the record of the key with this SHA-256, or None."""
        identity = self._digests.get(digest) if digest is not None else None
        return None if identity is None else self._records[identity]

    def get(self, identity: str) -> KeyRecord | None:
        """Return a record by its id, or None."""
        return self._records.get(identity)

    def all(self) -> tuple[KeyRecord, ...]:
        """Return every record, in the order of issue."""
        return tuple(self._records.values())

    def _kin(self, key: KeyRecord) -> Iterable[KeyRecord]:
        return [each for each in self._records.values() if each.lineage == key.lineage]

    def _with_secret(self, record: KeyRecord) -> tuple[KeyRecord, str]:
        """Keep a record under a new secret, and return both."""
        kind = self._kinds[record.kind]
        headings = {Dimension.ENVIRONMENT: record.environment, Dimension.KIND: kind.name}
        prefix = (kind.prefix.lookup(headings) if kind.prefix is not None else None) or ""
        alphabet = kind.secret.alphabet if kind.secret is not None else USUAL_ALPHABET
        length = _usual(kind.secret.length, USUAL_LENGTH) if kind.secret is not None else USUAL_LENGTH
        secret = prefix + self._text(alphabet, length)
        issued = replace(
            record,
            digest=hashlib.sha256(secret.encode()).hexdigest(),
            expires_at=None if kind.lifetime is None else record.issued_at + _usual(kind.lifetime, math.inf),
        )
        self.put(issued)
        return issued, secret

    def _identity(self) -> str:
        return "key_" + self._text(USUAL_ALPHABET, _ID_LENGTH)

    def _text(self, alphabet: str, length: float) -> str:
        return "".join(self._choice(alphabet) for _ in range(int(length)))


def _usual(bound: Bound, usual: float) -> float:
    """Return what to take of an amount that may only be bounded: the most, else the usual."""
    if bound.exact is not None:
        return bound.exact
    return bound.at_most if bound.at_most is not None else max(bound.at_least or 0, usual)


class MemoryLimiter:
    """Counts requests in memory: all limits of a request are reserved together, or none.

    For one thread, in which nothing comes between. The algorithm is for limits whose policy names none; a clock that
    goes back stands still.
    """

    def __init__(self, contract: Contract, algorithm: str = "sliding_log", alignment: Alignment = "aligned") -> None:
        self._limits = contract.policy.rate_limits
        self._algorithm = algorithm
        self._alignment = alignment
        self._counters: dict[tuple[str, ...], _Counter] = {}
        self._latest = 0

    def reserve(self, charges: tuple[Charge, ...], now: float) -> Reservation:
        """Take every charge, or none if one has no room; says how each limit stands afterwards."""
        at = self._latest = max(self._latest, round(now * SECOND))
        standings, taken = [], []
        for charge in charges:
            counter = self._counters.get(charge.bucket)
            if counter is None or counter.charge is not charge:
                counter = self._counter(charge)
            state, outcome = counter.step(counter.state, at, counter.limit, charge.cost)
            if not outcome.admitted:
                return Reservation(False, tuple([self._refused(each, at) for each in charges]), at)  # noqa: FBT003
            taken.append((counter, state))
            standings.append(_standing(counter, outcome, at))
        for counter, state in taken:
            counter.state = state
        return Reservation(True, tuple(standings), at)  # noqa: FBT003

    def settle(self, reservation: Reservation, costs: Iterable[tuple[Charge, int]], now: float) -> None:  # noqa: ARG002  a store whose reservations run out needs it
        """Fix what a request cost once its outcome is known: (charge, final units) each."""
        for charge, final in costs:
            reserved = charge.cost if reservation.admitted else charge.cost_refused
            if final != reserved:
                self._counter(charge).adjust_by(final - reserved, reservation.at)

    def reset(self) -> None:
        """Forget every count."""
        self._counters.clear()
        self._latest = 0

    def _counter(self, charge: Charge) -> _Counter:
        """Return what counts for this charge; one of another amount goes on from what was counted."""
        found = self._counters.get(charge.bucket)
        if found is not None and (found.limit.amount, found.limit.burst) == (charge.amount, charge.burst):
            found.charge = charge
            return found
        row = self._limits[charge.limit]
        algorithm = self._algorithm if row.algorithm == "any" else row.algorithm
        made = self._counters[charge.bucket] = _Counter(
            charge=charge,
            step=STEPS[algorithm],
            adjust=ADJUSTMENTS[algorithm],
            limit=Limit(charge.amount, (row.window or 0) * SECOND, charge.burst, self._alignment),
            capacity=charge.burst if algorithm == "token_bucket" else charge.amount,
            state=None if found is None else found.state,
        )
        return made

    def _refused(self, charge: Charge, at: int) -> Standing:
        """Return how a limit stands for a request that was refused, after what the refusal itself takes."""
        counter = self._counter(charge)
        if charge.cost_refused:
            counter.adjust_by(charge.cost_refused, at)
        _, outcome = counter.step(counter.state, at, counter.limit, charge.cost)
        if outcome.admitted:
            _, outcome = counter.step(counter.state, at, counter.limit, 0)
        return _standing(counter, outcome, at)


@dataclass(slots=True)
class _Counter:
    """What was counted for one bucket, and how."""

    #: What it counted last.
    charge: Charge
    step: Step
    adjust: Adjustment
    limit: Limit
    #: The most that can be left.
    capacity: int
    state: State

    def adjust_by(self, units: int, at: int) -> None:
        """Count so many units more or less for a request of that time."""
        self.state = self.adjust(self.state, at, self.limit, units)


def _standing(counter: _Counter, outcome: Outcome, at: int) -> Standing:
    charge, remaining, reset, retry = counter.charge, outcome.remaining, outcome.reset, outcome.retry
    return Standing(
        charge.limit,
        charge.amount,
        remaining,
        counter.capacity - remaining,
        counter.limit.window // SECOND,
        -(-reset // SECOND),
        -(-(at + reset) // SECOND),
        math.inf if retry is None else retry / SECOND,
        outcome.admitted,
    )
