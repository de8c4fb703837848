"""A finding is something that a stranger can believe and repeat, with no key in it and nothing that moves a cursor."""

from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance._events import Found, to_json
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.driver._finding import (
    KEPT_BODY,
    SHOWN_BODY,
    Findings,
    exchange_event,
    parts_from_json,
    parts_text,
    request_text,
    response_text,
)
from authcontract_conformance.exchange._exchange import HOST, Credential, Exchange, Parts
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import Evidence, Judgement, Word, fail
from authcontract_engine import KeyRecord, Rule
from conversations import answer, contract, lost

SECRET = "sk_live_Qm7XtRw2LpVz9KdJ4HsB"
REPLAY = "authcontract replay run.ndjson {finding} --only {clause}"
PRESENTED: Parts = (b"Bearer ", Credential("LR", (("drop_last", 2),)))


@pytest.fixture
def vault() -> Vault:
    made = Vault()
    made.add(KeyRecord(id="LR", digest="", kind="api_key", issued_at=0.0), "LR", SECRET.encode(), len("sk_live_"))
    return made


@pytest.fixture
def findings(vault: Vault) -> Findings:
    return Findings(contract("synaptiq").policy, vault, REPLAY)


def judgement(got: str = "200", **more: Any) -> Judgement:
    exchange = answer(
        200, {"name": "Ada"}, headers=(((b"Host",), HOST), ((b"Authorization",), PRESENTED)), label="no key"
    )
    evidence = Evidence(
        expected="401 unauthorized", got=got, exchange=exchange, rule=Rule(path=("errors", "unauthorized"))
    )
    return fail(replace(evidence, **more), "it was served")


def add(findings: Findings, made: Judgement, subject: str = "GET /leads") -> Found:
    found = findings.add(catalogue()["AUTH-1"], subject, made)
    assert found is not None
    return found


def answer_with(body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Exchange:
    return replace(answer(401, body), headers=headers)


def test_both_sides_the_line_the_source_and_the_bytes(findings: Findings) -> None:
    control = answer(200, label="control")
    found = add(findings, judgement(control=control))
    assert (found.id, found.clause, found.word, found.level) == ("F1", "AUTH-1", "fail", "MUST")
    assert (found.expected, found.got, found.reason) == ("401 unauthorized", "200", "it was served")
    assert found.policy is not None
    assert found.policy.text[found.policy.column - 1 : found.policy.end - 1].startswith("unauthorized")
    assert found.source
    assert found.request == "GET / HTTP/1.1\nHost: <target>\nAuthorization: Bearer <key LR, drop_last 2>"
    assert found.response == '200\n\n{"name": "Ada"}'
    assert found.control_response == "200"
    assert found.replay == "authcontract replay run.ndjson F1 --only AUTH-1"


def test_a_fingerprint_names_the_defect_and_not_the_run(vault: Vault, findings: Findings) -> None:
    """Another run, another number, another key, another moment: the same defect has the same fingerprint."""
    first = add(findings, judgement())
    other = Findings(contract("synaptiq").policy, vault, "")
    add(other, judgement(), "GET /webhooks")
    later = judgement()
    assert later.evidence is not None
    assert later.evidence.exchange is not None
    moved = replace(later.evidence.exchange, number=99, sent_at=7.0, body=b"{}")
    second = add(other, replace(later, evidence=replace(later.evidence, exchange=moved)))
    assert second.id == "F2"
    assert second.fingerprint == first.fingerprint
    assert len(first.fingerprint) == 12
    assert add(other, judgement(got="302")).fingerprint != first.fingerprint


def test_a_defect_is_found_once(findings: Findings) -> None:
    add(findings, judgement())
    assert findings.add(catalogue()["AUTH-1"], "GET /leads", judgement()) is None
    assert [found.id for found in findings.found] == ["F1"]


def test_a_finding_without_evidence_still_reads(findings: Findings) -> None:
    found = add(findings, Judgement(word=Word.WARN, reason="sloppy"))
    assert (found.expected, found.got, found.request, found.policy, found.exchange) == ("", "", "", None, None)
    assert found.source == ", ".join(catalogue()["AUTH-1"].sources)


def test_no_key_is_in_any_word_of_it(vault: Vault, findings: Findings) -> None:
    """The target repeats the key wherever it can."""
    echo = answer_with(f"no such key: {SECRET}".encode(), (("X-Key", SECRET), (SECRET, "as a name")))
    made = fail(Evidence(expected="401", got=f"401 {SECRET}", exchange=echo, control=echo), f"it said {SECRET.lower()}")
    found = add(findings, made)
    event = exchange_event(echo, "AUTH-1", "GET /leads", vault)
    for text in (str(to_json(found)), str(to_json(event)), response_text(echo, vault)):
        assert SECRET[8:17].lower() not in text.lower()
        assert "[key LR]" in text


CONTROL: dict[str, tuple[bytes, str]] = {
    "escape sequence": (b"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
    "carriage return": (b"ok\rbad", "ok\\x0dbad"),
    "NUL": (b"a\0b", "a\\x00b"),
    "delete": (b"\x7f", "\\x7f"),
    "C1 control": ("\x9b2J".encode(), "\\x9b2J"),
    "right-to-left override": ("\u202eevil".encode(), "\\x202eevil"),
    "a line break stays": (b"one\ntwo", "one\ntwo"),
    "letters stay": ("Grüße, 世界".encode(), "Grüße, 世界"),
}


@pytest.mark.parametrize(("body", "shown"), CONTROL.values(), ids=list(CONTROL))
def test_control_bytes_of_a_response_are_written_out(vault: Vault, body: bytes, shown: str) -> None:
    assert response_text(answer_with(body), vault) == f"401\n\n{shown}"


def test_control_bytes_of_a_request_and_of_headers_are_written_out(vault: Vault) -> None:
    odd = answer_with(b"", (("X-\x1b", "a\r\nb"),))
    assert "\x1b" not in response_text(odd, vault)
    assert "\r" not in response_text(odd, vault)
    sent = answer(200, method=b"GE\x1bT", target=(b"/a\x00b",), headers=(((b"X",), (b"\x08",)),), body=(b"\x07",))
    assert request_text(sent) == "GE\\x1bT /a\\x00b HTTP/1.1\nX: \\x08\n\n\\x07"


def test_what_was_not_answered_is_said_in_words(vault: Vault) -> None:
    assert response_text(lost(answer(200), "connection lost: reset"), vault) == "connection lost: reset"
    assert response_text(lost(answer(200), ""), vault) == "closed"


def test_large_bodies_are_cut(vault: Vault) -> None:
    large = answer_with(b"x" * 100_000)
    assert len(response_text(large, vault)) < SHOWN_BODY + 100
    assert len(exchange_event(large, "c", "s", vault).response_body) == KEPT_BODY


PARTS: dict[str, tuple[Parts, str]] = {
    "text": ((b"Bearer x",), "Bearer x"),
    "key": ((b"Bearer ", Credential("LR")), "Bearer <key LR>"),
    "altered key": (PRESENTED, "Bearer <key LR, drop_last 2>"),
    "altered twice": ((Credential("LR", (("flip_case",), ("base64", ":"))),), "<key LR, flip_case, base64 :>"),
    "host": (HOST, "<target>"),
    "any byte": (
        (bytes(range(256)),),
        "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in map(chr, range(256))),
    ),
}


@pytest.mark.parametrize(("parts", "text"), PARTS.values(), ids=list(PARTS))
def test_parts_are_read_back_from_the_log(vault: Vault, parts: Parts, text: str) -> None:
    """What the log keeps of a request is what was sent, bytes and references alike."""
    assert parts_text(parts) == text
    exchange = answer(200, target=parts, body=parts, headers=((parts, parts),))
    event = to_json(exchange_event(exchange, "c", "s", vault))
    assert parts_from_json(event["target"]) == parts
    assert parts_from_json(event["body"]) == parts
    assert tuple((parts_from_json(n), parts_from_json(v)) for n, v in event["headers"]) == ((parts, parts),)


def test_what_many_responses_show_a_clause_that_only_looks_is_one_defect(findings: Findings) -> None:
    looking, trying = catalogue()["ERR-10"], catalogue()["AUTH-1"]
    made = judgement("405 without Allow")
    assert findings.add(looking, "listLeads", made) is not None
    assert findings.add(looking, "getLead", made) is None
    assert findings.number(looking, "getLead", made) == "F1"
    assert findings.number(looking, "getLead", judgement("another")) is None
    assert findings.add(looking, "getLead", judgement("another")) is not None
    assert findings.add(trying, "listLeads", made) is not None
    assert findings.add(trying, "getLead", made) is not None
