"""TRANS: what else HTTPS only means: no hints about proxies are believed, and TLS is worth its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Delivery, Exchange, Handshake, Key, Parts
from authcontract_conformance.oracle._oracle import broken, describe_exchange, promised_header
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    unspecified,
    warn,
)
from authcontract_conformance.world._patterns import gained, reading_operation
from authcontract_conformance.world._world import World

HSTS = "Strict-Transport-Security"
#: What a proxy tells the application of the client's connection: by these names it is believed.
SECURE_HINTS: Mapping[str, str] = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Scheme": "https",
    "X-Url-Scheme": "https",
    "Front-End-Https": "on",
    "Forwarded": "proto=https",
    "CloudFront-Forwarded-Proto": "https",
}
#: Asks for HTTP/2 on the same connection, in clear.
UPGRADE: Mapping[str, str] = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAAQAAP__",
}
#: What differs between two answers to the same request: times, numbers of requests, and the like.
VOLATILE = re.compile(rb"[0-9a-fA-F-]{8,}|\d+")


def _fields(fields: Mapping[str, str]) -> tuple[tuple[Parts, Parts], ...]:
    return tuple(((name.encode(),), (value.encode(),)) for name, value in fields.items())


# --- TRANS-3: no oracle for keys -----------------------------------------------------------------------------------


def _same_for_every_key(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    yield from world.control(operation, item)
    answers: list[Exchange] = []
    for state in ("active", "unknown", "active", "unknown"):
        key: Key = yield Acquire(world.need(operation, state=state, own=True))
        probe = world.request(operation, key, item, label=f"plain HTTP, {state} key")
        answers.append((yield replace(probe, channel="plain")))
    valid, unknown = answers[::2], answers[1::2]
    if any(exchange.delivery is Delivery.TIMEOUT for exchange in answers):
        return inconclusive(broken(answers[0]))
    seen = [{_answer(world, exchange) for exchange in group} for group in (valid, unknown)]
    if seen[0] & seen[1] or any(len(group) > 1 for group in seen):
        return PASSED  # equal, or different from one request to the next by itself
    got = f"{describe_exchange(valid[0])} for a valid key, {describe_exchange(unknown[0])} for one that is none"
    evidence = Evidence(expected="one answer for every key", got=got, exchange=valid[0], control=unknown[0])
    return warn(evidence, "the answer over plain HTTP tells everybody on the way which key is worth taking")


def _answer(world: World, exchange: Exchange) -> tuple[str, int, str]:
    body = VOLATILE.sub(b"", world.settings.vault.hide(exchange.body))
    return exchange.delivery.value, exchange.status, hashlib.sha256(body).hexdigest()


# --- TRANS-5: hints of proxies -------------------------------------------------------------------------------------


def _hinted(hints: Mapping[str, str], world: World) -> Steps:
    """Send what TLS would serve over plaintext, saying that it was not plaintext."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield Acquire(world.need(operation, own=True))
    label = f"plain HTTP with {', '.join(hints)}"
    probe = replace(world.request(operation, key, item, extra=_fields(hints), label=label), channel="plain")
    exchange: Exchange = yield probe
    if exchange.delivery is Delivery.TIMEOUT:
        return inconclusive(broken(exchange))
    found = gained(exchange, item, control)
    if found is None:
        return PASSED
    if len(hints) > 1 and hints is not UPGRADE:
        for name, value in hints.items():  # which of them it was is half of the repair
            alone = yield from _hinted({name: value}, world)
            if alone is not PASSED:
                return alone
    got = f"{describe_exchange(exchange)} with {found}"
    return fail(world.expect(probe).evidence(exchange, control, got), "a field of the request passed for TLS")


def _hinted_otherwise(world: World) -> Steps:
    """Say over TLS that it was plaintext: only the caller is hurt, so it is a matter of taste."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    control = yield from world.control(operation, item)
    key: Key = yield Acquire(world.need(operation))
    extra = _fields({"X-Forwarded-Proto": "http"})
    exchange: Exchange = yield world.request(operation, key, item, extra=extra, label="TLS that is called plaintext")
    if exchange.broken:
        return inconclusive(broken(exchange))
    if exchange.succeeded or exchange.status == control.status:
        return PASSED
    evidence = world.expect(control.probe).evidence(exchange, control)
    return warn(evidence, "what a client says of its connection is believed")


def _trans_5(_: World) -> Iterable[Case]:
    yield Case("plain HTTP that calls itself HTTPS", partial(_hinted, SECURE_HINTS))
    yield Case("plain HTTP that asks for HTTP/2", partial(_hinted, UPGRADE))
    yield Case("HTTPS that calls itself plain HTTP", _hinted_otherwise)


# --- TRANS-6: HSTS -------------------------------------------------------------------------------------------------


def _trans_6(world: World, exchange: Exchange) -> Judgement | None:
    if exchange.broken:
        return None
    sent = exchange.header(HSTS)
    if exchange.probe.channel != "tls":
        if sent is None:
            return PASSED
        evidence = Evidence(expected=f"no {HSTS} over plain HTTP", got=f"{HSTS}: {sent[:60]}", exchange=exchange)
        return warn(evidence, "a field that anybody on the way can set is ignored there, and must not be sent")
    promised = promised_header(world.contract, HSTS)
    if _max_age(sent) > 0 or not exchange.succeeded:
        return PASSED  # errors of proxies may be without
    if promised is None:
        return unspecified(f"no {HSTS} is promised, and none is sent")
    silence = world.settings.oracle.accepted(lambda contract: promised_header(contract, HSTS)).get(sent)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target sends {sent[:60] if sent else f'no {HSTS}'}")
    got = f"{exchange.status} without {HSTS}" if sent is None else f"{HSTS}: {sent[:60]}"
    return warn(Evidence(expected=f"{HSTS}: {promised}", got=got, exchange=exchange), "browsers are not told to stay")


def _max_age(text: str | None) -> int:
    found = re.search(r"max-age\s*=\s*\"?(\d{1,12})", text or "", re.IGNORECASE)
    return int(found[1]) if found else 0


# --- TRANS-7: old TLS ----------------------------------------------------------------------------------------------


def _old_version(version: str, world: World) -> Steps:
    operation = reading_operation(world)
    control = yield from world.proof(operation, (yield from world.item(operation)))
    agreed: bool = yield Handshake(version="TLSv1" if version == "TLSv1" else "TLSv1.1")
    if not agreed:
        return PASSED
    evidence = Evidence(
        expected=f"no agreement on {version}", got=f"an agreement on {version}", exchange=control, control=control
    )
    return warn(evidence, "what is sent under it can be read by whoever records it")


def _trans_7(_: World) -> Iterable[Case]:
    for version in ("TLSv1", "TLSv1.1"):
        yield Case(f"a handshake for {version}", partial(_old_version, version))


CLAUSES = (
    Clause(
        id="TRANS-3",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("draft-ietf-httpapi-privacy",),
        promise="Over plain HTTP a valid key is answered like one that is none.",
        why="Whoever reads along has the key either way; the answer must not tell them that it is worth something.",
        how="Valid keys and keys that nobody issued ask over plain HTTP, each twice. Where the two kinds get answers "
        "that differ, apart from times and numbers, it is a warning.",
        fix="Refuse plain HTTP before the key is read.",
        variants=("V-T01",),
        needs=frozenset({Capability.PLAINTEXT}),
        cases=lambda _: [Case("a valid key and one that is none over plain HTTP", _same_for_every_key)],
    ),
    Clause(
        id="TRANS-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 4.1.3",),
        promise="Nothing that a client says makes plain HTTP pass for HTTPS.",
        why="An application behind a proxy believes X-Forwarded-Proto; whoever reaches it directly sends it too.",
        how="What works over TLS is sent over plain HTTP with the fields by which proxies speak of TLS, and with an "
        "upgrade to HTTP/2 in clear. The object's content, or an answer like the one over TLS, fails. A refusal over "
        "TLS of a request that calls itself plaintext is a warning.",
        fix="Let the proxy overwrite the field, and believe it from the proxy's address only.",
        precedents=("CVE-2025-64525 (Astro: x-forwarded-proto went around a check)",),
        variants=("V-T02", "V-T03", "V-T05"),
        needs=frozenset({Capability.PLAINTEXT}),
        cases=_trans_5,
    ),
    Clause(
        id="TRANS-6",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("RFC 6797 section 7.2", "OWASP ASVS 3.4.1"),
        promise="HTTPS answers carry HSTS where it is promised, and plain HTTP answers never do.",
        why="It keeps browsers and some clients from ever trying plain HTTP again.",
        how="Each response of the run is looked at. A success over TLS without the promised field, or the field over "
        "plain HTTP, is a warning; where nothing is promised, what is sent is said.",
        fix="Add the field where TLS ends, and nowhere else.",
        passive=_trans_6,
        traffic=("SCOPE-1", "TRANS-1"),
    ),
    Clause(
        id="TRANS-7",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP ASVS 12.1.1", "RFC 8996"),
        promise="TLS 1.0 and 1.1 are refused.",
        why="Both are withdrawn; a key that was recorded under them can be read later.",
        how="A handshake is tried for each, and nothing is sent. An agreement is a warning. That the certificate is "
        "valid for the host is what every other request of the run needs.",
        fix="Set the lowest version of TLS to 1.2 where it ends.",
        variants=("V-T06",),
        cases=_trans_7,
    ),
)
