"""What the faults of `_caching` do."""

from __future__ import annotations

from fault_scenarios._scenario import Shown

SHOWN: Shown = {}
