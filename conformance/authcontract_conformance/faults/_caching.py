"""Faults of caching."""

from __future__ import annotations

from typing import Final

from ._fault import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
