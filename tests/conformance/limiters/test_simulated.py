"""RATE, PREC-5: no correct limiter is accused, however it counts, whatever the network, the clock and the keys are.

The clauses themselves are driven against limiters in a simulated world. A few runs of each are enough on every commit;
with `AUTHCONTRACT_NIGHTLY=1` there are five hundred.
"""

import os
from collections import Counter
from dataclasses import replace

import pytest
from authcontract_conformance.oracle._verdict import Judgement, Word
from limiters import CORRECT, WRONG, Kind
from simulation import ACCUSED, WATCHING, Circumstances, Simulation, drawn

RUNS = 500 if os.environ.get("AUTHCONTRACT_NIGHTLY") == "1" else 6
every_limiter = pytest.mark.parametrize("name", CORRECT)


def simulated(kind: Kind, seed: str, how: Circumstances, *clauses: str) -> dict[tuple[str, str], Judgement]:
    """Judge a limiter in one simulated world; what passive clauses accuse is under their names."""
    simulation = Simulation(make=kind.make, circumstances=how, seed=seed, watching=WATCHING)
    found = simulation.run(*clauses)
    for clause, words in simulation.watched.items():
        found |= {(clause, word): Judgement(word=word) for word in words}
    return found


@every_limiter
def test_no_correct_limiter_is_accused(name: str) -> None:
    """Its clock may tick in seconds, its bucket be small, and a refusal cost something, where the policy says so."""
    words: Counter[Word] = Counter()
    for number in range(RUNS):
        how = drawn(CORRECT[name], f"{name}/{number}")
        found = simulated(CORRECT[name], f"{name}/{number}", how)
        accused = {case: (judged.reason, judged.evidence) for case, judged in found.items() if judged.word in ACCUSED}
        assert not accused, (number, how, accused)
        words.update(judged.word for judged in found.values())
    assert words[Word.PASS] > sum(words.values()) / 10  # a queue holds requests up for longer than anybody waits


#: Requests of somebody else in each window: now and then, several, and more than there are.
FOREIGN = (0.5, 3.0, 12.0, 40.0)


@every_limiter
def test_nor_where_somebody_else_uses_its_key(name: str) -> None:
    """A key that is lent may be in use: what that takes away is nobody's fault."""
    for number in range(RUNS):
        seed = f"{name}/with others/{number}"
        how = drawn(CORRECT[name], seed, frozen=False, whose="declared", foreign=FOREIGN[number % len(FOREIGN)])
        found = simulated(CORRECT[name], seed, how)
        accused = {case: (judged.reason, judged.evidence) for case, judged in found.items() if judged.word in ACCUSED}
        assert not accused, (number, how, accused)


def test_it_is_said_that_somebody_else_may_use_a_key() -> None:
    """Where a lent key gets less than is documented, and unevenly, the reason names who may have it."""
    reasons = []
    for number in range(10):
        how = drawn(CORRECT["sliding log"], f"named/{number}", frozen=False, whose="declared", foreign=9.0, tick=1)
        how = replace(how, shape=replace(how.shape, amount=12, window=10, refused=0), latency=(0.002, 0.003))
        found = simulated(CORRECT["sliding log"], f"named/{number}", how, "RATE-2")
        reasons += [judged.reason for judged in found.values() if judged.word is Word.INCONCLUSIVE]
    assert [reason for reason in reasons if "somebody else may be using the key" in reason]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_limiter_is_accused_in_most_runs(name: str) -> None:
    """Whatever the keys and the network are, where nobody else uses the keys."""
    wrong, runs, caught = WRONG[name], max(8, RUNS // 5), 0
    for number in range(runs):
        seed = f"{name}/{number}"
        how = drawn(wrong, seed, **({"frozen": True, "whose": "issued"} if wrong.by_clock else {}))
        amount, window = ((8, 10), (12, 30), (20, 60), (30, 60))[number % 4]
        how = replace(how, shape=replace(how.shape, amount=amount, window=window, refused=0))
        found = simulated(wrong, seed, how, *wrong.accused_by)
        caught += any(judged.word in ACCUSED for judged in found.values())
    assert caught > runs / 2
