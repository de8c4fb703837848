"""A plan says what a run would send before anything is sent, and how long the target's limits make that take."""

import asyncio
import json
import socket
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from authcontract_conformance._events import Event, ExchangeSeen
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import Capability
from authcontract_conformance.cli import run as command
from authcontract_conformance.exchange._exchange import Purpose
from authcontract_conformance.reports._plan import as_json, duration, in_one_sentence
from authcontract_conformance.run._plan import BEGINNING, Plan, plan
from authcontract_conformance.run._run import Options
from authcontract_conformance.run._run import verify as judge
from authcontract_conformance.run._target import load_target
from conversations import POLICIES, loaded
from deployments import target_file

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(files("authcontract_conformance").joinpath("schemas", "plan.schema.json").read_text("utf-8"))
#: Clauses that cost little and differ: denials, effects, keys made and rotated, and one that only looks.
SOME = frozenset({"AUTH-1", "SCOPE-2", "LIFE-4", "ERR-1"})


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_plan_is_what_the_run_then_sends(name: str) -> None:
    """Probe for probe; cases that run side by side share controls and fixtures, so there it is right to a few."""
    planned = plan(loaded(name), None, Options(only=SOME, fuzz=False))
    sent: Counter[str] = Counter()
    probes: Counter[str] = Counter()

    def count(event: Event) -> None:
        if isinstance(event, ExchangeSeen):
            sent[event.clause] += 1
            probes[event.clause] += event.purpose == Purpose.PROBE

    asyncio.run(judge(loaded(name), None, Options(only=SOME, fuzz=False), count))
    assert planned.complete
    assert {
        clause.clause: clause.requests.get(Purpose.PROBE, 0) for clause in planned.clauses if clause.total
    } == probes
    assert planned.requests == sum(clause.total for clause in planned.clauses)
    assert planned.requests == pytest.approx(sent.total(), rel=0.1)
    assert planned.waiting == 0.0


def test_nothing_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one socket is opened to the target, nor is its name looked up."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a plan connects to something")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert plan(loaded("synaptiq"), None, Options(only=frozenset({"AUTH-1"}))).requests > 20


def keys(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str = "sk_live_", of: str = "starter") -> Any:
    """Return a target of the first contract that declares a key for each scope."""
    rows: list[dict[str, Any]] = []
    for scope in ("read", "write", "admin"):
        monkeypatch.setenv(f"KEY_{scope}", f"{kind}{scope:0<32}")
        rows.append({"name": scope, "from_environment": f"KEY_{scope}", "scopes": [scope], "plan": of})
    file = target_file(folder, "https://staging.example.com/api/v1", rows)
    policy = loaded("synaptiq").policy
    assert policy is not None
    target, problems = load_target(file, policy)
    assert target is not None, problems
    return target


def declared(folder: Path, monkeypatch: pytest.MonkeyPatch, *clauses: str) -> Plan:
    target = keys(folder, monkeypatch)
    return plan(loaded("synaptiq"), target, Options(only=frozenset(clauses), fuzz=False))


def test_a_deployment_is_planned_with_its_own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sorts of keys are those that its file declares; nothing is sent to it."""
    planned = declared(tmp_path, monkeypatch, "AUTH-1", "SCOPE-1")
    assert planned.target == "https://staging.example.com/api/v1"
    assert {key.scopes for key in planned.keys} == {("read",), ("write",), ("admin",)}
    assert {(key.plan, key.organisation) for key in planned.keys} == {("starter", "A")}
    assert planned.without_key > 0


def test_limits_make_a_deployment_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More requests with one key than its limit allows in a window take as many windows more."""
    planned = declared(tmp_path, monkeypatch, "SCOPE-1", "METH-1")
    policy = loaded("synaptiq").policy
    assert policy is not None
    windows = [float(limit.window or 0) for limit in policy.rate_limits.values()]
    assert planned.waiting >= min(windows)
    assert any(planned.waiting % window == 0 for window in windows)
    assert planned.seconds > planned.waiting


def test_what_a_deployment_does_not_offer_is_not_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file declares keys of one organisation only, and no plaintext address."""
    lacking = [c.id for c in catalogue().values() if c.needs & {Capability.SECOND_ORGANISATION, Capability.PLAINTEXT}]
    planned = declared(tmp_path, monkeypatch, *lacking)
    reasons = {clause.clause: clause.reason for clause in planned.clauses if clause.clause in lacking}
    assert set(reasons) == set(lacking) != set()
    assert [reason for reason in reasons.values() if not reason] == []
    assert any("the target offers no second organisation" in reason for reason in reasons.values())
    assert [clause.clause for clause in planned.clauses if clause.total] == [BEGINNING]


@pytest.mark.parametrize("within", [None, 0.0])
def test_a_plan_follows_its_schema(within: float | None) -> None:
    """Whether all was tried or nearly nothing."""
    planned = plan(loaded("roles"), None, Options(only=SOME, fuzz=False), within=within)
    jsonschema.validate(as_json(planned), SCHEMA)
    assert planned.complete == (within is None)
    listed = [clause.clause for clause in planned.clauses]
    assert listed[: len(SOME) + 1] == [BEGINNING, *(clause for clause in catalogue() if clause in SOME)]
    # Clauses that only make traffic for one that looks come last.
    assert set(listed[len(SOME) + 1 :]) == set(catalogue()["ERR-1"].traffic) - SOME
    assert all(set(clause.requests) <= set(Purpose) for clause in planned.clauses)


def test_a_sample_comes_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases of a clause cost alike, so that some of them stand for the others."""
    whole = plan(loaded("synaptiq"), None, Options(fuzz=False))
    monkeypatch.setattr("authcontract_conformance.run._plan.time.monotonic", steps(0.001))
    some = plan(loaded("synaptiq"), None, Options(fuzz=False), within=0.8)
    assert whole.complete
    assert not some.complete
    assert some.requests == pytest.approx(whole.requests, rel=0.5)


def steps(seconds: float) -> Any:
    """Return a clock that goes on by so much whenever it is looked at."""
    now = [0.0]

    def look() -> float:
        now[0] += seconds
        return now[0]

    return look


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (42.4, "42 s"), (99, "99 s"), (150, "2 min"), (3600, "60 min"), (9000, "2.5 h")]
)
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_one_sentence_says_it_all() -> None:
    assert in_one_sentence(1, 0.0, 0.1) == "About 1 request in about 1 s."
    assert in_one_sentence(1234, 0.0, 5.0) == "About 1,234 requests in about 5 s."
    assert in_one_sentence(1234, 600.0, 610.0).endswith("make that take at least 10 min.")


def test_the_command_prints_it_and_writes_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["verify", "--policy", str(POLICIES["roles"]), "--plan", "--only", "AUTH-1,ERR-1,TEN"]
    assert command(options) == 0
    said = capsys.readouterr()
    assert "nothing is sent now" in said.out
    assert "AUTH-1" in said.out
    assert "– ERR-1: looks at what the others receive" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []
    assert command([*options, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    assert found["requests"] == sum(clause["requests"] for clause in found["clauses"])
