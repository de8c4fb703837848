"""The policy as frozen values, one class for each block of the YAML document.

Everything here is a value: no file, no clock, no YAML node. Positions in the file are kept by path (`Document`), so
that a finding of any later stage can point at the line that demands it.

A *path* names a place in the document by its keys and indices, e.g. `("errors", "forbidden", "status")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal, TypeAlias, TypeVar

Path: TypeAlias = tuple[str | int, ...]
T = TypeVar("T")


class Check(StrEnum):
    """One stage of a decision; `precedence` puts the nine in order."""

    TRANSPORT = "transport"
    SYNTAX = "syntax"
    KEY = "key"
    LIMIT = "limit"
    PATH = "path"
    METHOD = "method"
    SCOPE = "scope"
    BODY = "body"
    OBJECT = "object"


class Cause(StrEnum):
    """Why a request is refused; each cause belongs to one check (`CHECK_OF`)."""

    PLAINTEXT = "plaintext"
    MALFORMED_REQUEST = "malformed_request"
    TOO_LARGE = "too_large"
    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WRONG_ENVIRONMENT = "wrong_environment"
    CONFLICTING = "conflicting"
    THROTTLED = "throttled"
    UNKNOWN_PATH = "unknown_path"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    INSUFFICIENT_PLAN = "insufficient_plan"
    INVALID_BODY = "invalid_body"
    UNKNOWN_OBJECT = "unknown_object"
    FOREIGN_OBJECT = "foreign_object"
    KEY_STATE = "key_state"


CHECK_OF: Mapping[Cause, Check] = {
    Cause.PLAINTEXT: Check.TRANSPORT,
    Cause.MALFORMED_REQUEST: Check.SYNTAX,
    Cause.TOO_LARGE: Check.SYNTAX,
    Cause.MISSING: Check.KEY,
    Cause.MALFORMED: Check.KEY,
    Cause.UNKNOWN: Check.KEY,
    Cause.EXPIRED: Check.KEY,
    Cause.REVOKED: Check.KEY,
    Cause.WRONG_ENVIRONMENT: Check.KEY,
    Cause.CONFLICTING: Check.KEY,
    Cause.THROTTLED: Check.LIMIT,
    Cause.UNKNOWN_PATH: Check.PATH,
    Cause.METHOD_NOT_ALLOWED: Check.METHOD,
    Cause.INSUFFICIENT_SCOPE: Check.SCOPE,
    Cause.INSUFFICIENT_PLAN: Check.SCOPE,
    Cause.INVALID_BODY: Check.BODY,
    Cause.UNKNOWN_OBJECT: Check.OBJECT,
    Cause.FOREIGN_OBJECT: Check.OBJECT,
    Cause.KEY_STATE: Check.OBJECT,
}

#: Used where the policy states no precedence; then the order is a silence and only invariants are judged.
DEFAULT_PRECEDENCE: tuple[Check, ...] = (
    Check.TRANSPORT,
    Check.SYNTAX,
    Check.KEY,
    Check.LIMIT,
    Check.PATH,
    Check.METHOD,
    Check.SCOPE,
    Check.BODY,
    Check.OBJECT,
)

#: HTTP's usual status for a cause that no error row names: a silence, answered by convention.
USUAL_STATUS: Mapping[Cause, int] = {
    Cause.PLAINTEXT: 403,
    Cause.MALFORMED_REQUEST: 400,
    Cause.TOO_LARGE: 431,
    Cause.MISSING: 401,
    Cause.MALFORMED: 401,
    Cause.UNKNOWN: 401,
    Cause.EXPIRED: 401,
    Cause.REVOKED: 401,
    Cause.WRONG_ENVIRONMENT: 401,
    Cause.CONFLICTING: 400,
    Cause.THROTTLED: 429,
    Cause.UNKNOWN_PATH: 404,
    Cause.METHOD_NOT_ALLOWED: 405,
    Cause.INSUFFICIENT_SCOPE: 403,
    Cause.INSUFFICIENT_PLAN: 403,
    Cause.INVALID_BODY: 422,
    Cause.UNKNOWN_OBJECT: 404,
    Cause.FOREIGN_OBJECT: 404,
    Cause.KEY_STATE: 409,
}


class Dimension(StrEnum):
    """What the headings of a table are."""

    PLAN = "plan"
    ENVIRONMENT = "environment"
    KIND = "kind of key"
    SCOPE = "scope"
    KEY = "key"


#: The two headings of `Dimension.KEY`.
NO_KEY = "no key"
ANY_KEY = "any key"
AS_SPECIFIED = "as specified"
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One value, or values by heading, nested at will.

    A leaf has `dimension is None` and its `value`; a branch has `rows` by heading and perhaps `others`.
    """

    value: T | None = None
    dimension: Dimension | None = None
    rows: tuple[tuple[str, Table[T]], ...] = ()
    others: Table[T] | None = None

    def lookup(self, headings: Mapping[Dimension, str | None]) -> T | None:
        """Return the value for these headings; None where the table has no row for them."""
        table: Table[T] | None = self
        while table is not None and table.dimension is not None:
            heading = headings.get(table.dimension)
            table = next((row for name, row in table.rows if name == heading), table.others)
        return None if table is None else table.value

    def values(self) -> tuple[T, ...]:
        """Return every value in the table, in the order of the document."""
        if self.dimension is None:
            return () if self.value is None else (self.value,)
        found = [value for _, row in self.rows for value in row.values()]
        return (*found, *(self.others.values() if self.others is not None else ()))


@dataclass(frozen=True, slots=True)
class ByCause:
    """A text, or a text for each cause; `others` answers for the causes that have none."""

    texts: tuple[tuple[Cause, str], ...] = ()
    others: str | None = None

    def of(self, cause: Cause) -> str | None:
        """Return the text for this cause, or None."""
        return next((text for name, text in self.texts if name is cause), self.others)


@dataclass(frozen=True, slots=True)
class Bound:
    """An amount, exact or only bounded (`at_least`, `at_most`); lengths in characters, durations in seconds."""

    exact: int | None = None
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class SentAs:
    """One documented way to send a key: a header line or a query parameter, with `<key>` in its template."""

    carrier: Literal["header", "query"]
    #: Field name as documented, or the query parameter's name.
    name: str
    #: Value template, e.g. `Bearer <key>`, `Basic base64(<key>:)`, `<key>`.
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What follows a key's prefix."""

    length: Bound
    #: Every character that may occur, sorted.
    alphabet: str


Holds: TypeAlias = Literal["one scope", "several scopes", "every scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of key."""

    name: str
    holds: Holds
    #: By environment where it differs; None where no prefix is documented.
    prefix: Table[str] | None = None
    secret: Secret | None = None
    #: Seconds after issue at which such a key expires by itself.
    lifetime: Bound | None = None
    #: Seconds, or "unlimited"; advice, never enforced.
    advised_lifetime: Table[int | Literal["unlimited"]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What happens to the old key when it is rotated; None: the documentation does not say."""

    #: Seconds for which the old key stays valid.
    grace: Bound
    while_in_grace: Literal["allowed", "refused", "ends_old_key"] | None = None
    shares_limits: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedBy:
    """The operations (by operationId) that create, rotate and revoke keys; None where there is none."""

    create: str | None = None
    rotate: str | None = None
    revoke: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys and how they are sent."""

    sent_as: tuple[SentAs, ...]
    kinds: Mapping[str, Kind]
    shown_once: Table[bool] | None = None
    #: Seconds until a new, rotated or revoked key counts everywhere.
    takes_effect_within: int | None = None
    rotation: Rotation | None = None
    managed_by: ManagedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRow:
    """What a key with this scope may do; the name may be a family, e.g. `<resource>_read`."""

    name: str
    #: None: the scope counts on every method. GET stands for HEAD too.
    methods: frozenset[str] | None = None
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a key must have: `keyword`, or any of several sets of names (scopes, plans, kinds of key)."""

    keyword: Literal["any key", "no key", "as specified"] | None = None
    any_of: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Selector:
    """One way to name operations: an operationId, `METHOD /path`, `/path`, `/path/*` or a tag."""

    how: Literal["id", "path", "below", "tag"]
    #: operationId, path template (without `/*`) or tag.
    text: str
    #: Only for `path` and `below`; None: any method.
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A documented ability: what it requires and the operations it is made of."""

    name: str
    requires: Requirement
    operations: tuple[Selector, ...]
    #: Kinds of object that the row speaks of; empty: all.
    objects: tuple[str, ...] = ()
    refused_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFormat:
    """The body that all errors share."""

    content_type: str
    #: JSON value with `<placeholder>` texts in it.
    body: Mapping[str, Any]
    #: Names of fields, at any depth, whose text is an example and no promise.
    may_differ: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One documented refusal; `name` fills `<code>`."""

    name: str
    #: Acceptable statuses, the first is the one that the reference server sends.
    statuses: tuple[int, ...]
    when: tuple[Cause, ...] = ()
    says: Mapping[str, ByCause]
    headers: Mapping[str, ByCause]
    #: Another body template; "any": none is promised; None: that of `error_format`.
    body: Mapping[str, Any] | Literal["any"] | None = None


Amount: TypeAlias = int | Literal["unlimited", "unpublished"]
Algorithm: TypeAlias = Literal["any", "fixed_window", "sliding_log", "window_counter", "token_bucket"]
Per: TypeAlias = Literal[
    "key", "user", "organisation", "application", "environment", "scope", "ip", "operation", "object"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit: `requests` in a `window` of seconds, or `concurrent`."""

    name: str
    requests: Table[Amount] | None = None
    window: int | None = None
    concurrent: Table[Amount] | None = None
    per: tuple[Per, ...]
    algorithm: Algorithm = "any"
    #: Capacity of the bucket; None: the amount.
    burst: Table[int] | None = None
    #: Empty: every operation.
    operations: tuple[Selector, ...] = ()
    #: Units by cause, selector text, method or `others`, as written.
    costs: Mapping[str, int]
    headers: Mapping[str, str]
    refused_with: str | None = None
    may_be_lower: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A point on which the documentation says nothing, with the answer that this policy gives."""

    id: str
    answer: str
    confirmed: bool
    #: Other acceptable policies, each a partial document that replaces what stands; only while assumed.
    otherwise: tuple[Mapping[str, Any], ...] = ()
    #: Ids of the clauses that a deployment passes only if it does as the answer says.
    shown_by: tuple[str, ...] = ()
    #: Why no response shows what a deployment does; None: some may.
    not_shown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the documentation promises and this language cannot state."""

    promise: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one line of a file; line and columns start at 1, `end` is past the last column."""

    file: str
    line: int
    column: int
    end: int
    #: The whole line, without its line break.
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file's content as plain values, with the position of every key and value by path."""

    file: str
    #: SHA-256 of the bytes, lower-case hex.
    sha256: str
    value: Any
    keys: Mapping[Path, Span]
    values: Mapping[Path, Span]

    def span(self, path: Path) -> Span | None:
        """Return where `path` stands: its key if it has one, else its value, else the nearest block around it."""
        while True:
            found = self.keys.get(path) or self.values.get(path)
            if found is not None or not path:
                return found
            path = path[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole promise, as one immutable value."""

    document: Document
    documentation: str
    specification: str
    base_url: Table[str]
    environments: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    isolation: tuple[str, ...] = ()
    #: None: not stated (`DEFAULT_PRECEDENCE` is used and only its invariants are judged).
    precedence: tuple[Check, ...] | None = None
    headers: Mapping[str, str]
    keys: Keys
    scopes: Mapping[str, ScopeRow]
    capabilities: Mapping[str, Capability]
    error_format: ErrorFormat
    errors: Mapping[str, ErrorRow]
    rate_limits: Mapping[str, RateLimit]
    silences: Mapping[str, Silence]
    not_covered: tuple[Promise, ...] = ()

    def source(self, path: Path) -> str | None:
        """Return the heading, URL or silence that demands what stands at `path`: the nearest `source` around it."""
        block = self.document.value
        blocks = [block]
        for step in path:
            try:
                block = block[step]
            except (KeyError, IndexError, TypeError):
                break
            blocks.append(block)
        for depth in range(len(blocks) - 1, -1, -1):
            found = _leaf(blocks[depth], path[depth:])
            if found is not None:
                return found
        return None


def _leaf(block: Any, below: Path) -> str | None:
    """Return what this block's `source` says of the field `below` it."""
    if not isinstance(block, Mapping) or "source" not in block:
        return None
    source = block["source"]
    for step in below:
        if not isinstance(source, Mapping):
            break
        source = source.get(step, source.get(OTHERS))
    if isinstance(source, Mapping):
        source = source.get(OTHERS)
    return source if isinstance(source, str) else None
