"""The operations by which callers create, rotate, revoke and list keys, as `keys.managed_by` names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from authcontract_engine import Contract, KeyRecord, KeyState, MemoryKeys, Object
from authcontract_policy import Operation

from authcontract_conformance.samples._sample import Sampler

from ._call import Call, Outcome, Sight
from ._data import Partition
from ._shape import CREATED, Shape
from ._store import Store, iso, outcome

#: Fields that show a new key, once; everywhere else they hold what little of it may be seen.
SECRETS: Final = ("secret", "key", "token", "api_key", "apiKey", "access_token", "value", "plaintext")
_MASKED: Final = ("masked_key", "masked", "hint", "preview", "redacted", "redacted_value")
_LAST_FOUR: Final = ("last_four", "last4", "last_4", "lastFour", "suffix")
_OLD_KEY_UNTIL: Final = ("old_key_expires_at", "previous_key_expires_at", "grace_ends_at", "old_key_valid_until")


class Role(StrEnum):
    """What an operation does with keys."""

    CREATE = "create"
    ROTATE = "rotate"
    REVOKE = "revoke"
    LIST = "list"
    READ = "read"


@dataclass(slots=True)
class _Label:
    """What belongs to a key and not to its record: how its owner calls it, and its last four characters."""

    last_four: str
    fields: dict[str, Any] = field(default_factory=dict)


class Keyring:
    """Issued keys, and the operations on them."""

    def __init__(self, contract: Contract, store: Store, keep: Callable[[KeyRecord, bytes], None]) -> None:
        """Begin without keys; `keep` is told each secret at the only moment when it is known."""
        self._contract = contract
        self._policy = contract.policy
        self._store = store
        self._keep = keep
        self._labels: dict[str, _Label] = {}
        self.records = MemoryKeys(contract)
        self._roles = self._find_roles()
        creators = (op for op in contract.operations if self._roles.get(op.id, (None,))[0] is Role.CREATE)
        sampler = Sampler(contract.specification)
        self._fields = frozenset(name for creator in creators for name in sampler.fields(creator))

    def clear(self) -> None:
        """Forget every key."""
        self._labels.clear()
        self.records = MemoryKeys(self._contract)

    # --- issuing, for callers and for the control port ---

    def issue(  # noqa: PLR0913  a key has as many properties
        self,
        *,
        organisation: str,
        environment: str | None,
        kind: str,
        scopes: frozenset[str],
        plan: str | None,
        now: float,
        fields: Mapping[str, Any] | None = None,
    ) -> tuple[KeyRecord, str]:
        """Issue a key and return it with its secret, which nobody can ask for again."""
        record, secret = self.records.issue(
            organisation=organisation, environment=environment, kind=kind, scopes=scopes, plan=plan, now=now
        )
        return self._labelled(record, secret, dict(fields or {}))

    def rotate(self, key_id: str, now: float) -> tuple[KeyRecord, str]:
        """Give a key a successor; the old one lives on for its grace."""
        record, secret = self.records.rotate(key_id, now)
        return self._labelled(record, secret, dict(self._labels[key_id].fields))

    def revoke(self, key_id: str, now: float) -> None:
        """End a key."""
        self.records.revoke(key_id, now)

    def _labelled(self, record: KeyRecord, secret: str, fields: dict[str, Any]) -> tuple[KeyRecord, str]:
        self._labels[record.id] = _Label(secret[-4:], fields)
        self._keep(record, secret.encode())
        return record, secret

    # --- operations ---

    def manages(self, operation: Operation) -> bool:
        """Tell whether an operation is about keys."""
        return operation.id in self._roles

    def look(self, call: Call) -> Sight:
        """Return the key that the path addresses, whose it is, and whether it may not be rotated or revoked."""
        role, parameter = self._roles[call.operation.id]
        if parameter is None:
            return Sight()
        record = self.records.get(call.reading.path_parameters.get(parameter, ""))
        if record is None:
            return Sight(Object.ABSENT)
        own = self._partition(record) == self._partition(call.key)
        conflict = own and self._conflicts(role, record, call)
        return Sight(Object.OWN if own else Object.FOREIGN, record=record, conflict=conflict)

    def _conflicts(self, role: Role, record: KeyRecord, call: Call) -> bool:
        """Tell whether the key's state forbids it: only a head that lives is rotated, and nobody ends its own key."""
        if role is Role.REVOKE:
            return call.key is not None and call.key.id == record.id
        if role is not Role.ROTATE:
            return False
        rotation = self._policy.keys.rotation
        if self._contract.state(record, call.now) is not KeyState.ACTIVE:
            return True
        refused = rotation is not None and rotation.while_in_grace == "refused"
        return refused and bool(self._in_grace(record, call.now))

    def _in_grace(self, record: KeyRecord, now: float) -> list[KeyRecord]:
        """Return the predecessors of a key that still live."""
        return [
            other
            for other in self.records.all()
            if other.lineage == record.lineage and self._contract.state(other, now) is KeyState.GRACE
        ]

    def accepts(self, call: Call) -> bool:
        """Tell whether a body asks for a key that may be: scopes as its kind holds them, the caller's environment."""
        if self._roles[call.operation.id][0] is not Role.CREATE:
            return True
        sent = self._asked(call)
        place = sent.get("environment", _environment(call))
        kind = self._policy.keys.kinds.get(self._kind(call, sent))
        scopes = _scopes(sent)
        if kind is None or place != _environment(call) or not scopes <= set(self._contract.resolution.scopes):
            return False
        return len(scopes) == 1 if kind.holds == "one scope" else kind.holds != "every scope" or not scopes

    def perform(self, call: Call) -> Outcome:
        """Carry an operation on keys out and return its documented answer."""
        role, _ = self._roles[call.operation.id]
        record = call.sight.record
        secret: str | None = None
        until: float | None = None
        match role:
            case Role.LIST:
                return self._listed(call)
            case Role.CREATE:
                record, secret = self._create(call)
            case Role.ROTATE if record is not None:
                old, (record, secret) = record.id, self.rotate(record.id, call.now)
                until = _ends(self.records.get(old))
            case Role.REVOKE if record is not None:
                self.revoke(record.id, call.now)
        shape = self._store.shape(call.operation)
        if record is None or shape.media_type is None:
            return outcome(shape, shape.start)
        return outcome(shape, self._object(shape, record, call.now, secret=secret, until=until))

    def _asked(self, call: Call) -> Mapping[str, Any]:
        """Return the documented fields of a body; a field that nobody documented asks for nothing."""
        sent = call.content if isinstance(call.content, Mapping) else {}
        return {name: value for name, value in sent.items() if name in self._fields}

    def _create(self, call: Call) -> tuple[KeyRecord, str]:
        sent = self._asked(call)
        key = call.key
        own = {name: value for name, value in sent.items() if name not in SECRETS}
        return self.issue(
            organisation=key.organisation if key else "",
            environment=_environment(call),
            kind=self._kind(call, sent),
            scopes=_scopes(sent),
            plan=key.plan if key else None,
            now=call.now,
            fields=own,
        )

    def _listed(self, call: Call) -> Outcome:
        shape = self._store.shape(call.operation)
        mine = self._partition(call.key)
        seen = [record for record in reversed(self.records.all()) if self._partition(record) == mine]
        return outcome(shape, [self._object(shape, each, call.now) for each in seen[: shape.most]])

    def _object(
        self, shape: Shape, record: KeyRecord, now: float, *, secret: str | None = None, until: float | None = None
    ) -> Any:
        """Return a key as the documented answer shows it; a new one somewhere, even where no field is meant for it."""
        own = self._labels[record.id].fields
        if secret is not None and not any(name in shape.item.properties for name in SECRETS):
            own = {**own, SECRETS[0]: secret}
        return shape.item.fill(own, self._said(record, now, secret, until), record.id)

    def _said(self, record: KeyRecord, now: float, secret: str | None, until: float | None) -> Mapping[str, Any]:
        """Return everything that may be said of a key, under the names that schemas use for it."""
        label = self._labels[record.id]
        masked = f"…{label.last_four}"
        scopes = sorted(record.scopes)
        state = str(self._contract.state(record, now))
        ends = _ends(record)
        said: dict[str, Any] = {
            "kind": record.kind,
            "type": record.kind,
            "scope": scopes[0] if len(scopes) == 1 else " ".join(scopes),
            "scopes": scopes,
            "environment": record.environment,
            "plan": record.plan,
            "state": state,
            "status": state,
            "expires_at": None if ends is None else iso(ends),
            "revoked_at": None if record.revoked_at is None else iso(record.revoked_at),
            "rotated_at": None if record.rotated_at is None else iso(record.rotated_at),
            "last_used_at": None,
            **dict.fromkeys(CREATED, iso(record.issued_at)),
            **dict.fromkeys(_MASKED, masked),
            **dict.fromkeys(_LAST_FOUR, label.last_four),
            **dict.fromkeys(SECRETS, masked if secret is None else secret),
        }
        if until is not None:
            said.update(dict.fromkeys(_OLD_KEY_UNTIL, iso(until)))
        return said

    def _kind(self, call: Call, sent: Mapping[str, Any]) -> str:
        """Return the kind that a new key will be: the one asked for, else the caller's own."""
        asked = sent.get("kind")
        if isinstance(asked, str):
            return asked
        return call.key.kind if call.key else next(iter(self._policy.keys.kinds))

    def _partition(self, record: KeyRecord | None) -> Partition:
        return self._store.partition(record)

    def _find_roles(self) -> Mapping[str, tuple[Role, str | None]]:
        """Return role and path parameter of each operation on keys; the readers stand where the writers do."""
        managed = self._policy.keys.managed_by
        if managed is None:
            return {}
        roles: dict[str, tuple[Role, str | None]] = {}
        named = ((Role.CREATE, managed.create), (Role.ROTATE, managed.rotate), (Role.REVOKE, managed.revoke))
        for role, operation_id in named:
            operation = None if operation_id is None else self._contract.specification.operation(operation_id)
            if operation is None:
                continue
            levels = self._store.plans.of(operation).levels
            parameter = levels[-1].parameter if levels and role is not Role.CREATE else None
            roles[operation.id] = (role, parameter)
            collection = levels[-1].collection if parameter else operation.resource
            lister = self._store.plans.at("GET", collection)
            member = self._store.plans.members.get(collection)
            reader = self._store.plans.at("GET", f"{collection}/{{{member}}}")
            if lister is not None:
                roles[lister.id] = (Role.LIST, None)
            if reader is not None:
                roles[reader.id] = (Role.READ, member)
        return roles


def _environment(call: Call) -> str | None:
    return call.key.environment if call.key else call.request.environment


def _scopes(sent: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes that a body asks for, in `scope` or in `scopes`."""
    found = sent.get("scopes", sent.get("scope", []))
    texts = found if isinstance(found, list) else str(found).split()
    return frozenset(str(each) for each in texts)


def _ends(record: KeyRecord | None) -> float | None:
    """Return when a key dies by itself, as far as that is settled."""
    if record is None:
        return None
    grace = None if record.rotated_at is None or record.grace is None else record.rotated_at + record.grace
    return min((moment for moment in (grace, record.expires_at) if moment is not None), default=None)
