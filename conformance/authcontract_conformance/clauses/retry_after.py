"""RATE: a refusal for quota says when to come back, and whoever does is let in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from authcontract_policy import RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Exchange, Wait
from authcontract_conformance.oracle._bounds import longest_retry_after
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Level,
    fail,
    inconclusive,
    skipped,
    unspecified,
    warn,
)
from authcontract_conformance.world._quota import (
    FOREIGN,
    LONG,
    RESOLUTION,
    TOO_MANY,
    Choice,
    chosen,
    counted,
    counting,
    exhausted,
    no_limits,
    remembered,
    rule,
    said,
    shared,
    spend,
)
from authcontract_conformance.world._world import Asking, Ended, World

#: How often a key that is used up is asked again for a refusal, where it is let in instead.
ASKED = 3
#: How often a time that was said must be too short, where somebody else may use the key.
EACH_TIME = 6
#: Requests sent while a key is refused, to see whether they lengthen the refusal.
IMPATIENT = 5


def _cases(steps: Callable[[RateLimit, World], Steps], world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(steps, limit))


# --- RATE-7 --------------------------------------------------------------------------------------------------------

_DATE_FORMATS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


def seconds_of(exchange: Exchange) -> float | None:
    """Return how long Retry-After asks to wait: a number, or a date by the response's own clock; None: neither."""
    text = exchange.header("Retry-After") or ""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    then, now = _date(text), _date(exchange.header("Date") or "")
    return None if then is None or now is None else (then - now).total_seconds()


def _date(text: str) -> datetime | None:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _come_back(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    refusal = yield from _refused(world, choice)
    # What refused requests take must flow back too, and nobody knows how many there were.
    longest = math.inf if choice.charge.cost_refused else longest_retry_after(choice.rate, choice.window)
    expected = f"Retry-After of 1 to {longest:g} seconds, after which one request is admitted"
    evidence = Evidence(expected=expected, got="429 without Retry-After", exchange=refusal, rule=rule(world, limit))
    text = refusal.header("Retry-After")
    if text is None:
        promised = any(name.lower() == "retry-after" for name in limit.headers)
        return (
            fail(evidence, "the policy promises it") if promised else unspecified("no Retry-After is sent or promised")
        )
    seconds = seconds_of(refusal)
    if seconds is None or not 1 <= seconds <= longest:
        got = replace(evidence, got=f"Retry-After: {text[:40]}")
        return warn(got, "the value is no time after which to come back")
    found = said(world, refusal, limit, choice.operation)
    if found is not None and found.remaining is not None and found.remaining >= choice.charge.cost:
        return warn(replace(evidence, got=f"429 with {found.remaining} left"), "what is left would be enough")
    again = yield from _after(world, choice, refusal, impatient=0)
    if again.status == TOO_MANY and limit.may_be_lower:
        return unspecified("the policy says that less may be admitted, and does not say when")
    if again.status == TOO_MANY and shared(world, limit) and not (yield from _each_time(world, choice, impatient=0)):
        return inconclusive(f"429 again after the time that was said: {FOREIGN}")
    if again.status == TOO_MANY:
        late = replace(evidence, got=f"429 again after {seconds:g} seconds", exchange=again, control=refusal)
        return warn(late, "Retry-After says too little")
    if not again.succeeded:
        return inconclusive(f"afterwards the target answered {describe_exchange(again)}")
    if found is not None and found.reset is not None and seconds + 1 < found.reset:
        early = replace(evidence, got=f"Retry-After: {seconds:g}, and more requests in {found.reset} seconds")
        return warn(early, "two headers of one response name different times")
    return PASSED


def _refused(world: World, choice: Choice) -> Asking[Exchange]:
    """Return the last refusal of a key that was just used up: what was said before may be overtaken.

    Time runs, or later refusals of the same key have taken something too.
    """
    spent = yield from exhausted(world, choice)
    if world.settings.frozen and not choice.charge.cost_refused:
        return spent.refusals[-1]
    for _ in range(ASKED):
        refusal: Exchange = yield counting(
            world.request(choice.operation, spent.key, label="is told when to come back")
        )
        if refusal.status == TOO_MANY:
            return refusal
        yield from spend(world, choice, choice.capacity + 2, spent.key)  # a window has ended meanwhile
    raise Ended(inconclusive("the key that is used up is let in again and again before it is told when to come back"))


def _after(world: World, choice: Choice, refusal: Exchange, *, impatient: int) -> Asking[Exchange]:
    """Wait as long as a refusal says, half of it quietly, send so many more meanwhile, and then one request.

    Ends the case where one of those is let in: what was said was rounded up, and there may be nothing left at the end.
    """
    seconds = seconds_of(refusal) or 1.0
    yield Wait(seconds=seconds / 2)
    request = replace(refusal.probe, connection=None, paced=False)
    for _ in range(impatient):
        early: Exchange = yield replace(request, label="does not wait")
        if early.status != TOO_MANY:
            raise Ended(inconclusive("the key is let in before the time that was said: nothing is refused to lengthen"))
    yield Wait(seconds=seconds / 2 + (0.0 if world.settings.frozen else RESOLUTION))
    again: Exchange = yield replace(request, label="after Retry-After")
    if not impatient:
        world.settings.spent[choice.limit.name, "true word"] = again.succeeded
    return again


def _each_time(world: World, choice: Choice, *, impatient: int) -> Asking[bool]:
    """Tell whether a key that others may use is refused after the time that was said however often one comes back.

    Whoever else asks would have to come each time between the moment when something is free again and our request. One
    who asks so often that he does would have left less than half of the amount to use up.
    """
    spent = yield from exhausted(world, choice)
    if 2 * spent.admitted < choice.capacity or choice.charge.cost_refused:
        return False  # or others' refusals take something too, whenever they come
    for _ in range(EACH_TIME):
        refusal = yield from _refused(world, choice)
        if EACH_TIME * (seconds_of(refusal) or 0.0) > LONG:
            return False
        again = yield from _after(world, choice, refusal, impatient=impatient)
        if again.status != TOO_MANY:
            return False
    return True


# --- RATE-13 -------------------------------------------------------------------------------------------------------


def _patient(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    if choice.charge.cost_refused:
        return unspecified("the policy says that a refused request costs something too")

    def quietly() -> Asking[bool]:
        first = yield from _refused(world, choice)
        return (yield from _after(world, choice, first, impatient=0)).succeeded

    refusal = yield from _refused(world, choice)
    if seconds_of(refusal) is None:
        return skipped("a refusal does not say when to come back")
    if not (yield from remembered(world, limit, "true word", quietly)):
        return inconclusive("Retry-After is not true even for those who wait; RATE-7 judges that")
    refusal = yield from _refused(world, choice)
    again = yield from _after(world, choice, refusal, impatient=IMPATIENT)
    if again.status != TOO_MANY:
        return PASSED if again.succeeded else inconclusive(f"afterwards the target answered {describe_exchange(again)}")
    if shared(world, limit) and not (yield from _each_time(world, choice, impatient=IMPATIENT)):
        return inconclusive(f"429 again after the time that was said: {FOREIGN}")
    evidence = Evidence(
        expected=f"one request admitted {seconds_of(refusal):g} seconds after the first refusal",
        got=f"429 again, since {IMPATIENT} more were sent meanwhile",
        exchange=again,
        control=refusal,
        rule=rule(world, limit),
    )
    return warn(evidence, "a refused request makes the refusal last longer, which nobody is told")


CLAUSES = (
    Clause(
        id="RATE-7",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 10.2.3", "RFC 6585 section 4"),
        promise="A refusal for quota says when to come back, and then it is true.",
        why="Clients that believe a number that is too small are refused again, and those of others wait in vain.",
        how="After the last 429 nothing is sent for as long as it says; then one request must be admitted. A value of "
        "0, none, one longer than any limiter would need, or one before the time that the rate-limit fields name is a "
        "warning, none at all fails where the policy promises it. A date is read by the response's own clock.",
        fix="Compute the time at which the same request is admitted, and round it up.",
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _come_back),
    ),
    Clause(
        id="RATE-13",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("RFC 6585 section 4",),
        promise="Asking again too early does not make the refusal last longer than was said.",
        why="A client with several workers cannot keep all of them silent; a penalty that nobody is told of locks it "
        "out for good.",
        how="A key that is used up sends five more requests while it is refused, then waits until the time that the "
        "refusal named. Refused again is a warning, if a key that had waited quietly was let in.",
        fix="Count what is admitted, and nothing else, or document the penalty.",
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _patient),
    ),
)
