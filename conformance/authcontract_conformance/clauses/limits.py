"""RATE: as many requests as documented and not more, on every plan, over time, and however many come at one moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from authcontract_policy import RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Advance, Exchange, Wait
from authcontract_conformance.oracle._bounds import apart, at_most, pause_between
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    skipped,
    unspecified,
)
from authcontract_conformance.world._quota import (
    LARGEST,
    RESOLUTION,
    REST,
    TOO_MANY,
    Choice,
    Spent,
    choose,
    chosen,
    counted,
    counting,
    first_to_refuse,
    fresh,
    no_limits,
    observed,
    rule,
    settled,
    spend,
    sure,
    too_short,
)
from authcontract_conformance.world._world import Asking, World

#: After the first burst so many more, a little more than half a window apart: a window half as long admits each.
LATER, APART = 3, 0.51
#: A paced run lasts so many windows: the longer one also shows a full bucket that refills half as fast. Where time runs
#: by itself, neither may take longer than this many seconds.
PACED, LONGER, PATIENCE = 1.2, 2.4, 90.0


def _cases(steps: Callable[[RateLimit, World], Steps], world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(steps, limit))


# --- RATE-1 --------------------------------------------------------------------------------------------------------


def _upper(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    if not world.settings.frozen:
        return (yield from _two_phases(world, choice))
    first = yield from observed(world, choice)
    judged = _judge_burst(world, choice, [first])
    if judged.word is Word.FAIL or choice.rate < 2:  # noqa: PLR2004  half a window of one
        return judged
    if choice.limit.algorithm == "token_bucket":
        return (yield from _refill(world, choice, first, judged))
    return (yield from _over_time(world, choice, first, judged))


def _two_phases(world: World, choice: Choice) -> Steps:
    if (reason := too_short(world, choice)) is not None:
        return inconclusive(reason)
    amount, window = choice.capacity, choice.window
    if window / 2 > REST:
        return (yield from _one_phase(world, choice))
    bursts: list[Spent] = []
    for later in (0.0, window / 2):
        key, _ = yield from fresh(world, choice)
        if bursts:
            yield Wait(seconds=(bursts[0].at + later - world.now()) % window)
        spent = yield from spend(world, choice, 2 * amount + amount // 2 + 2, key)
        bursts.append(spent)
    if not apart(bursts[0].span, bursts[1].span, window, RESOLUTION):
        longest = max(burst.seconds for burst in bursts)
        return inconclusive(f"a burst took {longest:.1f} s: in a window of {window} s both may have seen two of them")
    world.settings.spent[choice.limit.name, "exhausted"] = bursts[-1]
    return _judge_burst(world, choice, bursts)


def _one_phase(world: World, choice: Choice) -> Steps:
    """Send one burst where nobody waits for another half a window later; it may see two windows, and no more."""
    charge = choice.charge
    spent = yield from spend(world, choice, 3 * choice.capacity + 3)
    world.settings.spent[choice.limit.name, "exhausted"] = spent
    highest = at_most(charge.amount, choice.window, spent.seconds + RESOLUTION, charge.burst) // charge.cost
    if spent.admitted > highest:
        evidence = Evidence(
            expected=f"at most {highest} of a burst admitted ({choice.capacity} in {choice.window} s)",
            got=f"{spent.admitted} admitted" + ("" if spent.refusals else ", and no end of it"),
            exchange=spent.last,
            rule=rule(world, choice.limit),
        )
        return fail(evidence, "more is admitted than any fair way of counting would")
    return Judgement(word=Word.PASS, reason=f"would catch {highest + 1} or more at once, or in two windows")


def _judge_burst(world: World, choice: Choice, bursts: list[Spent]) -> Judgement:
    """Judge the smaller of bursts half a window apart; with a clock that stands still there is one."""
    fewest = min(bursts, key=lambda burst: burst.admitted)
    elapsed = 0.0 if world.settings.frozen else max(burst.seconds for burst in bursts) + RESOLUTION
    highest = choice.most_from_idle(elapsed)
    if fewest.admitted > highest:
        evidence = Evidence(
            expected=f"at most {highest} of a burst admitted ({choice.capacity} in {choice.window} s)",
            got=f"{fewest.admitted} admitted" + ("" if fewest.refusals else ", and no end of it"),
            exchange=fewest.last,
            rule=rule(world, choice.limit),
        )
        return fail(evidence, "more is admitted than any fair way of counting would")
    return Judgement(word=Word.PASS, reason=f"would catch {highest + 1} or more at once")


def _over_time(world: World, choice: Choice, first: Spent, judged: Judgement) -> Steps:
    """Ask again and again with one key while the clock is moved, and compare the sum with what any limiter admits."""
    spent = first if first.at == world.now() else (yield from spend(world, choice, choice.capacity))
    total, last = spent.admitted, spent.last
    for _ in range(LATER):
        yield Advance(seconds=choice.window * APART)
        last = yield counting(world.request(choice.operation, spent.key, label="asks again"))
        if last.succeeded:  # one request first: most ways of counting refuse it, and then so do the rest
            more = yield from spend(world, choice, choice.capacity - 1, spent.key)
            total, last = total + 1 + more.admitted, more.last
    seconds = choice.window * APART * LATER + RESOLUTION
    charge = choice.charge
    highest = at_most(charge.amount, choice.window, seconds, charge.burst) // charge.cost
    if total <= highest:
        return judged
    evidence = Evidence(
        expected=f"at most {highest} admitted in {seconds:g} s ({choice.capacity} in {choice.window} s)",
        got=f"{total} admitted",
        exchange=last,
        rule=rule(world, choice.limit),
    )
    return fail(evidence, "over time more is admitted than any fair way of counting would")


def _refill(world: World, choice: Choice, first: Spent, judged: Judgement) -> Steps:
    """Let half of a bucket flow back, and see that no more than that is there."""
    charge = choice.charge
    spent = first if first.at == world.now() else (yield from spend(world, choice, choice.capacity))
    seconds = choice.window * charge.burst / charge.amount / 2
    yield Advance(seconds=seconds)
    more = yield from spend(world, choice, choice.capacity, spent.key)
    total, highest = spent.admitted + more.admitted, choice.most_from_idle(seconds + RESOLUTION)
    if total <= highest:
        return judged
    evidence = Evidence(
        expected=f"at most {highest} admitted in {seconds:g} s, {choice.capacity} of them at once",
        got=f"{total} admitted",
        exchange=more.last,
        rule=rule(world, choice.limit),
    )
    return fail(evidence, "the bucket refills faster than documented")


# --- RATE-2 --------------------------------------------------------------------------------------------------------


def _paced(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    pause = _pause(choice)
    windows = LONGER if world.settings.frozen or LONGER * choice.window <= PATIENCE else PACED
    requests = math.ceil(windows * choice.window / pause) + 1
    if not world.settings.frozen and pause * requests > PATIENCE:
        return skipped(f"without a clock that can be moved it takes {pause * requests:.0f} s of waiting")
    return (yield from sure(world, choice, lambda _: _at_pace(world, choice, pause, requests), pause))


def _pause(choice: Choice) -> float:
    """Return the seconds between two requests that no limiter refuses, whether its clock is moved or runs."""
    return math.ceil(1000 * pause_between(choice.rate, choice.window, RESOLUTION) + 1) / 1000


def _at_pace(world: World, choice: Choice, pause: float, requests: int) -> Steps:
    key, _ = yield from fresh(world, choice)
    served: Exchange | None = None
    for number in range(requests):
        if number:
            yield Wait(seconds=pause)
        exchange: Exchange = yield counting(world.request(choice.operation, key, label="at a steady pace"))
        settled((exchange,))
        if exchange.status == TOO_MANY:
            evidence = Evidence(
                expected=f"one request every {pause:.1f} s is admitted ({choice.rate} in {choice.window} s)",
                got=f"429 for request {number + 1}",
                exchange=exchange,
                control=served,
                rule=rule(world, choice.limit),
            )
            if choice.limit.may_be_lower:
                return unspecified(f"the policy says that less may be admitted; number {number + 1} was refused")
            return fail(evidence, "less is admitted over time than documented")
        served = exchange
    return PASSED


# --- RATE-3 --------------------------------------------------------------------------------------------------------


def _exact(limit: RateLimit, world: World) -> Steps:
    choice = chosen(world, limit)
    if not world.settings.frozen and limit.algorithm in ("any", "token_bucket"):
        return unspecified("without a clock that stands still, RATE-1 is as exact as it gets")
    return (yield from sure(world, choice, partial(_judge_exact, world, choice)))


def _judge_exact(world: World, choice: Choice, again: bool) -> Steps:  # noqa: FBT001  what `sure` calls
    limit = choice.limit
    if world.settings.frozen and not again:
        spent = yield from observed(world, choice)
    else:
        spent = yield from spend(world, choice, choice.capacity + 2)
    evidence = Evidence(
        expected=f"exactly {choice.capacity} admitted at once",
        got=f"{spent.admitted} admitted",
        exchange=(*spent.refusals, spent.last)[0],
        rule=rule(world, limit),
    )
    # A burst may see two windows where time runs; RATE-1 looks at two bursts then.
    aligned = not world.settings.frozen and limit.algorithm in ("fixed_window", "window_counter")
    if spent.admitted > choice.capacity and not aligned:
        return fail(evidence, "the limit is higher than documented")
    if spent.admitted >= choice.capacity or limit.may_be_lower:
        return PASSED
    if limit.algorithm != "any":
        return fail(evidence, "the limit is lower than documented")
    if world.settings.frozen and spent.admitted and not (yield from _refills(world, choice, spent.admitted)):
        return fail(evidence, "the limit is lower than documented, and nothing flows back as into a bucket")
    return unspecified(f"a burst of {choice.capacity} is not promised; {spent.admitted} were admitted")


def _refills(world: World, choice: Choice, admitted: int) -> Asking[bool]:
    """Tell whether something is left half a window after exactly as many requests as are admitted at once (4.9).

    Into a bucket half of the amount has flowed by then, however small it is. What counts in windows has nothing, unless
    a window ends just then; and such a limiter admits the whole amount at once, or its amount is another. Nothing is
    refused before, so that no penalty for refused requests is taken for it. The clock of a bucket may tick in steps.
    """
    spent = yield from spend(world, choice, admitted)
    if spent.refusals or choice.rate < 2:  # noqa: PLR2004  half of an amount of one is nothing
        return True
    yield Advance(seconds=choice.window / 2 + RESOLUTION)
    exchange: Exchange = yield counting(world.request(choice.operation, spent.key, label="half a window later"))
    return exchange.status != TOO_MANY


# --- RATE-15 -------------------------------------------------------------------------------------------------------


def _by_plan(world: World) -> Iterable[Case]:
    for limit in counted(world):
        for plan in world.access.plans:
            yield Case(f"{limit.name}: {plan}", partial(_larger, limit, plan))


def _larger(limit: RateLimit, plan: str, world: World) -> Steps:
    """Send more on a plan than the smallest one has: at once if that works, else at the plan's own pace.

    Nobody need lend a key on the smallest plan: the policy says what it has.
    """
    found = choose(world, limit)
    if found is None:
        return skipped("no operation and key for which this limit is the first to refuse")
    by_plan = {
        each: charge
        for each in world.policy.plans
        if (charge := first_to_refuse(world, limit, found.operation, replace(found.need, plan=each))) is not None
    }
    smallest = min(by_plan, key=lambda each: by_plan[each].burst)
    if plan not in by_plan or by_plan[plan].amount <= by_plan[smallest].amount:
        return skipped("this plan has no more than the smallest has")
    least, choice = (
        Choice(limit, found.operation, replace(found.need, plan=each), by_plan[each]) for each in (smallest, plan)
    )
    if least.capacity > LARGEST:
        return skipped(f"{least.capacity} requests are more than the {LARGEST} that a run spends on one limit")
    return (yield from sure(world, choice, lambda _: _more_than(world, choice, least), _pause(choice)))


def _more_than(world: World, choice: Choice, least: Choice) -> Steps:
    limit, enough = choice.limit, least.capacity + 1
    if enough <= choice.capacity:
        spent = yield from spend(world, choice, enough)
        if not spent.refusals:
            return PASSED
        if limit.algorithm != "any" and not limit.may_be_lower:
            return fail(_as_small(world, choice, spent.refusals[0], spent.admitted), "the plan changes nothing")
    if limit.may_be_lower:
        return unspecified("the policy says that less may be admitted")
    pause = _pause(choice)
    requests = min(2 * least.capacity + 2, LARGEST)
    if not world.settings.frozen and pause * requests > PATIENCE:
        return unspecified("a burst of as many as the plan has is not promised")
    key, _ = yield from fresh(world, choice)
    for number in range(requests):
        if number:
            yield Wait(seconds=pause)
        exchange: Exchange = yield counting(world.request(choice.operation, key, label="at the pace of its plan"))
        settled((exchange,))
        if exchange.status == TOO_MANY:
            return fail(_as_small(world, choice, exchange, number), "the plan changes nothing")
    return PASSED


def _as_small(world: World, choice: Choice, refusal: Exchange, admitted: int) -> Evidence:
    return Evidence(
        expected=f"{choice.rate} in {choice.window} s on plan {choice.need.plan}",
        got=f"429 after {admitted} requests",
        exchange=refusal,
        rule=rule(world, choice.limit),
    )


def _no_plans(world: World) -> str | None:
    return no_limits(world) or (None if len(world.policy.plans) > 1 else "there is one plan, or none")


CLAUSES = (
    Clause(
        id="RATE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="No more requests are admitted than any fair way of counting the documented limit would admit.",
        why="A limit that is not enforced is discovered by the first client that loops.",
        how="A fresh key sends more at once than the limit allows, on several connections and over all operations that "
        "are counted together; where the target's clock runs by itself, twice, half a window apart, and the lower "
        "count is judged, since one burst may see two windows. Where the clock can be moved, the key asks again three "
        "times within a window and a half. More than any limiter of that amount admits at once, or in that time, "
        "fails.",
        fix="Count each request in one atomic step, in one place for all workers, by the key's id.",
        variants=("V-R07", "V-R09"),
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _upper),
    ),
    Clause(
        id="RATE-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="Whoever keeps to the documented rate is never refused.",
        why="A client that paces itself by the documentation has done all it can; a refusal then is a broken promise.",
        how="A fresh key sends one request after the other at the pace that every way of counting admits, for a little "
        "more than a window, or than two. The clock is moved meanwhile if it can be, else that much time is waited if "
        "it is not more than a minute and a half. A refusal fails, unless the policy says that less may be admitted.",
        fix="Let a key have the documented number in every window, and count nothing else against it.",
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _paced),
    ),
    Clause(
        id="RATE-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="The limit is the documented number, neither more nor less.",
        why="Customers size their clients by the table; off by one is a refused request a minute.",
        how="With the clock standing still a fresh key sends two more than the limit at once: exactly the amount, or "
        "the bucket's capacity, must be admitted. Fewer fails where the policy names an algorithm that promises it; "
        "where it names none, fewer may be a small bucket, and fails only if nothing has flowed back after half a "
        "window.",
        fix="Refuse when the count would exceed the limit, not when it has.",
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _exact),
    ),
    Clause(
        id="RATE-15",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="A key on a larger plan has more requests.",
        why="It is what the customer pays for.",
        how="On each plan that has more than the smallest, a fresh key sends one request more than the smallest has. "
        "If one of them is refused, and bursts are not promised, another key sends twice as many at its plan's pace, "
        "which no fair way of counting refuses. A refusal fails. What a change of plan does, and when, is not tried.",
        fix="Look the amount up by the plan of the key's organisation.",
        alone=True,
        inapplicable=_no_plans,
        cases=_by_plan,
    ),
)
