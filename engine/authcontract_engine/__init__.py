"""The engine: compile a contract once, decide requests by it. Pure: no file, socket, clock, environment or log."""

from ._contract import Contract, ContractError, Reading, compile
from ._keys import Presented
from ._limits import STEPS, Limit, Outcome
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
    "Charge",
    "Contract",
    "ContractError",
    "Decision",
    "Facts",
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
    "Rule",
    "Standing",
    "Unknown",
    "compile",
]
