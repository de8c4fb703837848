"""FUZZ-2: what a target answers is what its specification documents: status, content type, headers and body."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from authcontract_policy import Operation, Policy

from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Evidence, Judgement, inconclusive, warn
from authcontract_conformance.world._world import SAFE, Asking, World

from ._corpus import schemas
from ._facade import Facade

#: Statuses of the contract's own refusals need no second promise in the specification.
_ERRORS = range(400, 600)


def responses_of(operation: Operation) -> Callable[[World, Facade], Judgement]:
    """Return the property: the operation's responses are as documented."""

    def check(world: World, facade: Facade) -> Judgement:
        seen = 0
        may_lack = governed(world.policy)
        for exchange in facade.run(world, _exchanges(world, operation)):
            if exchange.broken or not _is_documented(operation, exchange):
                continue
            seen += 1
            found = schemas(world.contract).problems(
                operation.id, exchange.status, exchange.headers, exchange.body, may_lack=may_lack
            )
            if found:
                evidence = Evidence(
                    expected=f"a {exchange.status} as the specification documents it",
                    got=f"{describe_exchange(exchange)}: {found[0]}",
                    exchange=exchange,
                )
                return warn(evidence, "a response is not as documented")
        return PASSED if seen else inconclusive("no response came whose status is documented")

    return check


def governed(policy: Policy) -> frozenset[str]:
    """Return the headers of which the policy says when they come, in lower case: whether they do is judged elsewhere.

    It may call one open that the specification draws once for all, as it does where a silence is answered otherwise.
    """
    rows = (policy.headers, *(row.headers for row in policy.errors.values()))
    limits = (limit.headers for limit in policy.rate_limits.values())
    return frozenset({name.lower() for headers in (*rows, *limits) for name in headers} | {"www-authenticate"})


def _exchanges(world: World, operation: Operation) -> Asking[tuple[Exchange, ...]]:
    """Call the operation with no key, with a key that may not, and, where that does no harm, with one that may.

    A response of the run to a key that may will do.
    """
    item = yield from world.item(operation)
    probes: list[Probe] = [world.request(operation, None, item, label="no key")]
    for lacking in world.access.insufficient(operation, world.environment)[:1]:
        weaker: Key = yield Acquire(lacking)
        probes.append(world.request(operation, weaker, item, label="a key that may not"))
    known = world.settings.proven.get((operation.id, world.environment, world.protocol))
    need = world.access.strongest(operation, world.environment)
    if known is None and need is not None and _harmless(world, operation):
        key: Key = yield Acquire(need)
        probes.append(world.request(operation, key, item, canary=world.canary(), label="a key that may"))
    exchanges = [] if known is None else [known]
    for probe in probes:
        exchange: Exchange = yield probe
        exchanges.append(exchange)
    return tuple(exchanges)


def _harmless(world: World, operation: Operation) -> bool:
    managed = world.policy.keys.managed_by
    keys = managed is not None and operation.id in (managed.create, managed.rotate, managed.revoke)
    return not keys and (world.settings.disposable or operation.method in SAFE)


def _is_documented(operation: Operation, exchange: Exchange) -> bool:
    """Tell whether the specification says something of it; an error that only the policy has is judged elsewhere."""
    if exchange.status not in _ERRORS:
        return True
    names = _names(exchange.status)
    return any(name in operation.responses for name in names)


def _names(status: int) -> Iterator[str]:
    yield str(status)
    yield f"{status // 100}XX"
    yield f"{status // 100}xx"
