"""What the faults of `_lifecycle` do."""

from __future__ import annotations

from fault_scenarios._scenario import DAY, Shown, issued_beside_another, life, rotated_may, shown_again

SHOWN: Shown = {
    "new-key-late": (issued_beside_another, 200, 401),
    "key-shown-again": (shown_again, False, True),
    "other-keys-shown-again": (shown_again, False, True),
    "rotation-drops-scope": (rotated_may, (200, 403), (403, 403)),
    "rotation-widens-scope": (rotated_may, (200, 403), (200, 200)),
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
