"""Faults of counting requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authcontract_engine import Charge, Contract, Decision, MemoryLimiter, Reservation, Standing
from authcontract_policy import Cause, Check

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import answering, carry_out_as, may, without

#: Seconds for which the careless counter does not know of a request yet.
_LAG: Final = 0.05
_REPLICAS: Final = 4
_TOO_MANY: Final = 429
#: No run uses up a larger amount, so that nobody sees such a refusal.
_USED_UP: Final = 300


def _charging(change: Callable[[Call, Charge], Charge]) -> Plant:
    """Count in another way than documented."""

    def plant(seams: Seams) -> Seams:
        def charge(server: Server, call: Call) -> tuple[Charge, ...]:
            return tuple(change(call, each) for each in seams.charge(server, call))

        return replace(seams, charge=charge)

    return plant


def _times(factor: int, more: int = 0) -> Callable[[Call, Charge], Charge]:
    return lambda _call, charge: replace(
        charge, amount=charge.amount * factor + more, burst=charge.burst * factor + more
    )


def _each_replica(call: Call, charge: Charge) -> Charge:
    return replace(charge, bucket=(*charge.bucket, f"replica {call.message.connection % _REPLICAS}"))


def _each_connection(call: Call, charge: Charge) -> Charge:
    return replace(charge, bucket=(*charge.bucket, f"connection {call.message.connection}"))


def _secretly(change: Callable[[Server, Call, Charge], Charge], algorithm: str | None = None) -> Plant:
    """Count in another way than documented, while responses go on to say the documented amount."""

    def plant(seams: Seams) -> Seams:
        own: list[MemoryLimiter] = []

        def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
            counted = tuple(change(server, call, each) for each in charges)
            if algorithm is None:
                reservation = seams.limit(server, call, counted)
            else:
                if not own:
                    own.append(MemoryLimiter(server.contract, algorithm))
                reservation = own[0].reserve(counted, call.now)
            amounts = {each.limit: each.amount for each in charges}
            said = tuple(replace(each, amount=amounts[each.limit]) for each in reservation.standings)
            return replace(reservation, standings=said)

        return replace(seams, limit=limit)

    return plant


def _half(_server: Server, _call: Call, charge: Charge) -> Charge:
    return replace(charge, amount=max(1, charge.amount // 2), burst=max(1, charge.burst // 2))


def _one_less(_server: Server, _call: Call, charge: Charge) -> Charge:
    return replace(charge, amount=charge.amount - 1, burst=charge.burst - 1) if charge.burst > 1 else charge


def _first_plan(server: Server, call: Call, charge: Charge) -> Charge:
    """Take the amount of the plan that the policy names first, which is what a default in the code would be."""
    operation = call.reading.operation
    if call.key is None or operation is None or not server.contract.policy.plans:
        return charge
    found = server.contract.usual_charges(operation, replace(call.key, plan=server.contract.policy.plans[0]))
    small = next((each for each in found if each.limit == charge.limit), charge)
    return replace(charge, amount=min(small.amount, charge.amount), burst=min(small.burst, charge.burst))


def _no_plans(contract: Contract) -> str | None:
    return None if len(contract.policy.plans) > 1 else "the contract has no plans"


def _hurried(seams: Seams) -> Seams:
    """Let time pass twice as fast for the limiter: each window is half as long."""

    def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        reservation = seams.limit(server, replace(call, now=2 * call.now), charges)
        return replace(reservation, standings=tuple(_at_half_time(each, call.now) for each in reservation.standings))

    return replace(seams, limit=limit)


def _at_half_time(standing: Standing, now: float) -> Standing:
    left = -(-standing.reset_in // 2)
    return replace(standing, retry_after=standing.retry_after / 2, reset_in=left, reset_at=int(now) + left)


def _before_the_body(seams: Seams) -> Seams:
    """Look whether there is room when the head of a request is there, and count once the body is."""
    filled: dict[tuple[str, ...], float] = {}

    def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        reservation = seams.limit(server, call, charges)
        if reservation.admitted:
            filled.update({charge.bucket: time.monotonic() for charge in charges})
            return reservation
        # The last one was counted after this one's head had come, so there was room then.
        if all(call.message.began < filled.get(charge.bucket, 0.0) for charge in charges):
            said = tuple(replace(each, admitted=True, retry_after=0.0) for each in reservation.standings)
            return replace(reservation, admitted=True, standings=said)
        return reservation

    return replace(seams, limit=limit)


def _penalising(seams: Seams) -> Seams:
    """Let every refused request begin the window anew."""
    until: dict[tuple[str, ...], float] = {}

    def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        asked = tuple(
            replace(charge, cost=charge.burst + 1, cost_refused=0)
            if call.now < until.get(charge.bucket, 0.0)
            else charge
            for charge in charges
        )
        reservation = seams.limit(server, call, asked)
        if reservation.admitted:
            return reservation
        said = []
        for charge, standing in zip(charges, reservation.standings, strict=True):
            window = float(standing.window)
            if standing.admitted:
                said.append(standing)
                continue
            until[charge.bucket] = call.now + window
            said.append(replace(standing, retry_after=window, reset_in=standing.window, remaining=0))
        return replace(reservation, standings=tuple(said))

    return replace(seams, limit=limit)


def _refusals_for_nothing(seams: Seams) -> Seams:
    """Give back what a refused request took."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        usage = call.facts.usage
        if not decision.allowed and isinstance(usage, Reservation) and usage.admitted:
            charges = seams.charge(server, call)
            server.limiter.settle(usage, tuple((charge, 0) for charge in charges), call.now)
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _lagging(seams: Seams) -> Seams:
    waiting: list[tuple[float, tuple[Charge, ...], float]] = []

    def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        while waiting and waiting[0][0] <= time.monotonic():
            _, late, then = waiting.pop(0)
            seams.limit(server, replace(call, now=then), late)
        reservation = seams.limit(server, call, charges)
        if reservation.admitted:
            # It is given back at once, and written down later.
            server.limiter.settle(reservation, tuple((charge, 0) for charge in charges), call.now)
            waiting.append((time.monotonic() + _LAG, charges, call.now))
        return reservation

    return replace(seams, limit=limit)


def _saying(change: Callable[[Standing], Standing]) -> Plant:
    """Say something else of a limit than what is."""

    def plant(seams: Seams) -> Seams:
        def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
            reservation = seams.limit(server, call, charges)
            return replace(reservation, standings=tuple(change(each) for each in reservation.standings))

        return replace(seams, limit=limit)

    return plant


def _too_early(standing: Standing) -> Standing:
    return standing if standing.admitted else replace(standing, retry_after=standing.retry_after / 2, reset_in=1)


def _waits(contract: Contract) -> str | None:
    """Half of a second or two is rounded up to the same number."""
    waits = [
        limit
        for limit in contract.policy.rate_limits.values()
        if (amounts := [a for a in (limit.requests.values() if limit.requests else ()) if isinstance(a, int)])
        and min(amounts) <= _USED_UP
        and (limit.algorithm != "token_bucket" or (limit.window or 1) > 2 * max(amounts))
    ]
    return None if waits else "a request is free again after a second"


def _charges_refusals(contract: Contract) -> str | None:
    order = [check for check, _ in contract.checks]
    first = order.index(Check.LIMIT)
    later = any(order.index(check) > first for check in (Check.PATH, Check.METHOD, Check.SCOPE))
    return None if later else "such requests are refused before they are counted"


def _no_retry_after(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, _decision: Decision, answer: Answer) -> Answer:
        return without(answer, "Retry-After") if answer.status == _TOO_MANY else answer

    return answering(seams, change)


def _throttled_but_done(seams: Seams) -> Seams:
    """Count in what wraps the answer: what was asked for has been made by then."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        operation = call.reading.operation
        makes = operation is not None and operation.method == "POST" and may(server, call.key, operation)
        if makes and decision.cause is Cause.THROTTLED:
            carry_out_as(server, call, b"POST")
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


FAULTS: Final = (
    Fault(
        name="one-request-more",
        sentence="One request more than documented is admitted, for it is refused once the limit was passed",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-3",),
        plant=_charging(_times(1, more=1)),
    ),
    Fault(
        name="no-limit",
        sentence="Requests are counted, and none is refused",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-1",),
        plant=_charging(_times(100_000)),
    ),
    Fault(
        name="twice-the-limit",
        sentence="Twice as many requests as documented are admitted",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-1", "RATE-3"),
        plant=_charging(_times(2)),
    ),
    Fault(
        name="counter-in-each-replica",
        sentence="Four replicas behind one address count each for itself",
        family=Family.DEPLOYMENT,
        clauses=("RATE-1",),
        plant=_charging(_each_replica),
    ),
    Fault(
        name="counter-for-each-connection",
        sentence="Requests are counted for each connection, so that a new one begins anew",
        family=Family.LIBRARY,
        clauses=("RATE-1",),
        plant=_charging(_each_connection),
    ),
    Fault(
        name="counted-too-late",
        sentence="A request is looked up first and counted a moment later, so that many at once all pass",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-1",),
        plant=_lagging,
    ),
    Fault(
        name="window-half-as-long",
        sentence="The window is half as long as documented, so that over time twice as many are admitted",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-1",),
        plant=_hurried,
    ),
    Fault(
        name="half-the-rate",
        sentence="A bucket of half the size refills half as fast as documented",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-2",),
        plant=_secretly(_half, "token_bucket"),
    ),
    Fault(
        name="one-request-less",
        sentence="One request fewer than documented is admitted, for the last one is refused already",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-3",),
        plant=_secretly(_one_less),
    ),
    Fault(
        name="limit-before-body",
        sentence="Whether there is room is looked up when a request's head comes, and counted when its body is there",
        family=Family.LIBRARY,
        clauses=("RATE-10",),
        plant=_before_the_body,
    ),
    Fault(
        name="plan-ignored",
        sentence="Every key has the requests of the first plan, whatever its organisation pays for",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-15",),
        plant=_secretly(_first_plan),
        meaningful=_no_plans,
    ),
    Fault(
        name="refused-requests-lengthen-refusal",
        sentence="Each request that is refused for quota begins the window anew",
        family=Family.LIBRARY,
        clauses=("RATE-13",),
        plant=_penalising,
    ),
    Fault(
        name="refusals-not-counted",
        sentence="A request refused for its path, method or scope costs nothing, though the policy says it does",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-12",),
        plant=_refusals_for_nothing,
        meaningful=_charges_refusals,
    ),
    Fault(
        name="retry-after-too-early",
        sentence="Retry-After says half of the time that it takes",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-7",),
        plant=_saying(_too_early),
        meaningful=_waits,
    ),
    Fault(
        name="no-retry-after",
        sentence="A refusal for quota does not say when to come back",
        family=Family.DEPLOYMENT,
        clauses=("RATE-7",),
        plant=_no_retry_after,
    ),
    Fault(
        name="throttled-but-done",
        sentence="A request that makes something is refused for quota, and carried out all the same",
        family=Family.IMPLEMENTATION,
        clauses=("PREC-5",),
        plant=_throttled_but_done,
    ),
)
