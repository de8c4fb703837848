"""Faults of recognising keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from authcontract_engine import Contract, Decision, KeyRecord, Object, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Identity, Message, Outcome, Seams, Server, Sight

from ._fault import Family, Fault, Plant
from ._tools import (
    Onward,
    altered,
    chosen,
    header,
    known,
    lenient,
    lets,
    no_end_of_keys,
    passing,
    presented,
    presenting,
    remembering,
    simple,
    two_keys_unsaid,
    values,
)
from ._trust import trusting

#: Fewer characters than this are no key even for a careless comparison.
_LEAST: Final = 12


def _open_operation(method: str) -> Fault:
    def without_key(seams: Seams) -> Seams:
        def through(server: Server, call: Call, decision: Decision) -> bool:
            return decision.cause is Cause.MISSING and call.reading.operation == chosen(server, method)

        def look(server: Server, call: Call) -> Sight:
            sight = seams.look(server, call)
            return replace(sight, object=Object.OWN) if call.key is None and sight.item is not None else sight

        return replace(lets(seams, through), look=look)

    return Fault(
        name=f"no-key-for-{method.lower()}",
        sentence=f"The first operation with {method} that needs a key is served without one",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-1",),
        plant=without_key,
    )


def _key_left_over(seams: Seams) -> Seams:
    last: list[tuple[bytes, bytes]] = []

    def proxy(server: Server, message: Message, onward: Onward) -> Answer:
        way = header(server)
        name = b"" if way is None else way.name.lower().encode()
        lines = [line for line in message.head.headers if line[0].lower() == name]
        if not lines and last:
            head = replace(message.head, headers=(*message.head.headers, *last))
            return onward(replace(message, head=head))
        answer = onward(message)
        if answer.status < 300:  # noqa: PLR2004  a success
            last[:] = lines
        return answer

    return passing(seams, proxy)


def _login(seams: Seams) -> Seams:
    """Send whoever has no key and does not ask for JSON to a page where people log in."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        asked = b"".join(values(call.request, "Accept"))
        if decision.cause is Cause.MISSING and b"json" not in asked:
            return Answer(302, (("Location", "/login"), ("Cache-Control", "no-store")))
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _some_environment(seams: Seams) -> Seams:
    def refuse(server: Server, record: KeyRecord, _now: float) -> KeyRecord | None:
        environments = server.contract.policy.environments
        return None if environments and record.environment == environments[-1] else record

    return altered(seams, refuse)


def _one_environment(contract: Contract) -> str | None:
    return None if contract.policy.environments else "the contract has one environment"


def _exact_scheme(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        way = header(server)
        scheme = b"" if way is None else way.template.partition("<key>")[0].encode()
        if way is not None and not all(value.startswith(scheme) for value in values(request, way.name)):
            request = presenting(server, request)
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def _anything_goes(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        identity = seams.authenticate(server, request, now)
        digest = identity.reading.presented.digest
        issued = server.keyring.records.all()
        if identity.key is None and digest is not None and issued:
            return Identity(identity.reading, replace(issued[-1], digest=digest))
        return identity

    return replace(seams, authenticate=authenticate)


def _revoked_lives(seams: Seams) -> Seams:
    return altered(seams, lambda _server, record, _now: replace(record, revoked_at=None))


def _never_expires(seams: Seams) -> Seams:
    return altered(seams, lambda _server, record, _now: replace(record, rotated_at=None, grace=None, expires_at=None))


def _id_for_key(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)
    return lenient(seams, lambda _server, key: secrets.get(key.decode("latin-1")))


def _truncated(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)

    def longer(_server: Server, key: bytes) -> bytes | None:
        return next((whole for whole in secrets.values() if len(key) >= _LEAST and whole.startswith(key)), None)

    return lenient(seams, longer)


def _extended(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)
    return lenient(
        seams, lambda _server, key: next((whole for whole in secrets.values() if key.startswith(whole)), None)
    )


def _any_case(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)

    def alike(_server: Server, key: bytes) -> bytes | None:
        return next((whole for whole in secrets.values() if whole.lower() == key.lower()), None)

    return lenient(seams, alike)


def _middle_unread(seams: Seams) -> Seams:
    seams, secrets = remembering(seams)

    def same_ends(_server: Server, key: bytes) -> bytes | None:
        ends = (key[:_LEAST], key[-4:])
        return next((whole for whole in secrets.values() if (whole[:_LEAST], whole[-4:]) == ends), None)

    return lenient(seams, same_ends)


def _in_query(*names: str) -> Plant:
    def plant(seams: Seams) -> Seams:
        def authenticate(server: Server, request: Request, now: float) -> Identity:
            query = request.target.partition(b"?")[2].decode("latin-1")
            found = [value.encode("latin-1") for name, value in parse_qsl(query) if name in names]
            if found and not presented(server, request):
                request = presenting(server, request, found[0])
            return seams.authenticate(server, request, now)

        return replace(seams, authenticate=authenticate)

    return plant


def _one_of_many(index: int) -> Plant:
    def plant(seams: Seams) -> Seams:
        def authenticate(server: Server, request: Request, now: float) -> Identity:
            keys = presented(server, request)
            if len(keys) > 1:
                request = presenting(server, request, keys[index])
            return seams.authenticate(server, request, now)

        return replace(seams, authenticate=authenticate)

    return plant


def _whichever_works(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        works = [key for key in presented(server, request) if known(server, key)]
        if works:
            request = presenting(server, request, works[-1])
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def _after_comma(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        way = header(server)
        found = () if way is None else values(request, way.name)
        if way is not None and len(found) == 1 and b"," in found[0]:
            scheme = way.template.partition("<key>")[0].encode()
            last = found[0].rpartition(b",")[2].strip(b" ").removeprefix(scheme)
            request = presenting(server, request, last)
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def _wildcard(server: Server, call: Call) -> bool:
    """Tell whether a look-up by pattern would find some key or other."""
    return any(key.endswith(b"%") for key in presented(server, call.request))


FAULTS: Final = (
    simple(
        "wildcard-is-a-key",
        "Keys are looked up with LIKE, so that a prefix and `%` is a key",
        "AUTH-8",
        trusting(_wildcard),
    ),
    _open_operation("GET"),
    _open_operation("POST"),
    Fault(
        name="key-left-over",
        sentence="A proxy keeps the headers of the request before, so that one without a key has the last caller's",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-1",),
        plant=_key_left_over,
    ),
    Fault(
        name="login-page-without-key",
        sentence="Whoever has no key and does not ask for JSON is sent to a login page",
        family=Family.LIBRARY,
        clauses=("AUTH-1",),
        plant=_login,
    ),
    Fault(
        name="one-environment-refused",
        sentence="Valid keys of the last environment are refused, as after a deployment with the wrong database",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-2",),
        plant=_some_environment,
        meaningful=_one_environment,
    ),
    Fault(
        name="scheme-has-case",
        sentence="The scheme is known only as documented, so that `bearer` is refused where `Bearer` works",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-3",),
        plant=_exact_scheme,
    ),
    Fault(
        name="any-key-will-do",
        sentence="A key that looks like one is taken for one, whether it was issued or not",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-8",),
        plant=_anything_goes,
    ),
    Fault(
        name="revoked-key-works",
        sentence="Revoking a key is written down, and nobody looks there",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-8", "LIFE-6", "LIFE-7"),
        plant=_revoked_lives,
    ),
    Fault(
        name="expired-key-works",
        sentence="The end of a key's life is stored and never compared with the clock",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-8", "LIFE-5"),
        plant=_never_expires,
        meaningful=no_end_of_keys,
    ),
    Fault(
        name="id-works-as-key",
        sentence="A key's id, which lists show, is accepted in the place of the key",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-8",),
        plant=_id_for_key,
    ),
    Fault(
        name="beginning-of-key-works",
        sentence="A key is looked up by what it begins with, so that one without its last characters works",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-9",),
        plant=_truncated,
    ),
    Fault(
        name="longer-key-works",
        sentence="What follows after the length of a key is cut off before it is compared, as bcrypt does at 72 bytes",
        family=Family.LIBRARY,
        clauses=("AUTH-9",),
        plant=_extended,
    ),
    Fault(
        name="key-without-case",
        sentence="Keys are looked up in a column whose collation knows no case",
        family=Family.LIBRARY,
        clauses=("AUTH-9",),
        plant=_any_case,
    ),
    Fault(
        name="middle-of-key-unread",
        sentence="Keys are found by how they begin and end, and the rest is not compared",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-9",),
        plant=_middle_unread,
    ),
    Fault(
        name="key-in-access-token",
        sentence="The framework also takes a key from `?access_token=`",
        family=Family.LIBRARY,
        clauses=("AUTH-10",),
        plant=_in_query("access_token"),
    ),
    Fault(
        name="key-in-query",
        sentence="A key is also taken from `?api_key=` or `?key=`, left over from an older version",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-10",),
        plant=_in_query("api_key", "key"),
    ),
    Fault(
        name="first-of-two-keys",
        sentence="Of two lines with keys the first counts",
        family=Family.LIBRARY,
        clauses=("AUTH-12",),
        plant=_one_of_many(0),
        meaningful=two_keys_unsaid,
    ),
    Fault(
        name="last-of-two-keys",
        sentence="Of two lines with keys the last counts",
        family=Family.LIBRARY,
        clauses=("AUTH-12",),
        plant=_one_of_many(-1),
        meaningful=two_keys_unsaid,
    ),
    Fault(
        name="whichever-key-works",
        sentence="Of several keys in a request one that is good is looked for",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-12",),
        plant=_whichever_works,
        meaningful=two_keys_unsaid,
    ),
    Fault(
        name="key-after-comma",
        sentence="A proxy joins two lines by a comma, and the key behind the last comma counts",
        family=Family.DEPLOYMENT,
        clauses=("AUTH-12",),
        plant=_after_comma,
        meaningful=two_keys_unsaid,
    ),
)
