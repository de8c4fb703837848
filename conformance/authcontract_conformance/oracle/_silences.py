"""What the target does on each point on which the documentation is silent, learnt from the responses of a run.

A silence has its assumed answer and perhaps others, each a contract. A response *shows* something where some of these
contracts would have it and others would not; it then leaves fewer of them. Invariants: a response that all of them
have, or none, shows nothing; what a response shows is never taken back; when none is left the target answers in two
ways. What is not as assumed and would be explained by another answer to any of several silences is owed to one of them
only once the others are settled. A silence without another answer is shown by a response whose deciding line cites it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from authcontract_engine import UNKNOWN, Contract, Decision, Facts, KeyRecord, Reading
from authcontract_policy import Cause, Dimension, Secret

from authcontract_conformance.exchange._exchange import Exchange, Purpose
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._oracle import (
    ANYTHING,
    JUDGED_BY_BODY,
    Expectation,
    Oracle,
    conforms,
    decides_otherwise,
    describe_exchange,
    reads,
)
from authcontract_conformance.oracle._promised_headers import Promises

#: 0: as assumed; n: the n-th entry of `otherwise`.
Answer: TypeAlias = int
AS_ASSUMED: Final[Answer] = 0


@dataclass(slots=True)
class Seen:
    """What the responses of a run say of one silence."""

    #: Answers that every response so far agrees with.
    left: frozenset[Answer]
    #: Numbers of the responses that show something.
    exchanges: set[int] = field(default_factory=set)
    #: The response that shows most, and the first that contradicts those before it.
    example: int | None = None
    contradiction: int | None = None

    def learn(self, answers: frozenset[Answer], exchange: int) -> None:
        """Take in that a response agrees with these answers only."""
        self.exchanges.add(exchange)
        if self.contradiction is not None:
            return
        remaining = self.left & answers
        if not remaining:
            self.contradiction = exchange
        if self.example is None or (remaining and remaining != self.left):
            self.example = exchange
        self.left = remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What one response says: of each silence the answers that would have it."""

    certain: Mapping[str, frozenset[Answer]] = field(default_factory=dict)
    #: Silences of which another answer to any one explains it.
    either: Mapping[str, frozenset[Answer]] = field(default_factory=dict)


class Silences:
    """Learns from responses how a target answers the silences of a contract."""

    def __init__(self, oracle: Oracle, alternatives: Mapping[str, tuple[Contract, ...]], vault: Vault) -> None:
        self._oracle, self._vault, self._contract = oracle, vault, oracle.contract
        #: Silence -> what stands for each of its answers, the assumed one first.
        self._answers = {silence: (oracle.contract, *others) for silence, others in alternatives.items()}
        self._deciding = {
            silence: contracts
            for silence, contracts in self._answers.items()
            if any(decides_otherwise(oracle.contract, other) for other in contracts[1:])
        }
        self._measuring = {
            silence: contracts
            for silence, contracts in self._answers.items()
            if len({_secrets(contract) for contract in contracts}) > 1
        }
        #: Keys whose length is known.
        self._measured: set[str] = set()
        #: Answers under which a request itself is read otherwise; the others are asked about one reading.
        self._rereading = [
            other
            for contracts in self._deciding.values()
            for other in contracts[1:]
            if reads(other) != reads(oracle.contract)
        ]
        #: Causes whose refusals an answer words otherwise, where it changes nothing else; None: it changes more.
        self._touched = {
            id(other): _touched(oracle.contract, other) for found in self._deciding.values() for other in found[1:]
        }
        self._promises = Promises(self._answers)
        self._cited = frozenset(oracle.contract.policy.silences) - frozenset(alternatives)
        self.seen: dict[str, Seen] = {}
        #: Clause -> its first request.
        self.first: dict[str, int] = {}
        #: What a response looks like -> what it says.
        self._alike: dict[object, Says] = {}
        #: The same by what the contract makes of its request, so that a new label alone costs nothing.
        self._read_alike: dict[object, Says] = {}
        #: Responses that another answer to any of these silences explains, each kind with the number of the first.
        self._either: dict[frozenset[tuple[str, frozenset[Answer]]], int] = {}

    def answers(self, silence: str) -> tuple[Contract, ...]:
        """Return the contracts that stand for the answers of a silence, the assumed one first."""
        return self._answers.get(silence, (self._contract,))

    def two_ways(self, silence: str) -> bool:
        """Tell whether the target has answered a silence in more than one way."""
        found = self.seen.get(silence)
        return found is not None and found.contradiction is not None

    def look(self, exchange: Exchange, now: float, clause: str = "") -> None:
        """Learn from a response of which nothing is known but what the request itself says.

        A whole address on the request line teaches nothing: frameworks that do not know the form look for such a path.
        """
        self.first.setdefault(clause, exchange.number)
        if exchange.succeeded:
            self._measure(exchange)
        line = exchange.probe.target[0] if exchange.probe.target else b""
        if not isinstance(line, bytes) or not line.startswith(b"/"):
            return
        self._learn(exchange, None, lambda: self._oracle.expect(exchange.probe, now, ANYTHING))

    def note(self, expectation: Expectation, exchange: Exchange) -> None:
        """Learn from a response of which a clause knows more: whose object the request was about, what its body was."""
        facts = expectation.facts
        if facts.object is not UNKNOWN and facts.body is not UNKNOWN:
            known = (facts.object, facts.body, facts.key_state_conflict, facts.usage is None)
            self._learn(exchange, known, lambda: expectation)

    def told(self, value: Callable[[Contract], object], found: object, exchange: Exchange) -> None:
        """Learn that the target is seen to have `found` where a contract has `value`."""
        says: dict[str, frozenset[Answer]] = {}
        for silence, contracts in self._answers.items():
            _say(says, silence, (value(contract) == found for contract in contracts))
        self._take_in(_attributed(says), exchange)

    def learn(self, silence: str, answers: frozenset[Answer], exchange: int) -> None:
        """Take in that a response agrees with these answers of a silence only."""
        every = frozenset(range(len(self.answers(silence))))
        self.seen.setdefault(silence, Seen(every)).learn(answers, exchange)

    def _measure(self, exchange: Exchange) -> None:
        """Learn from the length of a key that works; one as assumed says so, whatever else is accepted."""
        for key in exchange.probe.keys:
            record = self._vault.record(key)
            if record is None or not self._measuring or key in self._measured:
                continue
            self._measured.add(key)
            length = self._vault.length(key)
            for silence, contracts in self._measuring.items():
                fits = [_may_be_so_long(contract, record, length) for contract in contracts]
                if any(fits):
                    self.learn(silence, frozenset(answer for answer, fit in enumerate(fits) if fit), exchange.number)

    def _learn(self, exchange: Exchange, known: object, expect: Callable[[], Expectation]) -> None:
        if exchange.broken:
            return
        looks = (known, *_looks(exchange, self._vault), self._promises.looks(exchange))
        says = self._alike.get(looks)
        if says is None:
            says = self._alike[looks] = self._says(expect(), exchange)
        self._take_in(says, exchange)

    def _take_in(self, says: Says, exchange: Exchange) -> None:
        for silence, answers in says.certain.items():
            self.learn(silence, answers, exchange.number)
        if says.either:
            self._either.setdefault(frozenset(says.either.items()), exchange.number)

    def settle(self) -> Mapping[str, tuple[frozenset[str], int]]:
        """Learn what is owed to one silence after all; return the others that may explain a response, with its number.

        It is asked at the end, once everything is known that rules an answer out.
        """
        while True:
            owed = [(number, self._open(kind)) for kind, number in self._either.items()]
            new = [
                (number, *only[0]) for number, only in owed if len(only) == 1 and self._left(only[0][0]) - only[0][1]
            ]
            if not new:
                break
            for number, silence, answers in new:
                self.learn(silence, answers, number)
        found: dict[str, tuple[frozenset[str], int]] = {}
        for kind, number in self._either.items():
            names = frozenset(silence for silence, _ in self._open(kind))
            # What is known to be answered otherwise explains it without the rest.
            if len(names) > 1 and all(AS_ASSUMED in self._left(silence) for silence in names):
                found |= {silence: (names - {silence}, number) for silence in names if silence not in found}
        return found

    def _open(self, kind: frozenset[tuple[str, frozenset[Answer]]]) -> list[tuple[str, frozenset[Answer]]]:
        return sorted((silence, answers) for silence, answers in kind if self._left(silence) & answers)

    def _left(self, silence: str) -> frozenset[Answer]:
        found = self.seen.get(silence)
        return frozenset(range(len(self.answers(silence)))) if found is None else found.left

    def _says(self, expectation: Expectation, exchange: Exchange) -> Says:
        """Return, for each silence of which the response shows something, the answers that would have it."""
        reading, facts = expectation.reading, expectation.facts
        own = _conforming(exchange, expectation.decisions, self._contract)
        readings = {id(contract): contract.read(reading.request) for contract in self._rereading}
        meant = tuple(_meaning(self._contract, each, facts) for each in (reading, *readings.values()))
        code = "" if exchange.succeeded or exchange.status in JUDGED_BY_BODY else describe_exchange(exchange)
        outcome = (exchange.status, tuple(map(id, own)), code, self._promises.looks(exchange))
        says = self._read_alike.get((meant, outcome))
        if says is None:
            says = self._compared(expectation, own, exchange, readings)
            self._read_alike[meant, outcome] = says
        return says

    def _compared(
        self, expectation: Expectation, own: list[Decision], exchange: Exchange, readings: Mapping[int, Reading]
    ) -> Says:
        """Hold a response against every answer to every silence."""
        found: dict[str, frozenset[Answer]] = {}
        reading, facts = expectation.reading, expectation.facts
        causes = {decision.cause for decision in expectation.decisions}
        for silence, contracts in self._deciding.items():
            agree = [bool(own)]
            for contract in contracts[1:]:
                touched = self._touched[id(contract)]
                if touched is not None and touched.isdisjoint(causes):
                    agree.append(bool(own))  # it words no refusal otherwise that is possible here
                    continue
                possible = contract.possible(readings.get(id(contract), reading), facts)
                agree.append(any(conforms(exchange, decision, contract) for decision in possible))
            _say(found, silence, agree)
        decided = _attributed(found)
        found = dict(decided.certain)
        # Whether something that is no key was sent as one is not said, so the headers that tell it apart say nothing.
        promises = () if reading.presented.state == "malformed" else self._promises.kept(reading, facts, own, exchange)
        for silence, agree in promises:
            _say(found, silence, agree)
        sources = {decision.rule.source for decision in own}
        source = sources.pop() if len(sources) == 1 else None
        if source is not None and source in self._cited:
            found[source] = frozenset({AS_ASSUMED})
        return Says(certain=found, either=decided.either)


def _say(found: dict[str, frozenset[Answer]], silence: str, agree: Iterable[bool]) -> None:
    answers = list(agree)
    if any(answers) and not all(answers):
        found[silence] = frozenset(answer for answer, agrees in enumerate(answers) if agrees)


def _attributed(says: Mapping[str, frozenset[Answer]]) -> Says:
    """Keep apart what another answer to any of several silences would explain."""
    otherwise = {silence: answers for silence, answers in says.items() if AS_ASSUMED not in answers}
    if not otherwise or len(otherwise) == 1:
        return Says(certain=says)
    return Says(certain={s: answers for s, answers in says.items() if s not in otherwise}, either=otherwise)


def _conforming(exchange: Exchange, decisions: Iterable[Decision], contract: Contract) -> list[Decision]:
    return [decision for decision in decisions if conforms(exchange, decision, contract)]


def _looks(exchange: Exchange, vault: Vault) -> tuple[object, ...]:
    """Return what tells responses apart that may say different things of a silence."""
    probe = exchange.probe
    rights = tuple(_rights(vault, key) for key in probe.keys)
    # What is special about a request stands in its label; what only prepares or checks another one is canonical.
    label = probe.label if probe.purpose is Purpose.PROBE else ""
    return (probe.operation, probe.method, probe.channel, probe.environment, label, rights, exchange.status)


def _meaning(contract: Contract, reading: Reading, facts: Facts) -> tuple[object, ...]:
    """Return everything of a request on which any contract decides, quota aside."""
    key, request = facts.key, reading.request
    known: tuple[object, ...] = ()
    if key is not None and key is not UNKNOWN:
        presented = key.digest == reading.presented.digest
        known = (key.kind, key.scopes, key.plan, key.environment, presented, contract.state(key, facts.now))
    place = None if reading.place is None else id(reading.place)
    request_says = (request.method, request.scheme, request.environment, reading.problem, reading.plaintext, place)
    facts_say = (facts.object, facts.body, facts.key_state_conflict, facts.object_kind, facts.usage is None)
    return (*request_says, reading.presented.state, known, *facts_say)


def _touched(contract: Contract, other: Contract) -> frozenset[Cause] | None:
    one, two = contract.policy, other.policy
    rows = [{cause: row for row in policy.errors.values() for cause in row.when} for policy in (one, two)]
    blocks = ("precedence", "scopes", "capabilities", "error_format", "rate_limits", "keys")
    if any(getattr(one, block) != getattr(two, block) for block in blocks):
        return None
    return frozenset(cause for cause in Cause if rows[0].get(cause) != rows[1].get(cause))


def _rights(vault: Vault, key: str) -> tuple[object, ...]:
    record = vault.record(key)
    if record is None:
        return ()
    times = (record.rotated_at is None, record.revoked_at is None, record.expires_at is None)
    return (record.kind, record.scopes, record.plan, record.environment, *times)


def _secrets(contract: Contract) -> tuple[tuple[str, Secret | None], ...]:
    return tuple((name, kind.secret) for name, kind in contract.policy.keys.kinds.items())


def _may_be_so_long(contract: Contract, record: KeyRecord, length: int) -> bool:
    """Tell whether a key of its kind may have so many bytes, its prefix counted."""
    kind = contract.policy.keys.kinds[record.kind]
    if kind.secret is None:
        return True
    prefix = kind.prefix.lookup({Dimension.ENVIRONMENT: record.environment}) if kind.prefix is not None else None
    rest, bound = length - len(prefix or ""), kind.secret.length
    if bound.exact is not None:
        return rest == bound.exact
    return (bound.at_least or 0) <= rest and (bound.at_most is None or rest <= bound.at_most)
