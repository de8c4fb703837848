"""What the faults of `_cross_origin` do."""

from __future__ import annotations

from fault_scenarios._scenario import Shown

SHOWN: Shown = {}
