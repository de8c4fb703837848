"""What the faults of `_credentials` do."""

from __future__ import annotations

from fault_scenarios._scenario import DAY, Shown, altered, life, sent

SHOWN: Shown = {
    "no-key-for-get": (lambda c: c.status("GET", "/orders"), 401, 200),
    "no-key-for-post": (lambda c: c.status("POST", "/orders", None, {"name": "a"}), 401, 201),
    "key-left-over": (
        lambda c: [c.status("GET", "/orders", c.key()), c.status("GET", "/orders")],
        [200, 401],
        [200, 200],
    ),
    "login-page-without-key": (lambda c: c.status("GET", "/orders", lines=("Accept: */*",)), 401, 302),
    "one-environment-refused": (lambda c: c.status("GET", "/orders", c.key(environment="test")), 200, 401),
    "scheme-has-case": (sent("Authorization: bearer <key>"), 200, 401),
    "any-key-will-do": (lambda c: (c.key(), c.status("GET", "/orders", "sk_live_" + "x" * 30))[1], 401, 200),
    "revoked-key-works": (life("revoke"), (401,), (200,)),
    "expired-key-works": (life("rotate", DAY), (401, 200), (200, 200)),
    "id-works-as-key": (lambda c: c.status("GET", "/orders", c.key().id), 401, 200),
    "wildcard-is-a-key": (lambda c: c.status("GET", "/shop", "sk_live_%"), 401, 200),
    "beginning-of-key-works": (altered(lambda key: key[:-10]), 401, 200),
    "longer-key-works": (altered(lambda key: key + "x"), 401, 200),
    "key-without-case": (altered(str.swapcase), 401, 200),
    "middle-of-key-unread": (altered(lambda key: key[:20] + "zzz" + key[23:]), 401, 200),
    "key-in-access-token": (sent(path="/orders?access_token=<key>"), 401, 200),
    "key-in-query": (sent(path="/orders?api_key=<key>"), 401, 200),
    "first-of-two-keys": (sent("Authorization: Bearer <key>", "Authorization: Bearer <other>"), 400, 200),
    "last-of-two-keys": (sent("Authorization: Bearer <other>", "Authorization: Bearer <key>"), 400, 200),
    "whichever-key-works": (sent("Authorization: Bearer <key>", "Authorization: Bearer <other>"), 400, 200),
    "key-after-comma": (sent("Authorization: Bearer <other>, Bearer <key>"), 400, 200),
}
