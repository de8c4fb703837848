"""METH-2: methods that nobody documented for a path, on what is there and on what is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Probe, Purpose
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, Word, fail, skipped
from authcontract_conformance.world._patterns import protected, trials
from authcontract_conformance.world._world import Item, World

KNOWN = ("GET", "POST", "PUT", "PATCH", "DELETE")
CHANGING = frozenset({"PUT", "PATCH", "DELETE"})


def _undocumented(operation: Operation, methods: tuple[str, ...], world: World) -> Steps:
    key: Key = yield from world.key(operation)

    def send(method: str, item: Item) -> Probe:
        if method in CHANGING and world.resources.steps(operation):
            world.spare(item)
        content = world.settings.sampler.content(operation, method, world.canary())
        label = f"{method} is not documented here"
        return world.request(operation, key, item, method=method, body=content, label=label)

    def judge(exchange: Exchange, shown_by: str | None) -> Judgement:
        expectation = world.expect(exchange.probe)
        if shown_by is not None:
            got = f"{describe_exchange(exchange)}, and {shown_by} shows a change"
            return fail(expectation.evidence(exchange, got=got), "an undocumented method was carried out")
        judgement = expectation.judge(exchange, reason="an undocumented method is served")
        if judgement.word is Word.FAIL and not exchange.succeeded:
            documented = [(each.method, each.path) for each in world.contract.specification.operations]
            if known_elsewhere(operation.path, exchange.probe.method.decode("latin-1"), documented):
                return PASSED
            return replace(judgement, word=Word.WARN, reason="refused, but not as a method that is not there")
        return judgement

    attempts = [partial(send, method) for method in methods]
    return (yield from trials(world, operation, attempts, judge, method="PUT"))


def known_elsewhere(path: str, method: str, documented: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a more general path, which this one has the form of too, has the method: `/x/{id}` for `/x/last`.

    A router may well take the request for that one, and refuse it in whatever way is right there.
    """
    here = path.split("/")
    others = [other.split("/") for known, other in documented if known == method and other != path]
    return any(
        len(there) == len(here)
        and all(general == own or general.startswith("{") for general, own in zip(there, here, strict=True))
        for there in others
    )


def _on_nothing(operation: Operation, methods: tuple[str, ...], world: World) -> Steps:
    """Send a method that nobody documented to an object that is not there: some servers make one by it."""
    item = yield from world.item(operation)
    step = world.resources.steps(operation)[-1]
    absent = world.settings.sampler.parameter(operation, step.parameter)
    nothing = replace(item, parameters={**item.parameters, step.parameter: absent}, own=False)
    reader: Key = yield from world.key(operation)
    if not world.settings.disposable:  # a small number may well be the name of what somebody needs
        first: Exchange = yield world.request(operation, reader, nothing, purpose=Purpose.EFFECT, label="is it there")
        if first.succeeded or first.broken:
            return skipped("what was to be absent is there")
    assert step.creator is not None  # noqa: S101  the case is there only where one can be made
    # Who may make one and read it: a server that checks by the path alone may ask for either.
    key: Key = yield Acquire(
        world.access.for_all((step.creator, operation), world.environment) or world.need(step.creator)
    )
    sent: list[Exchange] = []
    for method in methods:
        content = world.settings.sampler.body(step.creator, world.canary())
        label = f"{method} on what is not there, which is not documented"
        sent.append((yield world.request(operation, key, nothing, method=method, body=content, label=label)))
    for shown_by in (operation, step.lister):
        if shown_by is None:
            continue
        probe = world.request(shown_by, reader, nothing, purpose=Purpose.EFFECT, label="reads the effect")
        look: Exchange = yield probe
        for exchange in sent:
            if exchange.probe.canary is not None and exchange.probe.canary.encode() in look.body:
                got = f"{describe_exchange(exchange)}, and {shown_by.label} shows what it made"
                evidence = world.expect(exchange.probe).evidence(exchange, look, got)
                return fail(evidence, "an undocumented method was carried out")
    return PASSED


#: Collections in which something that is not there is tried; of more, so many, first where PUT is free and would show.
COLLECTIONS = 6


def cases(world: World) -> Iterable[Case]:
    """Return a case for each path that can be read, and some for what is not there."""
    documented = {(op.method, op.path) for op in world.contract.specification.operations}
    members: list[tuple[bool, Case]] = []
    for operation in one_for_each_path(world):
        methods = tuple(method for method in KNOWN if (method, operation.path) not in documented)
        if methods:
            yield Case(f"{', '.join(methods)} on {operation.path}", partial(_undocumented, operation, methods))
        making = tuple(method for method in ("PUT", "PATCH") if method in methods)
        creator = world.resources.steps(operation)[-1].creator if operation.resource.endswith("}") else None
        if making and creator is not None and world.access.strongest(creator, world.environment) is not None:
            name = f"{', '.join(making)} on {operation.path} that is not there"
            likely = "PUT" in making and world.settings.sampler.carries(creator)
            members.append((not likely, Case(name, partial(_on_nothing, operation, making))))
    yield from (case for _, case in sorted(members, key=itemgetter(0))[:COLLECTIONS])


def one_for_each_path(world: World) -> Iterator[Operation]:
    """Return the operation that reads each path that shows something."""
    seen = set()
    for operation in protected(world):
        if operation.method == "GET" and operation.path not in seen and world.resources.reader(operation):
            seen.add(operation.path)
            yield operation
