"""What the faults of `_leaks` do."""

from __future__ import annotations

from shop import Caller, headers

from fault_scenarios._scenario import DAY, Scenario, Shown


def _dead(*steps: str) -> Scenario:
    """Let a key die, and return whether its refusal has a field of its own and a hint in its body."""

    def scenario(caller: Caller) -> tuple[bool, bool]:
        admin, key = caller.key(), caller.key("read")
        if "rotate" in steps:
            caller.status("POST", f"/keys/{key.id}/rotate", admin)
            caller.server.clock.advance(float(DAY.partition(":")[2]))
        else:
            caller.status("DELETE", f"/keys/{key.id}", admin)
        answer = caller.send("GET", "/orders", key)
        return "x-key-status" in headers(answer), b"hint" in answer.body

    return scenario


SHOWN: Shown = {
    "retired-keys-are-told-apart": (_dead("rotate"), (False, False), (True, False)),
    "revoked-key-is-told-so": (_dead("revoke"), (False, False), (False, True)),
    "500-for-a-key-beyond-ascii": (lambda c: c.status("GET", "/orders", "sk_live_\xe9"), 401, 500),
    "long-id-breaks": (lambda c: c.status("GET", "/orders/" + "x" * 300, c.key()), 404, 500),
    "500-for-a-long-key": (lambda c: c.status("GET", "/orders", "sk_live_" + "x" * 80), 401, 500),
}
