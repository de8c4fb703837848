"""One change between two contracts, as data; `changes` finds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from authcontract_policy import Path


class Subject(StrEnum):
    """What a change is about."""

    DECISION = "decision"
    OPERATION = "operation"
    SCOPE = "scope"
    LIMIT = "limit"
    #: What the policy says of errors, keys, headers, environments, order and isolation.
    RULE = "rule"
    SILENCE = "silence"


class Effect(StrEnum):
    """Whom a change is for."""

    OPENS = "opens access"
    CLOSES = "closes access"
    MORE = "allows more"
    LESS = "allows less"
    #: Neither, or nobody can tell.
    OTHER = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it was."""

    subject: Subject
    #: An operation, a scope, the name of a limit, a word of the policy, or a silence.
    what: str
    #: Whom or what of it: the holder of a key, or the headings of a table; may be empty.
    whom: str = ""
    before: str
    after: str
    effect: Effect = Effect.OTHER
    #: Where the old and the new policy say so; None: it does not.
    old: Path | None = None
    new: Path | None = None

    @property
    def fingerprint(self) -> str:
        """Return 12 hex digits that stay the same while the change does, so that a review can name what it accepted."""
        parts = (self.subject, self.what, self.whom, self.before, self.after)
        return hashlib.sha256(repr(tuple(map(str, parts))).encode()).hexdigest()[:12]
