"""Faults of what a response gives away of keys that open nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authcontract_engine import Decision, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Identity, Message, Seams, Server, Sight

from ._fault import Family, Fault
from ._tools import Onward, answering, passing, presented, rewritten

_REAL_ONCE: Final = frozenset({Cause.REVOKED, Cause.EXPIRED})
#: A hash of passwords takes no more (CVE-2025-22228 is about what happens to the rest).
_LONGEST: Final = 72
#: A column of a database holds so many by habit.
_COLUMN: Final = 255


def _says_revoked(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        if decision.cause not in _REAL_ONCE:
            return answer
        return replace(answer, headers=(*answer.headers, ("X-Key-Status", "retired")))

    return answering(seams, change)


def _hints_in_body(seams: Seams) -> Seams:
    def change(_server: Server, _call: Call, decision: Decision, answer: Answer) -> Answer:
        if decision.cause is not Cause.REVOKED:
            return answer
        return rewritten(answer, lambda body: {**body, "hint": "This key has been replaced."})

    return answering(seams, change)


def _ascii_only(seams: Seams) -> Seams:
    """Compare keys as texts, by a function that takes ASCII only; whoever catches the error answers 500."""

    def authenticate(server: Server, request: Request, now: float) -> Identity:
        if any(byte > 127 for key in presented(server, request) for byte in key):  # noqa: PLR2004  ASCII
            raise TypeError
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def _hash_of_72(seams: Seams) -> Seams:
    """Hash keys by a function that refuses more than 72 bytes by an error."""

    def proxy(server: Server, message: Message, onward: Onward) -> Answer:
        request = server.seams.parse(server, message)
        long = any(len(key) > _LONGEST for key in presented(server, request))
        return Answer(500, (("Content-Type", "text/plain"),), b"Internal Server Error") if long else onward(message)

    return passing(seams, proxy)


def _long_names_break(seams: Seams) -> Seams:
    """Look objects up by a column that raises an error for a longer name than it holds."""

    def look(server: Server, call: Call) -> Sight:
        if any(len(name) > _COLUMN for name in call.reading.path_parameters.values()):
            raise ValueError
        return seams.look(server, call)

    return replace(seams, look=look)


FAULTS: Final = (
    Fault(
        name="retired-keys-are-told-apart",
        sentence="A key that was real once gets another field in its refusal than one that never was",
        family=Family.IMPLEMENTATION,
        clauses=("LEAK-2",),
        plant=_says_revoked,
    ),
    Fault(
        name="revoked-key-is-told-so",
        sentence="The refusal of a revoked key says that it was replaced",
        family=Family.IMPLEMENTATION,
        clauses=("LEAK-2",),
        plant=_hints_in_body,
    ),
    Fault(
        name="500-for-a-key-beyond-ascii",
        sentence="A key with a letter beyond ASCII makes the comparison fail, and the answer is 500",
        family=Family.LIBRARY,
        clauses=("LEAK-5",),
        plant=_ascii_only,
    ),
    Fault(
        name="500-for-a-long-key",
        sentence="A key of more than 72 bytes makes the hash fail, and the answer is 500",
        family=Family.LIBRARY,
        clauses=("LEAK-5",),
        plant=_hash_of_72,
    ),
    Fault(
        name="long-id-breaks",
        sentence="The name of an object of more than 255 characters makes the look-up fail, and the answer is 500",
        family=Family.LIBRARY,
        clauses=("LEAK-5",),
        plant=_long_names_break,
    ),
)
