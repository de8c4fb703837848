"""CACHE: what is answered to one key is kept from the next. All look at every response of the whole run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.exchange._exchange import CANARY, Exchange
from authcontract_conformance.oracle._oracle import promised_header
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    unspecified,
    warn,
)
from authcontract_conformance.world._management import secrets
from authcontract_conformance.world._world import World

FIELD = "Cache-Control"
#: A directive, with its value if it has one (RFC 9111 section 5.2).
_DIRECTIVE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:="?([^",]*)"?)?')


def directives(exchange: Exchange) -> Mapping[str, str]:
    """Return the directives of Cache-Control in lower case, each with its value or an empty text."""
    return {name.lower(): value for name, value in _DIRECTIVE.findall(exchange.header(FIELD) or "")}


def _seconds(found: Mapping[str, str], name: str) -> int:
    text = found.get(name, "")
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def _planted(exchange: Exchange) -> bool:
    """Tell whether the response shows somebody's data for certain: it carries a text that the run has planted."""
    return exchange.succeeded and bool(exchange.probe.keys) and CANARY.search(exchange.body) is not None


def _evidence(exchange: Exchange, expected: str) -> Evidence:
    text = exchange.header(FIELD)
    got = f"{exchange.status} without {FIELD}" if text is None else f"{exchange.status} with {FIELD}: {text[:60]}"
    return Evidence(expected=expected, got=got, exchange=exchange)


# --- CACHE-1 -------------------------------------------------------------------------------------------------------


def _cache_1(_: World, exchange: Exchange) -> Judgement | None:
    if not _planted(exchange):
        return None
    found = directives(exchange)
    if found.keys() & {"no-store", "private"}:
        return PASSED
    expected = f"{exchange.status} that no shared cache may keep"
    if "public" in found or _seconds(found, "s-maxage"):
        return fail(_evidence(exchange, expected), "a shared cache may show this answer to everybody")
    if "must-revalidate" in found and _seconds(found, "max-age"):
        return warn(_evidence(exchange, expected), "`must-revalidate` lets shared caches keep answers to a key")
    return PASSED


# --- CACHE-2 -------------------------------------------------------------------------------------------------------


def _cache_2(world: World, exchange: Exchange) -> Judgement | None:
    promised = promised_header(world.contract, FIELD)
    concerned = _planted(exchange) or _shows_key(world, exchange)
    if not concerned and (promised is None or not _served(world, exchange)):
        return None
    found = directives(exchange)
    if "no-store" in found or {"private", "no-cache"} <= found.keys():
        return PASSED
    sent = exchange.header(FIELD)
    if "public" in found or _seconds(found, "s-maxage"):
        return None  # CACHE-1 says more of it
    if promised is None:
        return unspecified(f"no {FIELD} is promised; the target sends {sent[:60] if sent else 'none'}")
    silence = world.settings.oracle.accepted(lambda contract: promised_header(contract, FIELD)).get(sent)
    if silence is not None:
        return unspecified(f"{silence} is only assumed; the target sends {sent[:60] if sent else 'none'}")
    return warn(_evidence(exchange, f"{FIELD}: {promised}"), "browsers and proxies may keep what a key was shown")


def _shows_key(world: World, exchange: Exchange) -> bool:
    """Tell whether the response shows a new key, for the first and only time."""
    managed = world.policy.keys.managed_by
    makers = () if managed is None else (managed.create, managed.rotate)
    made = exchange.succeeded and exchange.probe.operation in makers and bool(exchange.probe.keys)
    return made and any(True for _ in secrets(exchange.json(), world))


def _served(world: World, exchange: Exchange) -> bool:
    """Tell whether an operation was served to a key: what the API itself answers, and not what stands before it."""
    if not exchange.succeeded or not exchange.probe.keys:
        return False
    operation = world.settings.oracle.read(exchange.probe).operation
    return operation is not None and operation.method.encode() == exchange.probe.method


# --- CACHE-3 -------------------------------------------------------------------------------------------------------


def _cache_3(_: World, exchange: Exchange) -> Judgement | None:
    if exchange.status not in (401, 403):
        return None
    found = directives(exchange)
    fresh = max(_seconds(found, "max-age"), _seconds(found, "s-maxage"))
    if not fresh or found.keys() & {"no-store", "no-cache"}:
        return PASSED
    evidence = _evidence(exchange, f"{exchange.status} that is not kept")
    return warn(evidence, f"who gets a key meanwhile is still refused, from a cache, for {fresh} seconds")


CLAUSES = (
    Clause(
        id="CACHE-1",
        level=Level.MUST,
        basis=Basis.HARDENING,
        sources=("RFC 9111 section 3.5", "OWASP ASVS 14.2.2"),
        promise="What a key was shown is not marked for everybody.",
        why="A shared cache keeps no answer to a key unless it says `public`, `s-maxage` or `must-revalidate`; then "
        "the next customer gets it.",
        how="Each response of the run that shows planted data is looked at. `public` or `s-maxage` without `no-store` "
        "or `private` fails, `must-revalidate` with a lifetime is a warning.",
        fix="Send `Cache-Control: no-store`, and leave `public` to what needs no key.",
        precedents=("CVE-2023-30861 (Flask: a cached response carried somebody's session)",),
        passive=_cache_1,
        traffic=("SCOPE-1",),
    ),
    Clause(
        id="CACHE-2",
        level=Level.SHOULD,
        basis=Basis.CONTRACT,
        sources=("OWASP ASVS 14.3.2",),
        promise="Data and new keys are answered with `no-store`, as promised.",
        why="Copies outlive the key in browsers, proxies and the tools of whoever debugs them.",
        how="Each response of the run that shows planted data or a new key is looked at, and where the policy promises "
        "Cache-Control, each that serves an operation to a key. There one without `no-store`, or `private` and "
        "`no-cache` together, is a warning; where nothing is promised, what is sent is said.",
        fix="Set the field for the whole API, in one place.",
        passive=_cache_2,
        traffic=("SCOPE-1", "LIFE-3"),
    ),
    Clause(
        id="CACHE-3",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 15.1", "RFC 9111 section 4.2.1"),
        promise="A refusal is not kept for later.",
        why="A refusal with a lifetime is what the same client gets after its key was put right.",
        how="Each 401 and 403 of the run is looked at; a lifetime (`max-age`, `s-maxage`) without `no-store` is a "
        "warning.",
        fix="Let the error handler set `no-store`, after whatever sets lifetimes for pages.",
        passive=_cache_3,
        traffic=("AUTH-1", "SCOPE-1"),
    ),
)
