"""Why a check said what it said, in a few words beside its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from authcontract_engine import UNKNOWN, Contract, Facts, Reading, Step
from authcontract_policy import Cause, Check, Grant


def because(contract: Contract, reading: Reading, facts: Facts, step: Step) -> str:
    """Return the reason; nothing where the check was not reached or has nothing to add."""
    if step.outcome == "not reached":
        return ""
    if step.decision is not None and step.decision.cause is not None:
        word = REFUSED.get(step.decision.cause)
        return f"{step.decision.cause}: {word(contract, reading, facts)}" if word else step.decision.cause.value
    word = PASSED.get(step.check)
    return word(contract, reading, facts) if word else ""


_Words = Callable[[Contract, Reading, Facts], str]


def _grant(contract: Contract, reading: Reading, facts: Facts) -> Grant | None:
    """Return the row that decides; where nobody said what kind of object it is, that of the first kind."""
    if reading.operation is None:
        return None
    kind = None if facts.object_kind is UNKNOWN else facts.object_kind
    return contract.resolution.grants[reading.operation.id, kind or next(iter(contract.policy.objects), None)]


def _row(contract: Contract, reading: Reading, facts: Facts) -> str:
    grant = _grant(contract, reading, facts)
    return "" if grant is None else grant.capability


def _lacking(contract: Contract, reading: Reading, facts: Facts) -> str:
    """Say what the operation takes, and what of it the key holds."""
    grant = _grant(contract, reading, facts)
    sets = sorted(" and ".join(sorted(names)) for names in (grant.alternatives if grant is not None else None) or ())
    key = None if facts.key is UNKNOWN else facts.key
    held = sorted(key.scopes) if key is not None else []
    idle = [scope for scope in held if not _counts(contract, scope, reading.request.method.decode("latin-1"))]
    though = f", and {' and '.join(idle)} does not count on this method" if idle else ""
    return f"takes {' or '.join(sets)}; the key holds {', '.join(held) or 'no scope'}{though}"


def _counts(contract: Contract, scope: str, method: str) -> bool:
    methods = contract.resolution.methods.get(scope)
    return methods is None or method.replace("HEAD", "GET") in methods


def _left(_: Contract, __: Reading, facts: Facts) -> str:
    if facts.usage is None or facts.usage is UNKNOWN:
        return "no limit counts this"
    return "; ".join(f"{each.limit}: {each.remaining:,} of {each.amount:,} left" for each in facts.usage.standings)


def _spent(_: Contract, __: Reading, facts: Facts) -> str:
    standings = () if facts.usage is None or facts.usage is UNKNOWN else facts.usage.standings
    return "; ".join(
        f"{each.limit}: none of {each.amount:,} left, again in {max(1, math.ceil(each.retry_after))} s"
        for each in standings
        if not each.admitted
    )


def _life(contract: Contract, _: Reading, facts: Facts) -> str:
    if facts.key is None or facts.key is UNKNOWN:
        return "none is needed"
    return f"the key is {contract.state(facts.key, facts.now).value}"


PASSED: Final[Mapping[Check, _Words]] = {
    Check.KEY: _life,
    Check.LIMIT: _left,
    Check.PATH: lambda _, reading, __: reading.operation.path if reading.operation is not None else "",
    Check.METHOD: lambda _, reading, __: reading.operation.id if reading.operation is not None else "",
    Check.SCOPE: _row,
    Check.BODY: lambda _, __, facts: str(facts.body),
    Check.OBJECT: lambda _, __, facts: str(facts.object),
}
REFUSED: Final[Mapping[Cause, _Words]] = {
    Cause.PLAINTEXT: lambda _, __, ___: "plain HTTP",
    Cause.MISSING: lambda _, __, ___: "no documented header carries a key",
    Cause.MALFORMED: lambda _, __, ___: "what stands there cannot be a key",
    Cause.CONFLICTING: lambda _, __, ___: "two credentials that differ",
    Cause.UNKNOWN: lambda _, __, ___: "no such key was issued",
    Cause.THROTTLED: _spent,
    Cause.METHOD_NOT_ALLOWED: lambda _, reading, __: f"the path has {', '.join(reading.allowed_methods)}",
    Cause.INSUFFICIENT_SCOPE: _lacking,
    Cause.INSUFFICIENT_PLAN: _lacking,
}
