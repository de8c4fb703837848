"""Faults of methods that nobody documented."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authcontract_engine import Decision

from authcontract_conformance.reference import Answer, Call, Outcome, Seams, Server

from ._fault import Family
from ._tools import carry_out_as, may, simple


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
    simple(
        "put-creates-absent",
        "PUT, which nobody documented, makes a member of a collection that is not there yet",
        "METH-2",
        _put_makes,
        Family.LIBRARY,
    ),
)
