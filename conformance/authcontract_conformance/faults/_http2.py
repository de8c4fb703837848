"""Faults that only HTTP/2 shows: over HTTP/1.1 the same server is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authcontract_engine import Decision, KeyRecord, Object, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Seams, Server, Sight

from ._fault import Family, Fault, Plant
from ._tools import altered, at_scope, header, lets, one_environment, two_keys_unsaid, values

#: What a front end makes of a message that a right one would refuse, or None where it does as it should.
Rewrite = Callable[[Message], Message | None]


def _served(server: Server, message: Message, seams: Seams) -> Answer:
    """Answer one message as a server with these stages does."""
    usual, server.seams = server.seams, seams
    try:
        return seams.transport(server, message)
    finally:
        server.seams = usual


def _only_there(plant: Plant) -> Plant:
    """Plant a defect in what answers HTTP/2, and nowhere else."""

    def planted(seams: Seams) -> Seams:
        faulty = plant(seams)

        def transport(server: Server, message: Message) -> Answer:
            return _served(server, message, faulty if message.protocol == "2" else seams)

        return replace(seams, transport=transport)

    return planted


def _open(seams: Seams) -> Seams:
    """Serve who sends no key, with whatever is asked for."""

    def look(server: Server, call: Call) -> Sight:
        sight = seams.look(server, call)
        return replace(sight, object=Object.OWN) if call.key is None and sight.item is not None else sight

    def through(_server: Server, _call: Call, decision: Decision) -> bool:
        return decision.cause is Cause.MISSING

    return replace(lets(seams, through), look=look)


def _scopes_unchecked(seams: Seams) -> Seams:
    return lets(seams, lambda _server, _call, decision: at_scope(decision))


def _revoked_lives(seams: Seams) -> Seams:
    def unrevoked(_server: Server, record: KeyRecord, _now: float) -> KeyRecord:
        return replace(record, revoked_at=None)

    return altered(seams, unrevoked)


def _asking_by_exact_name(seams: Seams) -> Seams:
    """Look for `Authorization` in just this spelling, which HTTP/2 never has (RFC 9113 section 8.2.1)."""

    def parse(server: Server, message: Message) -> Request:
        request, way = seams.parse(server, message), header(server)
        name = "" if way is None else way.name
        lost = name.lower().encode()
        found = tuple(line for line in request.headers if line[0] == name.encode() or line[0] != lost)
        return replace(request, headers=found)

    return replace(seams, parse=parse)


def _folded_like_cookies(seams: Seams) -> Seams:
    """Join lines of one name by a semicolon, as HTTP/2 asks for with cookies, and read what stands last."""

    def parse(server: Server, message: Message) -> Request:
        request, way = seams.parse(server, message), header(server)
        if way is None:
            return request
        name, found = way.name.lower().encode(), values(request, way.name)
        if len(found) < 2:  # noqa: PLR2004  one line stays as it is
            return request
        folded = b"; ".join(found).rpartition(b"; ")[2]
        rest = tuple(line for line in request.headers if line[0].lower() != name)
        return replace(request, headers=(*rest, (name, folded)))

    return replace(seams, parse=parse)


def _beside_the_gate(rewrite: Rewrite) -> Plant:
    """Check keys in a front end that lets pass what it takes for no path of the API; the application trusts it."""

    def planted(seams: Seams) -> Seams:
        trusting = _open(seams)

        def transport(server: Server, message: Message) -> Answer:
            found = rewrite(message) if message.protocol == "2" else None
            return seams.transport(server, message) if found is None else _served(server, found, trusting)

        return replace(seams, transport=transport)

    return planted


def _without_fragment(message: Message) -> Message | None:
    path, fragment, _ = message.head.target.partition(b"#")
    return replace(message, head=replace(message.head, target=path)) if fragment else None


def _from_url(message: Message) -> Message | None:
    head = message.head
    return replace(message, head=replace(head, problem=None)) if b"://" in head.target else None


def _by_host(message: Message) -> Message | None:
    """Ask the gate about `:authority`, and the application for Host."""
    head = message.head
    hosts = [line for line in head.headers if line[0] == b"host"]
    if len({value for _, value in hosts}) < 2:  # noqa: PLR2004  one name is no two
        return None
    rest = tuple(line for line in head.headers if line[0] != b"host")
    return replace(message, head=replace(head, headers=(hosts[-1], *rest), problem=None))


def _one_environment(seams: Seams) -> Seams:
    """Know the keys of the first environment alone."""

    def known(server: Server, record: KeyRecord, _now: float) -> KeyRecord | None:
        first = next(iter(server.contract.policy.environments), None)
        return record if record.environment == first else None

    return altered(seams, known)


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="http2-without-keys",
        sentence="The module that checks for keys is not asked about requests over HTTP/2",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-1",),
        plant=_only_there(_open),
    ),
    Fault(
        name="http2-header-name-with-case",
        sentence="The header is looked for in its documented spelling, and HTTP/2 has it in lower case",
        family=Family.LIBRARY,
        clauses=("AUTH-2",),
        plant=_only_there(_asking_by_exact_name),
    ),
    Fault(
        name="http2-one-environment",
        sentence="The front end for HTTP/2 was told the keys of one environment and not of the others",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-2",),
        plant=_only_there(_one_environment),
        meaningful=one_environment,
    ),
    Fault(
        name="http2-revoked-key-works",
        sentence="The front end for HTTP/2 checks keys without the list of those that were revoked",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-8",),
        plant=_only_there(_revoked_lives),
    ),
    Fault(
        name="http2-folds-keys-like-cookies",
        sentence="Two lines with keys are folded into one over HTTP/2, as cookies are, and the last counts",
        family=Family.LIBRARY,
        clauses=("AUTH-12",),
        plant=_only_there(_folded_like_cookies),
        meaningful=two_keys_unsaid,
    ),
    Fault(
        name="http2-without-scopes",
        sentence="The filter that checks scopes is registered for HTTP/1.1 alone",
        family=Family.LIBRARY,
        clauses=("SCOPE-1",),
        plant=_only_there(_scopes_unchecked),
    ),
    Fault(
        name="http2-fragment-past-the-gate",
        sentence="A front end has no rule for a `:path` with a fragment, and the application drops the fragment",
        family=Family.DEPLOYMENT,
        clauses=("ROUTE-1",),
        plant=_beside_the_gate(_without_fragment),
    ),
    Fault(
        name="http2-url-past-the-gate",
        sentence="A front end finds no rule for a URL in `:path`, and the application takes it for its own path",
        family=Family.DEPLOYMENT,
        clauses=("ROUTE-1",),
        plant=_beside_the_gate(_from_url),
    ),
    Fault(
        name="http2-host-past-the-gate",
        sentence="A front end goes by `:authority`, and hands Host on to the application when both are sent",
        family=Family.DEPLOYMENT,
        clauses=("ROUTE-1",),
        plant=_beside_the_gate(_by_host),
    ),
)
