"""ENV: environments see nothing of each other, and a key belongs to one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Dimension, Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Credential, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import Expectation, describe_exchange
from authcontract_conformance.oracle._verdict import Basis, Level, inconclusive
from authcontract_conformance.world._claims import claimed, environment_claim, sort_of_list
from authcontract_conformance.world._counting import counts_stand_still
from authcontract_conformance.world._isolation import FOREIGN, Border, foreign_list, foreign_objects, listers, sorts
from authcontract_conformance.world._management import (
    created_like,
    discard,
    key_body,
    learn,
    operation_for,
    shows_key,
)
from authcontract_conformance.world._patterns import denial, denials, reading_operation
from authcontract_conformance.world._world import Item, World

READS = ("GET",)
CHANGES = ("PATCH", "PUT", "DELETE", "POST")


def _environments(world: World) -> tuple[str, ...]:
    return tuple(environment for environment in world.settings.environments if environment is not None)


def _not_isolated(world: World) -> str | None:
    if len(_environments(world)) < 2:  # noqa: PLR2004  it takes two to be isolated
        return "the contract has one environment, or one only may be called"
    return None if "environment" in world.policy.isolation else "the policy does not isolate environments"


def _crossing(world: World, methods: tuple[str, ...], *, into_first: bool) -> Iterable[Case]:
    first, *others = _environments(world)
    for other in others:
        home, abroad = (first, other) if into_first else (other, first)
        border = Border(owner="A", home=home, stranger="A", abroad=abroad)
        for sort, operations in sorts(world, methods).items():
            yield Case(f"{sort} of {home}, keys of {abroad}", partial(foreign_objects, operations, border))
        if "GET" in methods:
            for lister in listers(world):
                subject = f"{lister.label}: an object of {home}, a key of {abroad}"
                yield Case(subject, partial(foreign_list, lister, border))


def _refused(exchange: Exchange, _expectation: Expectation) -> bool:
    """Take any refusal: how a foreign object is refused is judged by those that ask with a key that was there."""
    return exchange.answered and exchange.status // 100 == 4  # noqa: PLR2004  RFC 9110 section 15.5


def _made_there(home: str, abroad: str, world: World) -> Steps:
    """Let a key of one environment create a key, and ask with that for an object of the other."""
    operation, creator = reading_operation(world), operation_for(world, "create")
    assert creator is not None  # noqa: S101  the case is there only where one creates keys
    item = yield from world.item(operation, environment=home)
    manager: Key = yield Acquire(world.need(creator, environment=abroad))
    need = world.need(operation, environment=abroad, own=True)
    label = f"a key of {abroad} creates a key"
    made: Exchange = yield world.request(creator, manager, body=key_body(world, creator, need), label=label)
    if not shows_key(world, made):
        return inconclusive(f"{creator.label} showed no key: {describe_exchange(made)}")
    key = yield from learn(world, made, created_like(manager, need))
    probe = world.request(operation, key, item, environment=home, label=f"the key that a key of {abroad} created")
    judged = yield from denial(world, operation, item, probe, reality=FOREIGN, also=_refused)
    yield from discard(world, key)
    return judged


def _env_1(world: World) -> Iterable[Case]:
    yield from _crossing(world, READS, into_first=True)
    first, *others = _environments(world)
    creator = operation_for(world, "create")
    for other in others if creator is not None and world.access.strongest(creator, others[0]) else ():
        yield Case(f"what a key of {other} creates, on an object of {first}", partial(_made_there, first, other))


def _env_2(world: World) -> Iterable[Case]:
    return _crossing(world, CHANGES, into_first=True)


def _env_3(world: World) -> Iterable[Case]:
    yield from _crossing(world, READS + CHANGES, into_first=False)
    first, *others = _environments(world)
    for other in others[:1]:
        border = Border(owner="A", home=other, stranger="A", abroad=first)
        if listers(world):
            subject = f"what {first} reads before and after objects are made in {other}"
            yield Case(subject, partial(counts_stand_still, border))


# --- ENV-6: hints ---------------------------------------------------------------------------------------------------


def _env_6(world: World) -> Iterable[Case]:
    first, *others = _environments(world)
    prefixes = _prefixes(world)
    for other in others:
        border = Border(owner="A", home=first, stranger="A", abroad=other)
        claim = environment_claim(first, _word(prefixes.get(first), prefixes.get(other)))
        yield Case(f"requests of {other} that claim to be of {first}", partial(claimed, border, claim))


def _word(prefix: str | None, other: str | None) -> str | None:
    """Return what one prefix says where another one says something else: `live` of sk_live_ and sk_test_."""
    ours, theirs = ((text or "").replace("-", "_").split("_") for text in (prefix, other))
    return next((word for word in ours if word and word not in theirs), None)


def _no_hints(world: World) -> str | None:
    return _not_isolated(world) or (None if sort_of_list(world) else "no list shows what can be made and read alone")


# --- ENV-4 and ENV-5: prefixes -------------------------------------------------------------------------------------


def _prefixes(world: World) -> dict[str, str]:
    """Return environment -> prefix, for the first kind of key whose prefix depends on the environment."""
    for kind in world.policy.keys.kinds.values():
        if kind.prefix is not None and kind.prefix.dimension is not None:
            found = {
                e: kind.prefix.lookup({Dimension.ENVIRONMENT: e, Dimension.KIND: kind.name})
                for e in _environments(world)
            }
            if len(set(found.values())) > 1:
                return {environment: prefix for environment, prefix in found.items() if prefix}
    return {}


def _no_prefixes(world: World) -> str | None:
    return None if len(_prefixes(world)) > 1 else "keys do not show their environment in a prefix"


def _other_prefixes(environment: str, old: str, prefixes: tuple[str, ...], world: World) -> Steps:
    """Send a valid key of one environment with something else in the place of its prefix."""
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, environment=environment))
    attempts = [partial(_other_prefix, world, operation, key, f"{old}>{new}") for new in prefixes]
    return (yield from denials(world, operation, attempts, environment=environment))


def _other_prefix(world: World, operation: Operation, key: Key, old_and_new: str, item: Item) -> Probe:
    old, _, new = old_and_new.partition(">")
    lines = world.present(Credential(key.id, (("replace_prefix", old_and_new),)))
    return world.request(operation, key, item, lines=lines, label=f"prefix {new!r} instead of {old!r}")


def _env_4(world: World) -> Iterable[Case]:
    prefixes = _prefixes(world)
    for environment, old in prefixes.items():
        for other, new in prefixes.items():
            if new != old:
                subject = f"a key of {environment} with the prefix of {other}"
                yield Case(subject, partial(_other_prefixes, environment, old, (new,)))


def _env_5(world: World) -> Iterable[Case]:
    known = frozenset(_prefixes(world).values())
    for environment, old in _prefixes(world).items():
        stem, _, rest = old.rpartition("_") if old.endswith("_") else (old, "", "")
        words = stem.split("_")
        made_up = ["_".join([*words[:-1], word]) + "_" + rest for word in ("prod", "dev")]
        unknown = tuple(new for new in dict.fromkeys((*made_up, "", old.upper(), f"p{old[1:]}")) if new not in known)
        subject = f"a key of {environment} with a prefix that does not exist"
        yield Case(subject, partial(_other_prefixes, environment, old, unknown))


_ISOLATION = "Keep each environment's objects in a partition that is chosen by the key's record, for reading too."

CLAUSES = (
    Clause(
        id="ENV-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023",),
        promise="A key of another environment never reads the objects of the first.",
        why="Test keys are handed around freely, since everybody believes that they reach test data only.",
        how="An object is made in the first environment; a key of another one asks for it by its id and looks for it "
        "in lists, and so does a key that it creates by the API. Its content or its id must not come back.",
        fix=_ISOLATION,
        inapplicable=_not_isolated,
        cases=_env_1,
    ),
    Clause(
        id="ENV-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023",),
        promise="A key of another environment never changes the objects of the first.",
        why="A test suite that deletes what it finds must not find customers.",
        how="An object is made in the first environment; a key of another one changes and deletes it by its id. Read "
        "back with a key of its own, it must be as it was.",
        fix=_ISOLATION,
        inapplicable=_not_isolated,
        cases=_env_2,
    ),
    Clause(
        id="ENV-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023",),
        promise="A key of the first environment neither sees nor changes the objects of another.",
        why="Isolation that holds in one direction mixes test data into reports.",
        how="As ENV-1 and ENV-2, the other way round. Besides, whatever needs no id is read before and after objects "
        "are made in the other environment: no figure may follow.",
        fix=_ISOLATION,
        # What is made for other clauses meanwhile would move figures by any number.
        alone=True,
        inapplicable=_not_isolated,
        cases=_env_3,
    ),
    Clause(
        id="ENV-4",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 15.3.5",),
        promise="A key with the prefix of another environment is no key.",
        why="Where the prefix is cut off before the look-up, anybody chooses the environment.",
        how="A valid key's prefix is replaced by that of another environment, each way.",
        fix="Look the whole key up, prefix included, and take the environment from its record.",
        variants=("V-C25",),
        inapplicable=_no_prefixes,
        cases=_env_4,
    ),
    Clause(
        id="ENV-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 15.3.5",),
        promise="A key with a prefix that does not exist is no key.",
        why="A prefix that nobody knows must not fall back to some environment.",
        how="A valid key's prefix is replaced by ones that do not exist, by none, and by its own in capitals.",
        fix="Refuse what does not begin like one of your keys, and compare with regard to case.",
        inapplicable=_no_prefixes,
        cases=_env_5,
    ),
    Clause(
        id="ENV-6",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP ASVS 15.3.5"),
        promise="The key alone says which environment a request belongs to, whatever the request claims.",
        why="A hint that helps developers switch is a door for everybody who has a test key.",
        how="Keys of another environment read, change, delete and make objects while fields, query parameters and "
        "members of the body name the first environment, in the usual words. The hints may be refused or read over; "
        "no object of the first environment may change, be shown or come into being.",
        fix="Take the environment from the key's record, and nowhere else.",
        inapplicable=_no_hints,
        cases=_env_6,
    ),
)
