"""What a refusal looks like on the wire, and the headers that any response carries: templates of the policy, filled in.

A field or header whose placeholder has no value is left out. A field that is nothing but a placeholder keeps the type
of its value: `<status>` is a number, the rest are texts; several names are one text, joined by a space as OAuth does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_from_bytes

from authcontract_policy import Cause, Policy, Resolution

from ._reading import Reading
from ._values import UNKNOWN, Decision, Facts, KeyRecord, Response, Standing

_PLACEHOLDER: Final = re.compile(r"<([a-z_]+)>")
#: Headers without which HTTP does not allow a status: RFC 9110 sections 15.5.2, 15.5.6 and 15.5.22.
_DEMANDED: Final[Mapping[int, tuple[str, str]]] = {
    401: ("WWW-Authenticate", "<challenge>"),
    405: ("Allow", "<allowed>"),
    426: ("Upgrade", "TLS/1.3, HTTP/1.1"),
}
_ONLY_BY_TLS: Final = "strict-transport-security"
#: RFC 9110 section 10.2.3 allows one value: of several limits the one that lasts longest.
_SINGLE: Final = "retry-after"
#: Visible ASCII: other bytes of a client's request are percent-encoded wherever they are repeated.
_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class Headers:
    """Headers in the order in which they came, their names compared without case."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, str]] = {}

    def put(self, name: str, value: str | None) -> None:
        """Let a header have this value, unless there is none or the header has one already."""
        if value is not None:
            self._lines.setdefault(name.lower(), (name, value))

    def join(self, name: str, value: str | None) -> None:
        """Add a value to a header."""
        if value is None:
            return
        _, before = self._lines.get(name.lower(), (name, ""))
        if name.lower() == _SINGLE and before:
            value = max(before, value, key=int)
        elif before:
            value = f"{before}, {value}"
        self._lines[name.lower()] = (name, value)

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return name and value of each."""
        return tuple(self._lines.values())


class Renderer:
    """Fills the templates of one policy."""

    def __init__(self, policy: Policy, resolution: Resolution) -> None:
        self._policy = policy
        self._resolution = resolution
        scheme, space, _ = policy.keys.sent_as[0].template.partition(" ")
        #: What a 401 asks for where the policy names no challenge; RFC 6750 and 7617 want a parameter in it.
        self._challenge = f'{scheme if space and "<" not in scheme else "ApiKey"} realm="api"'

    def refuse(self, decision: Decision, reading: Reading, facts: Facts, request_id: str) -> Response:
        """Return status, headers and body of a refusal."""
        cause = decision.cause
        if cause is None:
            raise ValueError("an allowed request has no refusal")
        status = decision.statuses[0]
        values = self._values(decision, cause, reading, facts) | {"request_id": request_id or None}
        headers, template = Headers(), self._policy.error_format.body
        row = self._policy.errors.get(decision.error or "")
        body: Any = template
        if row is not None:
            for name, text in row.says.items():
                values[name] = _filled(text.of(cause), values)
            for name, text in row.headers.items():
                headers.put(name, _filled(text.of(cause), values))
            body = template if row.body is None else row.body
        self._common(headers, reading, facts, secure=reading.request.scheme == "https")
        if body != "any":
            headers.put("Content-Type", self._policy.error_format.content_type)
        if status in _DEMANDED:
            name, value = _DEMANDED[status]
            headers.put(name, _filled(value, {"challenge": self._challenge, "allowed": values["allowed"] or ""}))
        content = b"" if body == "any" else json.dumps(_body(body, values), ensure_ascii=False).encode()
        return Response(status=status, headers=headers.lines(), body=content)

    def headers(self, reading: Reading, facts: Facts, *, secure: bool) -> tuple[tuple[str, str], ...]:
        """Return the policy's headers and, where usage is known, those of the limits."""
        headers = Headers()
        self._common(headers, reading, facts, secure=secure)
        return headers.lines()

    def _common(self, headers: Headers, reading: Reading, facts: Facts, *, secure: bool) -> None:
        values = {"granted": _granted(facts), "required": self._required(reading, facts)}
        for name, template in self._policy.headers.items():
            if secure or name.lower() != _ONLY_BY_TLS:
                headers.put(name, _filled(template, values))
        if facts.usage is None or facts.usage is UNKNOWN:
            return
        limits = Headers()
        for standing in facts.usage.standings:
            of_limit = _of_limit(standing)
            for name, template in self._policy.rate_limits[standing.limit].headers.items():
                limits.join(name, _filled(template, of_limit))
        for name, value in limits.lines():
            headers.put(name, value)

    def _values(self, decision: Decision, cause: Cause, reading: Reading, facts: Facts) -> dict[str, Any]:
        key = _key(facts)
        return {
            "code": decision.error or cause.value,
            "status": decision.statuses[0],
            "method": quote_from_bytes(reading.request.method, _VISIBLE),
            "path": quote_from_bytes(reading.path, _VISIBLE),
            "required": self._required(reading, facts),
            "granted": _granted(facts),
            "masked_key": reading.presented.masked or None,
            "environment": reading.request.environment or (key.environment if key is not None else None),
            "allowed": ", ".join(reading.allowed_methods) or None,
        }

    def _required(self, reading: Reading, facts: Facts) -> str | None:
        """Return what the operation requires, in the first of several ways; of unknown kinds of object on the last."""
        if reading.operation is None:
            return None
        kinds: tuple[str | None, ...] = self._policy.objects or (None,)
        kind = facts.object_kind if facts.object_kind in kinds else kinds[-1]
        grant = self._resolution.grants[reading.operation.id, kind if isinstance(kind, str) else kinds[-1]]
        return " ".join(sorted(grant.alternatives[0])) or None if grant.alternatives else None


def _key(facts: Facts) -> KeyRecord | None:
    return None if facts.key is UNKNOWN else facts.key


def _granted(facts: Facts) -> str | None:
    key = _key(facts)
    return None if key is None else " ".join(sorted(key.scopes)) or None


def _of_limit(standing: Standing) -> Mapping[str, Any]:
    truthful = not standing.admitted and math.isfinite(standing.retry_after)
    return {
        "limit": standing.amount,
        "limit_name": standing.limit,
        "remaining": standing.remaining,
        "used": standing.used,
        "window": standing.window,
        "reset_at": standing.reset_at,
        "reset_in": standing.reset_in,
        "retry_after": max(1, math.ceil(standing.retry_after)) if truthful else None,
    }


def _filled(template: str | None, values: Mapping[str, Any]) -> str | None:
    """Return a text with its placeholders filled, or None where one has no value."""
    if template is None or any(values.get(name) is None for name in _PLACEHOLDER.findall(template)):
        return None
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)


_LEFT_OUT: Final = object()


def _body(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template filled, without the fields that have no value."""
    if isinstance(template, Mapping):
        fields = {name: _body(inner, values) for name, inner in template.items()}
        return {name: value for name, value in fields.items() if value is not _LEFT_OUT}
    if isinstance(template, list | tuple):
        return [value for value in (_body(inner, values) for inner in template) if value is not _LEFT_OUT]
    if not isinstance(template, str):
        return template
    alone = _PLACEHOLDER.fullmatch(template)
    value = values.get(alone[1]) if alone is not None else _filled(template, values)
    return _LEFT_OUT if value is None else value
