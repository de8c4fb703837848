"""Faults of methods that nobody documented."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authcontract_engine import Contract, Decision

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server

from ._fault import Family, Fault
from ._tools import carry_out_as, may


def _put_is_documented(contract: Contract) -> str | None:
    served = {method: {o.path for o in contract.operations if o.method == method} for method in ("GET", "POST", "PUT")}
    there = {path for path in served["GET"] if path.endswith("}") and path.rpartition("/")[0] in served["POST"]}
    return None if there - served["PUT"] else "no member of a collection that can be made and read has no PUT"


def _put_makes(seams: Seams) -> Seams:
    """Make what a PUT names and is not there, as whoever writes `save` for both does."""

    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        request, collection = call.request, call.request.target.partition(b"?")[0].rpartition(b"/")[0]
        if request.method == b"PUT" and call.reading.operation is None and call.key is not None:
            shown = server.seams.authenticate(server, replace(request, method=b"GET"), call.now).reading
            if shown.operation is not None and shown.path_parameters and may(server, call.key, shown.operation):
                sight = server.seams.look(server, replace(call, reading=shown))
                made = replace(call, request=replace(request, target=collection))
                if sight.item is None:
                    carry_out_as(server, made, b"POST")
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


FAULTS: Final = (
    Fault(
        name="put-creates-absent",
        sentence="PUT, which nobody documented, makes a member of a collection that is not there yet",
        family=Family.LIBRARY,
        clauses=("METH-2",),
        plant=_put_makes,
        meaningful=_put_is_documented,
    ),
)
