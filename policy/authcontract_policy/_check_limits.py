"""Rate limits: what a request costs is said for something that exists, and only a bucket has a burst."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ._coverage import no_match
from ._diagnostics import Diagnostic, quote, suggestion
from ._model import OTHERS, Cause, Path, Policy
from ._operations import Specification
from ._places import at_key
from ._selectors import Extents, selector

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def check_bursts(policy: Policy) -> Iterator[Diagnostic]:
    """Yield bursts of limits that are no bucket."""
    for name, limit in policy.rate_limits.items():
        if limit.burst is not None and limit.algorithm != "token_bucket":
            path: Path = ("rate_limits", name, "burst")
            help_ = "write `algorithm: token_bucket`, or leave `burst` out"
            yield at_key(policy.document, path, "burst-without-bucket", "only a token bucket has a burst", help=help_)


def check_costs(policy: Policy, specification: Specification) -> Iterator[Diagnostic]:
    """Yield costs of what is neither cause, operation nor method."""
    extents = Extents(specification.operations)
    words = {*Cause, *METHODS, OTHERS}
    for name, limit in policy.rate_limits.items():
        for written in limit.costs:
            path: Path = ("rate_limits", name, "costs", written)
            chosen = selector(written)
            if written in words or extents.of(chosen):
                continue
            if chosen.how != "id":
                yield no_match(policy, specification, path, chosen)
                continue
            candidates = [*words, *(operation.id for operation in specification.operations)]
            message = f"{quote(written)} is neither cause, operation nor method"
            yield at_key(policy.document, path, "unknown-cost", message, help=suggestion(written, sorted(candidates)))
