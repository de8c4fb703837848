"""The ledger of silences: for each point that the documentation leaves open, what the target was seen to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from authcontract_engine import Change, Contract, changes
from authcontract_policy import Silence

from authcontract_conformance._events import SilenceJudged
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._silences import AS_ASSUMED, Seen, Silences
from authcontract_conformance.oracle._verdict import Basis, ClauseVerdict, Level, Word
from authcontract_conformance.world._world import World

#: Changes that a sentence names.
NAMED: Final = 2
_LACKS: Final = {Word.FAIL: "fails", Word.WARN: "warns"}
NOTHING_TELLS: Final = "no response of this run tells its answers apart"


def onlooker(silences: Silences) -> Clause:
    """Return a clause that judges nothing: it looks at every exchange of the run and learns."""

    def look(world: World, exchange: Exchange) -> None:
        silences.look(exchange, world.now(), world.case.partition("/")[0])

    return Clause(
        id="silences",
        level=Level.UNSPEC,
        basis=Basis.CONTRACT,
        sources=(),
        promise="",
        why="",
        how="",
        fix="",
        passive=look,
    )


class State(StrEnum):
    """What can be said of a silence at the end of a run."""

    AS_ASSUMED = "as assumed"
    OTHERWISE = "otherwise"
    INCONSISTENT = "inconsistent"
    NOT_SEEN = "not seen"
    #: No response can show it, whatever the target does.
    NOT_SHOWN = "not shown"


def ledger(contract: Contract, found: Silences, verdicts: Iterable[ClauseVerdict]) -> tuple[SilenceJudged, ...]:
    """Return what became of each silence of the policy, in its order."""
    judged = {verdict.clause: verdict for verdict in verdicts}
    torn = found.settle()
    rows = {silence.id: _row(silence, found, judged) for silence in contract.policy.silences.values()}
    for name, (others, number) in torn.items():
        silence = contract.policy.silences[name]
        text = f"exchange {number} needs another answer to this or to {' or '.join(sorted(others))}"
        fitting = tuple(range(1, len(silence.otherwise) + 1))
        rows[name] = _said(silence, State.NOT_SEEN, text, otherwise=fitting)
    return tuple(rows.values())


def _row(silence: Silence, found: Silences, judged: Mapping[str, ClauseVerdict]) -> SilenceJudged:
    if silence.not_shown is not None:
        return _said(silence, State.NOT_SHOWN, silence.not_shown)
    seen = found.seen.get(silence.id)
    if seen is not None:
        return _seen(silence, seen, found)
    return _by_clauses(silence, found, judged)


def _seen(silence: Silence, seen: Seen, found: Silences) -> SilenceJudged:
    """Say what responses have shown themselves."""
    responses = len(seen.exchanges)
    if seen.contradiction is not None:
        text = f"response {seen.contradiction} contradicts those before it, of which {seen.example} is one"
        return _said(silence, State.INCONSISTENT, text, responses=responses, exchange=seen.contradiction)
    if AS_ASSUMED in seen.left:
        rest = tuple(sorted(seen.left - {AS_ASSUMED}))
        text = f"nothing told it from answer {' or '.join(map(str, rest))}" if rest else ""
        return _said(silence, State.AS_ASSUMED, text, otherwise=rest, responses=responses, exchange=seen.example)
    numbers = tuple(sorted(seen.left))
    contracts = found.answers(silence.id)
    text = in_words(contracts[AS_ASSUMED], contracts[numbers[0]])
    return _said(
        silence,
        State.OTHERWISE,
        text,
        otherwise=numbers,
        responses=responses,
        exchange=seen.example,
    )


def _by_clauses(silence: Silence, found: Silences, judged: Mapping[str, ClauseVerdict]) -> SilenceJudged:
    """Say what the clauses that the policy names for it have shown."""
    names = [_judging(name) for name in silence.shown_by]
    verdicts = [judged[name] for name in names if name in judged]
    broken = [verdict for verdict in verdicts if verdict.word in (Word.FAIL, Word.WARN)]
    if broken:
        text = "; ".join(f"{verdict.clause} {_LACKS[verdict.word]}{_because(verdict.reason)}" for verdict in broken)
        return _said(
            silence, State.OTHERWISE, text, responses=sum(v.cases for v in broken), exchange=_of(broken, found)
        )
    kept = [verdict for verdict in verdicts if verdict.word is Word.PASS]
    if kept:
        text = f"shown by {', '.join(verdict.clause for verdict in kept)}"
        return _said(silence, State.AS_ASSUMED, text, responses=sum(v.cases for v in kept), exchange=_of(kept, found))
    told = [f"{v.clause} is {v.word.value}: {v.reason}" for v in verdicts if v.reason]
    missing = [f"{name} was not judged" for name in names if name not in judged]
    return _said(silence, State.NOT_SEEN, "; ".join([*told, *missing]) or NOTHING_TELLS)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _judging(name: str) -> str:
    """Return the clause under which a merged id is judged."""
    merged = MERGED.get(name)
    return name if name in catalogue() or merged is None else merged.into or name


def _of(verdicts: Iterable[ClauseVerdict], found: Silences) -> int | None:
    """Return the first request of these clauses, or of those that make the traffic that they look at."""
    clauses = [catalogue()[verdict.clause] for verdict in verdicts]
    names = [name for clause in clauses for name in (clause.id, *clause.traffic)]
    return next((found.first[name] for name in names if name in found.first), None)


def _said(  # noqa: PLR0913  as many as a row has columns
    silence: Silence,
    state: State,
    text: str,
    *,
    otherwise: tuple[int, ...] = (),
    responses: int = 0,
    exchange: int | None = None,
) -> SilenceJudged:
    return SilenceJudged(
        silence=silence.id,
        answer=silence.answer,
        confirmed=silence.confirmed,
        state=state.value,
        seen=text,
        otherwise=otherwise,
        others=len(silence.otherwise),
        responses=responses,
        exchange=exchange,
    )


def in_words(contract: Contract, other: Contract) -> str:
    """Say how another answer differs from the assumed one: by causes and order first, else as policies are compared."""
    answered = [f"{cause} gets {now} instead of {was}" for cause, was, now in _answered(contract, other)]
    found = [change for change in changes(contract, other) if change.subject != "silence"]
    rest = [_sentence(change) for change in found if not (answered and change.what.startswith("errors."))]
    said = list(dict.fromkeys((*answered, *rest)))
    more = f", and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return "; ".join(said[:NAMED]) + more


def _answered(contract: Contract, other: Contract) -> Iterator[tuple[str, str, str]]:
    """Yield each cause that another answer refuses with another status or error, with both."""
    was, now = _by_cause(contract), _by_cause(other)
    for cause in was:
        if cause in now and was[cause] != now[cause]:
            yield cause.replace("_", " "), was[cause], now[cause]


def _by_cause(contract: Contract) -> Mapping[str, str]:
    rows = contract.policy.errors.values()
    return {cause.value: f"{' or '.join(map(str, row.statuses))} {row.name}" for row in rows for cause in row.when}


def _sentence(change: Change) -> str:
    whom = f" for {change.whom}" if change.whom else ""
    return f"{change.what}{whom}: {change.after} instead of {change.before}"
