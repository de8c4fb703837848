"""What a refusal looks like on the wire: templates of the policy filled in, and the headers that go with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from authcontract_policy import Policy, Resolution

from ._values import UNKNOWN, Decision, Facts, KeyRecord, Response, Standing

if TYPE_CHECKING:
    from ._reading import Reading

_PLACEHOLDER = re.compile(r"<([a-z_]+)>")
#: A body template may stand for a number: a placeholder alone keeps its type.
_ALONE = re.compile(r"^<([a-z_]+)>$")
_MISSING = object()


class Renderer:
    """Fills the policy's templates."""

    def __init__(self, policy: Policy, resolution: Resolution) -> None:
        self._policy = policy
        self._resolution = resolution
        first = policy.keys.sent_as[0]
        scheme, space, _ = first.template.partition(" ")
        #: Sent with a 401 for which the policy names no challenge: RFC 9110 section 11.6.1 demands one.
        self._challenge = scheme if space and "<" not in scheme else "ApiKey"

    def refuse(self, decision: Decision, reading: Reading, facts: Facts, request_id: str) -> Response:
        """Return status, headers and body of a refusal."""
        row = self._policy.errors.get(decision.error or "")
        status = decision.statuses[0]
        values = self._values(decision, reading, facts, status, request_id)
        headers: dict[str, str] = {}
        body = b""
        if row is not None:
            for name, text in row.says.items():
                said = text.of(decision.cause) if decision.cause is not None else text.others
                if said is None and text.texts and decision.cause is None:
                    said = text.texts[0][1]
                if said is not None:
                    values[name] = _fill(said, values)
            for name, by_cause in row.headers.items():
                value = by_cause.of(decision.cause) if decision.cause is not None else by_cause.others
                filled = None if value is None else _fill(value, values)
                if filled is not None:
                    headers[name] = filled
        template = self._policy.error_format.body if row is None or row.body is None else row.body
        if template != "any":
            body = json.dumps(_body(template, values), ensure_ascii=False).encode()
            headers.setdefault("Content-Type", self._policy.error_format.content_type)
        if status == 401 and not any(name.lower() == "www-authenticate" for name in headers):  # noqa: PLR2004
            headers["WWW-Authenticate"] = self._challenge
        if status == 405 and not any(name.lower() == "allow" for name in headers):  # noqa: PLR2004  RFC 9110 section 15.5.6
            headers["Allow"] = str(values.get("allowed") or "")
        secure = reading.request.scheme == "https"
        common = self.headers(reading, facts, secure=secure)
        return Response(status=status, headers=(*headers.items(), *common), body=body)

    def headers(self, reading: Reading, facts: Facts, *, secure: bool) -> tuple[tuple[str, str], ...]:
        """Return the policy's headers and, where usage is known, those of the limits."""
        key = _key(facts)
        values: dict[str, Any] = {"granted": _granted(key), "required": self._required(reading)}
        found: dict[str, str] = {}
        for name, template in self._policy.headers.items():
            value = _fill(template, values)
            if value is not None and (secure or name.lower() != "strict-transport-security"):
                found[name] = value
        usage = facts.usage
        if usage is not None and usage is not UNKNOWN:
            for standing in usage.standings:
                self._limit_headers(standing, found)
        return tuple(found.items())

    def _limit_headers(self, standing: Standing, found: dict[str, str]) -> None:
        limit = self._policy.rate_limits[standing.limit]
        values: dict[str, Any] = {
            "limit": standing.amount,
            "limit_name": standing.limit,
            "remaining": standing.remaining,
            "used": standing.used,
            "window": standing.window,
            "reset_at": standing.reset_at,
            "reset_in": standing.reset_in,
        }
        if not standing.admitted:
            values["retry_after"] = max(1, -int(-standing.retry_after // 1))
        for name, template in limit.headers.items():
            value = _fill(template, values)
            if value is not None:
                found[name] = f"{found[name]}, {value}" if name in found else value

    def _values(
        self, decision: Decision, reading: Reading, facts: Facts, status: int, request_id: str
    ) -> dict[str, Any]:
        key = _key(facts)
        return {
            "code": decision.error or (decision.cause or ""),
            "status": status,
            "method": reading.request.method.decode("latin-1"),
            "path": reading.path.decode("latin-1"),
            "required": self._required(reading),
            "granted": _granted(key),
            "masked_key": reading.presented.masked or None,
            "environment": reading.request.environment or (key.environment if key else None),
            "request_id": request_id or None,
            "allowed": ", ".join(reading.allowed_methods) or None,
        }

    def _required(self, reading: Reading) -> str | None:
        """Return the names that the operation requires, the first alternative of any."""
        operation = reading.operation
        if operation is None:
            return None
        kind = self._policy.objects[-1] if self._policy.objects else None
        alternatives = self._resolution.grants[operation.id, kind].alternatives
        return " ".join(sorted(alternatives[0])) or None if alternatives else None


def _key(facts: Facts) -> KeyRecord | None:
    return None if facts.key is UNKNOWN else facts.key


def _granted(key: KeyRecord | None) -> str | None:
    return " ".join(sorted(key.scopes)) or None if key is not None else None


def _fill(template: str, values: Mapping[str, Any]) -> str | None:
    """Return a text with its placeholders filled, or None where one has no value."""
    missing = [name for name in _PLACEHOLDER.findall(template) if values.get(name) is None]
    if missing:
        return None
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)


def _body(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template filled; a field whose placeholder has no value is left out."""
    if isinstance(template, Mapping):
        filled = {name: _body(inner, values) for name, inner in template.items()}
        return {name: value for name, value in filled.items() if value is not _MISSING}
    if isinstance(template, list):
        return [value for inner in template if (value := _body(inner, values)) is not _MISSING]
    if not isinstance(template, str):
        return template
    alone = _ALONE.match(template)
    if alone:
        value = values.get(alone[1])
        return _MISSING if value is None else value
    text = _fill(template, values)
    return _MISSING if text is None else text
