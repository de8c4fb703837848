"""TEN: another organisation's objects do not exist for a key; with CACHE-4 and LEAK-7, which tell of them as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from authcontract_engine import KeyRecord, Object
from authcontract_policy import Cause, Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import CANARY, Exchange
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    skipped,
    warn,
)
from authcontract_conformance.world._caches import kept_from_others
from authcontract_conformance.world._claims import claims_of, sort_of_list
from authcontract_conformance.world._counting import counts_stand_still, figures, searched_and_paged
from authcontract_conformance.world._isolation import (
    FOREIGN,
    HIDDEN,
    NONE_MADE,
    Border,
    border_of,
    foreign_list,
    foreign_objects,
    listers,
    made,
    reach,
    some,
    sorts,
    summed,
)
from authcontract_conformance.world._references import nested, other_parent, references, referring
from authcontract_conformance.world._repeated import (
    creators,
    document_kept,
    key_creator,
    key_repeated,
    list_kept,
    object_repeated,
)
from authcontract_conformance.world._searching import searched_elsewhere, searches
from authcontract_conformance.world._world import SAFE, World

METHODS = ("GET", "PATCH", "PUT", "DELETE", "POST")
ABSENT = Reality(object=Object.ABSENT)
#: How a request is refused for its form before anybody looks for an object.
MALFORMED = frozenset({400, 414, 422})


def _not_isolated(world: World) -> str | None:
    return None if "organisation" in world.policy.isolation else "the policy does not isolate organisations"


# --- TEN-1: by id and in lists -------------------------------------------------------------------------------------


def _ten_1(world: World) -> Iterable[Case]:
    border = border_of(world)
    for sort, operations in sorts(world, METHODS).items():
        yield Case(f"{sort} of organisation A, keys of B", partial(foreign_objects, operations, border))
    for lister in listers(world):
        subject = f"{lister.label}: an object of organisation A, a key of B"
        yield Case(subject, partial(foreign_list, lister, border))


# --- TEN-2: foreign is like absent ---------------------------------------------------------------------------------


def made_up(name: str, world: World) -> str:
    """Return an id of the same form that names nothing: each letter and figure of its last part is another one."""
    head, tail = name[: -len(name) // 2], name[-len(name) // 2 :]
    hexadecimal = re.fullmatch(r"[0-9a-fA-F-]+", name) is not None
    letters = "abcdef" if hexadecimal else "abcdefghijklmnopqrstuvwxyz"

    def other(character: str) -> str:
        if character.isdecimal():
            return world.random.choice([c for c in "123456789" if c != character])
        if character.lower() in letters:
            found = world.random.choice([c for c in letters if c != character.lower()])
            return found.upper() if character.isupper() else found
        return character

    return head + "".join(map(other, tail))


def _like_absent(operations: Sequence[Operation], world: World) -> Steps:
    border = border_of(world)
    item = yield from world.item(operations[0], border.owner, border.home)
    if not made(item):
        return skipped(NONE_MADE)
    last = world.resources.steps(operations[0])[-1].parameter
    nobody = replace(item, parameters={**item.parameters, last: made_up(item.parameters[last], world)})
    judged = []
    for operation in operations:
        if operation.method not in SAFE and not item.own and not world.settings.disposable:
            continue
        foreign = yield from reach(world, operation, item, border)
        absent = yield from reach(world, operation, nobody, border)
        judged.append((operation.label, _compared(world, foreign, absent)))
    return summed(judged)


def _compared(world: World, foreign: Exchange, absent: Exchange) -> Judgement:
    if foreign.broken or absent.broken:
        return inconclusive(broken(foreign if foreign.broken else absent))
    if describe_exchange(foreign) == describe_exchange(absent):
        return PASSED
    if foreign.succeeded:
        return inconclusive("it was served, so that there is no refusal to compare")
    if absent.status in MALFORMED and foreign.status not in MALFORMED:
        return inconclusive("a made-up id of the same form is refused for its form")
    if world.expect(foreign.probe, FOREIGN).describe() != world.expect(absent.probe, ABSENT).describe():
        return skipped("the contract answers them differently")
    evidence = Evidence(
        expected=f"{describe_exchange(absent)}, as for an object that does not exist",
        got=describe_exchange(foreign),
        exchange=foreign,
        control=absent,
    )
    return warn(evidence, "the answer tells that somebody else has such an object")


def _ten_2(world: World) -> Iterable[Case]:
    for sort, operations in sorts(world, METHODS).items():
        yield Case(f"{sort}: one of organisation A, and one that does not exist", partial(_like_absent, operations))


def _told_apart(world: World) -> str | None:
    reason = _not_isolated(world)
    rows = [row for row in world.policy.errors.values() if Cause.FOREIGN_OBJECT in row.when]
    if reason is None and rows and not any(Cause.UNKNOWN_OBJECT in row.when for row in rows):
        return "the contract answers them differently"
    return reason


# --- TEN-3: figures, searches, pages -------------------------------------------------------------------------------


def _ten_3(world: World) -> Iterable[Case]:
    border = border_of(world)
    yield Case("what B reads before and after A makes objects", partial(counts_stand_still, border))
    for lister in listers(world):
        subject = f"{lister.label}: B searches for an object of A"
        yield Case(subject, partial(searched_and_paged, lister, border))
    for operation, lister in searches(world):
        subject = f"{operation.label}: B searches for an object of A"
        yield Case(subject, partial(searched_elsewhere, operation, lister, border))


def _no_list(world: World) -> str | None:
    return _not_isolated(world) or (None if listers(world) else "no list shows what a run can make")


# --- TEN-4: names of others in bodies, queries and fields ----------------------------------------------------------


def _ten_4(world: World) -> Iterable[Case]:
    for operation, where, field, target in some(tuple(references(world)), 12):
        subject = f"{operation.label} of B, with an object of A as `{field}`"
        yield Case(subject, partial(referring, operation, where, field, target))
    if sort_of_list(world) is not None:
        yield Case("requests of B that claim to come from A", partial(_claiming_organisation, border_of(world)))
    for operation, reader in creators(world):
        subject = f"{operation.label} of A, then of B, with the same Idempotency-Key"
        yield Case(subject, partial(object_repeated, operation, reader, border_of(world)))
    creator = key_creator(world)
    if creator is not None:
        subject = f"{creator.label} of A, then of B, with the same Idempotency-Key"
        yield Case(subject, partial(key_repeated, creator, border_of(world)))


def _claiming_organisation(border: Border, world: World) -> Steps:
    return (yield from claims_of(world, border))


def _no_names(world: World) -> str | None:
    return _not_isolated(world) or (None if any(True for _ in _ten_4(world)) else "no object can be made and named")


# --- TEN-5: nested objects -----------------------------------------------------------------------------------------


def _ten_5(world: World) -> Iterable[Case]:
    for operation in nested(world):
        subject = f"{operation.label}: inside of an object of B, one from inside of A's"
        yield Case(subject, partial(other_parent, operation))


def _notnested(world: World) -> str | None:
    return _not_isolated(world) or (None if nested(world) else "no object that a run can make lies inside another")


# --- CACHE-4 -------------------------------------------------------------------------------------------------------


def _cache_4(world: World) -> Iterable[Case]:
    several = Capability.SECOND_ORGANISATION in world.settings.capabilities and _not_isolated(world) is None
    steps = partial(kept_from_others, "B" if several else None)
    yield Case("an object, asked for again at the same addresses by others", steps)
    if not several:
        return
    for lister in listers(world)[:1]:
        yield Case(f"{lister.label} with a query of A's, asked for by B", partial(list_kept, lister, border_of(world)))
    documents = [op for op in figures(world) if world.resources.is_document(op)]
    for operation in documents[:1]:
        yield Case(f"{operation.label} of A's, asked for by B", partial(document_kept, operation, border_of(world)))


# --- LEAK-7 --------------------------------------------------------------------------------------------------------


def _leak_7(world: World, exchange: Exchange) -> Judgement | None:
    """Look for what was put into an object in refusals to whoever may not see it."""
    if exchange.status not in HIDDEN | {401}:
        return None
    sent = b"".join(part for part in (*exchange.probe.body, *exchange.probe.target) if isinstance(part, bytes))
    for found in CANARY.findall(exchange.body):
        planted = world.settings.planted.get(found.decode())
        if planted is None or found in sent:
            continue
        presented = world.expect(exchange.probe).facts.key
        if not _may_see(world, presented if isinstance(presented, KeyRecord) else None, *planted):
            evidence = world.expect(exchange.probe, FOREIGN).evidence(
                exchange, got=f"{describe_exchange(exchange)} with the object's content"
            )
            return fail(evidence, "a refusal shows what is in the object")
    return PASSED


def _may_see(world: World, presented: KeyRecord | None, maker: KeyRecord, reader: Operation | None) -> bool:
    if presented is None:
        return reader is not None and world.access.public(reader)
    theirs = any(getattr(presented, side) != getattr(maker, side) for side in world.policy.isolation)
    return not theirs and (reader is None or world.contract.permit(reader, presented, None).allowed)


_PARTITION = "Put the organisation of the key into every query, not into the handler that happens to think of it."
_PEER = frozenset({Capability.SECOND_ORGANISATION})

CLAUSES = (
    Clause(
        id="TEN-1",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP ASVS 8.2.2"),
        promise="A key neither sees nor changes another organisation's objects, by id or in lists.",
        why="An id in a URL is all it takes where the query forgets whose object it is.",
        how="An object of each sort is made in one organisation; keys of another one, with every right in their own, "
        "read, change and delete it by its id and look for it in lists. It must come back to nobody, and be as it was. "
        "Whatever is not plainly refused is done again alone.",
        fix=_PARTITION,
        precedents=("GHSA-c2c9-mfw7-p8hw (Flowise: the key of any workspace reads all)",),
        variants=("V-C26",),
        needs=_PEER,
        inapplicable=_not_isolated,
        cases=_ten_1,
    ),
    Clause(
        id="TEN-2",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("RFC 9110 section 15.5.4", "CWE-204"),
        promise="Somebody else's object is answered like one that does not exist.",
        why="Where the two differ, anybody can try ids and learn which ones others have.",
        how="Each operation is called on an object of another organisation, and on an id of the same form that nobody "
        "has. Another status or another code is a warning; a made-up id that is refused for its form proves nothing.",
        fix="Look objects up within the organisation of the key, so that there is one way not to find one.",
        variants=("V-L05",),
        needs=_PEER,
        inapplicable=_told_apart,
        cases=_ten_2,
    ),
    Clause(
        id="TEN-3",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP API3:2023"),
        promise="Lists, searches, pages and figures are made of one's own objects only.",
        why="The list is filtered, and its search, its second page or the count above it is another query.",
        how="One organisation reads whatever needs no id, another one makes objects, and the first one reads again: "
        "nothing of it may follow. A number that moved is believed if it moves twice as far for twice as many objects "
        "and rests when nothing is made. Lists are also searched for another's object, filtered by what "
        "it says and by documented values, and turned over; and so is what else searches.",
        fix=_PARTITION,
        needs=_PEER,
        # What is made for other clauses meanwhile would move figures over everybody by any number.
        alone=True,
        inapplicable=_no_list,
        cases=_ten_3,
    ),
    Clause(
        id="TEN-4",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023", "OWASP API3:2023", "OWASP ASVS 8.2.2"),
        promise="No id in a body, a query or a header field lets a key out of its organisation.",
        why="The path is checked; what else names something is passed on as it came.",
        how="Fields that name an object are given one of another organisation. Requests also claim to come from there: "
        "`X-Org-Id`, `?org_id=` and members of the body, in the usual spellings. They may be refused or read over; the "
        "other organisation's objects must neither change nor be shown, and it must get none that it did not make. "
        "Both make an object, and a key, with the same `Idempotency-Key`: each must get its own.",
        fix="Take the organisation from the key's record alone, and look up whatever a request names within it.",
        variants=("V-C29",),
        needs=_PEER,
        inapplicable=_no_names,
        cases=_ten_4,
    ),
    Clause(
        id="TEN-5",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API1:2023",),
        promise="An object inside of another one is checked as well, not only the outer one.",
        why="The parent in the path is one's own, so the check passes; then the child is fetched by its id alone.",
        how="Keys of one organisation call nested paths with a parent of their own and a child from inside of another "
        "organisation's parent. The child must neither change nor be shown.",
        fix="Look the child up inside of its parent, not among all children.",
        needs=_PEER,
        inapplicable=_notnested,
        cases=_ten_5,
    ),
    # It stands here since it needs what the other clauses need: objects, and a second organisation.
    Clause(
        id="CACHE-4",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9111 section 3.5", "OWASP ASVS 14.2.5"),
        promise="What was answered to one key is not given to the next that asks at the same address.",
        why="A cache in front of the API sees addresses; whether it sees keys is a matter of its settings.",
        how="An object's owner asks for it twice, then somebody without a key and a key of another organisation ask at "
        "the same address: its own, with a file's ending in the query, and with one behind the path. The object's "
        "content must not come back to them, with or without `Age`. Nor may a list that was asked for with a query, or "
        "what has an id of its own and is named by none.",
        fix="Send `Cache-Control: no-store`, and let no rule of a cache go by the ending of an address.",
        precedents=("CVE-2023-30861 (Flask: a cached answer with somebody's session)",),
        variants=("V-P08", "V-L09"),
        cases=_cache_4,
    ),
    Clause(
        id="LEAK-7",
        level=Level.MUST,
        basis=Basis.HARDENING,
        sources=("OWASP API1:2023", "CWE-209"),
        promise="A refusal does not show what is in the object that it keeps back.",
        why="A message with the name of what may not be seen has shown it.",
        how="Every 401, 403 and 404 of the run is searched for text that was put into an object. It may stand there "
        "for a key that may read the object, and where the request itself said it.",
        fix="Word refusals before the object is loaded, or at least without it.",
        passive=_leak_7,
        traffic=("TEN-1",),
        unseen="nothing was refused",
    ),
)
