"""Findings: a failure or a warning as something that a stranger can believe and repeat, with no key in it."""

from __future__ import annotations

import hashlib
from typing import Any

from authcontract_engine import Rule
from authcontract_policy import Policy

from authcontract_conformance._events import ExchangeSeen, Found, PolicyLine
from authcontract_conformance.clauses._clause import Clause
from authcontract_conformance.exchange._exchange import Credential, Exchange, HostName, Parts
from authcontract_conformance.exchange._vault import Vault, visible
from authcontract_conformance.oracle._verdict import Judgement

#: Bytes of a response body that the log keeps.
KEPT_BODY = 16 * 1024
#: Lines and columns of HTTP that a finding shows.
SHOWN_BODY = 1200


class Findings:
    """The findings of one run, each defect once."""

    def __init__(self, policy: Policy, vault: Vault, replay: str) -> None:
        self._policy = policy
        self._vault = vault
        self._replay = replay
        self.found: list[Found] = []
        #: Fingerprint -> id.
        self._known: dict[str, str] = {}

    def add(self, clause: Clause, subject: str, judgement: Judgement) -> Found | None:
        """Return the finding for a judgement, or None where the same defect was found before.

        A clause that only looks sees one cause in many responses: what they say alike is one defect.
        """
        evidence = judgement.evidence
        expected = evidence.expected if evidence else ""
        got = evidence.got if evidence else ""
        fingerprint = _fingerprint(clause, subject, judgement)
        if fingerprint in self._known:
            return None
        exchange, control = (evidence.exchange, evidence.control) if evidence else (None, None)
        number = self._known[fingerprint] = f"F{len(self.found) + 1}"
        found = Found(
            id=number,
            fingerprint=fingerprint,
            clause=clause.id,
            level=clause.level.value,
            word=judgement.word.value,
            subject=subject,
            promise=clause.promise,
            reason=self._vault.hide_text(judgement.reason),
            expected=self._vault.hide_text(expected),
            got=self._vault.hide_text(got),
            policy=self._line(evidence.rule if evidence else None),
            source=(evidence.rule.source if evidence and evidence.rule else None) or ", ".join(clause.sources),
            exchange=exchange.number if exchange else None,
            control=control.number if control else None,
            request=request_text(exchange) if exchange else "",
            response=response_text(exchange, self._vault) if exchange else "",
            control_request=request_text(control) if control else "",
            control_response=response_text(control, self._vault) if control else "",
            replay=self._replay.replace("{finding}", number).replace("{clause}", clause.id),
        )
        self.found.append(found)
        return found

    def number(self, clause: Clause, subject: str, judgement: Judgement) -> str | None:
        """Return the id of the finding that says what a judgement says, or None."""
        return self._known.get(_fingerprint(clause, subject, judgement))

    def _line(self, rule: Rule | None) -> PolicyLine | None:
        span = self._policy.document.span(rule.path) if rule else None
        if span is None:
            return None
        return PolicyLine(file=span.file, line=span.line, column=span.column, end=span.end, text=span.text)


def _fingerprint(clause: Clause, subject: str, judgement: Judgement) -> str:
    evidence = judgement.evidence
    expected, got = (evidence.expected, evidence.got) if evidence else ("", "")
    label = evidence.exchange.probe.label if evidence and evidence.exchange else ""
    seen = judgement.reason if clause.only_looks else f"{subject}\n{label}\n{expected}"
    return hashlib.sha256(f"{clause.id}\n{seen}\n{got}".encode()).hexdigest()[:12]


def exchange_event(exchange: Exchange, clause: str, subject: str, vault: Vault) -> ExchangeSeen:
    """Return an exchange as it stands in the log: keys by reference, and hidden wherever the target shows one."""
    probe = exchange.probe
    return ExchangeSeen(
        number=exchange.number,
        clause=clause,
        subject=subject,
        purpose=probe.purpose.value,
        label=probe.label,
        operation=probe.operation,
        channel=probe.channel,
        protocol=probe.protocol,
        environment=probe.environment,
        method=probe.method.decode("latin-1"),
        target=_pieces(probe.target),
        headers=tuple((_pieces(name), _pieces(value)) for name, value in probe.headers),
        body=_pieces(probe.body),
        delivery=exchange.delivery.value,
        status=exchange.status,
        response_headers=tuple((_safe(name, vault), _safe(value, vault)) for name, value in exchange.headers),
        response_body=vault.hide(exchange.body[:KEPT_BODY]).decode("latin-1"),
        problem=exchange.problem,
        sent_at=round(exchange.sent_at, 6),
        received_at=round(exchange.received_at, 6),
    )


def _pieces(parts: Parts) -> tuple[Any, ...]:
    """Return parts as JSON: texts, `{"key", "transforms"}` and `{"host": true}`."""
    found: list[Any] = []
    for part in parts:
        match part:
            case Credential(key=key, transforms=steps):
                found.append({"key": key, "transforms": [list(step) for step in steps]})
            case HostName():
                found.append({"host": True})
            case _:
                found.append(part.decode("latin-1"))
    return tuple(found)


def parts_from_json(pieces: tuple[Any, ...] | list[Any]) -> Parts:
    """Return what `_pieces` wrote as parts again."""
    found: list[Any] = []
    for piece in pieces:
        if isinstance(piece, str):
            found.append(piece.encode("latin-1"))
        elif "host" in piece:
            found.append(HostName())
        else:
            found.append(Credential(piece["key"], tuple(tuple(step) for step in piece["transforms"])))
    return tuple(found)


def _safe(text: str, vault: Vault) -> str:
    return vault.hide(text.encode("latin-1", "replace")).decode("latin-1")


def parts_text(parts: Parts) -> str:
    """Return parts as a person reads them: `Bearer <key LR, without its last 2 characters>`."""
    found = []
    for part in parts:
        match part:
            case Credential(key=key, transforms=steps):
                what = "".join(f", {' '.join(map(str, step))}" for step in steps)
                found.append(f"<key {key}{what}>")
            case HostName():
                found.append("<target>")
            case _:
                found.append(part.decode("latin-1"))
    return visible("".join(found))


def request_text(exchange: Exchange) -> str:
    """Return a request as it went over the wire, a line each, keys by reference."""
    probe = exchange.probe
    lines = [f"{visible(probe.method.decode('latin-1'))} {parts_text(probe.target)} HTTP/{probe.protocol}"]
    lines += [f"{parts_text(name)}: {parts_text(value)}" for name, value in probe.headers]
    body = parts_text(probe.body)
    return "\n".join([*lines, *(["", body[:SHOWN_BODY]] if body else [])])


def response_text(exchange: Exchange, vault: Vault) -> str:
    """Return a response as people read it, keys hidden, control bytes written out."""
    if not exchange.answered:
        return exchange.problem or exchange.delivery.value
    lines = [f"{exchange.status}"]
    lines += [f"{_safe(name, vault)}: {_safe(value, vault)}" for name, value in exchange.headers]
    body = vault.hide(exchange.body[:SHOWN_BODY]).decode("utf-8", "replace")
    return visible("\n".join([*lines, *(["", body] if body else [])]))
