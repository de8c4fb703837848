"""PREC: a request that was refused for quota is not carried out all the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from authcontract_policy import Operation, RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Purpose, Wait
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Basis, Level, fail, inconclusive, skipped
from authcontract_conformance.world._quota import (
    TOO_MANY,
    Choice,
    Spent,
    choose,
    chosen,
    counted,
    counting,
    exhausted,
    no_limits,
    together,
)
from authcontract_conformance.world._world import Asking, World

#: Operations that are asked for; the check is in front of all of them.
TRIED = 2
#: Seconds that are waited, where time runs by itself, for something to be left to look with.
PATIENCE = 90


def _cases(world: World) -> Iterable[Case]:
    for limit in counted(world):
        yield Case(limit.name, partial(_nothing_done, limit))


def _nothing_done(limit: RateLimit, world: World) -> Steps:
    """Ask a used up key's changes to be made, and look for those that were refused."""
    choice = chosen(world, limit)
    writers = _writers(world, choice)[:TRIED]
    if not writers:
        return skipped("no change that this limit counts can be looked for in a list")
    spent = yield from exhausted(world, choice)
    refused: list[tuple[Operation, str, Exchange]] = []
    for writer, reader in writers:
        canary = world.canary()
        probe = world.request(writer, spent.key, canary=canary, label=f"{writer.label}, used up")
        exchange: Exchange = yield counting(probe)
        if exchange.status == TOO_MANY:
            refused.append((reader, canary, exchange))
    if not refused:
        return inconclusive("nothing was refused; RATE-9 judges that")
    looks: dict[str, Exchange] = {}
    for reader, canary, exchange in refused:
        if reader.id not in looks:
            looks[reader.id] = yield from _look(world, spent, reader)
        look = looks[reader.id]
        if canary.encode() in look.body:
            got = f"{describe_exchange(exchange)}, and {reader.label} shows that it was done"
            return fail(world.expect(exchange.probe).evidence(exchange, look, got), "the request was carried out")
        if not look.succeeded:
            return inconclusive(broken(look) if look.broken else f"the look got {describe_exchange(look)}")
    return PASSED


def _writers(world: World, choice: Choice) -> list[tuple[Operation, Operation]]:
    """Return the operations of such a key that make something, each with the list that shows it."""
    return [(op, reader) for op in together(world, choice) if (reader := _shown_by(world, op)) is not None]


def _shown_by(world: World, operation: Operation) -> Operation | None:
    """Return the list that shows what an operation makes, where it can be told by its canary."""
    reader = world.resources.reader(operation)
    if operation.method != "POST" or reader is None or reader.path != operation.path:
        return None  # what searches or sends makes nothing that a list shows
    listed = (
        world.settings.sampler.carries(operation)
        and not world.resources.steps(reader)
        and world.access.strongest(reader, world.environment) is not None
    )
    return reader if listed else None


def _look(world: World, spent: Spent, reader: Operation) -> Asking[Exchange]:
    """Read with another key of the same organisation; once more, later, where the two share what is used up."""
    need = spent.choice.need
    own = world.need(reader, environment=need.environment)
    found = replace(own, own=True, plan=need.plan, organisation=need.organisation)
    key: Key = yield Acquire(found, case=spent.case)
    probe = world.request(reader, key, purpose=Purpose.EFFECT, label="reads the effect")
    look: Exchange = yield counting(probe)
    wait = 2 * spent.choice.window
    if look.status == TOO_MANY and (world.settings.frozen or wait <= PATIENCE):
        yield Wait(seconds=wait)
        look = yield counting(probe)
    return look


def _nothing_to_look_for(world: World) -> str | None:
    choices = [choice for limit in counted(world) if (choice := choose(world, limit)) is not None]
    if not choices or not world.settings.disposable or any(_writers(world, choice) for choice in choices):
        return no_limits(world)
    return "no change that a limit counts, by a key that uses it up, can be looked for in a list"


CLAUSES = (
    Clause(
        id="PREC-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 6585 section 4", "OWASP API4:2023"),
        promise="What is refused for want of quota is not carried out.",
        why="The client takes 429 at its word and sends the same again: it is done twice, and paid for twice.",
        how="A key that is used up asks for something to be made, marked by a random text. Where the answer was 429, "
        "another key of the same organisation reads the list: the text in it fails. Where both draw on one allowance, "
        "the look is repeated two windows later.",
        fix="Count and refuse before the first effect, not in what wraps the answer.",
        alone=True,
        inapplicable=_nothing_to_look_for,
        cases=_cases,
    ),
)
