"""Faults of caches in front of a server that is right: what was answered to one is given to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from authcontract_conformance.reference import Answer, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import Onward, passing

#: A cache keeps what was asked for so many times.
_USES: Final = 2
_SERVED: Final = 200
#: What a gateway answers by itself, of keys, rights and limits.
_AT_THE_GATE: Final = frozenset({401, 403, 429})


def _one(server: Server, message: Message) -> bool:
    """Tell whether a request reads one object."""
    request = server.seams.parse(server, message)
    return message.head.method == b"GET" and bool(server.contract.read(request).path_parameters)


def _cached_for_keys(seams: Seams) -> Seams:
    """Let a gateway check the key, and then answer from a cache that goes by the address alone.

    It keeps an object that was asked for several times, until somebody sends anything but GET to its address.
    """
    kept: dict[bytes, list[Answer]] = {}

    def gateway(server: Server, message: Message, onward: Onward) -> Answer:
        address = message.head.target
        if message.head.method != b"GET":
            kept.pop(address, None)
        if not _one(server, message):
            return onward(message)
        answers = kept.setdefault(address, [])
        answer = onward(message)
        if len(answers) >= _USES and answer.status not in _AT_THE_GATE:
            return replace(answers[0], headers=(*answers[0].headers, ("Age", "1")))
        if answer.status == _SERVED:
            answers.append(answer)
        return answer

    return passing(seams, gateway)


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


FAULTS: Final = (
    Fault(
        name="gateway-caches-by-address",
        sentence="A gateway checks the key and then answers from a cache that does not know whose answer it was",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-4",),
        plant=_cached_for_keys,
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
)
