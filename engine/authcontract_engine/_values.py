"""What goes into a decision and what comes out: a request as received, the facts about it, and the decision.

No file, socket, clock, environment or log is touched in this package's core: the caller brings `now`, the key's record
and the reservation of the limits. Times are seconds since the Unix epoch as `float`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal

from authcontract_policy import Cause, Operation, Path

from ._lean import lean


class Unknown(Enum):
    """A fact that nobody knows; a decision is then a set of possible ones."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """A request exactly as received; nothing is normalised, merged or decoded."""

    #: How it arrived, not what it claims.
    scheme: Literal["https", "http"] = "https"
    #: Address of the peer, for limits per ip.
    peer: str = ""
    #: The environment whose base URL received it; None where one base URL serves all.
    environment: str | None = None
    method: bytes
    #: The request target, e.g. b"/api/v1/leads?x=1"; may be absolute-form.
    target: bytes
    #: Every header line in order, names and values as received (without the line break).
    headers: tuple[tuple[bytes, bytes], ...] = ()
    #: What the listener found wrong with the syntax already, if anything.
    problem: Literal[Cause.MALFORMED_REQUEST, Cause.TOO_LARGE] | None = None

    def __repr__(self) -> str:
        # Neither query nor values: either may hold a key.
        path = self.target.partition(b"?")[0]
        names = b", ".join(name for name, _ in self.headers)
        return f"Request({self.method!r} {path!r}, fields {names!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An issued key, without its secret."""

    id: str
    #: SHA-256 of the key's bytes, lower-case hex.
    digest: str
    #: Name under `keys.kinds`.
    kind: str
    scopes: frozenset[str] = frozenset()
    plan: str | None = None
    environment: str | None = None
    organisation: str = ""
    user: str | None = None
    application: str | None = None
    #: Id of the first key of the chain of rotations; counts for limits that old and new key share.
    lineage: str = ""
    issued_at: float
    #: When it was rotated; from then on it lives for the grace only.
    rotated_at: float | None = None
    #: Seconds of grace granted at rotation.
    grace: float | None = None
    revoked_at: float | None = None
    expires_at: float | None = None


class KeyState(StrEnum):
    """The life of a key: a pure function of its times and now."""

    ACTIVE = "active"
    GRACE = "grace"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Object(StrEnum):
    """Whose the addressed object is, as the key sees it."""

    OWN = "own"
    FOREIGN = "foreign"
    ABSENT = "absent"


class Body(StrEnum):
    """Whether the body is what the operation accepts."""

    VALID = "valid"
    INVALID = "invalid"


@lean(frozen=True, slots=True)
class Standing:
    """How one limit stands for this request, after it was counted; whole numbers as a header says them."""

    #: Name under `rate_limits`.
    limit: str
    amount: int
    remaining: int
    used: int
    window: int
    #: Seconds until more quota, rounded up.
    reset_in: int
    #: Epoch seconds.
    reset_at: int
    #: Seconds after which the same request is admitted if nothing else happens; 0 if admitted now, infinite if never.
    retry_after: float
    admitted: bool


@lean(frozen=True, slots=True)
class Charge:
    """What one limit will take for a request, and from whose allowance."""

    limit: str
    #: Whom the request is counted with: the values of the limit's `per`, in that order.
    bucket: tuple[str, ...]
    #: Whole requests in one window, and capacity for bursts.
    amount: int
    burst: int
    #: Units if the request goes on; `Decision.cause` settles the final cost.
    cost: int
    #: Units that the request takes even if it is refused for quota.
    cost_refused: int = 0


@lean(frozen=True, slots=True)
class Reservation:
    """All charges reserved together, or none."""

    admitted: bool
    standings: tuple[Standing, ...] = ()
    #: When it was made, in whole nanoseconds.
    at: int = 0


@lean(frozen=True, slots=True)
class Facts:
    """What a request does not say of itself; any of it but the time may be unknown."""

    now: float
    #: The record of the presented key; None: there is none.
    key: KeyRecord | Unknown | None = None
    #: None: no limit is counted.
    usage: Reservation | Unknown | None = None
    object: Object | Unknown = Object.OWN
    #: The kind of object addressed, for policies that tell kinds apart.
    object_kind: str | Unknown | None = None
    body: Body | Unknown = Body.VALID
    #: State that a key-managing operation meets: True where the key addressed may not be rotated or revoked (G-21).
    key_state_conflict: bool | Unknown = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The line of the policy that decided."""

    path: Path
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the contract says of one request; one shared immutable value for each (operation, cause, rule)."""

    allowed: bool
    operation: Operation | None = None
    cause: Cause | None = None
    #: Name under `errors`; None where no row names the cause, so that HTTP's usual status stands.
    error: str | None = None
    #: Acceptable statuses of a refusal, the first is ours; empty if allowed (the specification names those).
    statuses: tuple[int, ...] = ()
    rule: Rule
    #: Limit that refused, for `throttled`.
    limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A refusal or the headers of an answer, rendered by the contract."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
