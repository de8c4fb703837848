"""LIFE: a key's life: issued, rotated, in grace, expired, revoked (clauses 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from authcontract_engine import KeyState, Rule
from authcontract_policy import Dimension, Operation

from authcontract_conformance.clauses import _grace
from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Advance, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._oracle import broken
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Level, fail, inconclusive
from authcontract_conformance.world._management import create, key_lister, operation_for, revoke, rotate
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import denials, protected, reading_operation
from authcontract_conformance.world._subject import (
    AGAIN,
    GUARD,
    Subject,
    first,
    grace,
    issued,
    judged_later,
    let_pass,
    living,
    no_more,
    refused,
    settle,
)
from authcontract_conformance.world._world import Asking, Item, World

#: Keys with different rights that are rotated; more would tell nothing new.
KINDS = 6
#: Refusals after a deadline, which no cache has to be told of.
FEW = 6
#: Seconds after which a cached look-up shows, beside the deadline itself.
LATER = (30.0, 3600.0)
#: Texts of a listed key that are tried for the key itself.
SHOWN = 6


def _life_1(world: World) -> Steps:
    subject = yield from issued(world)
    exchange: Exchange = yield subject.probe("a key just issued")
    if not exchange.succeeded:
        yield from settle(world)
        late: Exchange = yield subject.probe("a key just issued, after the time that it may take")
        if not late.succeeded:
            return refused(world, late, "a new key does not work")
    return (yield from no_more(world, subject.key, "a key just issued"))


def _made_by_the_api(world: World) -> Steps:
    """Use a key that the API's own operation has made, at once: a replica may not have learnt of it."""
    operation = reading_operation(world)
    creator = operation_for(world, "create")
    assert creator is not None  # noqa: S101  the case is there only where one creates keys
    item = yield from world.item(operation)
    key, _ = yield from create(world, creator, world.need(operation, own=True))
    subject = Subject(world, operation, item, key)
    exchange: Exchange = yield subject.probe("a key just made by the API")
    if exchange.succeeded:
        return PASSED
    yield from settle(world)
    late: Exchange = yield subject.probe("a key just made by the API, after the time that it may take")
    return PASSED if late.succeeded else refused(world, late, "a new key does not work")


def _life_1_cases(world: World) -> Iterable[Case]:
    yield Case("a key just issued", _life_1)
    if operation_for(world, "create") is not None:
        yield Case("a key just made by the API", _made_by_the_api)


def _life_2(world: World) -> Steps:
    creator, lister = operation_for(world, "create"), key_lister(world)
    if creator is None or lister is None:
        return inconclusive("no operation lists keys")
    key, _ = yield from create(world, creator, world.need(reading_operation(world), own=True))
    for exchange in (yield from _looks(world, creator, lister, key)):
        if exchange.broken:
            return inconclusive(broken(exchange))
        if key.id in world.settings.vault.shown(exchange.body):
            evidence = Evidence(
                expected="keys without their secrets, nor any nine characters of them",
                got=f"{exchange.status} with the secret of a key that was created before",
                exchange=exchange,
                rule=_shown_once(world),
            )
            return fail(evidence, "a key is shown again after its creation")
    return PASSED


def _looks(world: World, creator: Operation, lister: Operation, key: Key) -> Asking[list[Exchange]]:
    """List the keys, and read this one where that can be."""
    manager: Key = yield Acquire(world.need(lister))
    looks: list[Exchange] = [(yield world.request(lister, manager, label="lists keys after one was created"))]
    below = (op for op in world.operations if op.path.startswith(f"{creator.path}/"))
    reader = world.resources.reader(next(below, creator))
    if reader is not None and reader is not lister:
        item = Item(parameters={world.resources.steps(reader)[-1].parameter: key.id})
        looks.append((yield world.request(reader, manager, item, label="shows a key after it was created")))
    return looks


def _what_is_shown(world: World) -> Steps:
    """Use what a list shows of a key in the place of the key: its id, its masked form, its last characters."""
    creator, lister = operation_for(world, "create"), key_lister(world)
    if creator is None or lister is None:
        return inconclusive("no operation lists keys")
    operation = reading_operation(world)
    key, _ = yield from create(world, creator, world.need(operation, own=True))
    looks = yield from _looks(world, creator, lister, key)
    shown = [text for look in looks for entry in entries(look.json(), key.id) for text in _telling(world, entry)]
    others = (yield from _other_id(world, operation)) if "second organisation" in world.settings.capabilities else []
    texts = dict.fromkeys([key.id, *shown[:SHOWN], *others])
    return (yield from denials(world, operation, [partial(_with_text, world, operation, text) for text in texts]))


def _other_id(world: World, operation: Operation) -> Asking[list[str]]:
    other: Key = yield Acquire(world.need(operation, organisation="B"))
    return [other.id]


def entries(value: Any, identity: str) -> Iterator[Mapping[str, Any]]:
    """Return the objects of a response that have this id."""
    if isinstance(value, Mapping):
        if str(value.get("id", "")) == identity:
            yield value
        for inner in value.values():
            yield from entries(inner, identity)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner, identity)


def _telling(world: World, entry: Mapping[str, Any]) -> Iterator[str]:
    """Return the texts of a listed key that could be taken for the key: no word of the contract, and no moment."""
    known = {*world.contract.resolution.scopes, *world.policy.environments, *world.policy.plans, *KeyState}
    for value in entry.values():
        if (
            isinstance(value, str)
            and value.isprintable()
            and value
            and value not in known
            and not {" ", ":"} & {*value}
        ):
            yield value


def _with_text(world: World, operation: Operation, text: str, item: Item) -> Probe:
    sent_as = world.policy.keys.sent_as[0]
    line = ((sent_as.name.encode(),), (sent_as.template.replace("<key>", text).encode("utf-8"),))
    return world.request(operation, None, item, lines=(line,), label="what a list shows of a key, for the key")


def _shown_once(world: World) -> Rule:
    path = ("keys", "shown_once")
    return Rule(path=path, source=world.policy.source(path))


def _keeps_rights(need: Need, world: World) -> Steps:
    """Rotate a key that holds just this; the new one must reach what only such keys reach, and no more."""
    operation = max(_reached(world, need), key=lambda op: sum(not world.access.permits(op, n) for n in _needs(world)))
    item = yield from world.item(operation)
    key: Key = yield Acquire(replace(need, own=True))
    subject = Subject(world, operation, item, key)
    alive = yield from subject.lives("before rotation")
    if alive is not None:
        return inconclusive("calibration: the key did not work before")
    new = yield from rotate(world, key)
    yield from settle(world)
    if world.settings.vault.same(new.id, key.id):
        exchange: Exchange = yield subject.probe("after rotation")
        evidence = Evidence(expected="a different key", got="the same key", exchange=exchange, rule=_rotation(world))
        return fail(evidence, "rotation gave the same key again")
    kept = yield from subject.lives("the new key on what the old one could", new)
    if kept is not None:
        return kept
    return (yield from no_more(world, new, "the new key"))


def _reached(world: World, need: Need) -> list[Operation]:
    """Return the reading operations that such a key may call."""
    reading = (operation for operation in protected(world) if operation.method == "GET")
    return [operation for operation in reading if world.access.permits(operation, need)]


def _needs(world: World) -> tuple[Need, ...]:
    """Return the different keys that read something, a few of them."""
    reading = (operation for operation in protected(world) if operation.method == "GET")
    found = dict.fromkeys(n for op in reading for n in world.access.sufficient(op, world.environment))
    return tuple(found)[:KINDS]


def _life_3(world: World) -> Iterable[Case]:
    for need in _needs(world):
        yield Case(f"a rotated {describe(need)}", partial(_keeps_rights, need))
    for environment in world.settings.environments[1:][-1:]:
        if environment is not None:
            yield Case(f"a rotated key in {environment}", partial(_grace.stays, environment))


def _rotation(world: World) -> Rule:
    path = ("keys", "rotation", "grace")
    return Rule(path=path, source=world.policy.source(path))


def _life_4(world: World) -> Steps:
    subject = yield from living(world)
    new = yield from rotate(world, subject.key)
    yield from settle(world)
    early = yield from subject.lives("the old key right after rotation")
    return first(early, (yield from subject.lives("the new key right after rotation", new)))


def _life_4_late(world: World) -> Steps:
    subject = yield from living(world)
    new = yield from rotate(world, subject.key)
    later = judged_later(world, subject.key)
    if later is not None:
        return later
    yield from let_pass(world, max(0.0, grace(world, subject.key) - GUARD))
    late = yield from subject.lives("the old key just before its grace ends")
    return first(late, (yield from subject.lives("the new key just before the old one's grace ends", new)))


def _life_5(world: World) -> Steps:
    subject = yield from living(world)
    new = yield from rotate(world, subject.key)
    later = judged_later(world, subject.key)
    if later is not None:
        return later
    yield from subject.lives("the old key in its grace")
    yield from let_pass(world, grace(world, subject.key) + GUARD)
    yield from settle(world)
    over = yield from subject.dead("the old key after its grace", refusals=FEW)
    return first(over, (yield from subject.lives("the new key after the old one's grace", new)))


def _life_6(world: World) -> Steps:
    subject = yield from living(world)
    new = yield from rotate(world, subject.key)
    yield from settle(world)
    yield from subject.lives("the old key in its grace")
    yield from revoke(world, subject.key)
    yield from settle(world)
    over = yield from subject.dead("the old key after it was revoked")
    return first(over, (yield from subject.lives("the new key after the old one was revoked", new)))


def _life_7(world: World) -> Steps:
    subject = yield from living(world)
    yield from revoke(world, subject.key)
    yield from settle(world)
    over = yield from subject.dead("the key after it was revoked")
    if over is not None or "clock" not in world.settings.capabilities:
        return first(over)
    for seconds in LATER:
        yield Advance(seconds=seconds)
        over = yield from subject.dead(f"the key {seconds:g} seconds later", refusals=AGAIN)
        if over is not None:
            return over
    return PASSED


def _cases(**steps: Callable[[World], Steps]) -> Callable[[World], Iterable[Case]]:
    """Return cases by their subjects, whose words are joined by `_`."""

    def cases(_: World) -> Iterable[Case]:
        for subject, each in steps.items():
            yield Case(subject.replace("_", " "), each)

    return cases


def _no_rotation(world: World) -> str | None:
    return None if world.policy.keys.rotation else "the policy says nothing of rotation"


def _not_shown_once(world: World) -> str | None:
    shown_once = world.policy.keys.shown_once
    headings = {Dimension.ENVIRONMENT: world.environment}
    if shown_once is None or not shown_once.lookup(headings):
        return "the policy does not say that a key is shown once"
    return None if operation_for(world, "create") else "no operation of the API creates keys"


_MANAGED = frozenset({Capability.KEY_MANAGEMENT})

CLAUSES = (
    Clause(
        id="LIFE-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A new key works at once, with the scope that it was given and no other.",
        why="A deployment that has to wait for its key is a deployment that fails at night.",
        how="A key is issued and used: it must read, and must not do what its scope does not give. If it is refused, "
        "it is tried again after the time that the policy lets it take.",
        fix="Write the key where every node looks before the response that shows it is sent.",
        needs=_MANAGED,
        alone=True,
        cases=_life_1_cases,
    ),
    Clause(
        id="LIFE-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A key is shown when it is created and never again, and what is shown of it later opens nothing.",
        why="A list that shows keys turns one stolen key into all of them.",
        how="A key is created by the API; then the list of keys, and the key itself where it can be read, must not "
        "show nine characters of it. What they do show, its id and its masked form above all, is sent in the place of "
        "the key, and so is the id of another organisation's key: it must be refused.",
        fix="Keep a digest of the key, so that there is nothing to show.",
        precedents=("CVE-2026-47768 (nebula-mesh: a new key in the address of a redirect)",),
        variants=("V-C24", "V-L03"),
        inapplicable=_not_shown_once,
        cases=_cases(a_key_that_was_created=_life_2, what_is_shown_of_a_key=_what_is_shown),
    ),
    Clause(
        id="LIFE-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Rotation gives another key with the same rights.",
        why="A rotated key that may less breaks its client, one that may more is a way up.",
        how="A key is rotated; the new one must differ, read the same object, and be refused what the old one was; "
        "so must one of another environment.",
        fix="Copy scope, environment and organisation from the old record.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_life_3,
    ),
    Clause(
        id="LIFE-4",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="While the grace lasts, the old and the new key both work.",
        why="Rotation without downtime is the promise; a client that still has the old key must not notice.",
        how="A key is rotated; both must read at once, and change what the old one could, and read a second before "
        "the grace ends. Where the clock cannot be moved that last part is left out, and it is said when it can be "
        "judged.",
        fix="Give the old key a deadline instead of revoking it.",
        precedents=("GitLab (a rotated token dies at once, so that nothing may use it any more)",),
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_cases(
            a_key_in_its_grace=_life_4,
            a_key_that_changes_something_in_its_grace=_grace.changes,
            a_key_just_before_its_grace_ends=_life_4_late,
        ),
    ),
    Clause(
        id="LIFE-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="After the grace the old key is dead, and the new one works.",
        why="A grace that never ends keeps the leaked key alive for which somebody rotated.",
        how="A key is rotated and the clock moved to a second after the grace: the old key must be refused six "
        "times on two connections, the new one must work. The instant itself is not judged. Where the clock cannot be "
        "moved it is said when it can be judged.",
        fix="Compare the deadline with the clock on each request, in the same place as every other state of a key.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_cases(a_key_after_its_grace=_life_5),
    ),
    Clause(
        id="LIFE-6",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="The old key can be revoked before its grace ends, and the new one lives on.",
        why="Whoever rotates because of a leak cannot wait a day.",
        how="A rotated key is used, then revoked: it must be refused twenty times in a row on two connections, and "
        "the new one must work.",
        fix="Let revocation outrank grace, and touch one record only.",
        needs=_MANAGED,
        alone=True,
        inapplicable=_no_rotation,
        cases=_cases(a_key_revoked_in_its_grace=_life_6),
    ),
    Clause(
        id="LIFE-7",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 8.3.2",),
        promise="A revoked key is refused at once and for ever.",
        why="Look-ups are cached; keys have been accepted for minutes to days after they were deleted.",
        how="A key is used, so that every cache knows it, then revoked: twenty refusals in a row on two connections, "
        "and again half a minute and an hour later where the clock can be moved.",
        fix="Drop the key from every cache when it is revoked, or keep entries for no longer than the policy says.",
        precedents=("CVE-2026-46554 (NocoDB: deleted tokens accepted from a cache for days)",),
        variants=("V-C24",),
        needs=_MANAGED,
        alone=True,
        cases=_cases(a_key_that_was_revoked=_life_7),
    ),
)
