"""Ids of the catalogue that are no clause of their own: each still explains itself (Decided 21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """An id without a clause: what it promised, where that is judged now, and why it does not stand alone."""

    promise: str
    reason: str
    #: The clause that judges it; None: nothing does.
    into: str | None = None


MERGED: Final[Mapping[str, Merged]] = {
    "SCOPE-3": Merged(
        into="SCOPE-1",
        promise="A key that may write may not delete.",
        reason="It is a cell of the matrix; findings name the cell.",
    ),
    "SCOPE-4": Merged(
        into="SCOPE-1",
        promise="A key that may write manages neither keys, webhooks nor settings, though it may use the same methods.",
        reason="It is a cell of the matrix; findings name the cell.",
    ),
    "ERR-6": Merged(
        into="ERR-5",
        promise="The message and the address in an error are those of the documentation.",
        reason="They are part of the error body; whether they are promises or examples is the policy's to say.",
    ),
    "ERR-11": Merged(
        into="RATE-7",
        promise="A refusal for quota is a 429 that explains itself and says when to come back.",
        reason="By its status the clauses on limits count, its body is ERR-5's, and when to come back is judged there.",
    ),
    "RATE-2b": Merged(
        into="RATE-3",
        promise="All that a limit allows may be sent at once.",
        reason="It is promised only where the policy names a way of counting that does, and there the number is exact.",
    ),
    "TRANS-4": Merged(
        promise="A key that was seen in clear is revoked.",
        reason="No documentation promises it, so neither answer of a target is wrong.",
    ),
    "LEAK-3": Merged(
        promise="Time does not tell a near miss from a key that nobody issued.",
        reason="Over a network a difference proves nothing, and thousands of requests would not change that.",
    ),
    "LEAK-6": Merged(
        promise="Responses do not name versions of the software.",
        reason="It is no promise about access, and proxies add such fields by themselves.",
    ),
    "ENV-7": Merged(
        into="ERR-5",
        promise="Another environment has the limits and the errors that the documentation gives it.",
        reason="The policy states limits and errors for each environment, and whatever judges them judges each by it.",
    ),
    "RATE-16": Merged(
        promise="Requests without a key are limited somewhere.",
        reason="To show it one has to flood the target, which looks like an attack and harms others.",
    ),
    "LIFE-12": Merged(
        into="RATE-8",
        promise="Rotating a key gives it no more requests than it had.",
        reason="A counter has to be used up to show it; the new key is one of those that may draw on the same one.",
    ),
    "PREC-2": Merged(
        into="ROUTE-1",
        promise="Without a key nothing is carried out, whatever else a request holds.",
        reason="Paths, methods, hosts and bodies are each tried without a key by the clause on them.",
    ),
    "PREC-3": Merged(
        into="SCOPE-5",
        promise="Too little of a scope is told before a body that is broken.",
        reason="It is the same request.",
    ),
    "PREC-6": Merged(
        into="LIFE-7",
        promise="A revoked key is refused, whether it had requests left or not.",
        reason="The order of the two refusals is the policy's; that a dead key opens nothing is judged there.",
    ),
    "PREC-7": Merged(
        into="SCOPE-2",
        promise="A method that a path has not is refused to a key that may too little, as one or as the other.",
        reason="It is the same request, and either refusal is right; only an effect would be wrong.",
    ),
    "V-P17": Merged(
        promise="Two requests in the bytes of one are never divided in another way by a proxy and by a server.",
        reason="What it leaves on a connection meets the next caller, who may be anybody, so no target is tried by it.",
    ),
}
