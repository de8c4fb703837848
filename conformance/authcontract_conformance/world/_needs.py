"""Keys in words, as reports name them."""

from __future__ import annotations

from authcontract_conformance.exchange._exchange import Need

#: So many scopes are each named.
NAMED = 8


def describe(need: Need) -> str:
    """Return a key in words: what it is, what it holds, where, and whose."""
    many = len(need.scopes) > NAMED
    scopes = f"{len(need.scopes)} scopes" if many else " + ".join(sorted(need.scopes)) or "no scope"
    parts = [need.kind, f"with {scopes}"]
    if need.plan:
        parts.append(f"on plan {need.plan}")
    if need.environment:
        parts.append(f"in {need.environment}")
    parts.append(f"of organisation {need.organisation}")
    return " ".join(parts) + ("" if need.state == "active" else f", {need.state}")
