"""AUTH: which keys are keys, and that none is needed nowhere that the contract closes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._dead import tried_together
from authcontract_conformance.clauses._dressings import Dressing, dressings, not_taken
from authcontract_conformance.clauses._ways import Way, by, documented
from authcontract_conformance.clauses.presentation import no_header
from authcontract_conformance.exchange._exchange import Acquire, Credential, Exchange, Key, KeyState, Parts, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Level,
    fail,
    inconclusive,
)
from authcontract_conformance.world._patterns import Attempt, bypasses, denials, never, protected, reading_operation
from authcontract_conformance.world._world import Item, World

# --- AUTH-1: no key ------------------------------------------------------------------------------------------------


def _without_key(operation: Operation, ways: tuple[Dressing, ...], world: World) -> Steps:
    def attempt(item: Item, way: Dressing | None = None) -> Probe:
        label = "no key" if way is None else f"no key, {way.what}"
        probe = world.request(operation, None, item, canary=world.canary(), label=label)
        return probe if way is None else way.change(probe)

    # Over HTTP/2 it is tried once more whether a key is asked for at all.
    dressed = [partial(attempt, way=way) for way in ways] if world.protocol != "2" else []
    return (yield from denials(world, operation, [attempt, *dressed], also=not_taken if dressed else never))


def _auth_1(world: World) -> Iterable[Case]:
    ways = dressings(protected(world))
    for operation in protected(world):
        yield Case(operation.label, partial(_without_key, operation, ways[operation.id]))


# --- AUTH-2: the documented way ------------------------------------------------------------------------------------


def _documented_way(way: int, environment: str | None, world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation, environment=environment)
    attempts: list[Exchange] = []
    for _ in range(3):
        key: Key = yield Acquire(world.need(operation, environment=environment, own=True))
        probe = _sent(world, operation, key, item, way)
        exchange: Exchange = yield probe
        if exchange.succeeded:
            return PASSED
        if exchange.broken:
            return inconclusive(broken(exchange))
        if exchange.status not in world.refusals:
            return inconclusive(f"the key got through, but the request was answered {describe_exchange(exchange)}")
        attempts.append(exchange)
    return fail(world.expect(attempts[-1].probe).evidence(attempts[-1]), "three fresh keys in a row were refused")


def _sent(world: World, operation: Operation, key: Key, item: Item, way: int) -> Probe:
    sent_as = world.policy.keys.sent_as[way]
    lines = world.present(Credential(key.id), way)
    query: Parts = () if lines else (f"{sent_as.name}=".encode(), Credential(key.id))
    return world.request(operation, key, item, lines=lines, query=query, label=f"sent as {sent_as.template}")


def _auth_2(world: World) -> Iterable[Case]:
    for way, sent_as in enumerate(world.policy.keys.sent_as):
        for environment in world.settings.environments:
            subject = f"{sent_as.name}: {sent_as.template}" + (f" in {environment}" if environment else "")
            yield Case(subject, partial(_documented_way, way, environment))


# --- AUTH-8 and AUTH-9: keys that are none -------------------------------------------------------------------------


def _dead_keys(operation: Operation, states: tuple[KeyState, ...], world: World) -> Steps:
    attempts: list[Attempt] = []
    for state in states:
        key: Key = yield Acquire(world.need(operation, state=state))
        attempts.append(partial(_with_dead_key, world, operation, key, state))
    return (yield from denials(world, operation, attempts))


def _dead_in_another_way(way: int, state: KeyState, world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, state=state))
    return (yield from denials(world, operation, [partial(_sent_dead, world, operation, key, way)]))


def _sent_dead(world: World, operation: Operation, key: Key, way: int, item: Item) -> Probe:
    return _sent(world, operation, key, item, way)


def _with_dead_key(world: World, operation: Operation, key: Key, state: KeyState, item: Item) -> Probe:
    return world.request(operation, key, item, canary=world.canary(), label=f"{state} key")


def _no_keys_at_all(texts: tuple[str, ...], world: World) -> Steps:
    operation = reading_operation(world)
    attempts = [partial(_with_text, world, operation, text, f"{text!r} for a key") for text in texts]
    return (yield from denials(world, operation, attempts))


def _with_text(world: World, operation: Operation, text: str, label: str, item: Item) -> Probe:
    first = documented(world)
    value = first.template.replace("<key>", text).encode("latin-1")
    return world.request(operation, None, item, lines=(((first.name.encode(),), (value,)),), label=label)


def _what_is_shown_of_a_key(world: World) -> Steps:
    """Send what lists and messages show of a key in its place: its id, and the key with its middle hidden."""
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, own=True))
    kind = world.policy.keys.kinds[key.need.kind]
    prefix = max((len(text) for text in kind.prefix.values()), default=0) if kind.prefix else 0
    masked = Way("the key with its middle hidden", "{whole}", transforms=(("mask", prefix),))
    by_id = partial(_with_text, world, operation, key.id, "the key's id for a key")
    return (yield from denials(world, operation, [by_id, partial(by, world, operation, key, masked)]))


def _auth_8(world: World) -> Iterable[Case]:
    operations = [op for op in protected(world) if world.access.strongest(op, world.environment) is not None]
    together = tried_together(world)
    apart = [state for states in together for state in states]
    for number, operation in enumerate(operations):
        # Each state on each operation, since one route is easily forgotten; of very many, one state on each.
        for states in together if len(operations) <= MANY else ((apart[number % len(apart)],),):
            yield Case(
                f"{operation.label} with a key that is {_either(states)}", partial(_dead_keys, operation, states)
            )
    for way, sent_as in list(enumerate(world.policy.keys.sent_as))[1:]:
        # Each way to send a key may have code of its own that looks it up.
        for state in apart:
            subject = f"{sent_as.name}: {sent_as.template} with a key that is {state}"
            yield Case(subject, partial(_dead_in_another_way, way, state))
    prefix = next((p for k in world.policy.keys.kinds.values() if k.prefix for p in k.prefix.values()), "")
    texts = dict.fromkeys((prefix, f"{prefix}%", *TEXTS))
    yield Case("texts that are no key", partial(_no_keys_at_all, tuple(texts)))
    yield Case("what is shown of a key", _what_is_shown_of_a_key)


def _either(states: tuple[KeyState, ...]) -> str:
    return " or ".join([", ".join(states[:-1]), states[-1]]) if len(states) > 1 else states[0]


#: What stands for nothing, and for everything.
TEXTS = ("", "null", "undefined", "0", "true", "*", "%", ".*", "' OR '1'='1", '{"$ne":null}')
#: Up to so many operations are tried with each.
MANY = 60
#: What is done to a valid key; the rest of the world may think that it is still the same one.
ALTERED: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("without its last character", ("drop_last", 1)),
    ("without its last two characters", ("drop_last", 2)),
    ("without its last ten characters", ("drop_last", 10)),
    ("with a character more", ("append", "x")),
    ("with 64 characters more", ("append", "x" * 64)),
    ("with = at its end", ("append", "=")),
    ("with its case flipped", ("flip_case",)),
    ("with another last character", ("alter", -1)),
    ("with another character in the middle", ("alter", -10)),
    ("percent-encoded", ("percent_encode",)),
    ("in base64", ("base64", "")),
    ("followed by %00", ("append", "%00")),
)


#: Characters that a careless comparison makes equal to those of the key; how a server refuses them is open.
LOOK_ALIKE = (
    ("with a letter's twin from Unicode", ("look_alike",)),
    ("in full-width characters", ("full_width",)),
    ("with an accent over its last character", ("append", "\xcc\x81")),
)
#: Some functions that hash passwords read so many bytes and no more.
BCRYPT = 72


def _altered_keys(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    length = world.settings.vault.length(key.id)
    middle = ("with one letter's case flipped", ("flip_one", max(0, length - 12)))
    long = (("after its first 72 bytes changed", ("alter", BCRYPT)), ("cut after 72 bytes", ("first", BCRYPT)))
    steps = (*ALTERED, middle, *(long if length > BCRYPT else ()))
    return (yield from denials(world, operation, [_altered(world, operation, key, *step) for step in steps]))


def _look_alikes(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    return (yield from bypasses(world, operation, [_altered(world, operation, key, *step) for step in LOOK_ALIKE]))


def _altered(world: World, operation: Operation, key: Key, what: str, step: tuple[str | int, ...]) -> Attempt:
    return partial(by, world, operation, key, Way(f"key {what}", "{whole}", transforms=(step,)))


def _auth_9(_: World) -> Iterable[Case]:
    yield Case("a valid key, altered", _altered_keys)
    yield Case("a valid key, in characters that look like it", _look_alikes)


CLAUSES = (
    Clause(
        id="AUTH-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 15.5.2", "OWASP API2:2023"),
        promise="A request without a key is refused, and nothing of it is done.",
        why="An operation registered before the check for keys serves everybody.",
        how="Each operation that needs a key is called without one, on an object of its own. The answer must be the "
        "refusal for a missing key and the object must stay as it was; the same call with a key that may must work. "
        "It is sent once more as other clients send it: a charset, no optional body, another Accept or none.",
        fix="Look for a key before anything else, for every route at once rather than route by route.",
        cases=_auth_1,
        again_over_http2=True,
    ),
    Clause(
        id="AUTH-2",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 6750 section 2.1",),
        promise="A valid key, sent as documented, is accepted.",
        why="Every other verdict rests on it: a server that refuses everybody refuses the wrong ones too.",
        how="In each environment and each documented way of sending, a fresh key reads something. Three fresh keys in "
        "a "
        "row must be refused before it fails.",
        fix="Read the key from where the documentation says that clients put it.",
        cases=_auth_2,
        again_over_http2=True,
    ),
    Clause(
        id="AUTH-8",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 15.5.2", "RFC 6750 section 3.1"),
        promise="A key that is unknown, revoked, expired or no key at all is refused.",
        why="Some servers check that a key looks like one and never look it up; some answer from a cache for days.",
        how="A well-formed key that was never issued, a revoked one and an expired one try each operation, on an "
        "object of "
        "its own; texts that stand for nothing (`null`, `*`, the prefix alone, a key's id) try to read one.",
        fix="Look every key up by its digest, and take its state from the record on each request.",
        precedents=("CVE-2026-46554 (NocoDB: deleted tokens came from a cache for days)",),
        variants=("V-C14", "V-C24", "V-C27"),
        cases=_auth_8,
        again_over_http2=True,
    ),
    Clause(
        id="AUTH-9",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 15.3.5",),
        promise="The whole key counts: shortened, extended or altered by one character it is no key.",
        why="Prefix comparison, a collation without case, or a hash that stops at 72 bytes lets near misses in.",
        how="A valid key is altered in one way at a time, and each must be refused; in characters that only look like "
        "it, any refusal will do.",
        fix="Compare a digest of all of the key's bytes; never `startswith`, never a folded text.",
        precedents=(
            "CVE-2025-22228 (Spring Security: bytes after the 72nd did not count)",
            "CVE-2019-19844 (Django: letters with the same upper case were the same)",
            "CVE-2026-32716 (SciTokens: `startswith` on a path)",
        ),
        variants=("V-C15", "V-C16", "V-C17", "V-C18", "V-C19", "V-C23"),
        inapplicable=no_header,
        cases=_auth_9,
    ),
)
