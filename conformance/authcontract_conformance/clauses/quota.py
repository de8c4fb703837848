"""RATE: what responses say of a limit is true."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from authcontract_engine import Charge, Contract, KeyRecord
from authcontract_policy import Dimension, Operation, RateLimit, Table

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need
from authcontract_conformance.oracle._bounds import most_remaining
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._quota_fields import Said, read_fields
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
    warn,
)
from authcontract_conformance.world._management import create, operation_for
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._quota import (
    RESOLUTION,
    TOO_MANY,
    Choice,
    choose,
    counted,
    counting,
    fresh,
    no_limits,
    plans,
    rule,
    said,
    settled,
    taken,
)
from authcontract_conformance.world._world import World

#: Requests in a row whose `remaining` is compared.
IN_A_ROW = 4
#: Keys whose advertised amounts are compared for one limit; a table with more rows is sampled.
ROWS = 12
NOTHING_SAID = "no response says how much there is"


def _cases(steps: Callable[[RateLimit, World], Steps], world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(steps, limit))


# --- RATE-4 --------------------------------------------------------------------------------------------------------


def _advertised(world: World) -> Iterable[Case]:
    for limit in counted(world):
        for choice in _rows(world, limit):
            yield Case(f"{limit.name}: {_row(choice.need)}", partial(_as_documented, choice))
    reading = next((choice.operation for limit in counted(world) for choice in _rows(world, limit)), None)
    if reading is not None and operation_for(world, "create") is not None:
        yield Case("a key that the API creates", partial(_to_created_key, reading))


def _to_created_key(operation: Operation, world: World) -> Steps:
    """Ask once with a key that the API itself has made: what it is told is its organisation's."""
    creator = operation_for(world, "create")
    assert creator is not None  # noqa: S101  without one there is no such case
    key, _ = yield from create(world, creator, world.need(operation, own=True))
    exchange: Exchange = yield world.request(operation, key, label="a created key is told how much there is")
    if not exchange.succeeded:
        return inconclusive(f"the target answers {describe_exchange(exchange)}")
    return _said_to_key(world, exchange) or skipped(NOTHING_SAID)


def _row(need: Need) -> str:
    scopes = " + ".join(sorted(need.scopes))
    return ", ".join(part for part in (need.kind, scopes, need.plan, need.environment) if part)


def _rows(world: World, limit: RateLimit) -> Iterable[Choice]:
    """Return one key for each row of the table of amounts: by scope, plan, kind and environment as the policy says."""
    headings = _headings(limit.requests)
    found: dict[tuple[str, ...], Choice] = {}
    for operation in protected(world):
        reads = operation.method == "GET" and not world.resources.steps(operation)
        if not reads or limit.name not in world.contract.resolution.limits[operation.id]:
            continue
        for environment in world.settings.environments:
            for sort in plans(world, operation, environment):
                need = replace(sort, own=False)
                charge = taken(world, limit, operation, need)
                place = tuple(str(_OF_NEED[heading](need)) for heading in headings)
                if charge is not None:
                    found.setdefault(place, Choice(limit, operation, need, charge))
    return list(found.values())[:ROWS]


_OF_NEED: Mapping[Dimension, Callable[[Need], object]] = {
    Dimension.SCOPE: lambda need: sorted(need.scopes),
    Dimension.PLAN: lambda need: need.plan,
    Dimension.ENVIRONMENT: lambda need: need.environment,
    Dimension.KIND: lambda need: need.kind,
    Dimension.KEY: lambda _: None,
}


def _headings(table: Table[Any] | None) -> tuple[Dimension, ...]:
    """Return what the rows of a table are told apart by, at any depth."""
    if table is None or table.dimension is None:
        return ()
    below = [heading for _, row in table.rows for heading in _headings(row)]
    return tuple(dict.fromkeys((table.dimension, *below, *_headings(table.others))))


def _as_documented(choice: Choice, world: World) -> Steps:
    limit = choice.limit
    key: Key = yield Acquire(choice.need)
    exchange: Exchange = yield world.request(choice.operation, key, label="says how much there is")
    if not exchange.succeeded:
        return inconclusive(f"the target answers {describe_exchange(exchange)}")
    found = said(world, exchange, limit, choice.operation)
    if found is None or (found.limit is None and found.window is None):
        return _silent(limit, "<limit>", exchange, world)
    wrong = _wrong(world, exchange, found, choice.charge)
    return PASSED if wrong is None else fail(wrong, "what a response says of the limit is not what is documented")


def _wrong(world: World, exchange: Exchange, found: Said, charge: Charge) -> Evidence | None:
    """Return both sides where a response says something else of a limit than what is charged by; None where it fits."""
    limit = world.policy.rate_limits[charge.limit]
    window = limit.window or 1
    # A bucket may be described by what it holds or by what flows in.
    amounts = {charge.amount, charge.burst}
    if found.limit in {None, *amounts} and found.window in (None, window):
        return None
    return Evidence(
        expected=f"{' or '.join(map(str, sorted(amounts)))} in {window} s",
        got=f"{found.limit} in {found.window or window} s, as {found.family} says",
        exchange=exchange,
        rule=rule(world, limit),
    )


def _said_to_every_key(world: World, exchange: Exchange) -> Judgement | None:
    judgement = _said_to_key(world, exchange)
    return judgement if judgement is None or judgement is PASSED else _once(world, judgement)


def _said_to_key(world: World, exchange: Exchange) -> Judgement | None:
    """Hold what each answer to a key says against what that key has, above all one that the API itself has made."""
    if not exchange.succeeded or len(exchange.probe.keys) != 1:
        return None
    reading = world.settings.oracle.read(exchange.probe)
    key, operation = world.settings.oracle.key(reading), reading.operation
    if key is None or operation is None or operation.method.encode() != exchange.probe.method:
        return None
    seen = False
    for charge in world.contract.usual_charges(operation, key):
        limit = world.policy.rate_limits[charge.limit]
        found = said(world, exchange, limit, operation) if limit.requests is not None and charge.cost > 0 else None
        if found is None or found.limit is None:
            continue
        seen = True
        wrong = _wrong(world, exchange, found, charge)
        if wrong is not None and not _assumed(world, operation, key, found.limit):
            return warn(wrong, "a response says another limit than the key that it answers has")
    return PASSED if seen else None


def _assumed(world: World, operation: Operation, key: KeyRecord, amount: int) -> bool:
    """Tell whether another answer to a silence gives the key this amount."""

    def amounts(contract: Contract) -> frozenset[int]:
        charges = contract.usual_charges(operation, key)
        return frozenset(number for charge in charges for number in (charge.amount, charge.burst))

    return any(amount in other for other in world.settings.oracle.accepted(amounts))


def _silent(limit: RateLimit, placeholder: str, exchange: Exchange, world: World) -> Judgement:
    """Judge that nothing was said: a warning where the policy promises a header for it and no silence excuses that."""
    names = [name for name, template in limit.headers.items() if placeholder in template]
    if not names or any(exchange.header(name) is not None for name in names):
        return skipped(NOTHING_SAID)

    def promises(contract: Contract) -> bool:
        other = contract.policy.rate_limits.get(limit.name)
        return other is not None and any(placeholder in template for template in other.headers.values())

    silence = world.settings.oracle.accepted(promises).get(False)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; {NOTHING_SAID}")
    evidence = Evidence(
        expected=f"the header {names[0]}", got="a response without it", exchange=exchange, rule=rule(world, limit)
    )
    return warn(evidence, "the policy promises it")


# --- RATE-5 --------------------------------------------------------------------------------------------------------


def _counts_down(limit: RateLimit, world: World) -> Steps:
    choice = choose(world, limit, taken)
    if choice is None:
        return skipped("no operation that reads without an object is counted by this limit")
    key, _ = yield from fresh(world, choice)
    first: Exchange | None = None
    below = 0
    read: list[tuple[Said, Exchange]] = []
    for _ in range(min(IN_A_ROW, choice.capacity)):
        exchange: Exchange = yield counting(world.request(choice.operation, key, label="counts what is left"), "row")
        settled((exchange,))
        first = first or exchange
        found = said(world, exchange, limit, choice.operation)
        if found is None or found.remaining is None:
            return _silent(limit, "<remaining>", exchange, world)
        read.append((found, exchange))
    most = max(choice.charge.amount, choice.charge.burst)
    for number, (found, exchange) in enumerate(read, 1):
        assert first is not None  # noqa: S101  there is a first where there is any
        assert found.remaining is not None  # noqa: S101  checked above
        elapsed = 0.0 if world.settings.frozen else exchange.received_at - first.sent_at + RESOLUTION
        highest = most_remaining(most, number * choice.charge.cost, choice.window, elapsed)
        below += found.remaining <= highest
        if found.remaining < 0:
            return warn(_left(world, limit, "0 or more", found, exchange), "less than nothing is left")
        if found.remaining > (found.limit if found.limit is not None else most):
            return warn(_left(world, limit, f"at most {most}", found, exchange), "more is left than there is")
    # A window that ends for everybody in between makes one reading high, and never all after it fall short again.
    if below < len(read) - (0 if world.settings.frozen else 1):
        found, exchange = read[-1]
        expected = f"at most {most - len(read) * choice.charge.cost} after {len(read)} requests"
        return warn(_left(world, limit, expected, found, exchange), "what is left does not shrink as requests are sent")
    return PASSED


def _left(world: World, limit: RateLimit, expected: str, found: Said, exchange: Exchange) -> Evidence:
    got = f"{found.remaining}, as {found.family} says"
    return Evidence(expected=f"{expected} left", got=got, exchange=exchange, rule=rule(world, limit))


# --- RATE-6 --------------------------------------------------------------------------------------------------------


def _readable(world: World, exchange: Exchange) -> Judgement | None:
    if not exchange.answered:
        return None
    if not any("ratelimit" in name.lower().replace("-", "") for name, _ in exchange.headers):
        return PASSED if exchange.succeeded else None
    fields = read_fields(exchange)
    if fields.malformed:
        expected = "a list of limits, each in quotes, with whole numbers"
        evidence = Evidence(expected=expected, got=fields.malformed[0], exchange=exchange)
        promised = {name.lower() for limit in counted(world) for name in limit.headers}
        ours = bool({"ratelimit", "ratelimit-policy"} & promised)
        return _once(world, (fail if ours else warn)(evidence, "a program cannot read what is left"))
    if fields.sloppy:
        return warn(
            Evidence(expected="names in quotes", got=fields.sloppy[0], exchange=exchange), "not as the draft says"
        )
    for what in ("limit", "remaining"):
        values = {value for each in _ours(fields.said) if (value := getattr(each, what)) is not None}
        if len(values) > 1:
            got = f"{what} is {' and '.join(map(str, sorted(values)))}"
            evidence = Evidence(expected="fields that agree", got=got, exchange=exchange)
            return _once(world, warn(evidence, "two families of fields contradict each other"))
    return PASSED


def _once(world: World, judgement: Judgement) -> Judgement | None:
    """Return a judgement of every response once for each reason and what came: one defect is one finding."""
    came = judgement.evidence.got if judgement.evidence is not None else ""
    place = (judgement.reason, came if judgement.word is Word.FAIL else "")
    return None if world.settings.spent.setdefault(place, judgement) is not judgement else judgement


def _ours(found: tuple[Said, ...]) -> tuple[Said, ...]:
    """Return what may be compared: one field of each family; several named limits are about several things."""
    named = [each for each in found if each.name is not None]
    return () if len(named) > 1 else found


# --- RATE-14 -------------------------------------------------------------------------------------------------------


def _not_stored(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.status != TOO_MANY:
        return None
    words = [word.strip().lower() for word in (exchange.header("Cache-Control") or "").split(",")]
    if "no-store" in words or "private" in words:
        return PASSED
    fresh = any(re.fullmatch(r"(s-maxage|max-age)\s*=\s*\"?0*[1-9]\d*\"?", word) for word in words)
    if "public" not in words and not fresh:
        return PASSED
    got = f"Cache-Control: {exchange.header('Cache-Control')}"
    evidence = Evidence(expected="a refusal for quota that no cache keeps", got=got, exchange=exchange)
    reason = "a cache may give one client's refusal to another, or keep it after the quota is back"
    return _once(world, warn(evidence, reason))


CLAUSES = (
    Clause(
        id="RATE-4",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("draft-ietf-httpapi-ratelimit-headers-10",),
        promise="What a response says the limit is, is what is documented for this key.",
        why="Clients pace themselves by these headers; a wrong number wastes quota or runs into refusals.",
        how="One request for each row of the table of amounts. The number and the window in the policy's own headers, "
        "or in any of the families of rate-limit fields, must be the documented ones. Each other answer to a key is "
        "held against what its key has, too; another number there is a warning. Where the policy promises such a "
        "header and none comes, that is a warning; where it promises none, the row is skipped.",
        fix="Fill the header from the same table that the limiter uses.",
        inapplicable=no_limits,
        cases=_advertised,
        passive=_said_to_every_key,
        traffic=("LIFE-3",),
    ),
    Clause(
        id="RATE-5",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("draft-ietf-httpapi-ratelimit-headers-10",),
        promise="What a response says is left shrinks with each request and is never more than there is.",
        why="A client that is told of requests it does not have sends them.",
        how="Four requests in a row with a fresh key. What is left must be at most the amount less those sent, and "
        "what flowed in meanwhile; less is allowed, since a server may be careful. More is a warning.",
        fix="Read the number from the counter after this request was counted.",
        alone=True,
        inapplicable=no_limits,
        cases=partial(_cases, _counts_down),
    ),
    Clause(
        id="RATE-6",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("draft-ietf-httpapi-ratelimit-headers-10", "RFC 9651"),
        promise="Rate-limit fields can be read by a program, and those of several families agree.",
        why="A parser that fails treats the field as absent, and the client knows nothing of its quota.",
        how="Looks at every response with such fields. The two lists of the newest draft must be Structured Fields "
        "with the parameters that it requires; a mistake in them fails where the policy promises them, else it is a "
        "warning. The older families are read too, and a contradiction between two families is a warning.",
        fix="Write the fields with a Structured Fields library, and send one family.",
        passive=_readable,
        traffic=("RATE-5",),
        inapplicable=no_limits,
    ),
    Clause(
        id="RATE-14",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 6585 section 4",),
        promise="No cache may keep a refusal for quota.",
        why="A stored 429 refuses clients that have quota, and goes on when the window is over.",
        how="Looks at every 429: one that Cache-Control calls public, or fresh for some time, is a warning.",
        fix="Send Cache-Control: no-store with every refusal.",
        passive=_not_stored,
        traffic=("RATE-3",),
        inapplicable=no_limits,
    ),
)
