"""What the contract lets come back, and how a response is held against it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.exchange._exchange import Credential, Delivery, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import (
    Expectation,
    Reality,
    body_differences,
    broken,
    describe_exchange,
)
from authcontract_conformance.oracle._verdict import Word
from authcontract_engine import Body, Object
from conversations import Conversation, answer, instead, lost

UNAUTHORIZED = {"error": {"code": "unauthorized", "message": "Invalid or missing API key.", "doc_url": "x"}}


@pytest.fixture(scope="module")
def synaptiq() -> Conversation:
    return Conversation("synaptiq")


def request(talk: Conversation, operation: str, key: Key | None = None, **more: Any) -> Probe:
    return talk.world().request(talk.operation(operation), key, **more)


def expectation(talk: Conversation, probe: Probe, **reality: Any) -> Expectation:
    return talk.world().expect(probe, Reality(**reality))


@pytest.fixture(scope="module")
def without_key(synaptiq: Conversation) -> Probe:
    return request(synaptiq, "listLeads")


def test_it_expects_what_the_contract_says(synaptiq: Conversation, without_key: Probe) -> None:
    reader = synaptiq.key("listLeads", scopes=frozenset({"read"}))
    assert expectation(synaptiq, without_key).describe() == "401 unauthorized"
    assert expectation(synaptiq, request(synaptiq, "listLeads", reader)).describe() == "allowed"
    assert expectation(synaptiq, request(synaptiq, "createLead", reader)).describe() == "403 forbidden"
    assert expectation(synaptiq, replace(without_key, channel="plain")).describe().startswith("403")


def test_what_is_not_known_widens_what_may_come(synaptiq: Conversation) -> None:
    probe = request(synaptiq, "getLead", synaptiq.key("getLead"))
    assert expectation(synaptiq, probe).describe() == "allowed"
    assert expectation(synaptiq, probe, object=Object.ABSENT).describe() == "404 not_found"
    known = expectation(synaptiq, probe, object="unknown", usage="unknown")
    assert known.describe() == "404 not_found or 429 rate_limited or allowed"
    assert not known.allowed
    assert not known.refused


def test_an_altered_or_unknown_key_is_no_key(synaptiq: Conversation) -> None:
    key = synaptiq.key("listLeads")
    probe = request(synaptiq, "listLeads", key, lines=synaptiq.world().present(Credential(key.id, (("drop_last", 1),))))
    assert expectation(synaptiq, probe).describe() == "401 unauthorized"
    unknown = synaptiq.key("listLeads", state="unknown", own=True)
    assert expectation(synaptiq, request(synaptiq, "listLeads", unknown)).describe() == "401 unauthorized"


JUDGED: dict[str, tuple[Exchange, Word]] = {
    "the documented refusal": (answer(401, UNAUTHORIZED), Word.PASS),
    "HEAD has no body": (answer(401, method=b"HEAD"), Word.PASS),
    "served": (answer(200, {"leads": []}), Word.FAIL),
    "a redirect": (answer(302), Word.FAIL),
    "another status": (answer(404, {"error": {"code": "not_found"}}), Word.FAIL),
    "another code, which is ERR-5's": (answer(401, {"error": {"code": "nope"}}), Word.PASS),
    "no JSON, which is ERR-5's": (answer(401, b"<html>"), Word.PASS),
    "an error of its own": (answer(500, UNAUTHORIZED), Word.INCONCLUSIVE),
    "a gateway's error": (answer(502), Word.INCONCLUSIVE),
    "no answer": (lost(answer(200)), Word.INCONCLUSIVE),
}


@pytest.mark.parametrize(("exchange", "word"), JUDGED.values(), ids=list(JUDGED))
def test_a_response_to_a_request_without_key(
    synaptiq: Conversation, without_key: Probe, exchange: Exchange, word: Word
) -> None:
    judgement = expectation(synaptiq, without_key).judge(exchange, reason="it must not")
    assert judgement.word is word
    assert (judgement.evidence is not None) == (word is Word.FAIL)
    if judgement.evidence is not None:
        assert judgement.evidence.expected == "401 unauthorized"
        assert judgement.evidence.exchange is exchange
        assert judgement.evidence.rule is not None


def test_a_silence_that_is_only_assumed_excuses_its_other_answers() -> None:
    """Another organisation's object: 404 as assumed passes, 403 is one of the other answers, 200 is none."""
    talk = Conversation("synaptiq")
    found = expectation(talk, request(talk, "getLead", talk.key("getLead")), object=Object.FOREIGN)
    assert found.describe() == "404 not_found"
    words = {status: found.judge(answer(status, {"error": {"code": code}})).word for status, code in FOREIGN.items()}
    assert words == {404: Word.PASS, 403: Word.UNSPECIFIED, 401: Word.FAIL, 200: Word.FAIL}
    reason = found.judge(answer(403, {"error": {"code": "forbidden"}})).reason
    assert reason.endswith("is only assumed; the target answers 403 forbidden")
    assert reason.startswith("G-")


FOREIGN = {404: "not_found", 403: "forbidden", 401: "unauthorized", 200: ""}


def test_a_confirmed_silence_excuses_nothing() -> None:
    talk = Conversation("synaptiq", confirmed=True)
    found = expectation(talk, request(talk, "getLead", talk.key("getLead")), object=Object.FOREIGN)
    assert found.judge(answer(403, {"error": {"code": "forbidden"}})).word is Word.FAIL


def test_where_another_answer_allows_the_effect_proves_nothing() -> None:
    """Whether `read` sees the lists of administration is silent, and nothing else that it is refused is."""
    talk = Conversation("synaptiq")
    reader = talk.key("listLeads", scopes=frozenset({"read"}))
    found = {op.id: expectation(talk, request(talk, op.id, reader)) for op in talk.settings.operations}
    silences = {name: expected.open for name, expected in found.items() if expected.refused and expected.open}
    assert silences == dict.fromkeys(("listWebhooks", "listKeys", "getOrganization"), "G-02")
    assert found["listKeys"].judge(answer(200, [])).word is Word.UNSPECIFIED
    assert found["deleteLead"].judge(answer(204)).word is Word.FAIL


# --- bodies ---------------------------------------------------------------------------------------------------------


def refusal(talk: Conversation, probe: Probe) -> Exchange:
    exchange = talk.send(probe)
    assert exchange.status == 401
    return exchange


def changed(exchange: Exchange, **fields: Any) -> Exchange:
    body = json.loads(exchange.body)
    body["error"] = {k: v for k, v in {**body["error"], **fields}.items() if v is not ...}
    return instead(exchange, exchange.status, body)


BODIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "as documented": ({}, ()),
    "a field more": ({"request_id": "r-1"}, ()),
    "another message": ({"message": "No key, no bread."}, ()),
    "an empty message": ({"message": ""}, ("body.error.message is empty or of another type",)),
    "a message of another type": ({"message": 7}, ("body.error.message is empty or of another type",)),
    "no message": ({"message": ...}, ("body.error.message is missing",)),
    "another code": ({"code": "nope"}, ('body.error.code is "nope", expected "unauthorized"',)),
    "no code": ({"code": ...}, ("body.error.code is missing",)),
}


@pytest.mark.parametrize(("fields", "differences"), BODIES.values(), ids=list(BODIES))
def test_an_error_body_is_compared_with_the_promised_one(
    synaptiq: Conversation, without_key: Probe, fields: dict[str, Any], differences: tuple[str, ...]
) -> None:
    exchange = changed(refusal(synaptiq, without_key), **fields)
    assert body_differences(exchange, expectation(synaptiq, without_key)) == differences


@pytest.mark.parametrize(
    "body", [b"", b"<html>", [], "unauthorized", None], ids=["empty", "html", "list", "text", "null"]
)
def test_an_error_body_that_is_no_object(synaptiq: Conversation, without_key: Probe, body: Any) -> None:
    exchange = instead(refusal(synaptiq, without_key), 401, body)
    assert body_differences(exchange, expectation(synaptiq, without_key)) == ("body is no JSON object",)


def test_values_that_depend_on_the_request_may_have_any_value() -> None:
    """roles promises a text with the masked key for an expired one."""
    talk = Conversation("roles")
    probe = request(talk, "listProjects")
    exchange = refusal(talk, probe)
    assert body_differences(exchange, expectation(talk, probe)) == ()
    assert body_differences(exchange, expectation(talk, request(talk, "listProjects", talk.key("listProjects")))) == ()


def test_a_policy_that_promises_no_body_gets_any() -> None:
    talk = Conversation("roles")
    probe = replace(request(talk, "listProjects"), channel="plain")
    found = expectation(talk, probe)
    assert found.describe() == "308 use_https"
    assert body_differences(instead(talk.send(probe), 308, b"<html>moved</html>"), found) == ()
    assert found.accepts(answer(308))


DESCRIBED: dict[str, tuple[Exchange, str]] = {
    "a success": (answer(204), "204"),
    "a code": (answer(403, {"error": {"code": "forbidden"}}), "403 forbidden"),
    "a code somewhere": (answer(400, {"errors": {"first": {"id": "bad-body"}}}), "400 bad-body"),
    "a code that is a sentence": (answer(400, {"code": "This is wrong."}), "400"),
    "a long code": (answer(400, {"code": "x" * 99}), f"400 {'x' * 40}"),
    "no JSON": (answer(404, b"<html>"), "404"),
    "lost": (lost(answer(200), "connection lost: reset"), "connection lost: reset"),
    "silent": (replace(lost(answer(200), ""), delivery=Delivery.TIMEOUT), "timeout"),
}


@pytest.mark.parametrize(("exchange", "words"), DESCRIBED.values(), ids=list(DESCRIBED))
def test_a_response_in_a_few_words(exchange: Exchange, words: str) -> None:
    assert describe_exchange(exchange) == words


def test_why_an_exchange_proves_nothing() -> None:
    assert broken(answer(503)) == "the target answered 503, an error of its own"
    assert broken(lost(answer(200), "reset")) == "the target did not answer: reset"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        (b"", None),
        (b'{"a"', None),
        (b"\xff", None),
        (b"9" * 5000, None),
        (b"[" * 65 + b"]" * 65, None),
        (b"[" * 100_000, None),
        (b"[" * 100_000 + b"]" * 100_000, None),
    ],
    ids=["object", "empty", "cut off", "no UTF-8", "endless number", "nested", "nested and cut off", "nested deep"],
)
def test_a_body_as_json_is_bounded(body: bytes, value: Any) -> None:
    assert answer(200, body).json() == value


def test_a_broken_body_is_another_reality(synaptiq: Conversation) -> None:
    writer = synaptiq.key("createLead")
    probe = request(synaptiq, "createLead", writer, body=b"{")
    found = expectation(synaptiq, probe, body=Body.INVALID)
    assert found.refused
    assert found.accepts(synaptiq.send(probe))
