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
}
