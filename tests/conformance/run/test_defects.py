"""A clause that raises is a defect of ours: it accuses nobody, the others go on, it is written down, and exit is 3."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance._events import Event, Trouble
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import Case, Clause, Property
from authcontract_conformance.oracle._verdict import Evidence, RunVerdict, Word, fail
from authcontract_conformance.run import _run
from authcontract_conformance.run._run import Options, Result
from conversations import loaded
from deployments import verify

BROKEN, SOUND = "METH-1", "AUTH-2"


def raising(*_: Any) -> Any:
    raise KeyError("a defect")


def raises_in_the_middle(world: Any) -> Any:
    """Raise after an answer, with whatever was asked for still open."""
    yield from world.key(world.operations[0])
    raise KeyError("a defect")


class Unprintable:
    """Stands where a sentence should."""

    def __str__(self) -> str:
        raise KeyError("a defect")


def unshowable(_: Any) -> Any:
    """Return a failure that nobody can show."""
    yield from ()
    return fail(Evidence(expected=Unprintable(), got="nothing"))  # type: ignore[arg-type]


def never(_: Any) -> Any:
    yield from ()


WHOLE = catalogue()[BROKEN]
#: Where it raises -> the clause that does.
DEFECTS: Mapping[str, Clause] = {
    "saying whether it applies": replace(WHOLE, inapplicable=raising),
    "listing its cases": replace(WHOLE, cases=raising),
    "in the middle of listing them": replace(WHOLE, cases=lambda _: (raising() for _ in range(1))),
    "beginning a case": replace(WHOLE, cases=lambda _: [Case("a case", raising)]),
    "in the middle of a case": replace(WHOLE, cases=lambda _: [Case("a case", raises_in_the_middle)]),
    "returning no judgement": replace(WHOLE, cases=lambda _: [Case("a case", never)]),
    "showing what it found": replace(WHOLE, cases=lambda _: [Case("a case", unshowable)]),
    "listing its properties": replace(WHOLE, cases=None, properties=raising),
    "generating": replace(WHOLE, cases=None, properties=lambda _: [Property("a property", raising)]),
    "looking at an exchange": replace(WHOLE, cases=None, passive=raising),
}


@pytest.fixture(params=list(DEFECTS))
def defect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a clause that raises somewhere into the catalogue."""
    broken = {**catalogue(), BROKEN: DEFECTS[request.param]}
    monkeypatch.setattr(_run, "catalogue", lambda: broken)
    where: str = request.param
    return where


def run(*sinks: Callable[[Event], None]) -> Result:
    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return asyncio.run(_run.verify(loaded("roles"), None, Options(only=frozenset({BROKEN, "ERR-1", SOUND})), emit))


def test_wherever_it_raises_only_its_own_verdict_is_open(defect: str) -> None:
    """Inconclusive for it, with the trace in the log; what the others say is what they always say."""
    seen: list[Event] = []
    result = run(seen.append)
    words = {verdict.clause: verdict.word for verdict in result.clauses}
    assert words == {BROKEN: Word.INCONCLUSIVE, "ERR-1": Word.PASS, SOUND: Word.PASS}, defect
    reason = next(verdict.reason for verdict in result.clauses if verdict.clause == BROKEN)
    assert reason == "internal error"
    troubles = [event for event in seen if isinstance(event, Trouble)]
    assert len(troubles) == result.trouble == 1
    assert troubles[0].where.startswith(BROKEN)
    assert troubles[0].what.startswith("internal error: ")
    assert "Traceback" in troubles[0].detail
    assert result.verdict is RunVerdict.INCONCLUSIVE
    assert result.findings == ()


def test_the_command_ends_with_3(defect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify(capsys, tmp_path / "run.ndjson", "--only", f"{SOUND},ERR-1,{BROKEN}", name="roles")
    # Without what is generated the two properties are not run at all, and nothing raises.
    generated = DEFECTS[defect].properties is not None
    assert found.code == (0 if generated else 3)
    assert (f"! {BROKEN}" in found.out) != generated
    assert "Traceback" not in found.out + found.err


def test_a_failure_that_somebody_else_shows_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is proved is proved: a defect of the suite excuses no defect of the target."""
    broken = {**catalogue(), BROKEN: DEFECTS["beginning a case"]}
    monkeypatch.setattr(_run, "catalogue", lambda: broken)
    options = Options(only=frozenset({BROKEN, "ERR-1"}), server=("--fault", "no-challenge"))
    result = asyncio.run(_run.verify(loaded("roles"), None, options, lambda _: None))
    assert result.verdict is RunVerdict.NOT_CONFORMANT
    assert result.trouble == 1
