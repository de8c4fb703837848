"""One request on its way through the server, and what each stage found out about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authcontract_engine import Body, Facts, KeyRecord, Object, Reading, Request
from authcontract_policy import Operation

from ._data import Item, Partition
from ._message import Message


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request says of itself, and the key that it presents; None: there is none like it."""

    reading: Reading
    key: KeyRecord | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the store knows of the object that a request addresses."""

    object: Object = Object.OWN
    #: The nearest item on the path.
    item: Item | None = None
    #: Whose it is.
    partition: Partition = ()
    #: The key addressed, for operations that manage keys.
    record: KeyRecord | None = None
    #: Whether that key may not be rotated or revoked (G-21, G-24).
    conflict: bool = False


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way; each stage adds what it found out."""

    message: Message
    request: Request
    reading: Reading
    key: KeyRecord | None
    now: float
    facts: Facts
    #: Stays as it is for a request that may not see more.
    sight: Sight = field(default_factory=Sight)
    body: Body = Body.VALID
    #: The decoded body.
    content: Any = None

    @property
    def operation(self) -> Operation:
        """Return the operation, of a request that has one."""
        assert self.reading.operation is not None  # noqa: S101  only an allowed request is asked
        return self.reading.operation


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation that was carried out answers."""

    status: int
    media_type: str | None = None
    body: bytes = field(default=b"", repr=False)
