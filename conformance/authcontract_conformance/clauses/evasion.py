"""RATE: no way around a limit, and nobody uses up what is another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Operation, RateLimit

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import (
    Acquire,
    Credential,
    Exchange,
    Key,
    Parts,
    Probe,
    Rotate,
    Wait,
)
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    skipped,
    unspecified,
)
from authcontract_conformance.world._management import operation_for, rotate
from authcontract_conformance.world._quota import (
    RESOLUTION,
    Choice,
    Spent,
    chosen,
    counted,
    exhausted,
    no_limits,
    noisy,
    rule,
    settled,
    together,
)
from authcontract_conformance.world._sandwich import Sandwich, hopeless, sandwich
from authcontract_conformance.world._world import Asking, World

#: An address that is nobody's (RFC 5737), and one of the new kind that holds an old one (RFC 4291 section 2.5.5.2).
ADDRESSES = ("203.0.113.7", "::ffff:203.0.113.8")
#: Operations of one method that are tried with a key that is used up.
OTHERS = 6
#: Header lines by which proxies tell whom they speak for.
FORWARDING = (
    "X-Forwarded-For",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "Fastly-Client-IP",
)
#: Header lines by which a client might say that it need not be counted.
FAVOURS = (
    ("X-RateLimit-Bypass", "1"),
    ("X-RateLimit-Limit", "1000000"),
    ("X-RateLimit-Remaining", "1000000"),
    ("RateLimit", '"default";r=1000000;t=1'),
    ("RateLimit-Policy", '"default";q=1000000;w=1'),
    ("X-Internal", "true"),
    ("X-Internal-Request", "1"),
    ("X-Skip-Rate-Limit", "1"),
)
#: Why an admission proves nothing where less may be admitted.
LEFT_OVER = "what got in may be left over: less may be admitted, and the documented amount was not"


# --- RATE-8 --------------------------------------------------------------------------------------------------------


def _relatives(world: World) -> Iterable[Case]:
    for limit in counted(world):
        for name, find in RELATIVES.items():
            yield Case(f"{limit.name}: {name}", partial(_apart, limit, find))


def _same_sort(_: World, spent: Spent) -> Asking[Key]:
    key: Key = yield Acquire(replace(spent.choice.need, own=True), case=spent.case)
    return key


def _other_scopes(world: World, spent: Spent) -> Asking[Key | None]:
    need = spent.choice.need
    for other in world.access.sufficient(spent.choice.operation, need.environment):
        found = replace(other, own=True, plan=need.plan)
        if found.scopes != need.scopes and found.kind == need.kind:
            key: Key = yield Acquire(found, case=spent.case)
            return key
    return None


def _elsewhere(world: World, spent: Spent) -> Asking[Key | None]:
    for environment in world.settings.environments:
        if environment != spent.choice.need.environment:
            key: Key = yield Acquire(replace(spent.choice.need, environment=environment), case=spent.case)
            return key
    return None


def _of_others(_: World, spent: Spent) -> Asking[Key]:
    key: Key = yield Acquire(replace(spent.choice.need, organisation="B"))
    return key


def _rotated(world: World, spent: Spent) -> Asking[Key | None]:
    if world.policy.keys.rotation is None:
        return None
    if world.settings.disposable or operation_for(world, "rotate") is None:
        key: Key = yield Rotate(spent.key)
        return key
    return (yield from rotate(world, spent.key))


#: Who else may draw on the same allowance; the rotated key comes last, since it changes the one that is used up.
RELATIVES: Mapping[str, Callable[[World, Spent], Asking[Key | None]]] = {
    "another key of the same sort": _same_sort,
    "a key with another scope": _other_scopes,
    "a key of another environment": _elsewhere,
    "a key of another organisation": _of_others,
    "the key that rotation puts in its place": _rotated,
}


def _apart(
    limit: RateLimit, find: Callable[[World, Spent], Asking[Key | None]], world: World, *, from_idle: bool = False
) -> Steps:
    """Let another key ask while one is used up, and compare with whom the policy counts it.

    Where that is refused which should not be, what the run did before may be counted with it: then all is tried again
    from idle, since nothing remembers more than two windows (clauses 4.4).
    """
    choice = chosen(world, limit)
    if (reason := hopeless(world, choice)) is not None:
        return skipped(reason)
    spent = yield from exhausted(world, choice)
    other = yield from find(world, spent)
    if other is None:
        return skipped("there is no such key")
    operation = choice.operation

    def shares(contract: Contract) -> bool | None:
        buckets = [_bucket(contract, operation, limit, _record(world, key)) for key in (spent.key, other)]
        return None if None in buckets else buckets[0] == buckets[1]

    probe = world.request(operation, other, environment=other.need.environment, label="another key, while one is spent")
    found = yield from sandwich(world, spent, (probe,))
    settled(found.between)
    expected = shares(world.contract)
    seen = bool(len(found.admitted) <= found.allowance) if expected else not found.admitted
    silence = world.settings.oracle.accepted(shares).get(seen)
    if expected is None:
        return skipped("this limit does not count such a key")
    left_over = expected and not seen and not _over(world, spent, found)
    if (reason := _proves_nothing(found) or (LEFT_OVER if left_over else None)) is not None:
        return inconclusive(reason)
    if seen and not expected and noisy(world, limit) and not from_idle:
        yield Wait(seconds=2 * choice.window)
        return (yield from _apart(limit, find, world, from_idle=True))
    world.settings.oracle.seen(shares, seen, found.between[-1])
    if seen == expected:
        return Judgement(word=Word.PASS, reason="" if seen else "it has requests of its own")
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target counts them {'together' if seen else 'apart'}")
    exchange = found.between[-1]
    if seen and describe_exchange(exchange) != describe_exchange(found.controls[0]):
        return inconclusive("the refusal looks unlike that of the used up key: it may be somebody else's limit")
    evidence = Evidence(
        expected="429: both draw on one allowance" if expected else "admitted: it has an allowance of its own",
        got=describe_exchange(found.admitted[-1] if expected else exchange),
        exchange=found.admitted[-1] if expected else exchange,
        control=found.controls[1],
        rule=rule(world, limit),
    )
    return fail(evidence, "keys are counted otherwise than documented")


def _record(world: World, key: Key) -> KeyRecord:
    return world.settings.vault.record(key.id) or key.record


def _bucket(contract: Contract, operation: Operation, limit: RateLimit, record: KeyRecord) -> tuple[str, ...] | None:
    """Return with whom a contract counts a key, as far as this limit goes."""
    found = contract.specification.operation(operation.id)
    charges = contract.usual_charges(found, record) if found is not None else ()
    return next((charge.bucket for charge in charges if charge.limit == limit.name), None)


# --- RATE-9 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which somebody whose key is used up might get in all the same."""

    variant: str
    name: str
    probes: Callable[[World, Spent], Iterable[Probe]]


def _with(lines: Iterable[tuple[str, str]]) -> Callable[[World, Spent], Iterator[Probe]]:
    extra = tuple(((name.encode(),), (value.encode(),)) for name, value in lines)

    def probes(world: World, spent: Spent) -> Iterator[Probe]:
        yield world.request(spent.choice.operation, spent.key, extra=extra)

    return probes


def _noise(world: World, spent: Spent) -> Iterator[Probe]:
    for query in (b"a=1", b"a=2"):
        yield world.request(spent.choice.operation, spent.key, query=(query,))


def _spelled(world: World, spent: Spent) -> Iterator[Probe]:
    """Yield the path written in other ways that some routers take for the same."""
    plain = world.request(spent.choice.operation, spent.key)
    path, mark, query = _bytes(plain.target[:1]).partition(b"?")
    last = path.rpartition(b"/")[2]
    if not last:
        return
    head = path[: -len(last)]
    spellings = (
        head + b"/" + last,
        path + b"/",
        head + last[:1].swapcase() + last[1:],
        head + b"%%%02x" % last[0] + last[1:],
        head + b"./" + last,
        path + b";a=1",
    )
    for spelling in dict.fromkeys(spellings):
        if spelling != path:
            yield replace(plain, target=(spelling + mark + query, *plain.target[1:]))


def _bytes(parts: Parts) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


def _head(world: World, spent: Spent) -> Iterator[Probe]:
    yield world.request(spent.choice.operation, spent.key, method="HEAD")


def _header_noise(world: World, spent: Spent) -> Iterator[Probe]:
    """Yield the key's header line written in other ways, each of which is the same line or the same scheme."""
    for name, value in world.present(Credential(spent.key.id)):
        text = _bytes(name)
        yield world.request(spent.choice.operation, spent.key, lines=(((text.swapcase(),), value),))
        if isinstance(value[0], bytes) and value[0].endswith(b" "):
            for scheme in (value[0].swapcase(), value[0] + b"  "):
                yield world.request(spent.choice.operation, spent.key, lines=((name, (scheme, *value[1:])),))
        yield world.request(spent.choice.operation, spent.key, lines=((name, (*value, b"  ")),))


def _new_connection(world: World, spent: Spent) -> Iterator[Probe]:
    for number in range(2):
        agent = ((b"User-Agent",), (b"agent-%d" % number,))
        yield replace(world.request(spent.choice.operation, spent.key, extra=(agent,)), connection=f"new {number}")


WAYS: tuple[Way, ...] = (
    Way("V-R01", "a proxy's word for another address", _with((name, ADDRESSES[0]) for name in FORWARDING)),
    Way("V-R01", "Forwarded for another address", _with((("Forwarded", f'for="{ADDRESSES[0]}"'),))),
    Way("V-R02", "an old address written as a new one", _with((name, ADDRESSES[1]) for name in FORWARDING)),
    Way("V-R03", "noise in the query", _noise),
    Way("V-R04", "the path spelled in another way", _spelled),
    Way("V-R05", "HEAD", _head),
    Way("V-R06", "the key's header line written in another way", _header_noise),
    Way("V-R07", "new connections", _new_connection),
    Way("V-R14", "header lines that ask not to be counted", _with(FAVOURS)),
)


def _evasions(world: World) -> Iterable[Case]:
    for limit in counted(world):
        for way in WAYS:
            yield Case(f"{limit.name}: {way.name}", partial(_around, limit, way))
        yield Case(f"{limit.name}: other operations", partial(_around, limit, None))


def _around(limit: RateLimit, way: Way | None, world: World) -> Steps:
    """Try to get in with a key that is used up; between two refusals nothing may be admitted."""
    choice = chosen(world, limit)
    if (reason := hopeless(world, choice)) is not None:
        return skipped(reason)
    spent = yield from exhausted(world, choice)
    if way is None:
        tried = [world.request(operation, spent.key) for operation in _others(world, choice)]
    else:
        tried = [probe for probe in way.probes(world, spent) if _costs(world, limit, probe)]
    if not tried:
        return skipped("there is no such request that this limit counts")
    name = way.name if way is not None else "other operations"
    probes = [replace(probe, label=f"used up, {name}") for probe in tried]
    # Where time runs, each is tried by itself, so that they are few enough to prove something.
    for group in [probes] if world.settings.frozen else [[probe] for probe in probes]:
        found = yield from sandwich(world, spent, group)
        if (reason := _proves_nothing(found)) is not None:
            # A bucket may let the key itself in again; an allowance of its own would have let in each of them.
            if not world.settings.frozen and len(found.admitted) < len(found.between):
                continue
            return inconclusive(reason)
        if len(found.admitted) > found.allowance:
            if not _over(world, spent, found):
                return inconclusive(LEFT_OVER)
            open_to_all: Exchange = yield _keyless(found.admitted[0].probe)
            if open_to_all.succeeded:
                return inconclusive(f"without a key it is answered {open_to_all.status} too: it is not the operation")
            evidence = Evidence(
                expected="429 for every request of a key that is used up",
                got=f"{describe_exchange(found.admitted[0])}: {name}",
                exchange=found.admitted[0],
                control=found.controls[1],
                rule=rule(world, limit),
            )
            return fail(evidence, "a request that differs in nothing that counts is not counted")
    return PASSED


def _proves_nothing(found: Sandwich) -> str | None:
    """Say why what came between two requests of a used up key proves nothing, if so."""
    if not found.held:
        return "the key that was used up was let in meanwhile" if found.in_time else "its window was over meanwhile"
    return None if found.telling else "the answers took so long that what flowed in could admit them all"


def _over(world: World, spent: Spent, found: Sandwich) -> bool:
    """Tell whether a key got more than there is, with what it got before, where two refusals do not prove that.

    Where less may be admitted, several servers may each count their share: one of them refuses while another still has
    something left, so that two refusals do not prove that all is used up. Elsewhere they do.
    """
    if not spent.choice.limit.may_be_lower:
        return True
    seconds = 0.0 if world.settings.frozen else found.controls[1].received_at - spent.span[0] + RESOLUTION
    return spent.admitted + len(found.admitted) > spent.choice.most_from_idle(seconds)


def _keyless(probe: Probe) -> Probe:
    """Return the request without its key, wherever that travels: a page for everybody would answer it too."""
    lines = tuple(line for line in probe.headers if not any(isinstance(part, Credential) for part in line[1]))
    target = tuple(part for part in probe.target if not isinstance(part, Credential))
    return replace(probe, headers=lines, target=target, connection=None, label="the same without a key")


def _others(world: World, choice: Choice) -> list[Operation]:
    """Return some of the operations that take from the same allowance, of every method."""
    found = together(world, choice)
    by_method = [[each for each in found if each.method == method] for method in ("POST", "GET")]
    return [operation for operations in by_method for operation in operations[:OTHERS]]


def _costs(world: World, limit: RateLimit, probe: Probe) -> bool:
    """Tell whether the limit counts a request under every answer to a silence.

    A spelling that leads to no operation is refused for that, and one that is served is served as the operation. An
    answer by which a key that works is none is not the target's.
    """
    oracle = world.settings.oracle
    known = oracle.read(probe)
    record = oracle.key(known)

    def counts(contract: Contract) -> bool:
        reading = known if contract is world.contract else contract.read(known.request)
        if reading.operation is None or (record is not None and oracle.key(reading) is None):
            return True
        charges = contract.charges(reading, record, world.now())
        return any(charge.limit == limit.name and charge.cost > 0 for charge in charges)

    return counts(world.contract) and not world.settings.oracle.accepted(counts)


CLAUSES = (
    Clause(
        id="RATE-8",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="Keys that are counted apart do not use up each other's requests, and those counted together do.",
        why="One noisy key must not silence another customer, and a second key must not be a second allowance where "
        "the documentation says that they share one.",
        how="One key is used up. Meanwhile another one asks: of the same sort, with another scope, of another "
        "environment, of another organisation, and the one that rotation puts in its place. By what the policy counts, "
        "it must be admitted or refused; the first key is refused before and after. What the policy only assumes is "
        "reported as what the target does.",
        fix="Count by exactly what the policy names under `per`, and by nothing that a client can choose.",
        precedents=("CVE-2026-30827 (express-rate-limit: clients of one address family shared a counter)",),
        variants=("V-R10", "V-R12", "V-R13"),
        alone=True,
        inapplicable=no_limits,
        cases=_relatives,
    ),
    Clause(
        id="RATE-9",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API4:2023",),
        promise="A key that is used up is refused, however the request is dressed.",
        why="What a client chooses freely must not choose its counter: whoever finds the trick has no limit at all.",
        how="Between two refusals of a used up key the same request is sent with other proxies' headers, addresses, "
        "queries, spellings, methods, connections, operations, and with headers that ask for favours. Any admission "
        "fails where the clock stands still; where it runs, more than can have flowed in.",
        fix="Count by the key's id, after routing, and drop what clients say of proxies and quota.",
        precedents=(
            "CVE-2026-27981 (Homebox: a new X-Forwarded-For was a new counter)",
            "GHSA-x732-6j76-qmhm (better-auth: a second slash was a path without a limit)",
        ),
        variants=("V-R01", "V-R02", "V-R03", "V-R04", "V-R05", "V-R06", "V-R07", "V-R14"),
        alone=True,
        inapplicable=no_limits,
        cases=_evasions,
    ),
)
