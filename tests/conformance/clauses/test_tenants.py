"""Objects of others: odd servers that keep them apart are not accused, and what is judged is what was made."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses.tenants import made_up
from authcontract_conformance.exchange._exchange import CANARY, Exchange, Purpose
from authcontract_conformance.oracle._verdict import Judgement, Word
from authcontract_conformance.samples._links import Links
from authcontract_conformance.world._snapshot import Snapshot
from authcontract_conformance.world._world import Ended, Item
from conversations import Alter, Conversation, instead, planted
from shop import shop

OURS = ("ENV-1", "ENV-2", "ENV-3", "ENV-6", "TEN-1", "TEN-2", "TEN-3", "TEN-4", "CACHE-4")


def words(talk: Conversation, *clauses: str) -> dict[tuple[str, str], Word]:
    """Return the word of every case, but for those that pass."""
    found = {
        (clause, subject): talk.judge(clause, subject).word for clause in clauses for subject in talk.cases(clause)
    }
    return {case: word for case, word in found.items() if word is not Word.PASS}


def finding(talk: Conversation, clause: str) -> Judgement:
    """Return the first judgement that is no pass."""
    return next(found for case in talk.cases(clause) if (found := talk.judge(clause, case)).word is not Word.PASS)


def target(exchange: Exchange) -> bytes:
    """Return the address that was asked for."""
    return b"".join(part for part in exchange.probe.target if isinstance(part, bytes))


def fields(exchange: Exchange) -> tuple[bytes, ...]:
    """Return the names of the header fields that were sent."""
    return tuple(b"".join(part for part in name if isinstance(part, bytes)) for name, _ in exchange.probe.headers)


# --- odd servers that are right -------------------------------------------------------------------------------------


def hidden_as_forbidden(exchange: Exchange) -> Exchange:
    """Whatever cannot be found, absent or foreign, is forbidden."""
    return instead(exchange, 403, {"error": {"code": "forbidden"}}) if exchange.status == 404 else exchange


def strict(exchange: Exchange) -> Exchange:
    """What nobody documented, in query or fields, is a bad request."""
    odd = b"?" in target(exchange) or any(name.startswith(b"X-") for name in fields(exchange))
    return instead(exchange, 400, {"error": {"code": "bad_request"}}) if odd else exchange


def busy(exchange: Exchange) -> Exchange:
    """Figures that grow with every look, since the whole world is at work."""
    if b"analytics" in target(exchange) and exchange.status == 200:
        return replace(exchange, body=json.dumps({"leads_created": exchange.number}).encode(), _json=[])
    return exchange


def echoing(exchange: Exchange) -> Exchange:
    """A list that says again what it was searched for."""
    found = CANARY.search(target(exchange))
    if found is None or exchange.status != 200:
        return exchange
    return replace(exchange, body=json.dumps({"data": [], "searched": found[0].decode()}).encode(), _json=[])


def gone_is_gone(exchange: Exchange) -> Exchange:
    """Deleting what is not there is as good as done."""
    return instead(exchange, 204) if exchange.probe.method == b"DELETE" and exchange.status == 404 else exchange


@pytest.mark.parametrize("odd", [hidden_as_forbidden, strict, busy, echoing], ids=lambda each: each.__name__)
def test_an_odd_server_that_keeps_objects_apart_is_not_accused(odd: Alter) -> None:
    found = words(Conversation("synaptiq", altered=odd), *OURS)
    assert set(found.values()) <= ({Word.SKIPPED} if odd is strict else set())


def test_deleting_nothing_with_success_changes_nothing() -> None:
    """It is no success on the object, since its owner still sees it; but the contract has a refusal for it."""
    found = words(Conversation("synaptiq", altered=gone_is_gone), "TEN-2", "TEN-3", "TEN-4", "CACHE-4", "ENV-6")
    assert found == {}


@pytest.mark.parametrize("name", ["harbour", "roles"])
def test_servers_of_other_contracts_are_not_accused(name: str) -> None:
    talk = Conversation(name)
    applicable = [c for c in (*OURS, "TEN-5") if catalogue()[c].inapplicable(talk.world(c)) is None]
    assert "TEN-1" in applicable
    assert ("TEN-5" in applicable) is (name == "roles")
    assert set(words(talk, *applicable).values()) <= {Word.SKIPPED}


# --- searches beside the lists, and the same request from two sides -------------------------------------------------


def found_by_all(exchange: Exchange) -> Exchange:
    """A search that finds nothing, and says again what was searched for."""
    return instead(exchange, 200, {"data": [], "text": "canary"}) if b"/search" in target(exchange) else exchange


def test_a_search_that_its_owner_cannot_use_proves_nothing() -> None:
    found = words(Conversation("roles", altered=found_by_all), "TEN-3")
    assert {case: word for case, word in found.items() if "search" in case[1]} == {
        ("TEN-3", "POST /projects/search: B searches for an object of A"): Word.SKIPPED
    }


def one_name_for_all(exchange: Exchange) -> Exchange:
    """A document that calls itself the same whoever asks."""
    if not target(exchange).partition(b"?")[0].endswith(b"/organization") or exchange.status != 200:
        return exchange
    return replace(exchange, body=json.dumps({**exchange.json(), "id": "everybody"}).encode(), _json=[])


def test_a_document_that_is_everybodys_is_kept_from_nobody() -> None:
    assert words(Conversation("synaptiq", altered=one_name_for_all), "CACHE-4") == {}


def numbered_by_owner(exchange: Exchange) -> Exchange:
    """Each organisation counts its objects from one, so that both have a first."""
    if exchange.probe.method == b"POST" and exchange.succeeded and target(exchange).endswith(b"/leads"):
        return replace(exchange, body=json.dumps({**exchange.json(), "id": "1"}).encode(), _json=[])
    if target(exchange).endswith(b"/leads/1"):
        return instead(exchange, 200, {"id": "1", "name": "the first"})
    return exchange


def test_an_id_that_both_have_is_no_repetition() -> None:
    talk = Conversation("synaptiq", altered=numbered_by_owner)
    subject = "POST /leads of A, then of B, with the same Idempotency-Key"
    assert talk.judge("TEN-4", subject).word is Word.PASS


def test_a_list_is_filtered_by_documented_values() -> None:
    """A query parameter with a few values is given the first; one in which any number may stand is left alone."""
    orders = next(operation for operation in shop().specification.operations if operation.id == "listOrders")
    assert Links(shop().specification).choices(orders) == {"states": "open"}


def test_findings_name_the_border_that_was_crossed() -> None:
    evidence = finding(Conversation("synaptiq", seams=planted("production-lists-sandbox")), "ENV-3").evidence
    assert evidence is not None
    assert (evidence.expected, evidence.got) == ("a list without it", "200 with another environment's object in it")


# --- objects that are made by the way -------------------------------------------------------------------------------


def item(talk: Conversation, operation: str, case: str = "case") -> Item | None:
    """Return the object that a run works on, or None where it leaves whatever is there alone."""
    world = talk.world(case)
    steps = world.item(talk.operation(operation))
    result: Any = None
    try:
        while True:
            result = talk.perform(steps.send(result), case)
    except StopIteration as stop:
        found: Item = stop.value
        return found
    except Ended:
        return None


def one_for_all(exchange: Exchange) -> Exchange:
    """Every message goes into the one conversation that was always there."""
    if exchange.probe.operation != "sendChatMessage" or not exchange.succeeded:
        return exchange
    body = {**exchange.json(), "conversation_id": "conv_1"}
    return replace(exchange, body=json.dumps(body).encode(), _json=[])


def test_a_conversation_is_made_by_sending_a_message() -> None:
    """It is another one each time, which is tried once in a run, and it shows what was sent."""
    talk = Conversation("synaptiq")
    first = item(talk, "getConversation", "first")
    assert first is not None
    assert first.own
    assert first.canary is not None
    assert [e.probe.operation for e in talk.exchanges] == ["sendChatMessage", "sendChatMessage", "getConversation"]
    second = item(talk, "deleteConversation", "second")
    assert second is not None
    assert len(talk.exchanges) == 4
    assert first.parameters != second.parameters


def test_what_was_there_before_is_not_taken_for_the_run_s_own() -> None:
    """A message that goes into a conversation of others makes none: nothing of it is deleted on a target of others."""
    talk = Conversation("synaptiq", altered=one_for_all)
    found = item(talk, "getConversation")
    assert found is not None
    assert not found.own
    talk.settings = replace(talk.settings, disposable=False)
    assert item(talk, "deleteConversation") is None


def test_what_is_found_is_no_victim() -> None:
    """The same id may be there on both sides, so that reading it proves nothing."""
    talk = Conversation("synaptiq", altered=one_for_all)
    assert set(words(talk, "TEN-1", "ENV-1", "ENV-2").values()) <= {Word.SKIPPED, Word.INCONCLUSIVE}


# --- ids that nobody has --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("lead_8kq2x9w1", r"lead_[a-z0-9]{8}"),
        ("00d3bf1c-0f4e-4d5b-9c3a-0a1b2c3d4e5f", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("1234567", r"[1-9][0-9]{6}"),
        ("AbC9", r"[A-Z][a-z][A-Z][0-9]"),
        ("7", r"[1-9]"),
    ],
)
def test_an_id_that_nobody_has_looks_like_one_that_somebody_has(name: str, form: str) -> None:
    found = made_up(name, Conversation("synaptiq").world())
    assert found != name
    assert re.fullmatch(form, found), found


# --- what a finding says --------------------------------------------------------------------------------------------

SAYS: Mapping[tuple[str, str], str] = {
    ("foreign-object-deleted-unseen", "TEN-1"): "DELETE /leads/{id}",
    ("figures-of-everybody", "TEN-3"): "counts",
    ("said-into-foreign-object", "TEN-4"): "`conversation_id`",
    ("organisation-from-a-field", "TEN-4"): "a header field",
    ("environment-from-the-query", "ENV-6"): "a query parameter",
    ("cache-keeps-what-ends-like-a-file", "CACHE-4"): "`/x.css`",
    ("foreign-object-is-forbidden", "TEN-2"): "somebody else has such an object",
}


@pytest.mark.parametrize(("fault", "clause"), SAYS, ids=[" by ".join(pair) for pair in SAYS])
def test_a_finding_names_what_did_it(fault: str, clause: str) -> None:
    assert SAYS[fault, clause] in finding(Conversation("synaptiq", seams=planted(fault), confirmed=True), clause).reason


def test_what_happens_without_any_claim_is_not_laid_to_the_claim() -> None:
    """Nor to a cache: an object that everybody may read is TEN-1's finding alone."""
    talk = Conversation("synaptiq", seams=planted("foreign-object-shown"), confirmed=True)
    assert Word.FAIL not in words(talk, "TEN-4", "CACHE-4").values()
    assert Word.FAIL in words(talk, "TEN-1").values()


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_refusal_may_say_again_what_it_was_sent() -> None:
    """What the request said is not shown by the refusal; what another one put there is."""
    passive = catalogue()["LEAK-7"].passive
    assert passive is not None
    talk = Conversation("synaptiq")
    made = item(talk, "getLead")
    assert made is not None
    assert made.canary is not None
    world, other = talk.world("another"), talk.key("updateLead", organisation="B")
    operation = talk.operation("updateLead")
    for canary, word in ((made.canary, Word.FAIL), (world.canary(), Word.PASS)):
        refused = talk.send(world.request(operation, other, made, canary=world.canary()))
        judged = passive(world, replace(refused, body=canary.encode()))
        assert judged is not None
        assert judged.word is word
    echo = talk.send(world.request(operation, other, made, canary=made.canary))
    judged = passive(world, replace(echo, body=made.canary.encode()))
    assert judged is not None
    assert judged.word is Word.PASS


def test_a_key_that_may_read_the_object_may_see_it_in_a_refusal() -> None:
    passive = catalogue()["LEAK-7"].passive
    assert passive is not None
    talk = Conversation("synaptiq")
    made = item(talk, "getLead")
    assert made is not None
    assert made.canary is not None
    reader = talk.key("getLead", scopes=frozenset({"read"}))
    refused = talk.send(talk.world().request(talk.operation("deleteLead"), reader, made))
    assert refused.status == 403
    judged = passive(talk.world(), replace(refused, body=made.canary.encode()))
    assert judged is not None
    assert judged.word is Word.PASS


def test_effects_are_looked_for_by_the_owner() -> None:
    """Each look at a victim is a request of its owner."""
    talk = Conversation("synaptiq")
    words(talk, "TEN-1")
    looks = [e for e in talk.exchanges if e.probe.purpose is Purpose.EFFECT]
    records = [talk.vault.record(e.probe.keys[0]) for e in looks]
    assert looks
    assert all(record is not None and record.organisation.endswith("A") for record in records)
    assert Snapshot(reader=None).changed(Snapshot(reader=None)) is False
