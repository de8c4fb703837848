"""FUZZ-1: generated requests with every kind of credential, in every way of showing it, against the contract's oracle.

Hypothesis draws which request, which key, how it is shown, and what is done to path and method. What comes back is
judged only as far as the contract and the soundness rules reach: where HTTP, a framework or a proxy may answer for
itself, its own refusal accuses nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from authcontract_policy import CHECK_OF, Check, Operation

from authcontract_conformance.exchange._exchange import HOST, Acquire, Credential, Exchange, Key, Need, Parts, Probe
from authcontract_conformance.oracle._oracle import Expectation, Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import PASSED, Judgement, Word, fail, inconclusive, unspecified, warn
from authcontract_conformance.world._world import SAFE, World

from ._corpus import corpus
from ._facade import Facade, Over
from ._schemathesis import Generated
from ._search import search
from ._variants import (
    BODIES,
    EMPTY,
    IN_QUERY,
    METHODS,
    NEAR,
    PATHS,
    SHOWINGS,
    Draw,
    Holder,
    Lines,
    Showing,
    draws,
    one_by_one,
)

#: What is known of a generated request: nothing of its object and its body.
UNKNOWN_WORLD: Final = Reality(object="unknown", body="unknown", key_state_conflict="unknown")
#: Values drawn for one kind of credential, beside each change by itself; another seed draws others.
EXAMPLES: Final = 10

#: A path that no framework, proxy or listener reads in another way.
_PLAIN: Final = re.compile(rb"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
#: What a server may say of a request's content before, or without, looking at the key.
_OF_CONTENT: Final = frozenset({400, 411, 413, 414, 415, 417, 422, 431})
#: What a listener, a framework or a proxy may say of an odd path or method.
_OF_FORM: Final = _OF_CONTENT | {301, 302, 307, 308, 404, 405, 421, 501, 505}
#: Methods that a server may not have where nothing documents them, and what it says then; METH-1 judges them.
_UNDOCUMENTED: Final = frozenset({b"HEAD", b"OPTIONS"})
_OF_METHOD: Final = frozenset({405, 501})
_FORM: Final = frozenset({Check.TRANSPORT, Check.SYNTAX, Check.PATH, Check.METHOD})
_OF_RIGHTS: Final = frozenset({401, 403})


def requests_with(holder: Holder) -> Callable[[World, Facade], Judgement]:
    """Return the property: whatever a request with such a key holds, the contract decides it."""

    def check(world: World, facade: Facade) -> Judgement:
        candidates = [g for g in corpus(world) if _suits(world, g, holder)]
        if not candidates:
            return inconclusive(f"no request could be generated for {holder.value}")
        sender = _Sender(world, facade, holder)
        query = world.settings.disposable
        with_body = next((index for index, generated in enumerate(candidates) if generated.body), 0)
        found = search(
            draws(len(candidates), holder, query=query),
            lambda draw: sender.judge(candidates[draw.request], draw),
            first=(*_one_of_each(candidates), *one_by_one(holder, query=query, with_body=with_body)),
            seed=world.random.getrandbits(32),
            examples=EXAMPLES,
        )
        return sender.confirmed(found) if found.word is Word.FAIL else found

    return check


def _one_of_each(candidates: list[Generated]) -> Iterator[Draw]:
    """Yield one request of each kind as it is: valid or not, with a query or not, with a body or not."""
    kinds = {
        (each.mode, bool(each.query), bool(each.body)): index for index, each in reversed([*enumerate(candidates)])
    }
    return (Draw(request=index) for index in sorted(kinds.values()))


def _suits(world: World, generated: Generated, holder: Holder) -> bool:
    """Tell whether a request can be sent with such a key without doing harm."""
    operation = _operation(world, generated)
    match holder:
        case Holder.NOBODY | Holder.STRANGER:
            return not world.access.public(operation)
        case Holder.WEAKER:
            return bool(world.access.insufficient(operation, world.environment))
    managed = world.policy.keys.managed_by
    if managed is not None and operation.id in (managed.create, managed.rotate, managed.revoke):
        # A key that nobody asked for would stand in the response, and another would be gone.
        return False
    harmless = world.settings.disposable or generated.method in SAFE
    return harmless and bool(world.access.sufficient(operation, world.environment))


def _operation(world: World, generated: Generated) -> Operation:
    return next(operation for operation in world.operations if operation.id == generated.operation_id)


class _Sender:
    """Makes probes of draws, sends them, and judges what comes."""

    def __init__(self, world: World, facade: Facade, holder: Holder) -> None:
        self._world, self._facade, self._holder = world, facade, holder

    def judge(self, generated: Generated, draw: Draw) -> Judgement:
        """Send one draw."""
        if draw.body:
            generated = replace(generated, mode="negative", body=BODIES[draw.body](generated.body))
        operation = _operation(self._world, generated)
        credential = self._credential(operation, draw)
        probe = self._probe(generated, draw, credential, draw.showing)
        readings = [probe]
        if not draw.showing.same and credential is not None:
            readings += [
                self._probe(generated, draw, credential, SHOWINGS[0]),
                self._probe(generated, draw, None, SHOWINGS[0]),
            ]
        exchange = self._facade.send(self._world, probe)
        expectations = [self._world.expect(reading, UNKNOWN_WORLD) for reading in readings]
        return judged(exchange, expectations, generated)

    def _credential(self, operation: Operation, draw: Draw) -> Credential | None:
        access, environment = self._world.access, self._world.environment
        own = draw.showing is IN_QUERY
        match self._holder:
            case Holder.NOBODY:
                return None
            case Holder.WEAKER:
                needs = access.insufficient(operation, environment)
            case _:
                needs = access.sufficient(operation, environment)
        if not needs:
            return None
        need = replace(needs[draw.key % len(needs)], own=own)
        if self._holder is Holder.STRANGER:
            if draw.near == 0:
                return Credential(self._key(replace(need, own=False, state="unknown")).id)
            return Credential(self._key(replace(need, own=False)).id, NEAR[draw.near - 1])
        return Credential(self._key(need).id)

    def _key(self, need: Need) -> Key:
        key: Key = self._facade.perform(self._world, Acquire(need))
        return key

    def _probe(self, generated: Generated, draw: Draw, credential: Credential | None, showing: Showing) -> Probe:
        world = self._world
        query: Parts = (generated.query.encode("latin-1"),) if generated.query else ()
        lines: Lines = ()
        if credential is not None:
            documented = world.present(credential)
            lines = showing.lines(documented)
            if showing is IN_QUERY or not documented:
                query = (
                    f"{world.policy.keys.sent_as[0].name}=".encode(),
                    credential,
                    *((b"&",) if query else ()),
                    *query,
                )
        elif (text := EMPTY[draw.empty]) is not None:
            lines = (((world.policy.keys.sent_as[0].name.encode(),), (text,)),)
        path = world.contract.base_path(world.environment).encode() + generated.path.encode("latin-1")
        content: Lines = ()
        if generated.body or generated.method in {"POST", "PUT", "PATCH"}:
            content = (((b"Content-Length",), (str(len(generated.body)).encode(),)),)
            if generated.media_type is not None:
                content += (((b"Content-Type",), (generated.media_type.encode("latin-1"),)),)
        changes = (showing.label if credential is not None else draw.empty, draw.path, draw.method, draw.body)
        return Probe(
            method=METHODS[draw.method](generated.method.encode()),
            target=(PATHS[draw.path](path), *((b"?", *query) if query else ())),
            headers=(
                ((b"Host",), HOST),
                ((b"Accept",), (b"application/json",)),
                *(((n.encode("latin-1"),), (v.encode("latin-1"),)) for n, v in generated.headers),
                *lines,
                *content,
            ),
            body=(generated.body,) if generated.body else (),
            environment=world.environment,
            operation=generated.operation_id,
            label=", ".join(filter(None, (self._holder.value, *changes, generated.description.lower()))),
        )

    def confirmed(self, found: Judgement) -> Judgement:
        """Put the control next to a failure: the same operation, as documented, with a key that may (R1)."""
        evidence = found.evidence
        if evidence is None or evidence.exchange is None:
            return found
        operation = self._world.contract.specification.operation(evidence.exchange.probe.operation or "")
        if operation is None or self._world.access.strongest(operation, self._world.environment) is None:
            return found
        try:
            item = self._facade.run(self._world, self._world.item(operation))
            control = self._facade.run(self._world, self._world.control(operation, item))
        except Over as over:
            return over.judgement
        return replace(found, evidence=replace(evidence, control=control))


def judged(exchange: Exchange, expectations: list[Expectation], generated: Generated) -> Judgement:
    """Judge a response by every way in which the target may rightly have read the request."""
    if any(expectation.fits(exchange) for expectation in expectations):
        return PASSED
    silence = next(filter(None, (expectation.silence(exchange) for expectation in expectations)), None)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target answers {describe_exchange(exchange)}")
    reading = expectations[0].reading
    plain = _PLAIN.fullmatch(reading.path) is not None and reading.operation is not None
    if exchange.broken:
        # The driver tried three times (R6). A request that is not as documented breaks the target by itself.
        if exchange.answered and (generated.mode != "positive" or not plain):
            return warn(expectations[0].evidence(exchange), "a malformed request breaks the target")
        return inconclusive(broken(exchange))
    reason = _wrong(exchange, expectations, generated, plain=plain)
    both = next(filter(None, (each.two_silences(exchange) for each in expectations)), None) if reason else None
    if both is not None:
        return unspecified(f"{both} are only assumed; the target answers {describe_exchange(exchange)}")
    return fail(expectations[0].evidence(exchange), reason) if reason else PASSED


def _wrong(exchange: Exchange, expectations: list[Expectation], generated: Generated, *, plain: bool) -> str | None:
    """Say what is wrong with an answer that the contract does not have, if it is more than HTTP lets a server say."""
    bound = _leads_somewhere(expectations)
    if exchange.succeeded:
        shown = plain or exchange.json() is not None  # A page for every path is no way around a key (R2).
        refused = bound and all(expectation.refused for expectation in expectations)
        return "a request that must be refused was carried out" if refused and shown else None
    if any(decision.allowed for decision in expectations[0].decisions):
        hindered = plain and exchange.status in _OF_RIGHTS
        return "a key that may is refused for what the request holds" if hindered else None
    own = frozenset[int]() if plain else _OF_FORM
    if generated.body or generated.query or generated.headers:
        own |= _OF_CONTENT
    if exchange.probe.method in _UNDOCUMENTED and exchange.probe.method.decode() != generated.method:
        own |= _OF_METHOD
    return (
        "a request is refused in another way than the contract says" if bound and exchange.status not in own else None
    )


def _leads_somewhere(expectations: list[Expectation]) -> bool:
    """Tell whether the contract refuses for more than the form of the request, which others may read otherwise (R3)."""
    causes = {decision.cause for expectation in expectations for decision in expectation.decisions}
    return not any(cause is not None and CHECK_OF[cause] in _FORM for cause in causes)
