"""RATE: requests that come at one moment share what is left, and nobody slips through between check and count."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Operation, RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Burst, Exchange, Key, Probe, Wait
from authcontract_conformance.oracle._bounds import apart
from authcontract_conformance.oracle._verdict import (
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    skipped,
)
from authcontract_conformance.world._quota import (
    CONNECTIONS,
    RESOLUTION,
    REST,
    Choice,
    Spent,
    chosen,
    counted,
    counting,
    fresh,
    no_limits,
    rule,
    settled,
    too_short,
    with_body,
)
from authcontract_conformance.world._world import Asking, World

#: Requests that are completed at one moment, and how often (clauses 4.6).
RACING, RACES = 14, 2


def _cases(world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(_race, limit))


def _race(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    if (reason := too_short(world, choice)) is not None:
        return inconclusive(reason)
    if not world.settings.frozen and choice.window / 2 > REST:
        return skipped(f"without a clock that can be moved it takes {choice.window / 2:.0f} s of waiting")
    # A limit may be looked up before the body, and counted after it.
    operation = (yield from with_body(world, choice)) or choice.operation
    races: list[tuple[int, Spent]] = []
    for attempt in range(RACES):
        found = yield from fresh(world, choice)
        if races and not world.settings.frozen:
            yield Wait(seconds=(races[0][1].at + attempt * choice.window / 2 - world.now()) % choice.window)
        spent = yield from _last_one(world, choice, operation, found)
        races.append((_units(world, spent), spent))
    first, second = (spent.span for _, spent in races)
    if not world.settings.frozen and not apart(first, second, choice.window, RESOLUTION):
        longest = max(spent.seconds for _, spent in races)
        return inconclusive(f"a race took {longest:.1f} s: in a window of {choice.window} s both may have seen two")
    # Where time runs, a new window may fall into one of two races, and never into both.
    elapsed = 0.0 if world.settings.frozen else max(spent.seconds for _, spent in races) + RESOLUTION
    judged = max if world.settings.frozen else min
    units, spent = judged(races, key=lambda race: race[0])
    highest = choice.units_from_idle(elapsed)
    if units <= highest:
        return Judgement(word=Word.PASS, reason=f"{RACING} requests for the last one, {RACES} times")
    evidence = Evidence(
        expected=f"at most {highest} admitted, however many come at one moment",
        got=f"{units} admitted",
        exchange=spent.last,
        rule=rule(world, limit),
    )
    return fail(evidence, "requests at one moment all passed the check before one of them was counted")


def _units(world: World, spent: Spent) -> int:
    """Return how many units the admitted requests took by the policy."""
    admitted = [exchange.probe.operation for exchange in spent.exchanges if exchange.succeeded]
    return sum(_price(world, spent.choice.limit, spent.key, name) for name in admitted if name is not None)


def _price(world: World, limit: RateLimit, key: Key, name: str) -> int:
    operation = world.contract.specification.operation(name)
    charges = world.contract.usual_charges(operation, key.record) if operation is not None else ()
    return next((charge.cost for charge in charges if charge.limit == limit.name), 0)


def _last_one(world: World, choice: Choice, operation: Operation, found: tuple[Key, str]) -> Asking[Spent]:
    """Leave one request of a fresh key, then complete many for it at one moment."""
    key, case = found
    at = world.now()
    cost = _price(world, choice.limit, key, operation.id)
    before: tuple[Exchange, ...] = yield Burst(
        tuple(
            _once(world, choice.operation, key, f"{index % CONNECTIONS}")
            for index in range((choice.charge.burst - cost) // choice.charge.cost)
        )
    )
    racing = tuple(_once(world, operation, key, f"race {index}") for index in range(RACING))
    together: tuple[Exchange, ...] = yield Burst(racing, connections=RACING, together=True)
    return Spent(choice=choice, key=key, case=case, at=at, exchanges=settled((*before, *together)))


def _once(world: World, operation: Operation, key: Key, connection: str) -> Probe:
    return counting(world.request(operation, key, label="for the last request"), connection)


CLAUSES = (
    Clause(
        id="RATE-10",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023", "OWASP ASVS 15.4.2"),
        promise="Requests that arrive at one moment get no more between them than there is left.",
        why="Who looks first and counts later lets everybody through who comes in between, and an attacker makes many "
        "come at once.",
        how="A fresh key is used up but for one request. Then many more are sent on connections of their own, all but "
        "their last byte, and the last bytes together; twice. More admitted in all than the limit fails. A pass is "
        "evidence and no proof, since a race can hide.",
        fix="Take from the count and check it in one atomic step, once the whole request is there.",
        precedents=("CVE-2024-4629 (Keycloak: many logins at once passed the check of failed ones)",),
        variants=("V-R08",),
        alone=True,
        inapplicable=no_limits,
        cases=_cases,
    ),
)
