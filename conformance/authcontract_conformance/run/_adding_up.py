"""What the cases of a clause come to together: its word, the reason that stands for it, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.oracle._verdict import ClauseVerdict, Judgement, Word, worst


def added_up(
    clause: Clause, judgements: Sequence[Judgement], *, meaningless: str | None, missing: tuple[str, ...], ended: bool
) -> ClauseVerdict:
    """Return the verdict on a clause; `meaningless` says why the contract asks nothing of it, if so.

    Where nothing was judged that is open, unless it only looks at responses of which a target need have none.
    """
    if meaningless is None and not judgements and clause.unseen is not None and not ended:
        meaningless = clause.unseen
    if meaningless is not None:
        return ClauseVerdict(
            clause=clause.id, level=clause.level, word=Word.SKIPPED, reason=meaningless, applicable=False
        )
    if not judgements:
        nothing = "no response of the run concerned it" if clause.passive else "the run ended before"
        return ClauseVerdict(clause=clause.id, level=clause.level, word=Word.INCONCLUSIVE, reason=nothing)
    word = worst(judgements)
    reasons = Counter(judgement.reason for judgement in judgements if judgement.word is word and judgement.reason)
    return ClauseVerdict(
        clause=clause.id,
        level=clause.level,
        word=word,
        reason=reasons.most_common(1)[0][0] if reasons else "",
        cases=len(judgements),
        skipped=sum(1 for judgement in judgements if judgement.word is Word.SKIPPED),
        missing=missing,
    )
