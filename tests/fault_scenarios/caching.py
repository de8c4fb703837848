"""What the faults of `_caching` do."""

from __future__ import annotations

from shop import Caller, headers

from fault_scenarios._scenario import Scenario, Shown


def _kept(*, with_key: bool = True) -> Scenario:
    """Return what an answer says to caches."""

    def scenario(caller: Caller) -> str | None:
        return headers(caller.send("GET", "/orders", caller.key() if with_key else None)).get("cache-control")

    return scenario


def _new_key(caller: Caller) -> str | None:
    return headers(caller.send("POST", "/keys", caller.key(), {"scope": "read"})).get("cache-control")


SHOWN: Shown = {
    "data-for-every-cache": (_kept(), "no-store", "public, max-age=60"),
    "network-keeps-data": (_kept(), "no-store", "s-maxage=30"),
    "nothing-said-to-caches": (_kept(), "no-store", None),
    "new-keys-are-kept": (_new_key, "no-store", "max-age=0, private"),
    "refusals-are-kept": (_kept(with_key=False), "no-store", "max-age=300"),
}
