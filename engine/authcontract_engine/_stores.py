"""The edge: keys and limits kept in memory. Other stores come behind the same methods."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from authcontract_policy import Dimension

from ._limits import SECOND, STEPS, Alignment, Limit, Outcome, State, give_back
from ._values import Charge, KeyRecord, Reservation, Standing

if TYPE_CHECKING:
    from ._contract import Contract

#: Characters of a secret where the policy states none.
USUAL_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
USUAL_LENGTH = 32


class KeyStateError(Exception):
    """A key cannot be rotated or revoked in the state that it is in (G-21)."""


class MemoryKeys:
    """Issued keys, found by their digest; secrets are not kept."""

    def __init__(self, contract: Contract, choice: Callable[[str], str] = secrets.choice) -> None:
        self._contract = contract
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
        lineage: str = "",
    ) -> tuple[KeyRecord, str]:
        """Issue a key; returns its record and its secret, which nobody else ever sees again."""
        secret = self._secret(kind, environment)
        identity = "key_" + "".join(self._choice(USUAL_ALPHABET) for _ in range(12))
        lifetime = self._contract.policy.keys.kinds[kind].lifetime
        lives = (lifetime.exact or lifetime.at_most) if lifetime else None
        record = KeyRecord(
            id=identity,
            digest=hashlib.sha256(secret.encode()).hexdigest(),
            kind=kind,
            scopes=frozenset(scopes),
            plan=plan,
            environment=environment,
            organisation=organisation,
            lineage=lineage or identity,
            issued_at=now,
            expires_at=None if lives is None else now + lives,
        )
        self.put(record)
        return record, secret

    def put(self, record: KeyRecord) -> None:
        """Keep a record, in the place of an older one with its id."""
        self._records[record.id] = record
        self._digests[record.digest] = record.id

    def rotate(self, identity: str, now: float) -> tuple[KeyRecord, str]:
        """Give a key its grace and issue its successor; raises `KeyError`, or `KeyStateError` for a key not active."""
        old = self._records[identity]
        if self._contract.state(old, now) != "active":
            raise KeyStateError(f"key {identity} is not active")
        new, secret = self.issue(
            organisation=old.organisation,
            environment=old.environment,
            kind=old.kind,
            scopes=old.scopes,
            plan=old.plan,
            now=now,
            lineage=old.lineage,
        )
        rotation = self._contract.policy.keys.rotation
        grace = float((rotation.grace.exact or rotation.grace.at_most or 0) if rotation else 0)
        if rotation is not None and rotation.while_in_grace == "ends_old_key":
            for other in self._in_grace(old.lineage, now):
                self.put(replace(other, revoked_at=now))
        self.put(replace(old, rotated_at=now, grace=grace))
        return new, secret

    def _in_grace(self, lineage: str, now: float) -> list[KeyRecord]:
        found = (record for record in self._records.values() if record.lineage == lineage)
        return [record for record in found if self._contract.state(record, now) == "grace"]

    def revoke(self, identity: str, now: float) -> None:
        """Revoke a key for ever; raises `KeyError`."""
        record = self._records[identity]
        self.put(replace(record, revoked_at=record.revoked_at or now))

    def by_digest(self, digest: str | None) -> KeyRecord | None:
        """Return the record of the key with this SHA-256, or None."""
        identity = self._digests.get(digest or "")
        return self._records[identity] if identity else None

    def get(self, identity: str) -> KeyRecord | None:
        """Return a record by its id, or None."""
        return self._records.get(identity)

    def all(self) -> tuple[KeyRecord, ...]:
        """Return every record, in the order of issue."""
        return tuple(self._records.values())

    def _secret(self, kind: str, environment: str | None) -> str:
        row = self._contract.policy.keys.kinds[kind]
        prefix = row.prefix.lookup({Dimension.ENVIRONMENT: environment, Dimension.KIND: kind}) if row.prefix else None
        alphabet, length = USUAL_ALPHABET, USUAL_LENGTH
        if row.secret is not None:
            alphabet, bound = row.secret.alphabet, row.secret.length
            length = bound.exact or max(bound.at_least or 1, min(USUAL_LENGTH, bound.at_most or USUAL_LENGTH))
        return (prefix or "") + "".join(self._choice(alphabet) for _ in range(length))


@dataclass(slots=True)
class MemoryLimiter:
    """Counts requests in memory: all limits of a request are reserved together, or none."""

    contract: Contract
    #: Used where the policy names none ("any").
    algorithm: str = "sliding_log"
    alignment: Alignment = "aligned"
    _states: dict[tuple[str, ...], State] = field(default_factory=dict)

    def reserve(self, charges: tuple[Charge, ...], now: float) -> Reservation:
        """Take every charge, or none if one has no room; says how each limit stands afterwards."""
        at = round(now * SECOND)
        stepped = [(charge, *self._step(charge, at)) for charge in charges]
        admitted = all(outcome.admitted for _, _, outcome in stepped)
        if admitted:
            for charge, state, _ in stepped:
                self._states[charge.bucket] = state
        return Reservation(admitted=admitted, standings=tuple(self._standing(c, o, at) for c, _, o in stepped))

    def settle(self, reservation: Reservation, costs: Iterable[tuple[Charge, int]], now: float) -> None:
        """Fix what a request cost once its outcome is known: (charge, final units) each."""
        for charge, final in costs:
            taken = charge.cost if reservation.admitted else 0
            if final != taken and charge.bucket not in self._states and final > 0:
                _, limit, _ = self._counting(charge)
                self._states[charge.bucket], _ = STEPS[self._algorithm(charge)](None, round(now * SECOND), limit, final)
            elif final != taken:
                algorithm, limit, state = self._counting(charge)
                self._states[charge.bucket] = give_back(algorithm, state, limit, taken - final)

    def reset(self) -> None:
        """Forget every count."""
        self._states.clear()

    def _algorithm(self, charge: Charge) -> str:
        stated = self.contract.policy.rate_limits[charge.limit].algorithm
        return self.algorithm if stated == "any" else stated

    def _counting(self, charge: Charge) -> tuple[str, Limit, State]:
        window = (self.contract.policy.rate_limits[charge.limit].window or 1) * SECOND
        algorithm = self._algorithm(charge)
        limit = Limit(charge.amount, window, charge.burst, self.alignment)
        return algorithm, limit, self._states.get(charge.bucket)

    def _step(self, charge: Charge, at: int) -> tuple[State, Outcome]:
        algorithm, limit, state = self._counting(charge)
        return STEPS[algorithm](state, at, limit, charge.cost)

    def _standing(self, charge: Charge, outcome: Outcome, at: int) -> Standing:
        reset_in = -(-outcome.reset // SECOND)
        window = self.contract.policy.rate_limits[charge.limit].window or 1
        return Standing(
            limit=charge.limit,
            amount=charge.amount,
            remaining=outcome.remaining,
            used=max(0, charge.amount - outcome.remaining),
            window=window,
            reset_in=reset_in,
            reset_at=-(-(at + outcome.reset) // SECOND),
            retry_after=outcome.retry / SECOND,
            admitted=outcome.admitted,
        )
