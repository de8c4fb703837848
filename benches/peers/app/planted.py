"""Which defect this process has; at most one, named by the environment variable `DEFECT`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEFECT = os.environ.get("DEFECT", "")


def planted(name: str) -> bool:
    """Whether this process has that defect."""
    return name == DEFECT


def unless(name: str, decorator: Callable[[T], T]) -> Callable[[T], T]:
    """Return the decorator, or one that does nothing where it is the one that was forgotten."""

    def forgotten(handler: T) -> T:
        return handler

    return forgotten if planted(name) else decorator
