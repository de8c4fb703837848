"""Which answers to a silence about quota the responses agree with, by what is left after each request.

While a target's clock stands still nothing is refilled, so that the numbers of one allowance only fall, by what each
request costs. Answers differ in whom they count together and in what a request costs; each says what must be left
after a request, given what was left after the one before it in the same allowance. Requests that overlap in time are
left out, since nobody knows which was counted first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from authcontract_engine import Contract, Decision, KeyRecord, Reading

from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._quota_fields import promised

#: Limit and bucket: one allowance.
Allowance: TypeAlias = tuple[str, tuple[str, ...]]
#: A request may agree with an answer, contradict it, or say nothing of it.
Agreement: TypeAlias = bool | None


@dataclass(frozen=True, slots=True)
class _Spent:
    """A request that was counted: when, what was left of each limit after it, and what each answer charges for it."""

    number: int
    sent_at: float
    received_at: float
    #: The target's time.
    now: float
    left: Mapping[str, int]
    #: For each answer: allowance -> cost and amount.
    charged: tuple[Mapping[Allowance, tuple[int, int]], ...]


class Spending:
    """The counted requests of a run, for the silences whose answers count differently."""

    def __init__(self, answers: Mapping[str, tuple[Contract, ...]]) -> None:
        counting = {s: contracts for s, contracts in answers.items() if any(map(_differs(contracts[0]), contracts[1:]))}
        self._answers = counting
        self._spent: dict[str, list[_Spent]] = {silence: [] for silence in counting}

    def look(self, reading: Reading, key: KeyRecord | None, now: float, decision: Decision, exchange: Exchange) -> None:
        """Keep what a response says is left, if it says so."""
        if key is None or not self._answers:
            return
        limits = next(iter(self._answers.values()))[0].policy.rate_limits
        alone = len(limits) == 1
        said = {name: promised(exchange, limit, alone=alone) for name, limit in limits.items()}
        left = {name: each.remaining for name, each in said.items() if each is not None and each.remaining is not None}
        if not left:
            return
        for silence, contracts in self._answers.items():
            charged = tuple(_charged(contract, reading, key, now, decision) for contract in contracts)
            self._spent[silence].append(
                _Spent(exchange.number, exchange.sent_at, exchange.received_at, now, left, charged)
            )

    def conclude(self) -> Iterator[tuple[str, frozenset[int], int]]:
        """Yield each silence of which a response shows something, the answers that agree with it, and its number."""
        for silence, spent in self._spent.items():
            agreements = [_agreements(spent, answer) for answer in range(len(self._answers[silence]))]
            for each in spent:
                found = [answer.get(each.number) for answer in agreements]
                agree = frozenset(answer for answer, agrees in enumerate(found) if agrees)
                if agree and any(agrees is False for agrees in found):
                    yield silence, agree, each.number


def _differs(contract: Contract) -> Callable[[Contract], bool]:
    def differs(other: Contract) -> bool:
        one, two = contract.policy, other.policy
        counted = ({n: (r.per, r.costs, r.requests) for n, r in p.rate_limits.items()} for p in (one, two))
        return next(counted) != next(counted) or one.keys.rotation != two.keys.rotation

    return differs


def _charged(
    contract: Contract, reading: Reading, key: KeyRecord, now: float, decision: Decision
) -> Mapping[Allowance, tuple[int, int]]:
    method = reading.request.method
    return {
        (charge.limit, charge.bucket): (contract.cost(charge, decision, method), charge.amount)
        for charge in contract.charges(reading, key, now)
    }


def _agreements(spent: Iterable[_Spent], answer: int) -> Mapping[int, Agreement]:
    """Return number -> whether what is left is what this answer says; a number is not there if nothing can be said."""
    by_allowance: dict[Allowance, list[_Spent]] = {}
    for each in sorted(spent, key=lambda each: (each.sent_at, each.number)):
        for allowance in each.charged[answer]:
            if allowance[0] in each.left:
                by_allowance.setdefault(allowance, []).append(each)
    found: dict[int, Agreement] = {}
    for allowance, several in by_allowance.items():
        first = several[0]
        alone = _alone(several)
        if first.number in alone:
            cost, amount = first.charged[answer][allowance]
            found[first.number] = first.left[allowance[0]] == amount - cost
        for before, after in pairwise(several):
            if before.now == after.now and {before.number, after.number} <= alone:
                cost, _ = after.charged[answer][allowance]
                agrees = after.left[allowance[0]] == max(0, before.left[allowance[0]] - cost)
                found[after.number] = agrees and found.get(after.number, True)
    return found


def _alone(several: list[_Spent]) -> frozenset[int]:
    """Return the requests that overlap with no other one of the same allowance."""
    found, latest = set(), float("-inf")
    for place, each in enumerate(several):
        later = several[place + 1].sent_at if place + 1 < len(several) else float("inf")
        if each.sent_at >= latest and each.received_at <= later:
            found.add(each.number)
        latest = max(latest, each.received_at)
    return frozenset(found)
