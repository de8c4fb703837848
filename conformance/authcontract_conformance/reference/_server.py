"""The server itself: one contract, its stores, and the order in which a request meets the stages.

Who may not call an operation gets neither a body parsed nor an object looked up: the contract decides first as if both
were fine, and only a request that would then pass is looked at.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Final

from authcontract_engine import Body, Contract, Facts, MemoryLimiter
from authcontract_policy import Algorithm

from ._call import Call, Outcome
from ._clock import Clock
from ._keyring import Keyring
from ._message import Answer, Message
from ._seams import CORRECT, Seams
from ._store import Store
from ._validation import Validation

#: What a caller hears of a mistake of ours: nothing (RFC 9457).
_INTERNAL: Final = Answer(
    500,
    (("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")),
    b'{"status":500,"title":"Internal Server Error"}',
)
#: What OPTIONS answers on a path that documents none: the methods in `Allow`, and nothing else.
OPTIONS: Final = Outcome(204)


class Server:
    """One contract served, without sockets."""

    def __init__(self, contract: Contract, *, seams: Seams = CORRECT, algorithm: Algorithm | None = None) -> None:
        self.contract = contract
        self.seams = seams
        self.clock = Clock()
        self.validation = Validation(contract.specification)
        self.store = Store(contract.policy, contract.specification, self.validation)
        self.keyring = Keyring(contract, self.store, lambda record, secret: seams.keep(self, record, secret))
        self.limiter = (
            MemoryLimiter(contract) if algorithm in {None, "any"} else MemoryLimiter(contract, str(algorithm))
        )

    def reset(self) -> None:
        """Forget keys, data and counts, as if just started; the clock stays, since it never goes back."""
        self.keyring.clear()
        self.store.data.clear()
        self.limiter.reset()

    def serve(self, message: Message) -> Answer:
        """Answer a message; a mistake of ours denies, and shows nothing of itself to the caller."""
        try:
            return self.seams.transport(self, message)
        except Exception as error:  # noqa: BLE001  the edge: whatever went wrong, the answer is a refusal
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            # Not the message: it may quote what the caller sent.
            sys.stderr.write(f"internal error: {type(error).__name__}{where}\n")
            return _INTERNAL

    def handle(self, message: Message) -> Answer:
        """Take a message through every stage."""
        seams = self.seams
        now = self.clock.now()
        request = seams.parse(self, message)
        identity = seams.authenticate(self, request, now)
        call = Call(
            message=message,
            request=request,
            reading=seams.route(self, request, identity.reading),
            key=identity.key,
            now=now,
            facts=Facts(key=identity.key, now=now),
        )
        if seams.authorise(self, call, call.facts).allowed and call.reading.operation is not None:
            self.inspect(call)
        charges = seams.charge(self, call)
        usage = seams.limit(self, call, charges) if charges else None
        call.facts = replace(call.facts, usage=usage)
        decision = seams.authorise(self, call, call.facts)
        if usage is not None:
            costs = [(charge, self.contract.cost(charge, decision, request.method)) for charge in charges]
            self.limiter.settle(usage, tuple(costs), now)
        outcome = None
        if decision.allowed:
            outcome = seams.perform(self, call) if call.reading.operation is not None else OPTIONS
        return seams.respond(self, call, decision, outcome)

    def inspect(self, call: Call) -> None:
        """Look at object and body, for a caller who may know about them."""
        call.sight = self.seams.look(self, call)
        head = call.message.head
        content = self.validation.look(
            call.operation, call.reading.path_parameters, call.request.target, head.headers, call.message.body
        )
        call.content = content.body
        valid = content.valid
        if valid and self.keyring.manages(call.operation):
            valid = self.keyring.accepts(call)
        call.body = Body.VALID if valid else Body.INVALID
        call.facts = replace(
            call.facts, object=call.sight.object, body=call.body, key_state_conflict=call.sight.conflict
        )
