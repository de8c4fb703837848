"""A very large contract made small: what is proved of some of its operations holds for the mechanism."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from authcontract_policy import Loaded, Operation

#: Operations up to which a contract is taken whole.
MANY: Final = 60
#: Operations of one family that are taken: its collections and items come first, since their paths are short.
OF_A_FAMILY: Final = 8


def sampled(loaded: Loaded) -> Loaded:
    """Return the contract with whole families of paths, so many that about `MANY` operations are there.

    A family is what shares the first step of its path that tells it from others. Those with the most methods come
    first: most faults are about objects that can be made, read, changed and deleted.
    """
    specification = loaded.specification
    assert specification is not None  # noqa: S101  the caller checked it
    if len(specification.operations) <= MANY:
        return loaded
    chosen: set[str] = set()
    for family in sorted(_families(specification.operations), key=_worth):
        if len(chosen) + len(family) <= MANY:
            chosen.update(operation.id for operation in family)
    kept = tuple(operation for operation in specification.operations if operation.id in chosen)
    return replace(loaded, specification=replace(specification, operations=kept))


def _families(operations: Iterable[Operation]) -> Iterator[tuple[Operation, ...]]:
    everything = list(operations)
    depth = 1
    while max(Counter(_begins(operation, depth) for operation in everything).values()) > len(everything) / 2:
        depth += 1
    families: dict[tuple[str, ...], list[Operation]] = {}
    for operation in everything:
        families.setdefault(_begins(operation, depth), []).append(operation)
    for family in families.values():
        yield tuple(sorted(family, key=lambda operation: (operation.path.count("/"), operation.path))[:OF_A_FAMILY])


def _begins(operation: Operation, depth: int) -> tuple[str, ...]:
    return tuple(operation.path.strip("/").split("/")[:depth])


def _worth(family: tuple[Operation, ...]) -> tuple[int, int, str]:
    return -len({operation.method for operation in family}), len(family), family[0].path
