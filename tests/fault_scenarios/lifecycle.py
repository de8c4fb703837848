"""What the faults of `_lifecycle` do."""

from __future__ import annotations

from shop import Caller

from fault_scenarios._scenario import DAY, Scenario, Shown, issued_beside_another, life, rotated_may, shown_again


def strongest_rotated(caller: Caller) -> int:
    """Rotate a key that may everything, and use the new one where only such keys may."""
    admin = caller.key()
    new = caller.json("POST", f"/keys/{caller.key().id}/rotate", admin)["secret"]
    return caller.status("GET", "/shop", new)


def reads_an_object(*steps: str) -> Scenario:
    """Let a key live that reads an object over one connection, and return how that is answered in the end."""

    def scenario(caller: Caller) -> int:
        admin, key = caller.key(), caller.key("read")
        path = f"/orders/{caller.order(admin)}"
        for step in steps:
            caller.status("GET", path, key)
            match step.partition(":"):
                case ("rotate", _, _):
                    caller.status("POST", f"/keys/{key.id}/rotate", admin)
                case ("revoke", _, _):
                    caller.status("DELETE", f"/keys/{key.id}", admin)
                case ("wait", _, seconds):
                    caller.server.clock.advance(float(seconds))
        return caller.status("GET", path, key)

    return scenario


def _changed_in_grace(caller: Caller) -> int:
    old = caller.key("write")
    caller.status("POST", f"/keys/{old.id}/rotate", caller.key())
    return caller.status("POST", "/orders", old, {"name": "x"})


SHOWN: Shown = {
    "rotation-gives-the-least-scope": (strongest_rotated, 200, 403),
    "expired-key-keeps-its-connection": (reads_an_object("rotate", DAY), 401, 200),
    "old-key-keeps-its-connection": (reads_an_object("rotate", "revoke"), 401, 200),
    "revoked-key-reads-objects-again": (reads_an_object("revoke", "wait:3600"), 401, 200),
    "new-key-late": (issued_beside_another, 200, 401),
    "key-shown-again": (shown_again, False, True),
    "other-keys-shown-again": (shown_again, False, True),
    "rotation-drops-scope": (rotated_may, (200, 403), (403, 403)),
    "rotation-widens-scope": (rotated_may, (200, 403), (200, 200)),
    "old-key-only-reads": (_changed_in_grace, 201, 403),
    "no-grace": (life("rotate"), (200, 200), (401, 200)),
    "grace-an-hour-short": (life("rotate", "wait:86399"), (200, 200), (401, 200)),
    "grace-an-hour-long": (life("rotate", DAY), (401, 200), (200, 200)),
    "new-key-ends-with-old": (life("rotate", DAY), (401, 200), (401, 401)),
    "revoking-waits-for-grace": (life("rotate", "revoke"), (401, 200), (200, 200)),
    "revoking-takes-both": (life("rotate", "revoke"), (401, 200), (401, 401)),
    "revocation-cached": (life("use", "revoke"), (401,), (200,)),
    "revoked-key-returns": (life("use", "revoke", "wait:3600"), (401,), (200,)),
    "revoked-on-new-connections-only": (life("use", "revoke"), (401,), (200,)),
    "revoked-key-reads": (life("revoke"), (401,), (200,)),
}
