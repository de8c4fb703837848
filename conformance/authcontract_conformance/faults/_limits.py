"""Faults of counting requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authcontract_engine import Charge, Decision, Reservation, Standing

from authcontract_conformance.reference import Answer, Call, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import answering, without

#: Seconds for which the careless counter does not know of a request yet.
_LAG: Final = 0.05
_REPLICAS: Final = 4
_TOO_MANY: Final = 429


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


def _no_retry_after(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, _decision: Decision, answer: Answer) -> Answer:
        return without(answer, "Retry-After") if answer.status == _TOO_MANY else answer

    return answering(seams, change)


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
        name="retry-after-too-early",
        sentence="Retry-After says half of the time that it takes",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-7",),
        plant=_saying(_too_early),
    ),
    Fault(
        name="no-retry-after",
        sentence="A refusal for quota does not say when to come back",
        family=Family.DEPLOYMENT,
        clauses=("RATE-7",),
        plant=_no_retry_after,
    ),
)
