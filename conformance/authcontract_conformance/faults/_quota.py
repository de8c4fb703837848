"""Faults of quota: with whom a request is counted, and what responses say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authcontract_engine import Charge, Contract, Decision, KeyRecord, Request, Reservation, Standing

from authcontract_conformance.reference import Answer, Call, Identity, Message, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._management import is_to, unmanaged
from ._tools import answering, header, known, presented, remembering, values, without

_TOO_MANY: Final = 429
#: How many letters of a key are its public part, by which a careless server finds the record.
_PUBLIC: Final = 12


def _counting(change: Callable[[Server, Call, Charge], Charge | None]) -> Plant:
    """Count with somebody else than documented; None: not at all."""

    def plant(seams: Seams) -> Seams:
        def charge(server: Server, call: Call) -> tuple[Charge, ...]:
            found = (change(server, call, each) for each in seams.charge(server, call))
            return tuple(each for each in found if each is not None)

        return replace(seams, charge=charge)

    return plant


def _also_by(extra: Callable[[Server, Call], str | None]) -> Plant:
    """Begin a new counter for each value of something that the client chooses."""

    def change(server: Server, call: Call, charge: Charge) -> Charge:
        value = extra(server, call)
        return charge if value is None else replace(charge, bucket=(*charge.bucket, value))

    return _counting(change)


def _except(free: Callable[[Call], bool]) -> Plant:
    """Count nothing for some requests."""
    return _counting(lambda _server, call, charge: None if free(call) else charge)


def _forwarded(_server: Server, call: Call) -> str | None:
    found = values(call.request, "X-Forwarded-For")
    return found[0].decode("latin-1") if found else None


def _query(_server: Server, call: Call) -> str | None:
    """Return the query, if there is something in it that the operation does not document."""
    query = call.request.target.partition(b"?")[2].decode("latin-1")
    operation = call.reading.operation
    documented = {parameter.name for parameter in operation.parameters} if operation is not None else set()
    names = {pair.partition("=")[0] for pair in query.split("&") if pair}
    return query if names - documented else None


def _written(server: Server, call: Call) -> str | None:
    """Return the header line that carries the key as it was written, if it is not as documented."""
    way = header(server)
    if way is None:
        return None
    scheme = way.template.partition("<key>")[0].encode()
    lines = [(name, value) for name, value in call.request.headers if name.lower() == way.name.lower().encode()]
    odd = [value for _, value in lines if not value.startswith(scheme)]
    return odd[0][: len(scheme)].decode("latin-1") if odd else None


def _has_scheme(contract: Contract) -> str | None:
    ways = contract.policy.keys.sent_as
    scheme = any(way.carrier == "header" and not way.template.startswith("<key>") for way in ways[:1])
    return None if scheme else "keys are sent without a scheme"


def _merging_slashes(seams: Seams) -> Seams:
    """Route a path as if it had no empty segments, and count it as it was written."""

    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        return replace(request, target=_plain(request.target))

    def extra(_server: Server, call: Call) -> str | None:
        written = call.message.head.target
        return None if written == _plain(written) else written.decode("latin-1")

    return _also_by(extra)(replace(seams, parse=parse))


def _plain(target: bytes) -> bytes:
    path, mark, query = target.partition(b"?")
    while b"//" in path:
        path = path.replace(b"//", b"/")
    return path + mark + query


def _by_organisation(_server: Server, call: Call, charge: Charge) -> Charge:
    return charge if call.key is None else replace(charge, bucket=(charge.limit, call.key.organisation or ""))


def _by_key_alone(_server: Server, call: Call, charge: Charge) -> Charge:
    key = call.key
    return charge if key is None else replace(charge, bucket=(*charge.bucket, key.id))


def _shares_nothing(contract: Contract) -> str | None:
    rotation = contract.policy.keys.rotation
    by_key = any("key" in limit.per for limit in contract.policy.rate_limits.values())
    shares = rotation is not None and rotation.shares_limits and by_key
    return None if shares else "a rotated key has requests of its own by this contract"


def _counts_by_organisation(contract: Contract) -> str | None:
    limits = [limit for limit in contract.policy.rate_limits.values() if limit.requests is not None]
    by_key = any({"key", "environment"} & set(limit.per) for limit in limits)
    return None if by_key else "the contract counts by organisation itself"


def _victim_pays(seams: Seams) -> Seams:
    """Find the record by the public part of a key, charge it, and only then compare the rest."""
    remembered, secrets = remembering(seams)

    def authenticate(server: Server, request: Request, now: float) -> Identity:
        identity = seams.authenticate(server, request, now)
        for key in presented(server, request):
            victim = None if known(server, key) else _like(server, secrets, key)
            if victim is not None and identity.reading.operation is not None:
                server.limiter.reserve(server.contract.usual_charges(identity.reading.operation, victim), now)
        return identity

    return replace(remembered, authenticate=authenticate)


def _like(server: Server, secrets: dict[str, bytes], key: bytes) -> KeyRecord | None:
    found = (identity for identity, secret in secrets.items() if secret[:_PUBLIC] == key[:_PUBLIC])
    return next((record for identity in found if (record := server.keyring.records.get(identity)) is not None), None)


def _of_another_plan(what: str) -> Plant:
    """Give the keys that the API makes the largest plan, whatever the one that asked has."""

    def plant(seams: Seams) -> Seams:
        def perform(server: Server, call: Call) -> Outcome:
            before = {record.id for record in server.keyring.records.all()}
            outcome = seams.perform(server, call)
            for record in server.keyring.records.all() if is_to(server, call, what) else ():
                if record.id not in before:
                    server.keyring.records.put(replace(record, plan=_other_plan(server.contract, record.plan)))
            return outcome

        return replace(seams, perform=perform)

    return plant


def _other_plan(contract: Contract, plan: str | None) -> str | None:
    return next((other for other in reversed(contract.policy.plans) if other != plan), plan)


def _plans_are_said(contract: Contract) -> str | None:
    by_plan = any("plan" in str(limit.requests) for limit in contract.policy.rate_limits.values())
    if len(contract.policy.plans) < 2 or not by_plan:  # noqa: PLR2004  with one there is no other
        return "the contract has no amounts by plan"
    return unmanaged(contract) or _says("<limit>")(contract)


# --- what responses say --------------------------------------------------------------------------------------------


def _saying(change: Callable[[Standing], Standing]) -> Plant:
    """Say something else of a limit than what is."""

    def plant(seams: Seams) -> Seams:
        def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
            reservation = seams.limit(server, call, charges)
            return replace(reservation, standings=tuple(change(each) for each in reservation.standings))

        return replace(seams, limit=limit)

    return plant


def _never_less(standing: Standing) -> Standing:
    return replace(standing, remaining=standing.amount, used=0) if standing.admitted else standing


def _in_words(answer: Answer) -> Answer:
    """Write out what the parameters of the rate-limit fields stand for."""
    words = ((";q=", ";limit="), (";r=", ";remaining="))
    fields = []
    for name, text in answer.headers:
        value = text
        for letter, word in words if name.lower().startswith("ratelimit") else ():
            value = value.replace(letter, word)
        fields.append((name, value))
    return replace(answer, headers=tuple(fields))


def _by_letters(contract: Contract) -> str | None:
    headers = [text for limit in contract.policy.rate_limits.values() for text in limit.headers.values()]
    return None if any(";r=" in text or ";q=" in text for text in headers) else "the contract promises no such fields"


def _says(placeholder: str) -> Callable[[Contract], str | None]:
    def found(contract: Contract) -> str | None:
        headers = [text for limit in contract.policy.rate_limits.values() for text in limit.headers.values()]
        return None if any(placeholder in text for text in headers) else "the contract promises no such header"

    return found


def _on_refusals(change: Callable[[Answer], Answer]) -> Plant:
    def after(_server: Server, _call: Call, _decision: Decision, answer: Answer) -> Answer:
        return change(answer) if answer.status == _TOO_MANY else answer

    return lambda seams: answering(seams, after)


def _public(answer: Answer) -> Answer:
    rest = without(answer, "Cache-Control")
    return replace(rest, headers=(*rest.headers, ("Cache-Control", "public, max-age=60")))


FAULTS: Final = (
    Fault(
        name="counted-by-forwarded-address",
        sentence="Requests are counted for each address that X-Forwarded-For names, so that a new one begins anew",
        family=Family.DEPLOYMENT,
        clauses=("RATE-9",),
        plant=_also_by(_forwarded),
    ),
    Fault(
        name="counted-by-query",
        sentence="Requests are counted for each query, so that a meaningless parameter begins anew",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-9",),
        plant=_also_by(_query),
    ),
    Fault(
        name="counted-by-written-path",
        sentence="A path with a second slash is served as the same and counted as another",
        family=Family.LIBRARY,
        clauses=("RATE-9",),
        plant=_merging_slashes,
    ),
    Fault(
        name="counted-by-written-scheme",
        sentence="The header line is the name of the counter, so that `BEARER` begins anew",
        family=Family.LIBRARY,
        clauses=("RATE-9",),
        plant=_also_by(_written),
        meaningful=_has_scheme,
    ),
    Fault(
        name="quota-bypass-header",
        sentence="A header line meant for tests lets anybody through uncounted",
        family=Family.DEPLOYMENT,
        clauses=("RATE-9",),
        plant=_except(lambda call: bool(values(call.request, "X-RateLimit-Bypass"))),
    ),
    Fault(
        name="head-not-counted",
        sentence="HEAD is answered and not counted",
        family=Family.LIBRARY,
        clauses=("RATE-9",),
        plant=_except(lambda call: call.request.method == b"HEAD"),
    ),
    Fault(
        name="posts-not-counted",
        sentence="The limit hangs on what reads, and what creates is not counted",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-9",),
        plant=_except(lambda call: call.request.method == b"POST"),
    ),
    Fault(
        name="organisation-shares-one-counter",
        sentence="All keys of an organisation are counted together, sandbox and production alike",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-8",),
        plant=_counting(_by_organisation),
        meaningful=_counts_by_organisation,
    ),
    Fault(
        name="rotation-resets-quota",
        sentence="The key that rotation puts in the place of another begins with a full allowance",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-8",),
        plant=_counting(_by_key_alone),
        meaningful=_shares_nothing,
    ),
    Fault(
        name="altered-key-charges-owner",
        sentence="A key is looked up by its beginning and charged, and the rest is compared afterwards",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-11",),
        plant=_victim_pays,
    ),
    Fault(
        name="remaining-never-shrinks",
        sentence="Responses always say that everything is left",
        family=Family.DEPLOYMENT,
        clauses=("RATE-5",),
        plant=_saying(_never_less),
        meaningful=_says("<remaining>"),
    ),
    Fault(
        name="another-limit-advertised",
        sentence="Responses say twice the amount that the limiter goes by",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-4",),
        plant=_saying(lambda standing: replace(standing, amount=2 * standing.amount)),
        meaningful=_says("<limit>"),
    ),
    Fault(
        name="created-key-of-another-plan",
        sentence="A key that the API creates has the amounts of another plan than the organisation's",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-4",),
        plant=_of_another_plan("create"),
        meaningful=_plans_are_said,
    ),
    Fault(
        name="rotated-key-of-another-plan",
        sentence="The key that takes another's place has the amounts of another plan",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-4",),
        plant=_of_another_plan("rotate"),
        meaningful=_plans_are_said,
    ),
    Fault(
        name="quota-fields-in-words",
        sentence="The rate-limit fields write parameters out in words, where parsers look for letters",
        family=Family.IMPLEMENTATION,
        clauses=("RATE-6",),
        plant=lambda seams: answering(seams, lambda _server, _call, _decision, answer: _in_words(answer)),
        meaningful=_by_letters,
    ),
    Fault(
        name="quota-refusal-stored",
        sentence="A cache may keep a refusal for quota and give it to anybody",
        family=Family.DEPLOYMENT,
        clauses=("RATE-14",),
        plant=_on_refusals(_public),
    ),
)
