"""The nine checks, each a function of a reading and facts that returns a refusal or None; their order is a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from authcontract_policy import DEFAULT_PRECEDENCE, Cause, Check, Operation, Policy

from ._charges import Charges
from ._decisions import Decisions
from ._life import state
from ._reading import Reading
from ._scope import ScopeCheck
from ._syntax import METHODS
from ._values import UNKNOWN, Body, Decision, Facts, KeyState, Object, Reservation

#: The checks that look at facts; the others look at the request alone, and pass where its reading is clear.
FACTUAL: Final = frozenset({Check.KEY, Check.LIMIT, Check.SCOPE, Check.BODY, Check.OBJECT})
#: Members of an enumeration, looked up once: at run time each look costs as much as a check.
_ACTIVE, _GRACE, _REVOKED = KeyState.ACTIVE, KeyState.GRACE, KeyState.REVOKED
_INVALID, _OWN, _ABSENT = Body.INVALID, Object.OWN, Object.ABSENT

CheckFunction: TypeAlias = Callable[[Reading, Facts], Decision | None]


class Checks:
    """The checks of one contract."""

    def __init__(self, policy: Policy, scope: ScopeCheck, charges: Charges, decisions: Decisions) -> None:
        self._scopes = scope
        self._charges = charges
        self._refusal = decisions.refusal
        self._unknown_method = decisions.unknown_method
        #: With a base URL for each environment a key of another one is refused; with one for all there is no other.
        self._by_host = policy.base_url.dimension is not None
        managed = policy.keys.managed_by
        self._changing_keys = () if managed is None else (managed.rotate, managed.revoke)
        functions: Mapping[Check, CheckFunction] = {
            Check.TRANSPORT: self._transport,
            Check.SYNTAX: self._syntax,
            Check.KEY: self._key,
            Check.LIMIT: self._limit,
            Check.PATH: self._path,
            Check.METHOD: self._method,
            Check.SCOPE: self._scope,
            Check.BODY: self._body,
            Check.OBJECT: self._object,
        }
        #: In the order of the policy.
        self.table = tuple((check, functions[check]) for check in policy.precedence or DEFAULT_PRECEDENCE)

    def refused(self, checks: Iterable[CheckFunction], reading: Reading, facts: Facts) -> Decision | None:
        """Return the first refusal, or None; what raises refuses, since nobody is let through for a mistake of ours."""
        try:
            for check in checks:
                refusal = check(reading, facts)
                if refusal is not None:
                    return refusal
        except Exception:  # noqa: BLE001  whatever went wrong
            return self._refusal(reading.operation, Cause.INSUFFICIENT_SCOPE)
        return None

    def _transport(self, reading: Reading, _: Facts) -> Decision | None:
        return self._refusal(reading.operation, Cause.PLAINTEXT) if reading.plaintext else None

    def _syntax(self, reading: Reading, _: Facts) -> Decision | None:
        return None if reading.problem is None else self._refusal(reading.operation, reading.problem)

    def _key(self, reading: Reading, facts: Facts) -> Decision | None:
        presented, operation, key = reading.presented, reading.operation, facts.key
        if not reading.clear and reading.asks_for_methods:
            return None
        if presented.state != "key":
            if presented.state == "missing" and operation is not None and operation.id in self._scopes.public:
                return None
            return self._refusal(operation, Cause(presented.state))
        if key is None or key is UNKNOWN or key.digest != presented.digest:
            return self._refusal(operation, Cause.UNKNOWN)
        life = state(key, facts.now)
        if life is not _ACTIVE and life is not _GRACE:
            return self._refusal(operation, Cause.REVOKED if life is _REVOKED else Cause.EXPIRED)
        if self._by_host and key.environment != reading.request.environment:
            return self._refusal(operation, Cause.WRONG_ENVIRONMENT)
        return None

    def _limit(self, reading: Reading, facts: Facts) -> Decision | None:
        usage = facts.usage
        if usage is None or usage is UNKNOWN or usage.admitted:
            return None
        return self._refusal(reading.operation, Cause.THROTTLED, _refused_by(usage)[0])

    def _path(self, reading: Reading, _: Facts) -> Decision | None:
        return self._refusal(None, Cause.UNKNOWN_PATH) if reading.place is None else None

    def _method(self, reading: Reading, _: Facts) -> Decision | None:
        if reading.operation is not None or reading.asks_for_methods:
            return None
        if reading.request.method not in METHODS:
            return self._unknown_method
        return self._refusal(None, Cause.METHOD_NOT_ALLOWED)

    def _scope(self, reading: Reading, facts: Facts) -> Decision | None:
        if reading.operation is None:
            return None
        key = facts.key if reading.presented.state == "key" and facts.key is not UNKNOWN else None
        return self._scopes.lacking(reading.operation, key, facts.object_kind)

    def _body(self, reading: Reading, facts: Facts) -> Decision | None:
        return self._refusal(reading.operation, Cause.INVALID_BODY) if facts.body is _INVALID else None

    def _object(self, reading: Reading, facts: Facts) -> Decision | None:
        operation, found = reading.operation, facts.object
        if operation is None:
            return None
        if found is not _OWN and found is not UNKNOWN:
            return self._refusal(operation, Cause.UNKNOWN_OBJECT if found is _ABSENT else Cause.FOREIGN_OBJECT)
        return self._refusal(operation, Cause.KEY_STATE) if facts.key_state_conflict is True else None

    # --- what a check may say where a fact is unknown ----------------------------------------------------------------

    def possible(self, check: Check, function: CheckFunction, reading: Reading, facts: Facts) -> set[Decision | None]:
        """Return all that a check may say, None among it where it may pass.

        Each unknown fact is looked at by one check, except for the key, and one that passes the check of keys may hold
        anything: so what the checks may say one by one is what the decision may be, without a product of all facts.
        """
        operation = reading.operation
        match check:
            case Check.KEY if facts.key is UNKNOWN and reading.presented.digest and not reading.asks_for_methods:
                return {None, *(self._refusal(operation, cause) for cause in self._of_unknown_keys())}
            case Check.LIMIT if facts.usage is UNKNOWN:
                names = self._charges.refusing(operation, facts.key if reading.presented.state == "key" else None)
                return {None, *(self._refusal(operation, Cause.THROTTLED, name) for name in names)}
            case Check.LIMIT if facts.usage is not None and facts.usage is not UNKNOWN and not facts.usage.admitted:
                return {self._refusal(operation, Cause.THROTTLED, name) for name in _refused_by(facts.usage)}
            case Check.SCOPE if operation is not None:
                key = facts.key if reading.presented.state == "key" else None
                return self._scopes.possible(operation, key, facts.object_kind)
            case Check.BODY if facts.body is UNKNOWN and operation is not None:
                return {None, self._refusal(operation, Cause.INVALID_BODY)}
            case Check.OBJECT if operation is not None:
                return self._of_objects(operation, facts)
            case _:
                return {self.refused((function,), reading, facts)}

    def _of_unknown_keys(self) -> Iterable[Cause]:
        yield from (Cause.UNKNOWN, Cause.EXPIRED, Cause.REVOKED)
        if self._by_host:
            yield Cause.WRONG_ENVIRONMENT

    def _of_objects(self, operation: Operation, facts: Facts) -> set[Decision | None]:
        conflict = facts.key_state_conflict
        own: set[Decision | None] = set()
        if conflict is not True:
            own.add(None)
        if conflict is True or (conflict is UNKNOWN and operation.id in self._changing_keys):
            own.add(self._refusal(operation, Cause.KEY_STATE))
        found: Mapping[Object, set[Decision | None]] = {
            Object.OWN: own,
            Object.FOREIGN: {self._refusal(operation, Cause.FOREIGN_OBJECT)},
            Object.ABSENT: {self._refusal(operation, Cause.UNKNOWN_OBJECT)},
        }
        return set().union(*found.values()) if facts.object is UNKNOWN else found[facts.object]


def _refused_by(usage: Reservation) -> tuple[str | None, ...]:
    """Return the limits that had no room; the error of any will do."""
    return tuple(standing.limit for standing in usage.standings if not standing.admitted) or (None,)
