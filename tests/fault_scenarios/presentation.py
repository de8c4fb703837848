"""What the faults of `_presentation` and `_trust` do."""

from __future__ import annotations

import base64

from shop import Caller

from fault_scenarios._scenario import Scenario, Shown, altered, sent


def claiming(line: str, scope: str | None = None, path: str = "/shop") -> Scenario:
    """Send a header that claims a right, without a key or with one that may not."""

    def scenario(caller: Caller) -> int:
        key = None if scope is None else caller.key(scope)
        return caller.status("GET", path, key, lines=(line,))

    return scenario


def deleted_with(path: str = "", *lines: str) -> Scenario:
    """Delete an order without a documented key; the status, and whether the order is still there."""

    def scenario(caller: Caller) -> tuple[int, int]:
        owner = caller.key()
        order = f"/orders/{caller.order(owner)}"
        other = "sk_live_" + "x" * 30
        filled = tuple(line.replace("<key>", owner.secret).replace("<other>", other) for line in lines)
        status = caller.status("DELETE", order + path.replace("<key>", owner.secret), lines=filled)
        return status, caller.status("GET", order, owner)

    return scenario


def in_last_operation(*lines: str) -> Scenario:
    """Call the operation that the contract names last."""

    def scenario(caller: Caller) -> bool:
        key = caller.key().secret
        last = caller.server.contract.operations[-1]
        filled = tuple(line.replace("<key>", key) for line in lines)
        return caller.status(last.method, last.path.replace("{id}", "x"), lines=filled) == 401

    return scenario


def as_basic_user(caller: Caller) -> int:
    text = base64.b64encode(f"{caller.key().secret}:".encode()).decode()
    return caller.status("GET", "/orders", lines=(f"Authorization: Basic {text}",))


def in_form(caller: Caller) -> int:
    body = f"access_token={caller.key().secret}".encode()
    line = "Content-Type: application/x-www-form-urlencoded"
    return caller.status("GET", "/orders", None, body, lines=(line,))


SHOWN: Shown = {
    "one-space-only": (sent("Authorization: Bearer  <key>"), 200, 401),
    "split-at-any-blank": (sent("Authorization: Bearer\xa0<key>"), 401, 200),
    "key-out-of-quotes": (sent('Authorization: Bearer "<key>"'), 401, 200),
    "padding-belongs-to-key": (sent("Authorization: Bearer <key>  "), 200, 401),
    "name-in-two-cases-only": (sent("AUTHORIZATION: Bearer <key>"), 200, 401),
    "space-before-colon-read": (sent("Authorization : Bearer <key>"), 400, 200),
    "key-ends-at-nul": (sent("Authorization: Bearer <key>\0junk"), 400, 200),
    "invisible-characters-dropped": (altered(lambda key: f"{key[:20]}\xc2\xad{key[20:]}"), 401, 200),
    "look-alike-characters-fold": (altered(lambda key: "\xc5\xbf" + key[1:]), 401, 200),
    "key-in-query-of-one-route": (deleted_with("?api_key=<key>"), (401, 200), (204, 404)),
    "key-in-cookie": (sent("Cookie: a=b; access_token=<key>"), 401, 200),
    "key-in-x-api-key": (sent("X-API-Key: <key>"), 401, 200),
    "key-in-header-of-one-route": (in_last_operation("X-Auth-Token: <key>"), True, False),
    "key-in-form": (in_form, 401, 200),
    "key-as-basic-user": (as_basic_user, 401, 200),
    "scheme-optional": (sent("Authorization: <key>"), 401, 200),
    "scheme-token": (sent("Authorization: Token <key>"), 401, 200),
    "two-keys-on-one-route": (
        deleted_with("", "Authorization: Bearer <other>", "Authorization: Bearer <key>"),
        (400, 200),
        (204, 404),
    ),
    "long-key-unchecked": (sent("Authorization: Bearer <key>" + "x" * 8192), 431, 200),
    "user-from-proxy-header": (claiming("X-Forwarded-User: admin"), 401, 200),
    "user-from-underscore-twin": (claiming("X_Forwarded_User: admin"), 401, 200),
    "internal-by-header": (claiming("X-Request-From: internal"), 401, 200),
    "middleware-skipped": (claiming("X-Middleware-Subrequest: " + ":".join(["middleware"] * 5)), 401, 200),
    "connection-drops-key": (claiming("Connection: Authorization", "read"), 403, 200),
    "near-address-trusted": (claiming("X-Real-IP: 127.0.0.1"), 401, 200),
    "unreadable-address-lets-in": (claiming("X-Forwarded-For: a"), 401, 200),
    "debug-header-on-one-route": (in_last_operation("X-Debug: 1"), True, False),
    "role-from-header": (claiming("X-Role: admin", "read"), 403, 200),
    "made-up-environment-is-some": (altered(lambda key: "sk_prod_" + key[8:]), 401, 200),
}
