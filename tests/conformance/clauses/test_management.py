"""Who manages keys, what becomes of dead and new ones: each defect by its own case, and nobody accused who is odd."""

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses.new_keys import BEGINNING, weakness
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import CORRECT, Call, Outcome, Seams, Server
from conversations import Alter, Conversation, instead, planted
from hypothesis import given
from hypothesis import strategies as st

MINE = ("LIFE-8", "LIFE-9", "LIFE-10", "LIFE-11", "LIFE-13", "LIFE-14", "SCOPE-7", "SCOPE-8")

# --- each defect by its own case ------------------------------------------------------------------------------------

#: Fault -> clause, the cases that see it, and what the first of them says.
SEEN = {
    "any-key-rotates-itself": ("LIFE-10", ["a key that may not manage keys, on itself"], "was given one"),
    "anybody-rotates-by-id": ("LIFE-10", ["a key of another organisation, on a key's id"], "was given one"),
    "foreign-key-revoked-unseen": ("LIFE-10", ["a key of another organisation, on a key's id"], "was ended by"),
    "readers-create-keys": ("LIFE-10", ["a key that may not create keys"], "was given one"),
    "keys-of-everybody-listed": (
        "LIFE-10",
        ["a key of another organisation, in the list of keys"],
        "somebody else's key",
    ),
    "last-four-work-as-key": ("LIFE-2", ["what is shown of a key"], "protected data was shown"),
    "revoked-key-listed-as-active": ("LIFE-13", ["a key revoked twice"], "shows a revoked key as one that works"),
    "revoking-twice-revives": ("LIFE-13", ["a key revoked twice"], "a key that was revoked twice"),
    "revoked-by-part-of-id": ("LIFE-13", ["ids that nobody has"], "nearly the revoked one"),
    "old-key-rotated-ends-new": ("LIFE-11", ["an old key rotated again"], "the new key after the old one was rotated"),
    "old-key-for-ever": ("LIFE-11", ["a new key revoked while the old one lives"], "after its grace"),
    "old-key-ends-with-new": (
        "LIFE-11",
        ["a new key revoked while the old one lives"],
        "the old key after the new one",
    ),
    "second-rotation-refused": ("LIFE-11", ["a new key rotated while the old one lives"], "refused"),
    "revoking-crosses-environments": ("LIFE-9", ["keys of other environments"], "after another key was revoked"),
    "head-decided-before": ("LIFE-8", ["a key that was used everywhere and revoked"], "HEAD"),
    "writing-decided-before": ("LIFE-8", ["a key that was used everywhere and revoked"], "takes the revoked key"),
    "keys-are-numbered": ("LIFE-14", ["several keys issued one after the other"], "the same in 5 keys"),
    "keys-begin-alike": ("LIFE-14", ["several keys issued one after the other"], "first 12 characters"),
    "scopes-beside-scope": ("SCOPE-7", ["a key created with more scopes on the side"], "more scopes on the side"),
    "environment-in-body": ("SCOPE-7", ["a key created with another environment on the side"], "another environment"),
    "organisation-in-body": (
        "SCOPE-7",
        ["a key created with another organisation on the side"],
        "another organisation",
    ),
    "plan-in-body": ("SCOPE-7", ["a key created with another plan on the side"], "another plan"),
    "scope-in-rotation": ("SCOPE-7", ["a key rotated with more scopes on the side"], "more scopes on the side"),
    "several-scopes-in-a-list": ("SCOPE-8", ["a scope in a list with another"], "in a list with another"),
    "scope-by-its-beginning": ("SCOPE-8", ["a scope that is empty"], "that is empty"),
    "scope-by-part": ("SCOPE-8", ["a scope joined to another by a comma"], "joined to another"),
}


@pytest.mark.parametrize("fault", list(SEEN))
def test_a_defect_is_seen_by_the_case_that_is_about_it(fault: str) -> None:
    clause, subjects, reason = SEEN[fault]
    for subject in subjects:
        found = Conversation("synaptiq", seams=planted(fault), confirmed=True).judge(clause, subject)
        assert found.word in (Word.FAIL, Word.WARN), found
        assert reason in found.reason


# --- what is odd and right ------------------------------------------------------------------------------------------


def words(talk: Conversation, clause: str) -> dict[str, Word]:
    return {subject: talk.judge(clause, subject).word for subject in talk.cases(clause)}


def polite(exchange: Exchange) -> Exchange:
    """Revoking answers that all is well, whatever id it names; nothing is done by it."""
    managed = exchange.probe.operation in {"revokeKey", "rotateKey"}
    return instead(exchange, 204) if managed and exchange.status in (403, 404) else exchange


def page_for_everybody(exchange: Exchange) -> Exchange:
    """Whoever is refused is shown a page with status 200, as websites do."""
    return instead(exchange, 200, b"<html>Please log in.</html>") if exchange.status == 401 else exchange


def hidden(exchange: Exchange) -> Exchange:
    """Whoever is refused is told that there is nothing."""
    return instead(exchange, 404) if exchange.status in (401, 403) else exchange


def gone(exchange: Exchange) -> Exchange:
    return instead(exchange, 410) if exchange.status == 404 else exchange


def when_listed(exchange: Exchange) -> Exchange:
    """The list says of each key when it was last listed."""
    if exchange.probe.operation != "listKeys" or not exchange.succeeded:
        return exchange
    value = json.loads(exchange.body)
    for entry in value["data"]:
        entry["seen_at"] = exchange.number
    return instead(exchange, 200, value)


ODD = [polite, page_for_everybody, hidden, gone, when_listed]


@pytest.mark.parametrize("odd", ODD, ids=[each.__name__ for each in ODD])
@pytest.mark.parametrize("clause", MINE)
def test_an_odd_server_that_is_right_is_not_accused(clause: str, odd: Alter) -> None:
    talk = Conversation("synaptiq", altered=odd, confirmed=True)
    assert not {Word.FAIL, Word.WARN} & set(words(talk, clause).values()), words(talk, clause)


def lenient_about(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Seams:
    """Change the body of each request that creates something before it is looked at."""

    def transport(server: Server, message: Any) -> Any:
        try:
            value = json.loads(message.body)
        except ValueError:
            value = None
        if isinstance(value, dict) and message.head.method in (b"POST", b"PATCH"):
            message = replace(message, body=json.dumps(change(value)).encode())
        return CORRECT.transport(server, message)

    return replace(CORRECT, transport=transport)


def only_known(body: dict[str, Any]) -> dict[str, Any]:
    known = {
        "name",
        "scope",
        "email",
        "company",
        "description",
        "message",
        "notes",
        "status",
        "phone",
        "title",
        "action",
    }
    return {name: value for name, value in body.items() if name in known}


def normalised(body: dict[str, Any]) -> dict[str, Any]:
    """Read a scope without its blanks and its case, the first of several."""
    scope = body.get("scope")
    if isinstance(scope, list):
        scope = scope[0] if scope else "read"
    return {**body, "scope": scope.replace(",", " ").split()[0].lower()} if isinstance(scope, str) and scope else body


def test_fields_that_nobody_documented_may_be_overlooked() -> None:
    talk = Conversation("synaptiq", seams=lenient_about(only_known), confirmed=True)
    assert set(words(talk, "SCOPE-7").values()) == {Word.PASS}
    made = [exchange for exchange in talk.exchanges if exchange.probe.operation == "createKey"]
    assert all(exchange.succeeded for exchange in made)


def test_a_scope_may_be_read_kindly() -> None:
    """What is nearly `read` gives a key that may read; it is tried, and revoked."""
    talk = Conversation("synaptiq", seams=lenient_about(normalised), confirmed=True)
    assert set(words(talk, "SCOPE-8").values()) == {Word.PASS}
    records = [record for record in talk.server.keyring.records.all() if record.scopes == {"read"}]
    assert records
    assert all(record.revoked_at is not None for record in records)


def own_end(seams: Seams) -> Seams:
    """A key may revoke itself."""

    def look(server: Server, call: Call) -> Any:
        return replace(seams.look(server, call), conflict=False)

    return replace(seams, look=look)


def test_a_key_may_revoke_itself_where_nobody_says_that_it_may_not() -> None:
    found = Conversation("synaptiq", seams=own_end(CORRECT), confirmed=True).judge("LIFE-11", "a key revokes itself")
    assert (found.word, found.reason) == (Word.UNSPECIFIED, "a key may revoke itself here")


def untouched(seams: Seams) -> Seams:
    """Revoking says that it was done and does nothing."""

    def perform(server: Server, call: Call) -> Outcome:
        return Outcome(204) if call.operation.id == "revokeKey" else seams.perform(server, call)

    return replace(seams, perform=perform)


def test_a_key_that_revoked_itself_is_dead() -> None:
    seams = untouched(own_end(CORRECT))
    assert Conversation("synaptiq", seams=seams).judge("LIFE-11", "a key revokes itself").word is Word.FAIL


@pytest.mark.parametrize(("confirmed", "word"), [(False, Word.UNSPECIFIED), (True, Word.FAIL)])
def test_another_answer_to_a_silence_is_told_and_not_held_against_it(confirmed: bool, word: Word) -> None:  # noqa: FBT001  a table of cases
    talk = Conversation("synaptiq", seams=planted("second-rotation-refused"), confirmed=confirmed)
    found = talk.judge("LIFE-11", "a new key rotated while the old one lives")
    assert found.word is word
    assert "a second rotation while the old key lives: refused" in found.reason


# --- without a clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["synaptiq", "harbour", "roles"])
@pytest.mark.parametrize(
    ("clause", "subject"),
    [
        ("LIFE-4", "a key just before its grace ends"),
        ("LIFE-5", "a key after its grace"),
        ("LIFE-8", "a key that was used everywhere and expired"),
        ("LIFE-11", "the old key's deadline after the new one was revoked"),
    ],
)
def test_what_needs_time_is_left_for_later_and_never_passed(name: str, clause: str, subject: str) -> None:
    talk = Conversation(name, capabilities=frozenset({"key management", "second organisation"}))
    assert not catalogue()[clause].needs & {"clock"}
    found = talk.judge(clause, subject)
    assert found.word is Word.SKIPPED
    assert found.reason.startswith("the grace of key key_")
    assert found.reason.endswith("Z; judge it then")


def test_what_can_be_known_without_a_clock_is_judged() -> None:
    talk = Conversation("synaptiq", capabilities=frozenset({"key management"}), seams=planted("no-grace"))
    assert talk.judge("LIFE-4", "a key in its grace").word is Word.FAIL


# --- what makes keys guessable --------------------------------------------------------------------------------------


def drawn(alphabet: str, length: int) -> list[str]:
    return ["".join(secrets.choice(alphabet) for _ in range(length)) for _ in range(5)]


LOWER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
HEXADECIMAL, ALL = DIGITS + "abcdef", LOWER + LOWER.upper() + DIGITS


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        pytest.param(["same"] * 5, "two of them are the same", id="one key for all"),
        pytest.param([f"{n:030d}" for n in range(5)], "characters are the same", id="numbers"),
        pytest.param([f"{n}" + "x" * 29 for n in range(5)], "1 characters differ", id="numbers at the beginning"),
        pytest.param(drawn(HEXADECIMAL, 16), "64 bits at most", id="sixteen hexadecimal digits"),
        pytest.param([f"1764000000{n}" for n in range(5)], "characters are the same", id="moments"),
        pytest.param(["account0042" + key for key in drawn(ALL, 30)], "first 11 characters", id="a long beginning"),
    ],
)
def test_guessable_keys_are_told(keys: list[str], problem: str) -> None:
    assert problem in (weakness(keys) or "")


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(drawn(ALL, 30), id="thirty letters and digits"),
        pytest.param(drawn(HEXADECIMAL, 40), id="forty hexadecimal digits"),
        pytest.param(["live_secret_key_" + key for key in drawn(ALL, 30)], id="an undocumented label"),
        pytest.param(["v1" + key for key in drawn(ALL, 30)], id="a short beginning"),
        pytest.param([f"1764000000-{key}" for key in drawn(ALL, 30)], id="a moment and then chance"),
    ],
)
def test_random_keys_are_not_accused(keys: list[str]) -> None:
    assert weakness(keys) is None


@given(st.lists(st.text(alphabet=ALL, min_size=23, max_size=60), min_size=5, max_size=5, unique=True))
def test_a_problem_never_shows_a_key(keys: list[str]) -> None:
    """The sentence counts characters and quotes none."""
    found = weakness(keys)
    assert found is None or not any(key[:BEGINNING] in found for key in keys)
