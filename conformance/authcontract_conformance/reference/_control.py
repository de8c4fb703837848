"""The control port: move the clock, start afresh, and manage keys without asking the API.

It listens on loopback only, is off unless asked for, and answers nobody without the token of this run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from authcontract_engine import KeyRecord

from ._message import Answer, Message
from ._server import Server

_JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


class _RefusedError(Exception):
    """A control request that cannot be done, with the status and the sentence that say so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """What the control port does with a server."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._expected = hashlib.sha256(f"Bearer {token}".encode()).digest()

    def serve(self, message: Message) -> Answer:
        """Answer one control request."""
        if message.head.problem is not None:
            return _answer(400, {"error": "not an HTTP request"})
        if not self._is_ours(message):
            return _answer(401, {"error": "the control token is missing or wrong"})
        try:
            return _answer(200, self._do(message))
        except _RefusedError as refused:
            return _answer(refused.status, {"error": str(refused)})

    def _is_ours(self, message: Message) -> bool:
        """Compare digests, so that neither length nor content of the token can be timed."""
        given = [value.strip(b" \t") for name, value in message.head.headers if name.lower() == b"authorization"]
        digests = [hashlib.sha256(value).digest() for value in given]
        return len(digests) == 1 and hmac.compare_digest(digests[0], self._expected)

    def _do(self, message: Message) -> Any:
        method = message.head.method.decode("latin-1")
        path = message.head.target.partition(b"?")[0].decode("latin-1")
        parts = tuple(path.strip("/").split("/"))
        plain: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Any]] = {
            ("GET", "/clock"): self._clock,
            ("POST", "/clock/freeze"): self._freeze,
            ("POST", "/clock/advance"): self._advance,
            ("POST", "/reset"): self._reset,
            ("POST", "/keys"): self._issue,
        }
        action = plain.get((method, path))
        if action is not None:
            return action(_body(message))
        match (method, parts):
            case ("POST", ("keys", key_id, "rotate")):
                return self._rotate(key_id)
            case ("DELETE", ("keys", key_id)):
                return self._revoke(key_id)
        raise _RefusedError(404, f"no such control: {method} {path}")

    def _clock(self, _body: Mapping[str, Any]) -> Any:
        clock = self._server.clock
        return {"now": clock.now(), "frozen": clock.frozen}

    def _freeze(self, body: Mapping[str, Any]) -> Any:
        self._server.clock.freeze()
        return self._clock(body)

    def _advance(self, body: Mapping[str, Any]) -> Any:
        seconds = body.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise _RefusedError(400, "`seconds` must be a number")
        try:
            self._server.clock.advance(seconds)
        except (ValueError, OverflowError) as error:
            raise _RefusedError(400, "the clock only moves forward") from error
        return self._clock(body)

    def _reset(self, body: Mapping[str, Any]) -> Any:
        self._server.reset()
        return self._clock(body)

    def _issue(self, body: Mapping[str, Any]) -> Any:
        policy = self._server.contract.policy
        kind = body.get("kind") or next(iter(policy.keys.kinds))
        scopes = body.get("scopes") or []
        environment, plan = body.get("environment"), body.get("plan")
        if kind not in policy.keys.kinds:
            raise _RefusedError(400, f"no kind of key is called {kind!r}")
        if not isinstance(scopes, list) or not set(map(str, scopes)) <= set(self._server.contract.resolution.scopes):
            raise _RefusedError(400, "`scopes` must list scopes of the policy")
        if environment not in (policy.environments or (None,)):
            raise _RefusedError(400, "`environment` must be one of the policy")
        if plan not in (policy.plans or (None,)):
            raise _RefusedError(400, "`plan` must be one of the policy")
        record, secret = self._server.keyring.issue(
            organisation=str(body.get("organisation") or ""),
            environment=environment,
            kind=str(kind),
            scopes=frozenset(map(str, scopes)),
            plan=plan,
            now=self._server.clock.now(),
        )
        return {**described(record), "secret": secret}

    def _rotate(self, key_id: str) -> Any:
        self._known(key_id)
        now = self._server.clock.now()
        record, secret = self._server.keyring.rotate(key_id, now)
        old = self._server.keyring.records.get(key_id)
        return {**described(record), "grace": None if old is None else old.grace, "secret": secret}

    def _revoke(self, key_id: str) -> Any:
        self._known(key_id)
        self._server.keyring.revoke(key_id, self._server.clock.now())
        record = self._server.keyring.records.get(key_id)
        return {} if record is None else described(record)

    def _known(self, key_id: str) -> None:
        if self._server.keyring.records.get(key_id) is None:
            raise _RefusedError(404, "no such key")


def described(record: KeyRecord) -> Mapping[str, Any]:
    """Return a key's record as JSON says it, without the digest."""
    return {
        "id": record.id,
        "kind": record.kind,
        "scopes": sorted(record.scopes),
        "plan": record.plan,
        "environment": record.environment,
        "organisation": record.organisation,
        "user": record.user,
        "application": record.application,
        "lineage": record.lineage,
        "issued_at": record.issued_at,
        "rotated_at": record.rotated_at,
        "revoked_at": record.revoked_at,
        "expires_at": record.expires_at,
    }


def _body(message: Message) -> Mapping[str, Any]:
    if not message.body:
        return {}
    try:
        value = json.loads(message.body)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, "the body is no JSON") from error
    if not isinstance(value, dict):
        raise _RefusedError(400, "the body is no JSON object")
    return value


def _answer(status: int, value: Any) -> Answer:
    return Answer(status, _JSON, json.dumps(value).encode())
