"""What the faults of `_errors` do."""

from __future__ import annotations

from shop import headers

from fault_scenarios._scenario import Shown, code, members, refused

SHOWN: Shown = {
    "no-challenge": (lambda c: "www-authenticate" in headers(refused(c)), True, False),
    "challenge-for-beginners-only": (
        lambda c: ["www-authenticate" in headers(c.send("GET", "/orders", key)) for key in (None, "x")],
        [True, True],
        [True, False],
    ),
    "challenge-lost-on-the-way": (lambda c: "www-authenticate" in headers(refused(c)), True, False),
    "other-error-code": (code, "unauthorized", "access_denied"),
    "error-as-text": (lambda c: refused(c).body[:9], b'{"error":', b"Access de"),
    "error-without-envelope": (members, ["error"], ["code", "message"]),
    "403-without-key": (lambda c: refused(c).status, 401, 403),
    "401-for-missing-scope": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 401),
    "404-for-missing-scope": (lambda c: c.status("GET", "/shop", c.key("read")), 403, 404),
    "key-in-message": (lambda c: b"sk_live_xyz" in c.send("GET", "/orders", "sk_live_xyz").body, False, True),
    "key-in-debug-header": (lambda c: "x-debug-caller" in headers(c.send("GET", "/orders", c.key())), False, True),
    "traceback-for-bad-body": (
        lambda c: b"Traceback" in c.send("POST", "/orders", c.key(), b"{").body,
        False,
        True,
    ),
    "debug-page-for-bad-key": (lambda c: b"Traceback" in c.send("GET", "/orders", "x").body, False, True),
    "links-by-host": (lambda c: "link" in headers(refused(c)), False, True),
}
