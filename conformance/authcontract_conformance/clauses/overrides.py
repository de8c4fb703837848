"""METH: how a request may ask for another method than the one on its first line, and must not get it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._ways import FORM
from authcontract_conformance.clauses.methods import and_read, changing, closed, first_and_last, not_done
from authcontract_conformance.exchange._exchange import Acquire, Key, Need, Probe
from authcontract_conformance.oracle._verdict import Basis, Level, Word
from authcontract_conformance.world._patterns import Attempt, bypasses, protected, reading_operation, trials
from authcontract_conformance.world._world import Item, World

# --- METH-6: overrides ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask for another method than that of the request line."""

    what: str
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    body: Literal["json", "form", ""] = ""


OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method")


def _by_headers(headers: tuple[str, ...], method: str) -> Way:
    name = headers[0] if len(headers) == 1 else f"{len(headers)} headers"
    return Way(f"{name}: {method}", headers=tuple((header, method) for header in headers))


def _ways(verb: str, method: str) -> tuple[Way, ...]:
    """Return the ways to ask for another method by a request with this one."""
    by_query = Way(f"?_method={method.lower()}", query=f"_method={method.lower()}")
    if verb == "GET":
        return _by_headers(OVERRIDES, method), by_query
    return (
        _by_headers(OVERRIDES, method),
        by_query,
        Way(f"the member _method: {method}", body="json"),
        Way(f"the form field _method={method}", body="form"),
    )


def _overridden(operation: Operation, need: Need, world: World) -> Steps:
    """Ask for a method that the key may not use by a request with one that it may."""
    key: Key = yield Acquire(need)
    reason = f"{operation.method} was carried out under another method"
    judge = partial(not_done, world, reason)

    def attempts(split: bool) -> list[Attempt]:  # noqa: FBT001  all headers together, or one by one
        verbs = ("GET",) if operation.method == "POST" else ("GET", "POST")
        ways = [(verb, way) for verb in verbs for way in _ways(verb, operation.method)]
        if split:
            ways = [(verb, _by_headers((name,), operation.method)) for verb in verbs for name in OVERRIDES]
        return [partial(_asking, world, operation, key, verb, way) for verb, way in ways]

    judged = yield from trials(world, operation, attempts(split=False), judge, method=operation.method)
    if judged.word is not Word.FAIL:
        return judged
    alone = yield from trials(world, operation, attempts(split=True), judge, method=operation.method)
    return alone if alone.word is Word.FAIL else judged


def _asking(  # noqa: PLR0913  who asks for what, and how
    world: World, operation: Operation, key: Key | None, verb: str, way: Way, item: Item
) -> Probe:
    """Return a request with one method that asks for another."""
    if world.resources.steps(operation):
        world.spare(item)
    content = world.settings.sampler.content(operation, operation.method, world.canary())
    if way.body == "json":
        content = _member(content, "_method", operation.method)
    elif way.body == "form":
        content = f"_method={operation.method}".encode()
    extra = tuple((((name.encode(),), (value.encode(),))) for name, value in way.headers)
    query = (way.query.encode(),) if way.query else ()
    label = f"{verb} with {way.what}"
    probe = world.request(operation, key, item, method=verb, body=content, extra=extra, query=query, label=label)
    if way.body != "form":
        return probe
    lines = tuple((n, (FORM.encode(),) if n == (b"Content-Type",) else v) for n, v in probe.headers)
    return replace(probe, headers=lines)


def _member(body: bytes, name: str, value: str) -> bytes:
    """Return a JSON object with one member more; an object of its own where the body is none."""
    try:
        found = json.loads(body)
    except ValueError:
        found = {}
    return json.dumps({**found, name: value} if isinstance(found, dict) else {name: value}).encode()


def _to_nonsense(world: World) -> Steps:
    """Without a key, ask for methods under which a check may forget to look for one."""
    operation = reading_operation(world)
    pairs = (("GET", "FOO"), ("GET", "OPTIONS"), ("GET", "get"), ("POST", "GET"), ("POST", "FOO"))
    attempts: list[Attempt] = [
        partial(_asking, world, operation, None, verb, _by_headers(OVERRIDES, method)) for verb, method in pairs
    ]
    return (yield from bypasses(world, operation, attempts))


#: What a request within a request calls its address.
ADDRESSES = ("path", "url", "uri", "relative_url")


def with_requests(body: bytes, method: str, addresses: tuple[str, ...]) -> bytes | None:
    """Return a sample body with these requests in it, or None where it holds no list of requests.

    Operations that take several requests at once are known by that: a list of objects with a method and an address.
    """
    try:
        value = json.loads(body)
    except ValueError:
        return None
    places = [value, *value.values()] if isinstance(value, dict) else [value]
    for place in places:
        first = place[0] if isinstance(place, list) and place else None
        name = next((name for name in ADDRESSES if isinstance(first, dict) and name in first), None)
        if isinstance(first, dict) and "method" in first and name is not None:
            place[:] = [{**first, "method": method, name: address} for address in addresses]
            return json.dumps(value).encode()
    return None


def _batches(world: World) -> Iterator[tuple[Operation, Operation, Need]]:
    """Return each operation that takes several requests, with one that its caller may not send."""
    for batch in protected(world):
        sample = world.settings.sampler.body(batch) if batch.method == "POST" else b""
        if with_requests(sample, "GET", ("/",)) is None:
            continue
        for operation, need in closed(world).values():
            if world.access.permits(batch, need):
                yield batch, operation, need


def _in_a_batch(batch: Operation, operation: Operation, need: Need, world: World) -> Steps:
    """Send a request that the key may not send within one that it may."""
    key: Key = yield Acquire(need)
    base = world.contract.base_path(world.environment)

    def send(item: Item) -> Probe:
        if world.resources.steps(operation):
            world.spare(item)
        whole = b"".join(p for p in world.request(operation, None, item).target if isinstance(p, bytes)).decode()
        sample = world.settings.sampler.body(batch)
        body = with_requests(sample, operation.method, (whole, whole.removeprefix(base)))
        return world.request(batch, key, item, body=body, label=f"{operation.label} within {batch.label}")

    judge = partial(not_done, world, f"{operation.label} was carried out within {batch.label}")
    return (yield from trials(world, operation, [send], judge, method=operation.method))


def _meth_6(world: World) -> Iterable[Case]:
    for operation, need in closed(world).values():
        yield Case(f"{operation.label} asked for by another method", partial(_overridden, operation, need))
    yield Case("nonsense asked for without a key", _to_nonsense)
    for batch, operation, need in _batches(world):
        subject = f"{operation.label} within {batch.label}"
        yield Case(subject, partial(_in_a_batch, batch, operation, need))


# --- METH-7: what GET must not do -----------------------------------------------------------------------------------

VERBS = ("action", "do", "cmd", "op", "method")


def _by_get(operation: Operation, world: World) -> Steps:
    """With a key that may make the change, GET must still not make it."""
    key: Key = yield Acquire(and_read(world, operation))
    words = {"DELETE": "delete", "POST": "create"}.get(operation.method, "update")

    def send(query: str, suffix: str, item: Item) -> Probe:
        if world.resources.steps(operation):
            world.spare(item)
        content = world.settings.sampler.content(operation, operation.method, world.canary())
        label = f"GET {operation.path}{suffix}{f'?{query}' if query else ''}{' with a body' if content else ''}"
        probe = world.request(operation, key, item, method="GET", body=content, label=label)
        target = b"".join(part for part in probe.target if isinstance(part, bytes))
        path, mark, rest = target.partition(b"?")
        added = "&".join(part for part in (rest.decode(), query) if part).encode()
        return replace(probe, target=(path + suffix.encode() + (b"?" + added if added else mark),))

    queries = [f"{name}={words}" for name in VERBS]
    ways = [("&".join((*queries, f"{words}=true")), ""), ("", ""), ("", f"/{words}")]
    judge = partial(not_done, world, f"GET did what {operation.method} does")
    attempts: list[Attempt] = [partial(send, query, suffix) for query, suffix in ways]
    return (yield from trials(world, operation, attempts, judge, method=operation.method))


def _meth_7(world: World) -> Iterable[Case]:
    for operation in first_and_last(world):
        yield Case(f"{operation.label} by GET", partial(_by_get, operation))


def _nothing_denied(world: World) -> str | None:
    return None if closed(world) else "no changing operation is closed to any key"


def _nothing_changes(world: World) -> str | None:
    return None if changing(world) else "no operation changes what another one shows"


CLAUSES = (
    Clause(
        id="METH-6",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API5:2023",),
        promise="The method on the request line is the one that counts.",
        why="Frameworks let a header or a form field name another method, after the proxy has checked the first.",
        how="A key that may not make a change asks for it by `X-HTTP-Method-Override` and its kin, `?_method=`, a "
        "member or a form field, of GET and of POST, and within an operation that takes several requests, where the "
        "specification has one. The object must stay as it was. Without a key, overrides to "
        "methods that nobody knows must gain nothing.",
        fix="Turn method override off, or apply it before rights are checked.",
        precedents=(
            "CVE-2023-30845 (ESPv2: an unknown method in the override skipped the check of the token)",
            "CVE-2019-10913 (Symfony: any text was taken for a method)",
            "CVE-2022-24112 (APISIX: requests within a request went past the check)",
        ),
        variants=("V-M01", "V-M02", "V-M03", "V-M12"),
        inapplicable=_nothing_denied,
        cases=_meth_6,
    ),
    Clause(
        id="METH-7",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 9.2.1", "OWASP ASVS 3.5.3"),
        promise="GET changes nothing, not even for a key that may.",
        why="Links are followed by crawlers, previews and forged pages; caches and proxies repeat GET as they like.",
        how="With a key that may make a change, GET asks for it by `?action=` and its kin, by the change's own body, "
        "and by a word behind the path. The object must stay as it was, whatever is answered.",
        fix="Let only POST, PUT, PATCH and DELETE reach code that changes something.",
        variants=("V-M05",),
        inapplicable=_nothing_changes,
        cases=_meth_7,
    ),
)
