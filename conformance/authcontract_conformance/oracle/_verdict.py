"""Verdicts: the words, how cases add up to a clause and clauses to a run; nothing conclusive is never green."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from authcontract_engine import Rule

from authcontract_conformance.exchange._exchange import Exchange


class Word(StrEnum):
    """What can be said of a promise."""

    PASS = "pass"  # noqa: S105  a verdict, no password
    FAIL = "fail"
    WARN = "warn"
    UNSPECIFIED = "unspecified"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    WAIVED = "waived"


class Level(StrEnum):
    """How strongly a clause binds."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    UNSPEC = "UNSPEC"


class Basis(StrEnum):
    """What a clause rests on."""

    CONTRACT = "contract"
    STANDARD = "standard"
    HARDENING = "hardening"


#: The worst first: a clause is as bad as its worst case. A pass outranks what was not judged, since one case that
#: could not be judged does not undo the others; but a MUST with a case left open is said to be so in the reason.
SEVERITY: tuple[Word, ...] = (
    Word.FAIL,
    Word.WARN,
    Word.INCONCLUSIVE,
    Word.UNSPECIFIED,
    Word.PASS,
    Word.SKIPPED,
    Word.WAIVED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was expected and what came, with the exchanges that show it."""

    expected: str
    got: str
    exchange: Exchange | None = None
    #: The request that proves that the credential works (R1), next to the failing one.
    control: Exchange | None = None
    rule: Rule | None = None

    @property
    def repeated(self) -> Exchange | None:
        """Return the exchange of them whose answer may be the one to a second time, or None."""
        return next((each for each in (self.exchange, self.control) if each is not None and each.repeats), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one case came to."""

    word: Word
    reason: str = ""
    evidence: Evidence | None = None


PASSED = Judgement(word=Word.PASS)


def fail(evidence: Evidence, reason: str = "") -> Judgement:
    """Return a failure; it needs positive evidence."""
    return Judgement(word=Word.FAIL, reason=reason, evidence=evidence)


def warn(evidence: Evidence, reason: str = "") -> Judgement:
    """Return a warning: a SHOULD is not kept, or something is sloppy without harm."""
    return Judgement(word=Word.WARN, reason=reason, evidence=evidence)


def inconclusive(reason: str) -> Judgement:
    """Say why nothing can be said."""
    return Judgement(word=Word.INCONCLUSIVE, reason=reason)


def unspecified(reason: str) -> Judgement:
    """Say what the target does where the contract leaves it open."""
    return Judgement(word=Word.UNSPECIFIED, reason=reason)


def skipped(reason: str) -> Judgement:
    """Name what the target lacks for this."""
    return Judgement(word=Word.SKIPPED, reason=reason)


def worst(judgements: Iterable[Judgement]) -> Word:
    """Return the word of a clause from the words of its cases; skipped if there is none."""
    words = {judgement.word for judgement in judgements}
    return next((word for word in SEVERITY if word in words), Word.SKIPPED)


class RunVerdict(StrEnum):
    """The one sentence on a target."""

    CONFORMANT = "conformant"
    NOT_CONFORMANT = "not conformant"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES: Mapping[RunVerdict, int] = {
    RunVerdict.CONFORMANT: 0,
    RunVerdict.NOT_CONFORMANT: 1,
    RunVerdict.INCONCLUSIVE: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseVerdict:
    """A clause's id with its level and what it came to."""

    clause: str
    level: Level
    word: Word
    reason: str = ""
    cases: int = 0
    #: Cases of them that the target, or the care for it, did not allow.
    skipped: int = 0
    #: False where the contract makes the clause meaningless.
    applicable: bool = True
    #: What it needs and the target does not offer.
    missing: tuple[str, ...] = ()


def run_verdict(verdicts: Iterable[ClauseVerdict], untested: frozenset[str] = frozenset()) -> RunVerdict:
    """Derive the verdict of a run (design.md, Decided 13).

    Not conformant with any failure. Conformant when every applicable MUST is pass, unspecified or waived, or is named
    as untested, and at least one of them is a pass. Otherwise inconclusive.
    """
    found = list(verdicts)
    if any(verdict.word is Word.FAIL for verdict in found):
        return RunVerdict.NOT_CONFORMANT
    musts = [v for v in found if v.level is Level.MUST and v.applicable and v.clause not in untested]
    settled = {Word.PASS, Word.WARN, Word.UNSPECIFIED, Word.WAIVED}
    if all(verdict.word in settled for verdict in musts) and any(verdict.word is Word.PASS for verdict in musts):
        return RunVerdict.CONFORMANT
    return RunVerdict.INCONCLUSIVE
