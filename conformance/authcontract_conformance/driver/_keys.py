"""Where keys come from: a target that issues them, or a list that somebody declared."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Dimension

from authcontract_conformance.exchange._exchange import Key, Need
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import skipped
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._world import Ended

#: Length of a made-up secret where the policy states none.
USUAL_SECRET = 32
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with its secret, on its way into the vault."""

    record: KeyRecord
    secret: bytes

    def __repr__(self) -> str:
        return f"Issued({self.record.id})"


class KeySource(Protocol):
    """How a target issues, rotates and revokes keys."""

    #: True: every case may have organisations of its own, so that no case meets another's quota or objects.
    makes_organisations: bool

    def offers(self, need: Need) -> bool:
        """Tell whether there is such a key."""

    def known(self) -> tuple[Issued, ...]:
        """Return the keys that are there from the start."""

    async def issue(self, need: Need, organisation: str) -> Issued:
        """Issue a key; ends the case as skipped where that cannot be."""

    async def rotate(self, record: KeyRecord) -> tuple[KeyRecord, Issued]:
        """Rotate a key; returns the old one's record and the new key."""

    async def revoke(self, record: KeyRecord) -> KeyRecord:
        """Revoke a key; returns its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A key of a target file."""

    record: KeyRecord
    secret: bytes
    #: "A" or "B", as clauses name organisations.
    organisation: str
    #: active, revoked or expired.
    state: str = "active"

    def __repr__(self) -> str:
        return f"Declared({self.record.id})"


class DeclaredKeys:
    """The keys of a target file: none can be made, rotated or revoked."""

    makes_organisations = False

    def __init__(self, keys: tuple[Declared, ...]) -> None:
        self._keys = keys
        self._plans = {(declared.organisation, declared.record.plan) for declared in keys}
        self._taken: set[str] = set()

    async def issue(self, need: Need, organisation: str) -> Issued:  # noqa: ARG002  the file names organisations A and B
        """Return the declared key that fits; one that a case wants for itself is given to nobody else."""
        declared = next(self._fitting(need), None)
        if declared is None:
            raise Ended(skipped(f"the target declares no key for {describe(need)}"))
        if need.own:
            self._taken.add(declared.record.id)
        return Issued(declared.record, declared.secret)

    def known(self) -> tuple[Issued, ...]:
        """Return every declared key."""
        return tuple(Issued(declared.record, declared.secret) for declared in self._keys)

    def offers(self, need: Need) -> bool:
        """Tell whether such a key is declared, and nobody's own."""
        return next(self._fitting(need), None) is not None

    def _fitting(self, need: Need) -> Iterator[Declared]:
        """Return the keys that have the scopes and no more, then those with more, the least first.

        A key with more does all that is to be allowed. It is no one's own: another case may need just that key.
        """
        alike = [declared for declared in self._keys if self._alike(declared, need)]
        yield from (declared for declared in alike if declared.record.scopes == need.scopes)
        if not need.exact and not need.own:
            wider = (declared for declared in alike if declared.record.scopes > need.scopes)
            yield from sorted(wider, key=lambda declared: len(declared.record.scopes))

    def _alike(self, declared: Declared, need: Need) -> bool:
        """Tell whether a key is what is needed in all but its scopes, and nobody's own."""
        record = declared.record
        return (
            declared.organisation == need.organisation
            and declared.state == need.state
            and record.kind == need.kind
            and need.environment in (None, record.environment)
            and self._has_the_plan(declared, need)
            and record.id not in self._taken
        )

    def _has_the_plan(self, declared: Declared, need: Need) -> bool:
        """Tell whether a key is on the plan that is needed; a second organisation may have bought another one."""
        bought = (declared.organisation, need.plan) in self._plans or declared.organisation == "A"
        return None in (need.plan, declared.record.plan) or declared.record.plan == need.plan or not bought

    async def rotate(self, record: KeyRecord) -> tuple[KeyRecord, Issued]:
        """Say that a declared key cannot be rotated."""
        raise Ended(skipped(f"key {record.id} cannot be rotated: the target offers no way to do so"))

    async def revoke(self, record: KeyRecord) -> KeyRecord:
        """Say that a declared key cannot be revoked."""
        raise Ended(skipped(f"key {record.id} cannot be revoked: the target offers no way to do so"))


class Keyring:
    """The keys of one run, handed out by need."""

    def __init__(self, contract: Contract, source: KeySource, vault: Vault, seed: int) -> None:
        self._contract = contract
        self._source = source
        self._vault = vault
        self._random = random.Random(seed)  # noqa: S311  made-up keys open nothing
        self._shared: dict[tuple[str, Need], Key] = {}
        self._stock: dict[Need, Key] = {}
        self._made_up = 0

    async def acquire(self, need: Need, case: str) -> Key:
        """Return a key for a need; the same key for the same need of one case, unless it wants its own."""
        organisation = f"{case}/{need.organisation}" if self._source.makes_organisations else need.organisation
        place = (organisation, need)
        if not need.own and place in self._shared:
            return self._shared[place]
        if need.state == "unknown":
            key = self._made_up_key(need)
        elif need.state == "expired" and self._source.makes_organisations:
            kept = self._stock.get(replace(need, own=False))
            if kept is None:
                raise Ended(skipped("no such key has expired: keys of this contract do not, or not of this kind"))
            key = kept
        else:
            issued = await self._source.issue(need, organisation)
            self.keep(issued)
            key = Key(issued.record, replace(need, scopes=issued.record.scopes, plan=issued.record.plan or need.plan))
            if need.state == "revoked" and self._source.makes_organisations:
                await self.revoke(key)
        if not need.own:
            self._shared[place] = key
        return key

    @property
    def endless(self) -> bool:
        """Tell whether the source issues whatever is asked for."""
        return self._source.makes_organisations

    def has(self, need: Need, *, exactly: bool = False) -> bool:
        """Tell whether a shared key for this need is there without creating one; `exactly`: with no more scopes."""
        return (need.organisation, need) in self._shared or self._source.offers(
            replace(need, exact=need.exact or exactly)
        )

    def need_of(self, key: str) -> Need:
        """Return what a known key is, as one asks for another of the same organisation and environment."""
        record = self._vault.record(key)
        if record is None:
            return Need(kind=next(iter(self._contract.policy.keys.kinds)))
        return Need(organisation=record.organisation, environment=record.environment, kind=record.kind)

    def share(self, need: Need, key: Key) -> None:
        """Keep a created key for the next who needs the same, unless it is somebody's own."""
        if not need.own:
            self._shared[need.organisation, need] = key

    def keep_unclaimed(self, name: str, secret: bytes) -> None:
        """Keep a secret of which nothing else is known yet."""
        kinds = self._contract.policy.keys.kinds
        self._vault.add(None, name, secret, max(self._prefix(kind, secret) for kind in kinds))

    async def rotate(self, key: Key) -> Key:
        """Rotate a key; the vault knows both afterwards."""
        old, new = await self._source.rotate(self._current(key))
        self._vault.update(old)
        self.keep(new)
        return Key(new.record, key.need)

    def keep(self, issued: Issued) -> None:
        """Put a key into the vault."""
        public = self._prefix(issued.record.kind, issued.secret)
        self._vault.add(issued.record, issued.record.id, issued.secret, public)

    def _prefix(self, kind: str, secret: bytes) -> int:
        """Return how many of the key's bytes are its documented prefix."""
        prefix = self._contract.policy.keys.kinds[kind].prefix
        return max((len(p) for p in (prefix.values() if prefix else ()) if secret.startswith(p.encode())), default=0)

    async def revoke(self, key: Key) -> None:
        """Revoke a key; the vault knows it."""
        self._vault.update(await self._source.revoke(self._current(key)))

    def keep_expired(self, need: Need, key: Key) -> None:
        """Keep a key that has expired meanwhile, for the cases that want one."""
        self._stock[replace(need, state="expired", own=False)] = key

    def _current(self, key: Key) -> KeyRecord:
        return self._vault.record(key.id) or key.record

    def _made_up_key(self, need: Need) -> Key:
        """Make a well-formed key that was never issued."""
        kind = self._contract.policy.keys.kinds[need.kind]
        prefix = kind.prefix.lookup(headings(need)) if kind.prefix else None
        alphabet, length = ALPHABET, USUAL_SECRET
        if kind.secret is not None:
            alphabet = kind.secret.alphabet
            bound = kind.secret.length
            length = bound.exact or bound.at_least or min(bound.at_most or USUAL_SECRET, USUAL_SECRET)
        secret = (prefix or "") + "".join(self._random.choice(alphabet) for _ in range(length))
        self._made_up += 1
        record = KeyRecord(id=f"never-issued-{self._made_up}", digest="", kind=need.kind, issued_at=0.0)
        self._vault.add(None, record.id, secret.encode("latin-1"), len(prefix or ""))
        return Key(record, need)


def headings(need: Need) -> Mapping[Dimension, str | None]:
    """Return the headings under which a table answers for such a key."""
    return {Dimension.ENVIRONMENT: need.environment, Dimension.PLAN: need.plan, Dimension.KIND: need.kind}
