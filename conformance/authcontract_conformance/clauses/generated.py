"""FUZZ and LIFE-M: what is generated instead of listed; what generates is imported only by a run that does so."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability, Clause, Property
from authcontract_conformance.fuzz._facade import Facade
from authcontract_conformance.oracle._verdict import Basis, Judgement, Level
from authcontract_conformance.world._world import World

#: Operations of a large specification whose responses are looked at.
MANY = 40


def _requests(world: World) -> Iterable[Property]:
    from authcontract_conformance.fuzz._requests import requests_with  # noqa: PLC0415  see above
    from authcontract_conformance.fuzz._variants import Holder  # noqa: PLC0415  see above

    weaker = any(world.access.insufficient(op, world.environment) for op in world.operations)
    for holder in Holder:
        if holder is not Holder.WEAKER or weaker:
            yield Property(f"generated requests with {holder.value}", requests_with(holder))


def _responses(world: World) -> Iterable[Property]:
    chosen = list(world.operations)
    if len(chosen) > MANY:
        chosen = world.random.sample(chosen, MANY)
    for operation in chosen:
        yield Property(operation.label, _responses_of(operation))


def _responses_of(operation: Operation) -> Callable[[World, Facade], Judgement]:
    def check(world: World, facade: Facade) -> Judgement:
        from authcontract_conformance.fuzz._responses import responses_of  # noqa: PLC0415  see above

        return responses_of(operation)(world, facade)

    return check


def _lifecycle(_: World) -> Iterable[Property]:
    def check(world: World, facade: Facade) -> Judgement:
        from authcontract_conformance.fuzz._lifecycle import lifecycle  # noqa: PLC0415  see above

        return lifecycle(world, facade)

    yield Property("generated lives of keys", check)


def _nothing_needs_a_key(world: World) -> str | None:
    needs = any(not world.access.public(operation) for operation in world.operations)
    return None if needs else "no operation needs a key"


CLAUSES = (
    Clause(
        id="FUZZ-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Whatever a request holds, the contract decides it.",
        why="Checks are skipped on the inputs that nobody thought of: a body that does not parse, a parameter that is "
        "missing, a method that is not documented.",
        how="Schemathesis makes valid, invalid and boundary requests of the specification. They are sent with no key, "
        "a key that was never issued, one that may not and one that may, shown in several ways, with paths and methods "
        "bent. What the contract refuses must be refused; what it allows must not be refused for its key. What HTTP "
        "lets a server say of a malformed request by itself is accepted. A failure is shrunk to the smallest request. "
        "A malformed request that breaks the target three times is a warning.",
        fix="Check the key before anything of the request is used, in one place that every route passes.",
        inapplicable=_nothing_needs_a_key,
        properties=_requests,
    ),
    Clause(
        id="FUZZ-2",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Responses are what the specification documents.",
        why="A client that is generated from the specification breaks on the first response that is not in it.",
        how="Operations are called with no key, a key that may not and one that may; status, content type, headers and "
        "body of each response whose status is documented are compared with the specification.",
        fix="Generate the response models from the specification, or the specification from them.",
        properties=_responses,
    ),
    Clause(
        id="LIFE-M",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="The keys live as the model says.",
        why="What single tests of a key's life miss stands in the order of things: a rotation after a revocation, a "
        "key used just before it dies.",
        how="Keys are issued, used, rotated and revoked, and time passes, in orders that Hypothesis draws; after each "
        "step some keys are used and must be answered as their state says. A second beside a deadline nothing is "
        "judged. A failure is shrunk to the shortest sequence, which the finding tells.",
        fix="Compute a key's state from its times and the clock on each request; keep no second copy of it.",
        needs=frozenset({Capability.KEY_MANAGEMENT, Capability.CLOCK}),
        alone=True,
        inapplicable=_nothing_needs_a_key,
        properties=_lifecycle,
    ),
)
