"""What each verdict means for a clause, in a sentence: it follows from its level, what it rests on, and its needs."""

from __future__ import annotations

from collections.abc import Mapping

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.oracle._verdict import Basis, Level, Word

#: Who demands it, as the end of a sentence.
_DEMANDED: Mapping[Basis, str] = {
    Basis.CONTRACT: "what the contract promises",
    Basis.STANDARD: "what the standard demands",
    Basis.HARDENING: "what a careful implementation does",
}


def verdicts(clause: Clause) -> Mapping[str, str]:
    """Return what each verdict word that the clause can come to means, the best first."""
    found = {
        Word.PASS: f"the target did {_DEMANDED[clause.basis]}, wherever it was tried",
        Word.FAIL: _fail(clause),
        Word.WARN: _warn(clause),
        Word.UNSPECIFIED: _unspecified(clause),
        Word.INCONCLUSIVE: _inconclusive(clause),
        Word.SKIPPED: _skipped(clause),
    }
    return {word.value: sentence for word, sentence in found.items() if sentence}


def _fail(clause: Clause) -> str:
    if clause.level is not Level.MUST:
        return ""
    return f"a response shows something else than {_DEMANDED[clause.basis]}; the target does not conform"


def _warn(clause: Clause) -> str:
    match clause.level:
        case Level.MUST:
            return "it was kept in a sloppy way, and no harm was seen; the target may conform"
        case Level.SHOULD:
            return (
                f"a response shows something else than {_DEMANDED[clause.basis]}; it is advice, and breaks no promise"
            )
        case Level.UNSPEC:
            return "the target does something that others regretted; it breaks no promise"


def _unspecified(clause: Clause) -> str:
    if clause.level is Level.UNSPEC:
        return "nothing is promised here; the reason says what the target does"
    if clause.basis is Basis.CONTRACT:
        return "the documentation is silent, and the target gave another answer that the policy accepts too"
    return ""


def _inconclusive(clause: Clause) -> str:
    what = "the target gave no answer that shows it: it broke, throttled, or refused a key that may"
    return f"{what}; the run is inconclusive too" if clause.level is Level.MUST else what


def _skipped(clause: Clause) -> str:
    needs = sorted(need.value for need in clause.needs)
    lacking = f"the target offers no {' or no '.join(needs)}, or " if needs else ""
    return f"{lacking}the contract or the care for the target left nothing to try"
