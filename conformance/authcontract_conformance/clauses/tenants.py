"""TEN: another organisation's objects do not exist for a key."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_conformance.clauses._clause import Capability, Case, Clause
from authcontract_conformance.oracle._verdict import Basis, Level
from authcontract_conformance.world._isolation import foreign_list, foreign_object, listers, on_objects
from authcontract_conformance.world._world import World

METHODS = ("GET", "PATCH", "PUT", "DELETE", "POST")


def _ten_1(world: World) -> Iterable[Case]:
    environment = world.environment
    for operation in on_objects(world, METHODS):
        subject = f"{operation.label}: an object of organisation A, a key of B"
        yield Case(subject, partial(foreign_object, operation, "A", environment, "B", environment))
    for lister in listers(world):
        subject = f"{lister.label}: an object of organisation A, a key of B"
        yield Case(subject, partial(foreign_list, lister, "A", environment, "B", environment))


def _not_isolated(world: World) -> str | None:
    return None if "organisation" in world.policy.isolation else "the policy does not isolate organisations"


CLAUSES = (
    Clause(
        id="TEN-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP ASVS 8.2.2"),
        promise="A key neither sees nor changes another organisation's objects, by id or in lists.",
        why="An id in a URL is all it takes where the query forgets whose object it is.",
        how="An object is made in one organisation; a key of another one, with every right in its own, reads, changes "
        "and "
        "deletes it by its id and looks for it in lists. It must come back to nobody, and be as it was.",
        fix="Put the organisation of the key into every query, not into the handler that happens to think of it.",
        needs=frozenset({Capability.SECOND_ORGANISATION}),
        inapplicable=_not_isolated,
        cases=_ten_1,
    ),
)
