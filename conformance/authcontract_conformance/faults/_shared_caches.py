"""Faults of caches and of memories of repetitions: what was answered to one is given to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from authcontract_engine import Contract

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server
from authcontract_conformance.samples._links import Links

from ._fault import Family, Fault, Plant
from ._tools import Onward, passing, shared_by_organisations, values

#: A cache keeps what was asked for so many times.
_USES: Final = 2
_SERVED: Final = 200
#: What a gateway answers by itself, of keys, rights and limits.
_AT_THE_GATE: Final = frozenset({401, 403, 429})


def _one(server: Server, message: Message) -> bool:
    """Tell whether a request reads one object."""
    request = server.seams.parse(server, message)
    return message.head.method == b"GET" and bool(server.contract.read(request).path_parameters)


def _many(server: Server, message: Message) -> bool:
    """Tell whether a request reads a list, with a query."""
    operation = server.contract.read(server.seams.parse(server, message)).operation
    listed = operation is not None and operation.method == "GET" and server.store.shapes.lists(operation)
    return listed and not _one(server, message) and b"?" in message.head.target


def _named_by_nothing(server: Server, message: Message) -> bool:
    """Tell whether a request reads what no id names, such as the own account, without a query."""
    operation = server.contract.read(server.seams.parse(server, message)).operation
    if operation is None or operation.method != "GET" or "{" in operation.path:
        return False
    figures = server.store.links.lists(operation) or server.store.links.figures(operation)
    return b"?" not in message.head.target and not figures


def _cached_for_keys(when: Callable[[Server, Message], bool]) -> Plant:
    """Let a gateway check the key, and then answer from a cache that goes by the address alone.

    It keeps what was asked for several times, until somebody sends anything but GET to its address.
    """

    def plant(seams: Seams) -> Seams:
        kept: dict[bytes, list[Answer]] = {}

        def gateway(server: Server, message: Message, onward: Onward) -> Answer:
            address = message.head.target
            if message.head.method != b"GET":
                kept.pop(address, None)
            if not when(server, message):
                return onward(message)
            answers = kept.setdefault(address, [])
            answer = onward(message)
            if len(answers) >= _USES and answer.status not in _AT_THE_GATE:
                # What the gateway says of limits is about whoever asks.
                headers = answer.headers if answer.status == _SERVED else answers[0].headers
                return replace(answers[0], headers=(*headers, ("Age", "1")))
            if answer.status == _SERVED:
                answers.append(answer)
            return answer

        return passing(seams, gateway)

    return plant


def _has_documents(contract: Contract) -> str | None:
    """Say why nothing has an id that is read without one, or why it may be anybody's."""
    links = Links(contract.specification)
    plain = (op for op in contract.operations if op.method == "GET" and "{" not in op.path and not links.lists(op))
    found = any(links.has_identity(op) and not contract.permit(op, None, None).allowed for op in plain)
    return shared_by_organisations(contract) or (None if found else "nothing has an id that is read without one")


def _static(where: Callable[[bytes], bool], origin: Callable[[bytes], bytes]) -> Plant:
    """Keep whatever is served at an address that looks like a file's, and give it to everybody.

    `origin` says what the server behind the cache takes the address for.
    """

    def plant(seams: Seams) -> Seams:
        kept: dict[bytes, Answer] = {}

        def network(_server: Server, message: Message, onward: Onward) -> Answer:
            address = message.head.target
            if message.head.method != b"GET" or not where(address):
                return onward(message)
            if address in kept:
                return replace(kept[address], headers=(*kept[address].headers, ("Age", "1")))
            answer = onward(replace(message, head=replace(message.head, target=origin(address))))
            if answer.status == _SERVED:
                kept[address] = answer
            return answer

        return passing(seams, network)

    return plant


def _file_below(target: bytes) -> bool:
    path = unquote(target.partition(b"?")[0].decode("latin-1"))
    return path.endswith(".css") and "/" in path


def _without_file(target: bytes) -> bytes:
    path, mark, query = target.partition(b"?")
    return path.rpartition(b";" if b";" in path else b"/")[0] + mark + query


def _file_in_query(target: bytes) -> bool:
    return target.partition(b"?")[2].endswith((b".css", b".js", b".png"))


def _repeated(*, keys: bool) -> Plant:
    """Answer a POST as before where it carries an Idempotency-Key that was seen before, whoever sent it."""

    def plant(seams: Seams) -> Seams:
        seen: dict[tuple[bytes, bytes], Outcome] = {}

        def perform(server: Server, call: Call) -> Outcome:
            sent = values(call.request, "Idempotency-Key")
            if not sent or call.request.method != b"POST" or server.keyring.manages(call.operation) is not keys:
                return seams.perform(server, call)
            place = call.request.target, sent[0]
            if place not in seen:
                seen[place] = seams.perform(server, call)
            return seen[place]

        return replace(seams, perform=perform)

    return plant


def _creates_keys(contract: Contract) -> str | None:
    managed = contract.policy.keys.managed_by
    return None if managed is not None and managed.create else "no operation creates keys"


FAULTS: Final = (
    Fault(
        name="gateway-caches-by-address",
        sentence="A gateway checks the key and then answers from a cache that does not know whose answer it was",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_cached_for_keys(_one),
        meaningful=shared_by_organisations,
    ),
    Fault(
        name="gateway-caches-lists-by-address",
        sentence="A gateway answers lists with a query from a cache that does not know whose answer it was",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_cached_for_keys(_many),
        meaningful=shared_by_organisations,
    ),
    Fault(
        name="gateway-caches-documents-by-address",
        sentence="A gateway answers what no id names from a cache that does not know whose account that was",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_cached_for_keys(_named_by_nothing),
        meaningful=_has_documents,
    ),
    Fault(
        name="cache-keeps-what-ends-like-a-file",
        sentence="A path that ends in `.css` is served as what stands before it, and a cache keeps it for everybody",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_static(_file_below, _without_file),
    ),
    Fault(
        name="cache-goes-by-the-end-of-the-query",
        sentence="A cache takes an address whose query ends in `.css` for a file, and keeps it for everybody",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_static(_file_in_query, lambda target: target),
    ),
    Fault(
        name="idempotency-key-of-anybody",
        sentence="An Idempotency-Key that somebody else used before is answered with what was made for them",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-4",),
        plant=_repeated(keys=False),
    ),
    Fault(
        name="idempotency-key-shows-a-key",
        sentence="An Idempotency-Key that somebody else created a key with is answered with that key",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-4",),
        plant=_repeated(keys=True),
        meaningful=_creates_keys,
    ),
)
