"""Try something on one operation after the other, in one case."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeAlias

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Steps
from authcontract_conformance.exchange._exchange import Acquire, Action, Key, Need
from authcontract_conformance.oracle._verdict import PASSED, Judgement, Word
from authcontract_conformance.world._patterns import Attempt, bypasses, protected, summed
from authcontract_conformance.world._world import Ended, World

#: Up to so many operations are each looked at; of more, so many at even distances.
MANY = 60
#: Gives a key that some case may expose: nobody else has it, and one of each sort is enough.
Keys: TypeAlias = Callable[[Need], Generator[Action, Any, Key]]


def some(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return the operations, or a fair choice of them where they are very many."""
    found = tuple(operations)
    return found[:: max(1, -(-len(found) // MANY))]


def open_to_some(world: World) -> tuple[Operation, ...]:
    return tuple(op for op in protected(world) if world.access.strongest(op, world.environment) is not None)


def each(operations: Iterable[Operation], steps: Callable[[World, Operation, Keys], Steps], world: World) -> Steps:
    """Try something on one operation after the other, and return the worst that came of it."""
    keys: dict[Need, Key] = {}

    def exposed(need: Need) -> Generator[Action, Any, Key]:
        if need not in keys:
            keys[need] = yield Acquire(need)
        return keys[need]

    judged: list[tuple[str, Judgement]] = []
    for operation in operations:
        try:
            judgement = yield from steps(world, operation, exposed)
        except Ended as ended:
            judgement = ended.judgement
        if judgement.word is not Word.PASS:
            judged.append((operation.label, judgement))
    return summed(judged, len(judged) or 1)


def turned(operations: tuple[Operation, ...], turn: int) -> tuple[Operation, ...]:
    """Return the operations with another one first: of clauses that share what they learn each begins elsewhere."""
    start = len(operations) * turn // 3
    return operations[start:] + operations[:start]


def unless_open(world: World, operation: Operation, judged: Judgement, plain: Attempt) -> Steps:
    """Hold nothing against a trick where the request works without it: that is another clause's finding."""
    if judged.word is not Word.FAIL:
        return judged
    without = yield from bypasses(world, operation, [plain])
    return PASSED if without.word is Word.FAIL else judged
