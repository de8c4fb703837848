"""The contract as the oracle: what may come back for a probe, computed by the engine and never typed twice.

An expectation is a set of decisions. While a silence is only assumed, the decisions under its other acceptable answers
are kept beside it: a target that behaves so is `unspecified`, one that matches none of them fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from authcontract_engine import (
    UNKNOWN,
    Body,
    Contract,
    Decision,
    Facts,
    KeyRecord,
    Object,
    Reading,
    Request,
    Reservation,
    Rule,
)

from authcontract_conformance.exchange._exchange import Exchange, Probe
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, fail, inconclusive, unspecified

T = TypeVar("T")
#: Statuses of which ERR-5 judges every body.
JUDGED_BY_BODY = frozenset({401, 403})
#: Placeholders whose value depends on the request or the moment, so that a text with one is no fixed promise.
_VOLATILE = ("<request_id>", "<masked_key>", "<path>", "<granted>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reality:
    """What the clause knows of the world behind a probe; what it does not know is UNKNOWN."""

    object: Object | Literal["unknown"] = Object.OWN
    body: Body | Literal["unknown"] = Body.VALID
    key_state_conflict: bool | Literal["unknown"] = False
    object_kind: str | None = None
    #: None: the limits have room.
    usage: Reservation | Literal["unknown"] | None = None


USUAL = Reality()
#: For whoever looks at an exchange without knowing what its request was for.
ANYTHING = Reality(object="unknown", body="unknown", usage="unknown")


class Listener(Protocol):
    """Is told of each response that is held against an expectation, to learn how silences are answered."""

    def note(self, expectation: Expectation, exchange: Exchange) -> None:
        """Learn what a response says of the silences that matter for it."""

    def told(self, value: Callable[[Contract], object], found: object, exchange: Exchange) -> None:
        """Learn that the target is seen to have `found` where a contract has `value`."""

    def two_ways(self, silence: str) -> bool:
        """Tell whether the target has answered a silence in more than one way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The acceptable outcomes of one probe."""

    reading: Reading
    facts: Facts
    contract: Contract
    decisions: frozenset[Decision]
    #: Computes `otherwise`; there are dozens of alternatives, and most responses are judged without them.
    alternatives: Callable[[], Mapping[str, frozenset[Decision]]] = dict
    #: The same for two silences at once, by both names; it costs much and is asked before anybody is accused only.
    pairs: Callable[[], Iterable[tuple[str, frozenset[Decision]]]] = tuple
    listener: Listener | None = field(default=None, repr=False, compare=False)
    _otherwise: list[Mapping[str, frozenset[Decision]]] = field(default_factory=list, repr=False, compare=False)

    @property
    def otherwise(self) -> Mapping[str, frozenset[Decision]]:
        """Return, for each silence that matters here, the decisions that its other answers would give."""
        if not self._otherwise:
            self._otherwise.append(self.alternatives())
        return self._otherwise[0]

    @property
    def allowed(self) -> bool:
        """Tell whether the contract lets the request through in every case."""
        return all(decision.allowed for decision in self.decisions)

    @property
    def refused(self) -> bool:
        """Tell whether the contract refuses it in every case, its silences answered as assumed."""
        return not any(decision.allowed for decision in self.decisions)

    @property
    def open(self) -> str | None:
        """Return a silence under whose other answer the request is allowed, so that its effect proves nothing."""
        return next(
            (silence for silence, found in self.otherwise.items() if any(decision.allowed for decision in found)), None
        )

    @property
    def rule(self) -> Rule | None:
        """Return the line of the policy that demands it."""
        return next((decision.rule for decision in sorted(self.decisions, key=describe)), None)

    def describe(self) -> str:
        """Return what is expected, in words."""
        return " or ".join(sorted({describe(decision) for decision in self.decisions}))

    def accepts(self, exchange: Exchange) -> bool:
        """Tell whether the response is what the contract says, silences as assumed.

        The request must have met what the expectation is about, since the answers to silences are learnt from it; who
        only tries whether an expectation might be the right one asks `fits`.
        """
        if self.listener is not None:
            self.listener.note(self, exchange)
        return self.fits(exchange)

    def fits(self, exchange: Exchange) -> bool:
        """Tell whether the response is one that the contract has for such a request."""
        return any(conforms(exchange, decision, self.contract) for decision in self.decisions)

    def silence(self, exchange: Exchange) -> str | None:
        """Return the silence under whose other answer the response is acceptable, or None."""
        for silence, decisions in self.otherwise.items():
            if any(conforms(exchange, decision, self.contract) for decision in decisions):
                return silence
        return None

    def judge(self, exchange: Exchange, control: Exchange | None = None, reason: str = "") -> Judgement:
        """Judge status and error code: pass, fail with both sides, or what a silence leaves open."""
        if exchange.broken:
            return inconclusive(broken(exchange))
        if self.accepts(exchange):
            return PASSED
        silence = self.open if exchange.succeeded else self.silence(exchange)
        if silence is not None:
            return unspecified(self.otherwise_than_assumed(silence, exchange))
        both = self.two_silences(exchange)
        if both is not None:
            return unspecified(f"{both} are only assumed; the target answers {describe_exchange(exchange)}")
        return fail(self.evidence(exchange, control), reason)

    def two_silences(self, exchange: Exchange) -> str | None:
        """Return two silences under whose other answers together a refusal is acceptable, or None.

        It is asked before somebody is accused, and not for a success: what one silence alone does not open stays shut.
        """
        if exchange.succeeded:
            return None
        return next(
            (
                names
                for names, decisions in self.pairs()
                if any(conforms(exchange, decision, self.contract) for decision in decisions)
            ),
            None,
        )

    def otherwise_than_assumed(self, silence: str, exchange: Exchange) -> str:
        """Say what the target does where another answer to a silence is acceptable too, and whether it always does."""
        answer = describe_exchange(exchange)
        if self.listener is not None and self.listener.two_ways(silence):
            return f"answers {silence} in two ways; this time with {answer}"
        return f"{silence} is only assumed; the target answers {answer}"

    def evidence(self, exchange: Exchange, control: Exchange | None = None, got: str = "") -> Evidence:
        """Return expected and got side by side."""
        return Evidence(
            expected=self.describe(),
            got=got or describe_exchange(exchange),
            exchange=exchange,
            control=control,
            rule=self.rule,
        )


class Oracle:
    """The contract, its acceptable alternatives, and the keys: everything that an expectation follows from."""

    def __init__(self, contract: Contract, alternatives: Mapping[str, tuple[Contract, ...]], vault: Vault) -> None:
        self.contract = contract
        #: Learns how the target answers the silences; None: nobody does.
        self.listener: Listener | None = None
        #: What two silences would accept together, by both names; it is made when it is first needed.
        self.together: Callable[[], Iterable[tuple[str, Contract]]] = tuple
        self._together: tuple[tuple[str, Contract], ...] | None = None
        self._alternatives = alternatives
        #: Those of them under which some request is decided otherwise; the others change headers, costs or isolation.
        self._deciding = {
            silence: found
            for silence, contracts in alternatives.items()
            if (found := tuple(other for other in contracts if decides_otherwise(contract, other)))
        }
        self._vault = vault
        #: Those under which a key has another form, so that a request is read otherwise.
        self._rereading = tuple(c for found in alternatives.values() for c in found if reads(c) != reads(contract))
        #: The probe that was read last, with its reading.
        self._last: tuple[Probe, Reading] | None = None
        #: What was expected of it last: many look at one exchange and know as little of it.
        self._expected: Expectation | None = None

    @property
    def deciding(self) -> frozenset[str]:
        """Return the silences under whose other answers some request is decided otherwise."""
        return frozenset(self._deciding)

    def request(self, probe: Probe, *, authority: str = "target") -> Request:
        """Return the probe as the engine sees it."""
        target, headers = self._vault.head(probe, authority)
        return Request(
            scheme="https" if probe.channel == "tls" else "http",
            environment=probe.environment if self.contract.policy.base_url.dimension else None,
            method=probe.method,
            target=target,
            headers=headers,
        )

    def accepted(self, value: Callable[[Contract], T]) -> Mapping[T, str]:
        """Return what else a contract could say under another answer to a silence, each with that silence."""
        promised = value(self.contract)
        others = ((value(c), silence) for silence, contracts in self._alternatives.items() for c in contracts)
        return {other: silence for other, silence in others if other != promised}

    def seen(self, value: Callable[[Contract], object], found: object, exchange: Exchange) -> None:
        """Take in what the target was seen to do about something that a contract says, whatever it comes to."""
        if self.listener is not None:
            self.listener.told(value, found, exchange)

    def _possible(self, other: Contract, reading: Reading, facts: Facts) -> frozenset[Decision]:
        return other.possible(reading.request if reads(other) != reads(self.contract) else reading, facts)

    def key(self, reading: Reading) -> KeyRecord | None:
        """Return the record that a correct key store would find for what is presented."""
        return self._vault.by_digest(reading.presented.digest)

    def read(self, probe: Probe) -> Reading:
        """Read a probe; whoever looks at one exchange looks at the same, one after the other.

        What the target has issued is a key, of whichever form that a silence accepts.
        """
        last = self._last
        if last is None or last[0] is not probe:
            reading = self.contract.read(self.request(probe))
            if reading.presented.state == "malformed":
                others = (other.read(reading.request) for other in self._rereading)
                reading = next((other for other in others if self.key(other) is not None), reading)
            last = self._last = (probe, reading)
        return last[1]

    def expect(self, probe: Probe, now: float, reality: Reality = USUAL) -> Expectation:
        """Return what may come back for this probe at `now`, given what is known."""
        reading = self.read(probe)
        facts = Facts(
            key=self.key(reading),
            now=now,
            usage=UNKNOWN if reality.usage == "unknown" else reality.usage,
            object=UNKNOWN if reality.object == "unknown" else reality.object,
            object_kind=reality.object_kind,
            body=UNKNOWN if reality.body == "unknown" else reality.body,
            key_state_conflict=UNKNOWN if reality.key_state_conflict == "unknown" else reality.key_state_conflict,
        )
        known = self._expected
        if known is not None and known.reading is reading and known.facts == facts and known.listener is self.listener:
            return known
        decisions = self.contract.possible(reading, facts)

        def otherwise() -> Mapping[str, frozenset[Decision]]:
            found = {
                silence: frozenset(d for c in contracts for d in self._possible(c, reading, facts)) - decisions
                for silence, contracts in self._deciding.items()
            }
            return {silence: others for silence, others in found.items() if others}

        def pairs() -> Iterator[tuple[str, frozenset[Decision]]]:
            if self._together is None:
                self._together = tuple(self.together())
            for names, both in self._together:
                yield names, self._possible(both, reading, facts)

        self._expected = Expectation(
            reading=reading,
            facts=facts,
            contract=self.contract,
            decisions=decisions,
            alternatives=otherwise,
            pairs=pairs,
            listener=self.listener,
        )
        return self._expected


def decides_otherwise(contract: Contract, other: Contract) -> bool:
    """Tell whether two contracts may decide some request differently, quota aside."""
    one, two = contract.policy, other.policy
    blocks = ("precedence", "scopes", "capabilities", "errors", "error_format")
    return reads(contract) != reads(other) or any(getattr(one, block) != getattr(two, block) for block in blocks)


def reads(contract: Contract) -> tuple[object, ...]:
    """Return what of a policy says how keys are read from a request."""
    return contract.policy.keys.sent_as, tuple(contract.policy.keys.kinds.items())


def promised_header(contract: Contract, name: str) -> str | None:
    """Return the value that every response is promised to have in a header, or None."""
    return next((text for key, text in contract.policy.headers.items() if key.lower() == name.lower()), None)


def describe(decision: Decision) -> str:
    """Return a decision as `allowed` or `401 unauthorized`."""
    if decision.allowed:
        return "allowed"
    return f"{'/'.join(map(str, decision.statuses))} {decision.error or ''}".rstrip()


def describe_exchange(exchange: Exchange) -> str:
    """Return a response as its status and, where its body has a short code, that too."""
    if not exchange.answered:
        return exchange.problem or exchange.delivery.value
    code = _short_code(exchange.json())
    if exchange.repeats:
        code += f" after the same request that was lost: {exchange.before}"
    return f"{exchange.status} {code}".rstrip() if exchange.status >= 300 else str(exchange.status)  # noqa: PLR2004  RFC 9110 section 15.4


def broken(exchange: Exchange) -> str:
    """Say why an exchange proves nothing."""
    if not exchange.answered:
        return f"the target did not answer: {exchange.problem or exchange.delivery.value}"
    return f"the target answered {exchange.status}, an error of its own"


def _short_code(value: Any) -> str:
    """Look for the one short word in an error body that names the error."""
    if isinstance(value, Mapping):
        for name in ("code", "id", "reason"):
            if isinstance(value.get(name), str) and value[name].replace("_", "").replace("-", "").isalnum():
                return str(value[name])[:40]
        return next((code for inner in value.values() if (code := _short_code(inner))), "")
    return ""


def conforms(exchange: Exchange, decision: Decision, contract: Contract) -> bool:
    """Compare status and error code; bodies and headers are other clauses' concern.

    The code of a 401 or a 403 is ERR-5's, which sees them all: one wrong body is one failure and not ten.
    """
    if decision.allowed:
        return exchange.succeeded
    if exchange.status not in decision.statuses:
        return False
    path = code_path(decision, contract)
    if path is None or exchange.probe.method == b"HEAD" or exchange.status in JUDGED_BY_BODY:
        return True
    value = exchange.json()
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return bool(value == decision.error)


def template(decision: Decision, contract: Contract) -> Mapping[str, Any] | None:
    """Return the body template that the policy promises for this refusal, or None where it promises none."""
    row = contract.policy.errors.get(decision.error or "")
    if row is None or row.body == "any":
        return None
    return contract.policy.error_format.body if row.body is None else row.body


def code_path(decision: Decision, contract: Contract) -> tuple[str, ...] | None:
    """Return where the error's code stands in the body, if the policy promises that."""
    promised = template(decision, contract)
    return None if promised is None else _find(promised, "<code>", contract.policy.error_format.may_differ)


def _find(body: Any, leaf: str, may_differ: frozenset[str]) -> tuple[str, ...] | None:
    if not isinstance(body, Mapping):
        return None
    for name, inner in body.items():
        if inner == leaf and name not in may_differ:
            return (name,)
        below = _find(inner, leaf, may_differ)
        if below is not None:
            return (name, *below)
    return None


def body_differences(exchange: Exchange, expectation: Expectation) -> tuple[str, ...]:
    """Return what of the promised error body is not there, as sentences; empty where a decision is fully matched."""
    shortest: tuple[str, ...] | None = None
    for decision in expectation.decisions:
        promised = template(decision, expectation.contract)
        if decision.allowed or exchange.status not in decision.statuses:
            continue
        if promised is None:
            return ()
        sent = expectation.contract.refuse(decision, expectation.reading, expectation.facts)
        may_differ = expectation.contract.policy.error_format.may_differ
        found = tuple(_compare(json.loads(sent.body), exchange.json(), promised, may_differ, "body"))
        if shortest is None or len(found) < len(shortest):
            shortest = found
    return shortest or ()


def _compare(want: Any, got: Any, promised: Any, may_differ: frozenset[str], where: str) -> Iterable[str]:
    if not isinstance(want, Mapping):
        volatile = isinstance(promised, str) and any(mark in promised for mark in _VOLATILE)
        if volatile and type(got) is type(want):
            return
        if got != want:
            yield f"{where} is {json.dumps(got)[:80]}, expected {json.dumps(want)[:80]}"
        return
    if not isinstance(got, Mapping):
        yield f"{where} is no JSON object"
        return
    for name, value in want.items():
        inner = promised.get(name) if isinstance(promised, Mapping) else None
        place = f"{where}.{name}"
        if name not in got:
            yield f"{place} is missing"
        elif name in may_differ:
            if type(got[name]) is not type(value) or got[name] == "":
                yield f"{place} is empty or of another type"
        else:
            yield from _compare(value, got[name], inner, may_differ, place)
