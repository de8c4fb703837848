"""Which answers to a silence a response's headers agree with, where these answers promise different ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from authcontract_engine import UNKNOWN, Contract, Decision, Facts, Reading

from authcontract_conformance.exchange._exchange import Exchange

#: A header's name in lower case -> what a policy says of it, wherever it does.
Said: TypeAlias = Mapping[str, frozenset[tuple[str, object]]]
#: Only a refusal for quota says when to come back.
_WHEN_REFUSED: Final = "<retry_after>"
_TOO_MANY: Final = 429
_PLACEHOLDER: Final = "<"
_SPACE: Final = re.compile(r"\s+")


class Promises:
    """The headers that some answer to a silence promises and another does not, or with another value."""

    def __init__(self, answers: Mapping[str, tuple[Contract, ...]]) -> None:
        self._answers = answers
        #: Silence -> headers of every response or of refusals on which its answers differ; then those of limits.
        said = {id(each): _usual(each) for contracts in answers.values() for each in contracts}
        self._usual = {s: n for s, c in answers.items() if (n := _differing([said[id(each)] for each in c]))}
        self._limits = {s: n for s, c in answers.items() if (n := _differing([_of_limits(each) for each in c]))}
        #: By contract, the headers that some response has filled in for it.
        self._filled = {contract: _with_placeholders(each) for contract, each in said.items()}
        #: What headers are that hold no placeholder: by contract, names, cause and error.
        self._fixed: dict[tuple[object, ...], Mapping[str, str | None]] = {}
        #: The names of both for all silences, in one order.
        self._names = tuple(sorted({name for names in self._usual.values() for name in names}))
        self._counting = tuple(sorted({name for names in self._limits.values() for name in names}))

    def looks(self, exchange: Exchange) -> tuple[object, ...]:
        """Return what of a response's headers may matter for any silence."""
        usual = tuple(exchange.header(name) for name in self._names)
        return (*usual, *(exchange.header(name) is None for name in self._counting))

    def kept(
        self, reading: Reading, facts: Facts, decisions: Sequence[Decision], exchange: Exchange
    ) -> Iterator[tuple[str, list[bool]]]:
        """Yield each silence with, for each of its answers, whether the headers are as that answer says."""
        if exchange.probe.channel == "plain" or not decisions:
            return
        for silence, names in self._usual.items():
            got = {name: _plain(exchange.header(name)) for name in names}
            yield (
                silence,
                [
                    any(self._promised(c, d, reading, facts, names) == got for d in decisions)
                    for c in self._answers[silence]
                ],
            )
        if not (exchange.succeeded or exchange.status == _TOO_MANY):
            return
        for silence, names in self._limits.items():
            there = {name for name in names if exchange.header(name) is not None}
            promised = [_counted(c, reading, facts, names, exchange.status) for c in self._answers[silence]]
            yield silence, [found is not None and found == there for found in promised]

    def _promised(
        self, contract: Contract, decision: Decision, reading: Reading, facts: Facts, names: frozenset[str]
    ) -> Mapping[str, str | None]:
        """Return what these headers are under one answer, worked out once where they do not depend on the request."""
        place = (id(contract), names, decision.cause, decision.error)
        if (found := self._fixed.get(place)) is not None:
            return found
        found = _promised(contract, decision, reading, facts, names)
        if names.isdisjoint(self._filled[id(contract)]):
            self._fixed[place] = found
        return found


def _with_placeholders(said: Said) -> frozenset[str]:
    return frozenset(name for name, places in said.items() if any(_PLACEHOLDER in str(value) for _, value in places))


def _usual(contract: Contract) -> Said:
    policy = contract.policy
    found: dict[str, set[tuple[str, object]]] = {}
    for name, value in policy.headers.items():
        found.setdefault(name.lower(), set()).add(("", value))
    for row in policy.errors.values():
        for name, text in row.headers.items():
            found.setdefault(name.lower(), set()).add((row.name, text))
    return {name: frozenset(places) for name, places in found.items()}


def _of_limits(contract: Contract) -> Said:
    found: dict[str, set[tuple[str, object]]] = {}
    for limit in contract.policy.rate_limits.values():
        for name in limit.headers:
            found.setdefault(name.lower(), set()).add((limit.name, ""))
    return {name: frozenset(places) for name, places in found.items()}


def _differing(answers: Sequence[Said]) -> frozenset[str]:
    names = {name for said in answers for name in said}
    return frozenset(name for name in names if len({said.get(name) for said in answers}) > 1)


def _promised(
    contract: Contract, decision: Decision, reading: Reading, facts: Facts, names: frozenset[str]
) -> Mapping[str, str | None]:
    """Return what these headers are under one answer; None: not there."""
    refusal = None if decision.allowed else contract.refuse(decision, reading, facts)
    lines = contract.headers(reading, facts) if refusal is None else refusal.headers
    found = {name.lower(): value for name, value in lines}
    return {name: _plain(found.get(name)) for name in names}


def _counted(contract: Contract, reading: Reading, facts: Facts, names: frozenset[str], status: int) -> set[str] | None:
    """Return which of these headers the limits that count such a request promise; None: no limit counts it."""
    charges = () if facts.key is UNKNOWN else contract.charges(reading, facts.key, facts.now)
    limits = [contract.policy.rate_limits[charge.limit] for charge in charges]
    if not limits:
        return None
    lines = [(name.lower(), value) for limit in limits for name, value in limit.headers.items()]
    return {name for name, value in lines if name in names and (status == _TOO_MANY or _WHEN_REFUSED not in value)}


def _plain(value: str | None) -> str | None:
    """Return a value without what makes no difference to whoever reads it."""
    return None if value is None else _SPACE.sub("", value).lower()
