"""AUTH: how a key is presented, and which presentations must get nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_policy import Cause, Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Credential, Exchange, Key, Need, Parts, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    unspecified,
)
from authcontract_conformance.world._patterns import denial, denials, equivalent, protected, reading_operation
from authcontract_conformance.world._world import Item, World

Line = tuple[Parts, Parts]


def _line(name: str, *value: bytes | Credential) -> Line:
    return ((name.encode(),), value)


# --- AUTH-1: no key ------------------------------------------------------------------------------------------------


def _without_key(operation: Operation, world: World) -> Steps:
    item = yield from world.item(operation)
    probe = world.request(operation, None, item, canary=world.canary(), label="no key")
    return (yield from denial(world, operation, item, probe))


def _auth_1(world: World) -> Iterable[Case]:
    for operation in protected(world):
        yield Case(operation.label, partial(_without_key, operation))


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


# --- AUTH-3: the scheme's case -------------------------------------------------------------------------------------


def _scheme(world: World) -> str | None:
    first = world.policy.keys.sent_as[0]
    scheme, space, _ = first.template.partition(" ")
    return scheme if first.carrier == "header" and space and "<" not in scheme else None


def _scheme_as(spelling: str, world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield Acquire(world.need(operation))
    name, value = world.present(Credential(key.id))[0]
    rest = value[0]
    if not isinstance(rest, bytes):
        return inconclusive("the documented header line has no scheme")
    spelled = spelling.encode() + rest[len(spelling) :]
    probe = world.request(
        operation, key, item, lines=((name, (spelled, *value[1:])),), label=f"scheme spelled {spelling}"
    )
    return (yield from equivalent(world, probe, control, reason="a scheme's name has no case"))


def _auth_3(world: World) -> Iterable[Case]:
    scheme = _scheme(world) or ""
    mixed = "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(scheme))
    for spelling in dict.fromkeys((scheme.lower(), scheme.upper(), mixed)):
        yield Case(f"{spelling} for {scheme}", partial(_scheme_as, spelling))


# --- AUTH-8 and AUTH-9: keys that are none -------------------------------------------------------------------------


def _dead_keys(operation: Operation, states: tuple[str, ...], world: World) -> Steps:
    keys: list[Key] = []
    for state in states:
        keys.append((yield Acquire(world.need(operation, state=state))))  # noqa: PERF401  a comprehension cannot yield
    attempts = [partial(_with_dead_key, world, operation, key) for key in keys]
    return (yield from denials(world, operation, attempts))


def _with_dead_key(world: World, operation: Operation, key: Key, item: Item) -> Probe:
    return world.request(operation, key, item, canary=world.canary(), label=f"{key.need.state} key")


def _no_keys_at_all(texts: tuple[str, ...], world: World) -> Steps:
    operation = reading_operation(world)
    attempts = [partial(_with_text, world, operation, text, f"{text!r} for a key") for text in texts]
    return (yield from denials(world, operation, attempts))


def _with_text(world: World, operation: Operation, text: str, label: str, item: Item) -> Probe:
    return world.request(operation, None, item, lines=_instead(world, text), label=label)


def _instead(world: World, text: str) -> tuple[Line, ...]:
    """Return the documented header line with a text in the place of the key."""
    sent_as = world.policy.keys.sent_as[0]
    return (_line(sent_as.name, sent_as.template.replace("<key>", text).encode("latin-1")),)


def _key_id_for_key(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    key: Key = yield Acquire(world.need(operation, own=True))
    probe = _with_text(world, operation, key.id, "the key's id for a key", item)
    return (yield from denial(world, operation, item, probe))


def _auth_8(world: World) -> Iterable[Case]:
    operations = [op for op in protected(world) if world.access.strongest(op, world.environment) is not None]
    for number, operation in enumerate(operations):
        # Each state on each operation, since one route is easily forgotten; of very many, one state on each.
        for states in (DEAD,) if len(operations) <= MANY else ((DEAD[number % len(DEAD)],),):
            yield Case(
                f"{operation.label} with a key that is {_either(states)}", partial(_dead_keys, operation, states)
            )
    prefix = next((p for k in world.policy.keys.kinds.values() if k.prefix for p in k.prefix.values()), "")
    yield Case("texts that are no key", partial(_no_keys_at_all, tuple(dict.fromkeys((prefix, *TEXTS)))))
    yield Case("the key's id for a key", _key_id_for_key)


def _either(states: tuple[str, ...]) -> str:
    return " or ".join([", ".join(states[:-1]), states[-1]]) if len(states) > 1 else states[0]


#: What stands for nothing, and for everything.
TEXTS = ("", "null", "undefined", "0", "true", "*", "%", "' OR '1'='1", '{"$ne":null}')
#: States of a key that is none, or is none any more.
DEAD = ("unknown", "revoked", "expired")
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
    ("with one letter's case flipped", ("flip_one", -4)),
    ("with another last character", ("alter", -1)),
    ("with another character in the middle", ("alter", -10)),
    ("percent-encoded", ("percent_encode",)),
    ("in base64", ("base64", "")),
    ("followed by NUL and more", ("append", "\0junk")),
)


def _altered_keys(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    attempts = [partial(_altered, world, operation, key, what, step) for what, step in ALTERED]
    return (yield from denials(world, operation, attempts))


def _altered(  # noqa: PLR0913  one alteration of one key
    world: World, operation: Operation, key: Key, what: str, step: tuple[str | int, ...], item: Item
) -> Probe:
    if step[0] == "flip_one":
        step = ("flip_one", max(0, world.settings.vault.length(key.id) - 12))
    lines = world.present(Credential(key.id, (step,)))
    return world.request(operation, key, item, lines=lines, label=f"key {what}")


def _auth_9(_: World) -> Iterable[Case]:
    yield Case("a valid key, altered", _altered_keys)


# --- AUTH-10: the query --------------------------------------------------------------------------------------------

QUERY_NAMES = ("access_token", "api_key", "apikey", "key", "token", "auth")


def _in_query(names: tuple[str, ...], world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation, own=True))
    return (yield from denials(world, operation, [partial(_named, world, operation, key, name) for name in names]))


def _named(world: World, operation: Operation, key: Key, name: str, item: Item) -> Probe:
    query: Parts = (f"{name}=".encode(), Credential(key.id))
    return world.request(operation, None, item, query=query, label=f"key in ?{name}=")


def _auth_10(world: World) -> Iterable[Case]:
    documented = {sent_as.name for sent_as in world.policy.keys.sent_as if sent_as.carrier == "query"}
    names = tuple(name for name in QUERY_NAMES if name not in documented)
    yield Case("a key in the query", partial(_in_query, names))


# --- AUTH-12: conflicting credentials ------------------------------------------------------------------------------


def _two_lines(first: str, world: World) -> Steps:
    """Send an unknown key and a valid one, each on a line of its own."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    valid: Key = yield Acquire(world.need(operation))
    unknown: Key = yield Acquire(world.need(operation, state="unknown"))
    order = (valid, unknown) if first == "valid" else (unknown, valid)
    lines = tuple(line for key in order for line in world.present(Credential(key.id)))
    probe = world.request(operation, valid, item, lines=lines, label=f"two lines, the {first} key first")
    return (yield from _ambiguous(world, operation, item, probe))


def _joined(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    valid: Key = yield Acquire(world.need(operation))
    unknown: Key = yield Acquire(world.need(operation, state="unknown"))
    (name, first), (_, second) = (world.present(Credential(key.id))[0] for key in (unknown, valid))
    lines = ((name, (*first, b", ", *second)),)
    probe = world.request(operation, valid, item, lines=lines, label="two keys on one line")
    return (yield from _ambiguous(world, operation, item, probe))


def _weak_and_strong(operation: Operation, weak: Need, first: str, world: World) -> Steps:
    """Send a key that may and one that may not, on an operation that tells them apart."""
    item = yield from world.item(operation)
    strong_key: Key = yield Acquire(world.need(operation))
    weak_key: Key = yield Acquire(weak)
    order = (weak_key, strong_key) if first == "weak" else (strong_key, weak_key)
    lines = tuple(line for key in order for line in world.present(Credential(key.id)))
    probe = world.request(
        operation, strong_key, item, lines=lines, canary=world.canary(), label=f"two keys, the {first}er first"
    )
    return (yield from _ambiguous(world, operation, item, probe))


def _ambiguous(world: World, operation: Operation, item: Item, probe: Probe) -> Steps:
    """Judge two credentials in one request: any 400 or 401 will do; acceptance is what the contract makes of it."""
    control = yield from world.control(operation, item)
    exchange: Exchange = yield probe
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.status in (400, 401):
        return PASSED
    expectation = world.expect(probe)
    if exchange.succeeded:
        stated = any(Cause.CONFLICTING in row.when for row in world.policy.errors.values())
        reason = "two different credentials were accepted, so that a proxy and the application may each follow another"
        evidence = expectation.evidence(exchange, control)
        return fail(evidence, reason) if stated else Judgement(word=Word.WARN, reason=reason, evidence=evidence)
    return unspecified(f"refused in another way: {describe_exchange(exchange)}")


def _auth_12(world: World) -> Iterable[Case]:
    for first in ("unknown", "valid"):
        yield Case(f"two lines, the {first} key first", partial(_two_lines, first))
    yield Case("two keys on one line", _joined)
    for operation in protected(world):
        weak = next(iter(world.access.insufficient(operation, world.environment)), None)
        if weak is not None and operation.method == "GET":
            for first in ("weak", "strong"):
                yield Case(
                    f"{operation.label}, the {first}er key first", partial(_weak_and_strong, operation, weak, first)
                )
            return


def _no_scheme(world: World) -> str | None:
    return None if _scheme(world) else "keys are sent without a scheme"


def _no_header(world: World) -> str | None:
    return None if world.policy.keys.sent_as[0].carrier == "header" else "keys are sent in the query"


CLAUSES = (
    Clause(
        id="AUTH-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 15.5.2", "OWASP API2:2023"),
        promise="A request without a key is refused, and nothing of it is done.",
        why="An operation registered before the check for keys serves everybody.",
        how="Each operation that needs a key is called without one, on an object of its own. The answer must be the "
        "refusal for a missing key and the object must stay as it was; the same call with a key that may must work.",
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
        id="AUTH-3",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 11.1",),
        promise="The scheme's name is accepted in any case.",
        why="Clients write `bearer`; RFC 9110 gives them the right to.",
        how="A valid key is sent with the scheme in lower case, upper case and mixed. A refusal fails, since the usual "
        "spelling works.",
        fix="Compare the scheme without regard to case, and the key with regard to it.",
        inapplicable=_no_scheme,
        cases=_auth_3,
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
        how="A valid key is altered in one way at a time, and each must be refused.",
        fix="Compare a digest of all of the key's bytes; never `startswith`, never a folded text.",
        inapplicable=_no_header,
        cases=_auth_9,
    ),
    Clause(
        id="AUTH-10",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9700 section 4.3.2", "OWASP ASVS 14.2.1"),
        promise="A key in the query string opens nothing.",
        why="Query strings end in logs, histories and Referer headers.",
        how="A key of its own is sent under each name that frameworks know (`access_token`, `api_key` …) and nowhere "
        "else.",
        fix="Read keys from the documented place only.",
        cases=_auth_10,
    ),
    Clause(
        id="AUTH-12",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 5.3", "RFC 6750 section 3.1"),
        promise="Two different credentials in one request gain nothing.",
        why="Where a proxy follows the first and the application the last, the pair is a way around both.",
        how="An unknown key and a valid one, in both orders and on one line, and a weaker key with a stronger one: "
        "400 and 401 pass; acceptance fails where the policy says what a conflict answers, else it is a warning.",
        fix="Refuse a request that carries more than one credential before looking any of them up.",
        inapplicable=_no_header,
        cases=_auth_12,
        again_over_http2=True,
    ),
)
