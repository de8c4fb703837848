"""What the faults of `_http2` do: the same requests over HTTP/1.1 are answered as the contract says."""

from __future__ import annotations

from typing import Any

from shop import Caller, Key

from fault_scenarios._scenario import Scenario, Shown

Field = tuple[bytes, bytes]


def request(path: bytes = b"/v1/orders", *, method: bytes = b"GET", name: bytes = b"shop") -> tuple[Field, ...]:
    """Return the pseudo-headers of a request to the shop."""
    return ((b":method", method), (b":scheme", b"https"), (b":authority", name), (b":path", path))


def _asked(caller: Caller, key: Key | None, fields: tuple[Field, ...]) -> int:
    return caller.status("GET", "/orders", key, fields=fields)


def nobody(*more: Field, **said: bytes) -> Scenario:
    """Ask without a key, over HTTP/1.1 and over HTTP/2."""

    def scenario(caller: Caller) -> tuple[int, int]:
        return caller.status("GET", "/orders"), _asked(caller, None, (*request(**said), *more))

    return scenario


def somebody(
    scope: str = "read", path: str = "/orders", *, environment: str = "live", revoked: bool = False
) -> Scenario:
    """Ask with a key, over HTTP/1.1 and over HTTP/2."""

    def scenario(caller: Caller) -> tuple[int, int]:
        key = caller.key(scope, environment=environment)
        if revoked:
            caller.status("DELETE", f"/keys/{key.id}", caller.key())
        fields = request(f"/v1{path}".encode())
        return caller.status("GET", path, key), _asked(caller, key, fields)

    return scenario


def two_keys(caller: Caller) -> Any:
    """Send a key that was never issued and a valid one, each on a line of its own."""
    secret = caller.key("read").secret
    lines = tuple(f"Bearer {key}" for key in ("sk_live_" + "x" * 30, secret))
    http_1 = caller.status("GET", "/orders", lines=tuple(f"Authorization: {line}" for line in lines))
    fields = tuple((b"authorization", line.encode()) for line in lines)
    return http_1, _asked(caller, None, (*request(), *fields))


SHOWN: Shown = {
    "http2-without-keys": (nobody(), (401, 401), (401, 200)),
    "http2-header-name-with-case": (somebody(), (200, 200), (200, 401)),
    "http2-one-environment": (somebody(environment="test"), (200, 200), (200, 401)),
    "http2-revoked-key-works": (somebody(revoked=True), (401, 401), (401, 200)),
    "http2-folds-keys-like-cookies": (two_keys, (400, 400), (400, 200)),
    "http2-without-scopes": (somebody("read", "/keys"), (403, 403), (403, 200)),
    "http2-fragment-past-the-gate": (nobody(path=b"/v1/orders#x"), (401, 400), (401, 200)),
    "http2-url-past-the-gate": (nobody(path=b"https://shop/v1/orders"), (401, 400), (401, 200)),
    "http2-host-past-the-gate": (nobody((b"host", b"shop"), name=b"localhost"), (401, 400), (401, 200)),
}
