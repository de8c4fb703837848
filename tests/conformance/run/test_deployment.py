"""A deployment that nobody may rewind: declared keys, its own clock, and what cannot be tried is said to be so."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance.driver._launch import Announcement, reference_server
from conversations import POLICIES, loaded
from deployments import in_thread, verify
from yaml import safe_dump

SCOPES = ("read", "write", "admin")


@pytest.fixture(scope="module")
def server() -> Iterator[Announcement]:
    """The reference server as a process of its own, not frozen."""
    specification = loaded("synaptiq").specification
    assert specification is not None
    with in_thread(reference_server(str(POLICIES["synaptiq"]), specification.document.file)) as announcement:
        yield announcement


def issue(server: Announcement, **wanted: Any) -> dict[str, Any]:
    """Issue a key by the control port, as an owner does in the dashboard."""
    request = urllib.request.Request(
        f"{server.control_url}/keys",
        data=json.dumps({"plan": "enterprise", **wanted}).encode(),
        headers={"Authorization": f"Bearer {server.control_token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        found: dict[str, Any] = json.load(response)
    return found


@pytest.fixture
def target(server: Announcement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a target file whose keys stand in the environment."""
    rows = []
    for organisation in ("A", "B"):
        for environment in ("production", "sandbox"):
            for scope in SCOPES:
                name = f"{environment}_{scope}_{organisation}"
                key = issue(server, organisation=organisation, environment=environment, scopes=[scope])
                monkeypatch.setenv(f"KEY_{name.upper()}", key["secret"])
                rows.append(
                    {
                        "name": name,
                        "id": key["id"],
                        "from_environment": f"KEY_{name.upper()}",
                        "scopes": [scope],
                        "plan": "enterprise",
                        "environment": environment,
                        "organisation": organisation,
                    }
                )
    (tmp_path / "ca.pem").write_text(server.certificate)
    file = tmp_path / "target.yaml"
    file.write_text(
        safe_dump({"url": server.base_url, "plaintext": server.plaintext_url, "trust": "ca.pem", "keys": rows})
    )
    return file


def test_a_correct_deployment_is_accused_of_nothing(
    server: Announcement, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing fails or warns; what would wait for hours says until when; the run does not claim conformance."""
    found = verify(capsys, tmp_path / "run.ndjson", str(server.base_url), "--target", str(target), "--format", "json")
    assert found.verdict["findings"] == []
    assert found.verdict["stopped"] is None
    words = found.verdict["clauses"]
    assert not {"fail", "warn"} & set(words.values()), words
    passed = {clause for clause, word in words.items() if word == "pass"}
    assert passed >= {"AUTH-1", "AUTH-3", "AUTH-9", "AUTH-10", "ERR-1", "ERR-5", "SCOPE-1", "TRANS-1", "TEN-1", "ENV-1"}
    assert words["LIFE-5"] == "skipped"
    reasons = {event["clause"]: event["reason"] for event in found.events if event["event"] == "clause"}
    assert "ends at " in reasons["LIFE-5"]
    assert all(reasons[clause] for clause, word in words.items() if word != "pass")
    assert found.code == 3
    assert found.verdict["verdict"] == "inconclusive"
    trouble = [event for event in found.events if event["event"] == "trouble"]
    assert trouble == []


def test_what_the_owner_leaves_untested_does_not_stand_in_the_way(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the clauses named that this deployment cannot settle, the others decide."""
    target.write_text(target.read_text() + "untested: [LIFE-5]\n")
    only = [option for clause in ("AUTH-3", "LIFE-5", "ERR-1") for option in ("--only", clause)]
    found = verify(capsys, tmp_path / "run.ndjson", "--target", str(target), "--format", "json", *only)
    assert found.verdict["clauses"] == {"AUTH-3": "pass", "ERR-1": "pass", "LIFE-5": "skipped"}
    assert found.verdict["verdict"] == "conformant"
    assert found.code == 0


def test_an_excluded_operation_is_never_called(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.write_text(target.read_text() + "exclude: [deleteConversation, createKey, rotateKey]\n")
    found = verify(capsys, tmp_path / "run.ndjson", "--target", str(target), "--only", "SCOPE-1")
    called = {event["operation"] for event in found.events if event["event"] == "exchange"}
    assert len(called) >= 15
    assert not {"deleteConversation", "createKey", "rotateKey"} & called


def test_the_keys_are_in_nothing_that_is_written(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is a key that the run created by the API, and it has revoked those before it ends."""
    found = verify(capsys, tmp_path / "run.ndjson", "--target", str(target), "--only", "LIFE-7", "--only", "AUTH-8")
    text = (tmp_path / "run.ndjson").read_text() + found.out + found.err
    assert "sk_live_" in text
    for name, secret in os.environ.items():
        if name.startswith("KEY_"):
            assert secret.removeprefix("sk_live_").removeprefix("sk_test_")[:9] not in text
    exchanges = [event for event in found.events if event["event"] == "exchange"]
    shown = [e for e in exchanges if e["operation"] in {"createKey", "rotateKey"} and e["status"] == 201]
    created = {json.loads(event["response_body"])["id"] for event in shown}
    done = [e for e in exchanges if e["operation"] == "revokeKey" and e["status"] in {200, 204}]
    revoked = {event["target"][0].rpartition("/")[2] for event in done}
    assert created
    assert created <= revoked
