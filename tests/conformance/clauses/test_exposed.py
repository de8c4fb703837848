"""What nobody documented, and secrets in what is documented: what is asked for, and what counts as shown."""

from typing import Any

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._exposed import PAGES, siblings
from authcontract_conformance.exchange._exchange import Credential, Exchange
from authcontract_conformance.oracle._verdict import Judgement, Word
from authcontract_policy import Operation
from conversations import Conversation, answer, instead

PATHS = ("/keys", "/keys/{id}", "/keys/{id}/rotate", "/keys/all")


def test_siblings_are_made_of_the_documented_paths() -> None:
    """A documented path is no sibling, and a version has neighbours."""
    operation = Operation(id="getKey", method="GET", path="/keys/{id}", request_body={}, responses={})
    found = siblings("/api/v1", operation, PATHS)
    assert {"/api/v1/keys/export", "/api/v1/admin/keys", "/admin/api/v1/keys", "/api/v1/keys/rotate"} <= {*found}
    assert {"/api/v0/keys", "/api/v2/keys", "/api/keys", "/api/v1/graphql"} <= {*found}
    assert not {"/api/v1/keys", "/api/v1/keys/all"} & {*found}
    assert len({*found}) == len(found)
    assert not any("/v" in path for path in siblings("", operation, PATHS))


SHOWN: dict[str, tuple[str, Any, bool]] = {
    "settings": ("/.env", b"DATABASE_URL=postgres://x\n", True),
    "a page for all": ("/.env", b"<!doctype html><html>A=1\nB=2</html>", False),
    "metrics": ("/metrics", b"# HELP up Up.\n# TYPE up gauge\nup 1\n", True),
    "an error in words": ("/metrics", b"not here", False),
    "settings of an application": ("/actuator/env", {"activeProfiles": [], "propertySources": []}, True),
    "an error object": ("/actuator/env", {"error": {"code": "not_found"}}, False),
    "the documented specification": ("/openapi.json", {"openapi": "3.1.0", "paths": {"/leads/{lead}": {}}}, False),
    "it with the base path": ("/openapi.json", {"openapi": "3.1.0", "paths": {"/api/v1/leads": {}}}, False),
    "more than the documented one": ("/openapi.json", {"openapi": "3.1.0", "paths": {"/internal/users": {}}}, True),
    "no specification": ("/openapi.json", {"paths": {"/internal/users": {}}}, False),
    "nothing": ("/debug/vars", None, False),
}


@pytest.mark.parametrize(("path", "body", "shown"), SHOWN.values(), ids=list(SHOWN))
def test_a_page_counts_by_what_it_shows(path: str, body: Any, *, shown: bool) -> None:
    recognised = next(found for place, _, found in PAGES if place == path)
    assert recognised(Conversation("synaptiq").world(), answer(200, body)) is shown


def test_one_page_for_every_path_shows_nothing() -> None:
    def welcome(exchange: Exchange) -> Exchange:
        return instead(exchange, 200, b"<html>Welcome</html>") if exchange.status in {401, 404} else exchange

    talk = Conversation("synaptiq", altered=welcome)
    assert {talk.judge("SCOPE-6", subject).word for subject in talk.cases("SCOPE-6")} == {Word.PASS}


# --- SCOPE-9 -------------------------------------------------------------------------------------------------------


def looked_at(talk: Conversation, exchange: Exchange) -> Judgement | None:
    passive = catalogue()["SCOPE-9"].passive
    assert passive is not None
    return passive(talk.world(), exchange)


def word(talk: Conversation, exchange: Exchange) -> Word | None:
    found = looked_at(talk, exchange)
    return None if found is None else found.word


def test_a_key_that_was_not_sent_fails_wherever_it_is_shown() -> None:
    talk = Conversation("synaptiq")
    key = talk.key("getLead")
    secret = talk.vault.secret(key.id).decode()
    shown = {"id": "7", "note": f"made with {secret}"}
    lines = (((b"Authorization",), (b"Bearer ", Credential(key.id))),)
    assert word(talk, answer(200, shown, operation="getLead")) is Word.FAIL
    assert word(talk, answer(404, shown)) is Word.FAIL
    assert word(talk, answer(200, {"id": secret[-4:]})) is Word.PASS
    # What the request carried is another clause's; what made the key may show it.
    assert word(talk, answer(200, shown, headers=lines)) is Word.PASS
    assert word(talk, answer(201, shown, operation="createKey", method=b"POST")) is None


def test_what_a_request_planted_may_be_shown_again() -> None:
    """A key in a body may be kept with the object, as whatever else a client writes there."""
    talk = Conversation("synaptiq")
    key = talk.key("getLead")
    shown = {"note": talk.vault.secret(key.id).decode()}
    assert word(talk, answer(201, {}, method=b"POST", body=(b'{"note":"', Credential(key.id), b'"}'))) is Word.PASS
    assert word(talk, answer(200, shown)) is Word.PASS


SECRETS: dict[str, tuple[Any, Word]] = {
    "a signing secret": ({"data": [{"signing_secret": "whsec_0123456789"}]}, Word.WARN),
    "a password": ({"user": {"password": "correct horse"}}, Word.WARN),
    "a mask": ({"secret": "whsec_••••••••"}, Word.PASS),
    "stars": ({"secret": "************"}, Word.PASS),
    "a flag": ({"secret": True}, Word.PASS),
    "nothing": ({"secret": None, "password": ""}, Word.PASS),
    "a word about it": ({"message": "the secret is not shown"}, Word.PASS),
}


@pytest.mark.parametrize(("body", "expected"), SECRETS.values(), ids=list(SECRETS))
def test_a_member_that_is_called_a_secret_is_a_warning(body: Any, expected: Word) -> None:
    talk = Conversation("synaptiq")
    assert word(talk, answer(200, body, operation="listWebhooks")) is expected
    assert word(talk, answer(201, body, operation="createWebhook", method=b"POST")) is Word.PASS


def test_a_documented_secret_is_no_surprise() -> None:
    """Where the specification shows it, the documentation promises it."""
    talk = Conversation("synaptiq")
    assert word(talk, answer(200, {"secret": "whsec_0123456789"}, operation="createKey")) is None
    assert word(talk, answer(200, {"last_four": "o345o345o345"}, operation="listKeys")) is Word.PASS
