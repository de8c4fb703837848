"""A server, and a network before it; and an end for whatever hangs."""

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest
from authcontract_conformance.driver._launch import Announcement
from conversations import loaded
from networks import Network, embedded

#: Whatever happens takes less; a run that hangs is ended with what it was doing.
HANGS = 240.0


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(HANGS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the contract once for all runs."""
    monkeypatch.setattr("authcontract_conformance.cli.verify.load_contract", lambda *_: loaded("synaptiq"))


@pytest.fixture(scope="package")
def correct() -> Iterator[Announcement]:
    with embedded() as server:
        yield server


@pytest.fixture(scope="package")
def faulty() -> Iterator[Announcement]:
    with embedded("--fault", "no-key-for-get") as server:
        yield server


@pytest.fixture
def network(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Network:
    return Network(capsys, monkeypatch, tmp_path / "run.ndjson")
