"""The engine: compile a contract once, decide requests by it. Pure: no file, socket, clock, environment or log."""

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
    "UNKNOWN",
    "Body",
    "Charge",
    "Decision",
    "Facts",
    "KeyRecord",
    "KeyState",
    "Object",
    "Request",
    "Reservation",
    "Response",
    "Rule",
    "Standing",
    "Unknown",
]
