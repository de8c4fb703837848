"""The engine: compile a contract once, decide requests by it. Pure: no file, socket, clock, environment or log."""

from ._access import Cell, Holder, Row, access, holders
from ._change import Change, Effect, Subject
from ._changes import changes, in_words
from ._contract import Contract, ContractError, compile  # noqa: A004  the name that the design gives it
from ._credentials import Presented
from ._explain import Step, explain
from ._limits import STEPS, Limit, Outcome
from ._reading import Reading
from ._stores import KeyStateError, MemoryKeys, MemoryLimiter
from ._values import (
    UNKNOWN,
    Body,
    Charge,
    Decision,
    Facts,
    KeyRecord,
    KeyState,
    Object,
    Request,
    Reservation,
    Response,
    Rule,
    Standing,
    Unknown,
)

__all__ = [
    "STEPS",
    "UNKNOWN",
    "Body",
    "Cell",
    "Change",
    "Charge",
    "Contract",
    "ContractError",
    "Decision",
    "Effect",
    "Facts",
    "Holder",
    "KeyRecord",
    "KeyState",
    "KeyStateError",
    "Limit",
    "MemoryKeys",
    "MemoryLimiter",
    "Object",
    "Outcome",
    "Presented",
    "Reading",
    "Request",
    "Reservation",
    "Response",
    "Row",
    "Rule",
    "Standing",
    "Step",
    "Subject",
    "Unknown",
    "access",
    "changes",
    "compile",
    "explain",
    "holders",
    "in_words",
]
