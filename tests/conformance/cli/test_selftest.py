"""`selftest` on the command line: what is chosen, what is said, the table, exit codes, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from authcontract_conformance import faults as planted
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.cli import run
from authcontract_conformance.faults import FAULTS, Fault
from authcontract_conformance.oracle._verdict import Level
from authcontract_conformance.run import _selftest

ROOT = Path(__file__).parents[3]
ROLES = str(ROOT / "tests" / "contracts" / "roles.yaml")
SCHEMA = json.loads(files("authcontract_conformance").joinpath("schemas", "selftest.schema.json").read_text("utf-8"))


def selftest(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["selftest", "--policy", ROLES, *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def with_fault(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Add a fault called `added` to the catalogue."""
    model = next(fault for fault in FAULTS if fault.name == "no-challenge")
    added: Fault = replace(model, name="added", **changes)
    monkeypatch.setattr(planted, "FAULTS", (*FAULTS, added))


def test_one_fault_that_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = selftest(capsys, "--fault", "no-challenge", "--jobs", "1")
    assert code == 0
    assert err.startswith("1 fault, by ")
    assert "✔ no-challenge  caught by ERR-1\n" in out
    assert out.splitlines()[-1].startswith("Proved: 1 of 1 fault caught; ")


def test_several_faults_at_once_each_said_when_it_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("no-challenge", "no-key-for-get", "head-without-key")
    code, out, _ = selftest(capsys, *(part for name in names for part in ("--fault", name)), "--jobs", "3")
    assert code == 0
    assert {line.split()[1] for line in out.splitlines() if line.startswith("✔")} == set(names)


def test_correct_servers_are_judged_by_the_clauses_that_were_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = selftest(capsys, "--only", "err-1")
    assert code == 0
    assert out.count("accused of nothing") == 4
    assert "0 false alarms on 4 correct servers" in out


def test_a_miss_says_that_nobody_sees_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_fault(monkeypatch, plant=lambda seams: seams)
    code, out, _ = selftest(capsys, "--fault", "added")
    assert code == 1
    assert "✘ added  missed by ERR-1; no other clause catches it either" in out
    assert "Not proved: 0 of 1 fault caught; missed: added" in out


def test_a_miss_says_who_sees_it_instead(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_fault(monkeypatch, clauses=("METH-1",))
    code, out, _ = selftest(capsys, "--fault", "added")
    assert code == 1
    line = next(line for line in out.splitlines() if line.startswith("✘ added"))
    assert line.startswith("✘ added  missed by METH-1; ")
    assert "ERR-1" in line


def test_a_must_that_only_warns_has_not_caught_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was seen, so nobody is asked who sees it instead; but a target with this defect would pass."""
    must = replace(catalogue()["SCOPE-5"], level=Level.MUST)
    monkeypatch.setattr(_selftest, "catalogue", lambda: {**catalogue(), "SCOPE-5": must})
    code, out, _ = selftest(capsys, "--fault", "body-before-scope")
    assert code == 1
    assert "✘ body-before-scope  SCOPE-5 must fail and only warned\n" in out


def test_what_means_nothing_is_left_out_by_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no miss; where nothing is left the command proves nothing, which is no success either."""
    with_fault(monkeypatch, meaningful=lambda _: "nobody plants here")
    code, out, _ = selftest(capsys, "--fault", "added")
    assert code == 3
    assert "– left out, nobody plants here: added" in out
    assert "Not proved: 0 of 0 faults caught" in out


def test_a_table_names_the_clauses_that_nothing_proves(capsys: pytest.CaptureFixture[str]) -> None:
    """Judged by all clauses; of those that were asked for, one has a fault of its own and one has none here."""
    code, out, _ = selftest(capsys, "--table", "--fault", "no-challenge", "--only", "ERR-1,METH-1")
    assert code == 1
    assert "no-challenge  ERR-1*" in out
    assert "Clauses without a fault that they alone catch: METH-1" in out
    code, out, _ = selftest(capsys, "--table", "--fault", "no-challenge", "--only", "ERR-1")
    assert code == 0
    assert "Clauses without" not in out


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = selftest(
        capsys, "--table", "--fault", "no-challenge", "--only", "ERR-1,METH-1", "--format", "json"
    )
    assert (code, err) == (1, "")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    assert found["alone"] == {"ERR-1": ["no-challenge"], "METH-1": []}
    assert found["unproved"] == ["METH-1"]
    (detail,) = found["details"]
    assert (detail["fault"], detail["named"], detail["missed_by"]) == ("no-challenge", ["ERR-1"], [])
    assert "ERR-1" in detail["caught_by"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", "no-chalenge"), "there is no fault `no-chalenge`; did you mean `no-challenge`?"),
        (("--only", "ERRR"), "there is no clause `ERRR`; did you mean `ERR`"),
    ],
    ids=["fault", "clause"],
)
def test_a_wrong_name_is_refused(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = selftest(capsys, *arguments)
    assert code == 2
    assert said in err


def alive(group: int) -> list[str]:
    """Return the processes of a group that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, _, rest = place.read_text("utf-8", "replace").rpartition(") ")
            state, _, of, *_ = rest.split()
            if int(of) == group and state != "Z":
                found.append(place.parent.name)
    return found


@pytest.mark.parametrize("whom", ["process", "group"])
def test_ctrl_c_says_what_was_proved_so_far(whom: str) -> None:
    """Exit 130, the faults judged so far, and neither a worker nor a server left behind."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "authcontract_conformance", "selftest", "--policy", ROLES, "--only", "AUTH,ERR"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        if whom == "group":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert first.startswith("✔ ")
    assert out.splitlines()[-1].startswith("Interrupted: ")
    end = time.monotonic() + 5.0
    while alive(process.pid):
        assert time.monotonic() < end, "something was left behind"
        time.sleep(0.05)
