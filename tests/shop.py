"""A small contract, its server without sockets, and a caller who speaks to it as the listener does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from authcontract_conformance.reference import Answer, Message, Server
from authcontract_conformance.reference._http import read_head
from authcontract_conformance.reference._http2 import read_fields
from authcontract_engine import Contract, KeyRecord
from authcontract_engine import compile as compile_contract
from authcontract_policy import load

POLICY = Path(__file__).parent / "conformance" / "reference" / "shop.policy.yaml"


@cache
def shop() -> Contract:
    """Return the contract of the shop, whose every line is right."""
    loaded = load(POLICY)
    assert loaded.diagnostics == ()
    assert loaded.policy is not None
    assert loaded.specification is not None
    return compile_contract(loaded.policy, loaded.specification, loaded.resolution)


@dataclass(frozen=True)
class Key:
    """A key with its secret, as its owner has it."""

    record: KeyRecord
    secret: str

    @property
    def id(self) -> str:
        return self.record.id


class Caller:
    """Sends requests to a server without a socket in between."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def key(
        self, scope: str = "admin", *, organisation: str = "A", environment: str = "live", plan: str = "large"
    ) -> Key:
        record, secret = self.server.keyring.issue(
            organisation=organisation,
            environment=environment,
            kind="API key",
            scopes=frozenset({scope}),
            plan=plan,
            now=self.server.clock.now(),
        )
        return Key(record, secret)

    def send(  # noqa: PLR0913  a request has as many parts
        self,
        method: str,
        path: str,
        key: Key | str | None = None,
        body: Any = None,
        *,
        lines: tuple[str, ...] = (),
        scheme: str = "https",
        connection: int = 1,
        began: float = 0.0,
        fields: tuple[tuple[bytes, bytes], ...] | None = None,
    ) -> Answer:
        """Send a request; with `fields` it is one of HTTP/2, whose key comes as usual."""
        secret = key.secret if isinstance(key, Key) else key
        auth = () if secret is None else (f"Authorization: Bearer {secret}",)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = ("Content-Type: application/json",) if content else ()
        head = "\r\n".join((f"{method} /v1{path} HTTP/1.1", "Host: shop", *auth, *kind, *lines))
        if fields is not None:
            carried = () if secret is None else ((b"authorization", f"Bearer {secret}".encode()),)
            return self.server.serve(Message(head=read_fields((*fields, *carried)), body=content, protocol="2"))
        message = Message(
            head=read_head(head.encode("latin-1")),
            body=content,
            scheme="http" if scheme == "http" else "https",
            connection=connection,
            began=began,
        )
        return self.server.serve(message)

    def status(self, method: str, path: str, key: Key | str | None = None, body: Any = None, **more: Any) -> int:
        return self.send(method, path, key, body, **more).status

    def json(self, method: str, path: str, key: Key | str | None = None, body: Any = None, **more: Any) -> Any:
        return json.loads(self.send(method, path, key, body, **more).body)

    def order(self, key: Key, **fields: Any) -> str:
        """Make an order and return its id."""
        made = self.json("POST", "/orders", key, {"name": "an order", **fields})
        assert isinstance(made["id"], str)
        return made["id"]


def headers(answer: Answer) -> Mapping[str, str]:
    return {name.lower(): value for name, value in answer.headers}
