"""Faults of what answers say to caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authcontract_engine import Contract, Decision

from authcontract_conformance.reference import Answer, Call, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._management import is_to, unmanaged
from ._tools import Onward, answering, passing, without

_FIELD: Final = "Cache-Control"
_READS: Final = frozenset({b"GET", b"HEAD"})


def _labelled(text: str | None, which: Callable[[Call, Answer], bool]) -> Plant:
    """Say something else to caches on some answers; nothing where the text is None."""

    def plant(seams: Seams) -> Seams:
        def change(_server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
            if not which(call, answer):
                return answer
            line = () if text is None else ((_FIELD, text),)
            return replace(answer, headers=(*without(answer, _FIELD).headers, *line))

        return answering(seams, change)

    return plant


def _new_keys_kept(seams: Seams) -> Seams:
    """Say of a new key what the framework says of every answer."""

    def change(server: Server, call: Call, _decision: Decision, answer: Answer) -> Answer:
        new = answer.status in range(200, 300) and (is_to(server, call, "create") or is_to(server, call, "rotate"))
        line = (_FIELD, "max-age=0, private")
        return replace(answer, headers=(*without(answer, _FIELD).headers, line)) if new else answer

    return answering(seams, change)


def _new_keys_promised(contract: Contract) -> str | None:
    return unmanaged(contract) or _promises_no_store(contract)


def _data(call: Call, answer: Answer) -> bool:
    return answer.status == 200 and call.request.method in _READS  # noqa: PLR2004  RFC 9110 section 15.3.1


def _refusal(_: Call, answer: Answer) -> bool:
    return answer.status in (401, 403)


def _accelerated(seams: Seams) -> Seams:
    """Put a delivery network in front that marks every success as fit for all."""

    def network(_server: Server, message: Message, onward: Onward) -> Answer:
        answer = onward(message)
        if answer.status != 200 or message.head.method not in _READS:  # noqa: PLR2004  as above
            return answer
        return replace(answer, headers=(*without(answer, _FIELD).headers, (_FIELD, "s-maxage=30")))

    return passing(seams, network)


def _promises_no_store(contract: Contract) -> str | None:
    named = any(name.lower() == _FIELD.lower() for name in contract.policy.headers)
    return None if named else "the policy promises no Cache-Control"


FAULTS: Final = (
    Fault(
        name="data-for-every-cache",
        sentence="Data is answered with `public`, so that a shared cache may show it to everybody",
        family=Family.IMPLEMENTATION,
        clauses=("CACHE-1",),
        plant=_labelled("public, max-age=60", _data),
    ),
    Fault(
        name="network-keeps-data",
        sentence="A delivery network in front marks every success with `s-maxage`",
        family=Family.DEPLOYMENT,
        clauses=("CACHE-1",),
        plant=_accelerated,
    ),
    Fault(
        name="nothing-said-to-caches",
        sentence="Data is answered without the promised word to caches",
        family=Family.IMPLEMENTATION,
        clauses=("CACHE-2",),
        plant=_labelled(None, _data),
        meaningful=_promises_no_store,
    ),
    Fault(
        name="new-keys-are-kept",
        sentence="The one answer that shows a new key may be stored by the browser, as the framework has it by default",
        family=Family.LIBRARY,
        clauses=("CACHE-2",),
        plant=_new_keys_kept,
        meaningful=_new_keys_promised,
    ),
    Fault(
        name="refusals-are-kept",
        sentence="Refusals by 401 and 403 may be kept for five minutes",
        family=Family.LIBRARY,
        clauses=("CACHE-3",),
        plant=_labelled("max-age=300", _refusal),
    ),
)
