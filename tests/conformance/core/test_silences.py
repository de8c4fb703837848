"""What the target does where the documentation is silent: learnt from responses, told in a ledger, and confirmed."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from authcontract_conformance._events import SilenceJudged
from authcontract_conformance.clauses import MERGED, catalogue
from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._oracle import Reality
from authcontract_conformance.oracle._silences import Seen, Silences
from authcontract_conformance.oracle._verdict import ClauseVerdict, Judgement, Level, Word
from authcontract_conformance.reports._silences import silences
from authcontract_conformance.reports._suggestion import answered, suggestion
from authcontract_conformance.run._run import Result
from authcontract_conformance.run._silences import State, in_words, ledger
from authcontract_engine import Contract, Object
from authcontract_engine import compile as compile_contract
from authcontract_policy import Answered, confirming, load, suggested, together
from conversations import POLICIES, Conversation, answer, contract, loaded, lost, others
from rich.console import Console
from silences import answering, answering_both, judged, states, written
from silences import others as other_answers

# --- what responses say ---------------------------------------------------------------------------------------------


def learning(name: str = "synaptiq") -> tuple[Conversation, Silences]:
    talk = Conversation(name)
    found = Silences(talk.settings.oracle, others(name), talk.vault)
    talk.settings.oracle.listener = found
    return talk, found


def left(found: Silences) -> dict[str, set[int]]:
    return {silence: set(seen.left) for silence, seen in found.seen.items()}


def to(talk: Conversation, operation: str, exchange: Exchange, **key: Any) -> Exchange:
    """Return an answer to the canonical request for an operation, with a key that is described."""
    probe = talk.world().request(talk.operation(operation), talk.key(operation, **key))
    return replace(exchange, probe=probe)


FORBIDDEN = {"error": {"code": "forbidden"}}
READ = frozenset({"read"})
SHOWN: dict[str, tuple[Exchange, dict[str, set[int]]]] = {
    "refused, as assumed": (answer(403, FORBIDDEN), {"G-02": {0}}),
    "allowed, as the other answer has it": (answer(200, []), {"G-02": {1}}),
    "a refusal that no answer has": (answer(404), {}),
    "an error of the server": (answer(500), {}),
    "no answer": (lost(answer(200)), {}),
}


@pytest.mark.parametrize(("exchange", "shows"), SHOWN.values(), ids=list(SHOWN))
def test_a_response_shows_which_answers_would_have_it(exchange: Exchange, shows: dict[str, set[int]]) -> None:
    """Whether `read` sees the list of keys is a silence, so that either response answers it."""
    talk, found = learning()
    probe = talk.world().request(talk.operation("listKeys"), talk.key("listLeads", scopes=READ))
    found.look(replace(exchange, probe=probe), 0.0)
    assert {silence: numbers for silence, numbers in left(found).items() if silence == "G-02"} == shows


def test_what_every_answer_would_have_shows_nothing() -> None:
    talk, found = learning()
    found.look(to(talk, "deleteLead", answer(204)), 0.0)
    assert "G-02" not in found.seen


def test_a_whole_address_on_the_request_line_teaches_nothing() -> None:
    talk, found = learning()
    exchange = to(talk, "listWebhooks", answer(403, FORBIDDEN), scopes=READ)
    path, *rest = exchange.probe.target
    assert isinstance(path, bytes)
    found.look(replace(exchange, probe=replace(exchange.probe, target=(b"https://target" + path, *rest))), 0.0)
    assert left(found) == {}


def test_what_is_no_key_does_not_show_how_keys_are_refused() -> None:
    """An empty one was sent for some servers, and was none for others."""
    headers = (("WWW-Authenticate", 'Bearer realm="synaptiq", error="invalid_token"'),)
    refused = answer(401, {"error": {"code": "unauthorized"}}, headers)
    talk, found = learning()
    empty = talk.world().request(talk.operation("listLeads"), lines=(((b"Authorization",), (b"Bearer ",)),))
    found.look(replace(refused, probe=empty), 0.0)
    assert "G-28" not in left(found)
    found.look(to(talk, "listLeads", refused, state="unknown"), 0.0)
    assert left(found)["G-28"] == {0}


def test_a_response_to_what_only_a_clause_knows_is_learnt_when_it_is_judged() -> None:
    """That an object is somebody else's stands in no request, so the passive look cannot tell 404 from 404."""
    talk, found = learning()
    exchange = to(talk, "getLead", answer(404, {"error": {"code": "not_found"}}))
    found.look(exchange, 0.0)
    assert "G-35" not in found.seen
    assert talk.world().expect(exchange.probe, Reality(object=Object.FOREIGN)).accepts(exchange)
    assert left(found)["G-35"] == {0}


def test_whoever_only_tries_an_expectation_teaches_nothing() -> None:
    talk, found = learning()
    exchange = to(talk, "getLead", answer(404, {"error": {"code": "not_found"}}))
    assert talk.world().expect(exchange.probe, Reality(object=Object.FOREIGN)).fits(exchange)
    assert found.seen == {}


def test_a_line_of_the_policy_that_cites_a_silence_is_shown_by_what_it_decides() -> None:
    """Whether `write` triggers workflows has no other answer, and its line says where it comes from."""
    talk, found = learning()
    found.look(to(talk, "triggerWorkflow", answer(202)), 0.0)
    assert left(found)["G-03"] == {0}


HEADERS: dict[str, tuple[tuple[tuple[str, str], ...], dict[str, set[int]]]] = {
    "as assumed": (
        (("Cache-Control", "no-store"), ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")),
        {"G-29": {0}, "G-31": {0}},
    ),
    "spelt with other spaces and case": (
        (("cache-control", "No-Store"), ("strict-transport-security", "max-age=31536000;includeSubDomains")),
        {"G-29": {0}, "G-31": {0}},
    ),
    "another answer, and none at all": ((("Cache-Control", "private, no-store"),), {"G-29": {1}, "G-31": {1}}),
    "what no answer has": (
        (("Cache-Control", "public"), ("Strict-Transport-Security", "max-age=1")),
        {},
    ),
}


@pytest.mark.parametrize(("headers", "shows"), HEADERS.values(), ids=list(HEADERS))
def test_headers_answer_silences_too(headers: tuple[tuple[str, str], ...], shows: dict[str, set[int]]) -> None:
    talk, found = learning()
    found.look(to(talk, "listLeads", answer(200, [], headers)), 0.0)
    assert {s: numbers for s, numbers in left(found).items() if s in ("G-29", "G-31")} == shows


def in_order(c: Contract) -> str:
    return "as assumed" if c.policy.precedence == contract("synaptiq").policy.precedence else "otherwise"


def test_what_several_silences_would_explain_is_owed_to_none() -> None:
    """Nothing taken for an unknown path: that costs nothing, or the limit is looked at after the path."""
    talk, found = learning()
    exchange = to(talk, "listLeads", answer(404))
    talk.settings.oracle.seen(in_order, "otherwise", exchange)
    assert left(found) == {"G-05": {1, 2, 3, 4, 5, 6}}
    found.seen.clear()
    talk.settings.oracle.seen(lambda c: (c.policy.precedence, c.policy.isolation, c.policy.headers), ("x",), exchange)
    assert found.seen == {}


def either(c: Contract) -> str:
    """A value that another order, or other costs, would change."""
    main = contract("synaptiq").policy
    return in_order(c) if c.policy.rate_limits == main.rate_limits else "otherwise"


def test_which_of_several_silences_it_was_is_known_once_the_others_are_settled() -> None:
    talk, found = learning()
    exchange = to(talk, "listLeads", answer(404))
    talk.settings.oracle.seen(either, "otherwise", exchange)
    assert found.seen == {}
    assert set(found.settle()) == {"G-05", "G-06", "G-07", "G-10"}
    for silence in ("G-06", "G-07", "G-10"):
        found.learn(silence, frozenset({0}), 2)
    assert found.settle() == {}
    assert left(found)["G-05"] == {1, 2, 3, 4, 5, 6}


def test_what_cannot_be_owed_to_one_silence_is_said_of_each() -> None:
    talk, found = learning()
    talk.settings.oracle.seen(either, "otherwise", to(talk, "listLeads", answer(404)))
    row = next(row for row in ledger(talk.settings.contract, found, ()) if row.silence == "G-05")
    assert (row.state, row.seen) == ("not seen", "exchange 1 needs another answer to this or to G-06 or G-07 or G-10")


LEARNT: dict[str, tuple[list[set[int]], set[int], int | None]] = {
    "one answer": ([{0}, {0, 2}], {0}, None),
    "fewer and fewer": ([{1, 2}, {2, 3}], {2}, None),
    "two ways": ([{0}, {0, 1}, {1}, {0}], set(), 3),
}


@pytest.mark.parametrize(("responses", "remain", "contradiction"), LEARNT.values(), ids=list(LEARNT))
def test_what_is_learnt_is_never_taken_back(
    responses: list[set[int]], remain: set[int], contradiction: int | None
) -> None:
    seen = Seen(frozenset(range(4)))
    for number, answers in enumerate(responses, 1):
        seen.learn(frozenset(answers), number)
    assert (set(seen.left), seen.contradiction) == (remain, contradiction)
    assert len(seen.exchanges) == len(responses)


def test_who_answers_in_two_ways_is_told_so_and_not_accused() -> None:
    """404 for one foreign object and 403 for the next: neither is wrong, both together are said to be inconsistent."""
    talk, found = learning()
    words: list[Judgement] = []
    for status, code in ((404, "not_found"), (403, "forbidden")):
        exchange = to(talk, "getLead", answer(status, {"error": {"code": code}}))
        exchange = replace(exchange, number=len(words) + 1)
        expectation = talk.world().expect(exchange.probe, Reality(object=Object.FOREIGN))
        words.append(expectation.judge(exchange))
    assert [judgement.word for judgement in words] == [Word.PASS, Word.UNSPECIFIED]
    assert words[1].reason == "answers G-35 in two ways; this time with 403 forbidden"
    row = next(row for row in ledger(talk.settings.contract, found, ()) if row.silence == "G-35")
    assert (row.state, row.exchange, row.otherwise) == (State.INCONSISTENT, 2, ())


def test_responses_that_look_alike_are_counted_and_looked_at_twice() -> None:
    talk, found = learning()
    exchange = to(talk, "listLeads", answer(200, []))
    for number in range(50):
        found.look(replace(exchange, number=number), 0.0)
    assert len(found.seen["G-31"].exchanges) == 50
    assert found.seen["G-31"].left == {1}


# --- the ledger -----------------------------------------------------------------------------------------------------


def verdict(clause: str, word: Word, reason: str = "", cases: int = 3) -> ClauseVerdict:
    return ClauseVerdict(clause=clause, level=Level.MUST, word=word, reason=reason, cases=cases)


BY_CLAUSE: dict[str, tuple[ClauseVerdict, str, str, int]] = {
    "kept": (verdict("ENV-5", Word.PASS), "as assumed", "shown by ENV-5", 3),
    "broken": (verdict("ENV-5", Word.FAIL, "it was served"), "otherwise", "ENV-5 fails: it was served", 3),
    "open": (verdict("ENV-5", Word.INCONCLUSIVE, "no answer"), "not seen", "ENV-5 is inconclusive: no answer", 0),
    "not run": (verdict("AUTH-1", Word.PASS), "not seen", "ENV-5 was not judged", 0),
}


@pytest.mark.parametrize(("clause", "state", "seen", "responses"), BY_CLAUSE.values(), ids=list(BY_CLAUSE))
def test_a_silence_is_shown_by_the_clauses_that_it_names(
    clause: ClauseVerdict, state: str, seen: str, responses: int
) -> None:
    talk, found = learning()
    row = next(row for row in ledger(talk.settings.contract, found, (clause,)) if row.silence == "G-14")
    assert (row.state, row.seen, row.responses) == (state, seen, responses)


def test_what_no_response_can_show_says_why() -> None:
    talk, found = learning()
    row = next(row for row in ledger(talk.settings.contract, found, ()) if row.silence == "G-39")
    assert row.state == "not shown"
    assert row.seen.startswith("A log is seen by whoever runs the API")


def test_every_silence_of_synaptiq_can_be_seen_or_says_why_not() -> None:
    """Each has other answers to be told from, a line that cites it, clauses of the catalogue, or a reason."""
    policy = contract("synaptiq").policy
    cited = {"G-03"}
    for silence in policy.silences.values():
        assert silence.otherwise or silence.shown_by or silence.not_shown or silence.id in cited, silence.id
        assert set(silence.shown_by) <= catalogue().keys() | MERGED.keys(), silence.id


def test_each_other_answer_has_words_of_its_own() -> None:
    for silence, contracts in others("synaptiq").items():
        words = [in_words(contract("synaptiq"), other) for other in contracts]
        assert all(words), silence
        assert len(set(words)) == len(words), silence


def row(state: str, **changes: Any) -> SilenceJudged:
    usual: dict[str, Any] = {
        "silence": "G-35",
        "answer": "What belongs to another organization is not there for the key.",
        "confirmed": False,
        "state": state,
        "seen": "",
        "otherwise": (),
        "others": 1,
        "responses": 2,
        "exchange": 7,
    }
    return SilenceJudged(**{**usual, **changes})


ROWS = [
    row("as assumed", silence="G-01"),
    row("otherwise", seen="foreign object gets 403 [bold]forbidden[/bold] instead of 404 not_found", otherwise=(1,)),
    row("inconsistent", silence="G-05", seen="response 9 contradicts those before it, of which 7 is one"),
    row("not seen", silence="G-06", seen="nothing told its answers apart", responses=0, exchange=None),
    row("not shown", silence="G-39", seen="a log", responses=0, exchange=None),
]


@pytest.mark.parametrize("width", [80, 40])
def test_the_ledger_fits_and_reads_without_colour(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(silences(ROWS, every=False))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    flat = " ".join(text.split())
    assert "1 as assumed, 1 otherwise, 1 both ways, 1 not seen in this run, 1 not to be seen from outside." in flat
    assert "~ G-35" in text
    assert "! G-05" in text
    assert "[bold]forbidden" in flat
    assert "G-06" not in text
    assert "`authcontract explain G-35`" in flat


def test_all_of_them_are_listed_where_that_is_asked() -> None:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(silences(ROWS, every=True))
    assert all(each.silence in out.getvalue() for each in ROWS)


# --- servers that answer otherwise ----------------------------------------------------------------------------------

#: Silence and number -> clauses that meet it; one of each kind, since a run of all of them is for the night.
SAMPLE: dict[tuple[str, int], tuple[str, ...]] = {
    ("G-02", 1): ("SCOPE-1",),
    ("G-04", 2): ("METH-2",),
    ("G-05", 5): ("METH-2", "PREC-1"),
    ("G-07", 1): ("RATE-8",),
    ("G-12", 1): ("AUTH-8",),
    ("G-20", 1): ("LIFE-11",),
    ("G-28", 1): ("AUTH-1", "ERR-4", "SCOPE-1"),
    ("G-29", 1): ("AUTH-2",),
    ("G-33", 1): ("LIFE-3", "ERR-9"),
    ("G-35", 1): ("TEN-1",),
}
#: Every clause against every answer takes minutes.
NIGHTLY = os.environ.get("AUTHCONTRACT_NIGHTLY") == "1"
nightly = pytest.mark.skipif(not NIGHTLY, reason="takes minutes: `make nightly` runs it")


def told(result: Result, silence: str) -> SilenceJudged:
    return next(row for row in result.silences if row.silence == silence)


@pytest.mark.parametrize(("silence", "number"), SAMPLE, ids=[f"{s} answer {n}" for s, n in SAMPLE])
def test_a_server_that_answers_otherwise_is_not_accused_and_the_ledger_names_its_answer(
    silence: str, number: int, tmp_path: Path
) -> None:
    only = frozenset(SAMPLE[silence, number]) & catalogue().keys()
    result = judged(loaded("synaptiq"), answering("synaptiq", silence, number, tmp_path), only=only)
    assert [found for found in result.findings if found.word == "fail"] == []
    assert told(result, silence).state == "otherwise"
    assert number in told(result, silence).otherwise
    assert {s for s, state in states(result).items() if state in ("otherwise", "inconsistent")} == {silence}


def two_at_once() -> Judgement:
    """Judge a 404 for a method that the path has not, without a key, by what two silences accept together."""
    talk = Conversation("synaptiq")
    oracle = talk.settings.oracle
    pairs = together(contract("synaptiq").policy, {"G-04", "G-05"})
    oracle.together = lambda: ((names, compile_contract(p, contract("synaptiq").specification)) for names, p in pairs)
    probe = talk.world().request(talk.operation("listLeads"), method="PUT")
    return talk.world().expect(probe).judge(answer(404, {"error": {"code": "not_found"}}))


def test_a_server_that_answers_two_silences_otherwise_is_not_accused(tmp_path: Path) -> None:
    """Who looks at the method before the key, and has no 405, answers 404 where either answer alone has 401 or 405."""
    served = answering_both("synaptiq", ("G-04", 2), ("G-05", 5), tmp_path)
    only = frozenset({"METH-2", "PREC-1", "AUTH-1", "METH-3"})
    result = judged(loaded("synaptiq"), served, only=only)
    assert result.findings == ()
    assert {verdict.clause for verdict in result.clauses if verdict.word is Word.UNSPECIFIED} >= {"PREC-1"}
    judgement = two_at_once()
    assert (judgement.word, judgement.reason) == (
        Word.UNSPECIFIED,
        "G-04 and G-05 are only assumed; the target answers 404 not_found",
    )


@nightly
@pytest.mark.parametrize(("silence", "number"), other_answers("synaptiq"))
def test_no_clause_accuses_a_server_that_answers_otherwise(silence: str, number: int, tmp_path: Path) -> None:
    result = judged(loaded("synaptiq"), answering("synaptiq", silence, number, tmp_path))
    assert [found for found in result.findings if found.word == "fail"] == []
    assert number in told(result, silence).otherwise, told(result, silence)


# --- confirming -----------------------------------------------------------------------------------------------------


def test_what_is_suggested_makes_the_policy_say_what_was_seen(tmp_path: Path) -> None:
    """By the policy with the suggestion the same server passes, and nothing that was seen is left open."""
    only = frozenset({"TEN-1", "SCOPE-1"})
    served = answering("synaptiq", "G-35", 1, tmp_path)
    by = loaded("synaptiq")
    assert by.policy is not None
    assert by.specification is not None
    before = judged(by, served, only=only)
    assert "G-35" in {row.silence for row in before.silences if row.state == "otherwise"}
    text = suggestion(by.policy, before)
    change = yaml.safe_load(text)
    chosen = list(answered(by.policy, before))
    assert change == suggested(by.policy, chosen)
    place = written(confirming(by.policy, chosen), by.specification.document.file, tmp_path / "confirmed.yaml")
    confirmed = load(place)
    assert [d for d in confirmed.diagnostics if d.severity == "error"] == []
    after = judged(confirmed, served, only=only)
    assert {v.word for v in after.clauses} == {Word.PASS}
    assert confirmed.policy is not None
    assert confirmed.policy.silences["G-35"].confirmed


def test_nothing_seen_suggests_nothing() -> None:
    policy = contract("synaptiq").policy
    assert suggested(policy, []) == {}


def test_two_answers_may_change_one_list() -> None:
    """405 becomes 404 and a foreign object 403: both move a cause into or out of one row."""
    policy = contract("synaptiq").policy
    change = suggested(
        policy,
        [Answered(silence="G-04", number=2, text="x"), Answered(silence="G-35", number=1, text="y")],
    )
    assert change["errors"]["not_found"]["when"] == ["unknown_path", "unknown_object", "method_not_allowed"]
    assert change["errors"]["method_not_allowed"] is None
    assert change["silences"]["assumed"] == {"G-04": None, "G-35": None}
    assert change["silences"]["confirmed"] == {"G-04": "x", "G-35": "y"}


def test_the_last_assumed_silence_takes_its_block_with_it() -> None:
    policy = contract("synaptiq").policy
    everything = [Answered(silence=name, number=0, text="x") for name in policy.silences]
    assert suggested(policy, everything)["silences"]["assumed"] is None


@pytest.mark.parametrize("name", list(POLICIES))
def test_an_answer_that_is_confirmed_keeps_what_shows_it(name: str) -> None:
    policy = contract(name).policy
    everything = [Answered(silence=s.id, number=0, text=s.answer) for s in policy.silences.values()]
    after = confirming(policy, everything)
    for silence in policy.silences.values():
        found = after["silences"]["confirmed"][silence.id]
        assert (found if isinstance(found, str) else found["answer"]) == silence.answer
        assert tuple([] if isinstance(found, str) else found.get("shown_by", [])) == silence.shown_by
