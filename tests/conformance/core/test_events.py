"""Every event that a run may say has the published shape, also with odd values in it."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from authcontract_conformance._events import (
    CaseJudged,
    ClauseJudged,
    Event,
    FileSeen,
    Found,
    PhaseStarted,
    PolicyLine,
    RunFinished,
    RunStarted,
    SilenceJudged,
    Trouble,
    Waiting,
    to_json,
)
from authcontract_conformance.driver._finding import exchange_event
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import RunVerdict, Word
from authcontract_conformance.reports._log import EventLog, LogError, read_log
from conversations import answer, lost

FILE = FileSeen(file="policy/synaptiq.yaml", sha256="0" * 64)
FOUND = Found(
    id="F1",
    fingerprint="0123456789ab",
    clause="AUTH-1",
    level="MUST",
    word="fail",
    subject="GET /leads",
    promise="A request without a key is refused.",
    reason="",
    expected="401 unauthorized",
    got="200",
    policy=PolicyLine(file="policy/synaptiq.yaml", line=3, column=1, end=5, text="keys:"),
    source="Error Responses",
    exchange=1,
    control=None,
    request="GET / HTTP/1.1",
    response="200",
    control_request="",
    control_response="",
    replay="authcontract replay",
)
STARTED = RunStarted(
    tool="authcontract 0.1.0",
    policy=FILE,
    specification=FILE,
    target="https://staging.example.com",
    seed=1,
    started="2026-01-01T00:00:00+00:00",
    command=("verify",),
    capabilities=("clock",),
    clauses=("AUTH-1",),
)
JUDGED = ClauseJudged(
    clause="AUTH-1", level="MUST", word="pass", reason="", cases=20, skipped=0, promise="A promise.", applicable=True
)
SILENCE = SilenceJudged(
    silence="G-35",
    answer="What belongs to others is not there.",
    confirmed=False,
    state="as assumed",
    seen="",
    otherwise=(),
    others=2,
    responses=3,
    exchange=7,
)
FINISHED = RunFinished(
    verdict="conformant",
    counts={word.value: 0 for word in Word},
    requests=10,
    seconds=1.5,
    interrupted=False,
)
BINARY = answer(200, bytes(range(256)), method=b"GE\x00T", target=(bytes(range(256)),), body=(b"\xff",))

EVENTS: dict[str, Event] = {
    "run started": STARTED,
    "phase": PhaseStarted(phase="clauses", cases=300),
    "waiting": Waiting(seconds=12.5, reason="the contract's limits leave this key no more for now"),
    "exchange": exchange_event(answer(401, {"error": {}}), "AUTH-1", "GET /leads", Vault()),
    "exchange of any bytes": exchange_event(BINARY, "AUTH-1", "GET /leads", Vault()),
    "exchange that was lost": exchange_event(lost(answer(200)), "AUTH-1", "GET /leads", Vault()),
    **{
        f"case: {word}": CaseJudged(clause="AUTH-1", subject="s", word=word.value, reason="", finding=None)
        for word in Word
    },
    "finding": FOUND,
    "finding without a line": replace(FOUND, policy=None, source=None, exchange=None),
    "clause": JUDGED,
    "clause that means nothing": replace(JUDGED, word="skipped", applicable=False, cases=0),
    "silence": SILENCE,
    "silence as another answer has it": replace(SILENCE, state="otherwise", otherwise=(1, 2)),
    "silence that was not seen": replace(SILENCE, state="not seen", responses=0, exchange=None),
    "trouble": Trouble(where="AUTH-1/GET /leads", what="internal error: KeyError", detail="Traceback"),
    **{f"run finished: {verdict}": replace(FINISHED, verdict=verdict.value) for verdict in RunVerdict},
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    text = files("authcontract_conformance").joinpath("schemas", "events.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


@pytest.mark.parametrize("event", EVENTS.values(), ids=list(EVENTS))
def test_an_event_has_the_published_shape(event: Event, validator: Any) -> None:
    validator.validate(json.loads(json.dumps(to_json(event))))


def test_every_kind_of_event_is_tried() -> None:
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))


def test_a_log_is_read_back_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "run.ndjson"
    with EventLog(path) as log:
        for event in EVENTS.values():
            log(event)
        # Each line is on disk at once: a crash loses nothing.
        assert len(list(read_log(path))) == len(EVENTS)
    assert list(read_log(path)) == [json.loads(json.dumps(to_json(event))) for event in EVENTS.values()]


BAD_LOGS = {
    "cut off": (b'{"event":"case"}\n{"event":"ca', "2: this line is no event; was the log cut off?"),
    "no object": (b"[]\n", "1: this line is no event"),
    "no event": (b"{}\n", "1: this line is no event"),
    "no UTF-8": (b"\xff\n", "cannot be read"),
}


@pytest.mark.parametrize(("content", "message"), BAD_LOGS.values(), ids=list(BAD_LOGS))
def test_a_log_that_is_none_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(content)
    with pytest.raises(LogError) as error:
        list(read_log(path))
    assert message in str(error.value)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot be read"):
        list(read_log(tmp_path / "none.ndjson"))


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="cannot be written"):
        EventLog(tmp_path / "file" / "run.ndjson")


def test_a_full_disk_is_said() -> None:
    """What was wrong is said once, although closing the file finds it again."""
    with pytest.raises(LogError, match="cannot be written: No space left"), EventLog(Path("/dev/full")) as log:
        log(FINISHED)


def test_half_a_character_is_written_down(tmp_path: Path) -> None:
    """JSON from a target can hold what UTF-8 cannot."""
    path = tmp_path / "run.ndjson"
    with EventLog(path) as log:
        log(Trouble(where="key \ud800", what="x"))
    assert [event["where"] for event in read_log(path)] == ["key \ud800"]
