"""Targets that are down, silent, talking nonsense, or die: a sentence, exit 3, in time, and what was found is kept."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance.reference import Answer, Message
from deployments import Deployment, Outcome, certificate, in_thread, listening, target_file, verify
from scripted import Script, blurting, hanging, resetting, saying, serving

KEYS: list[dict[str, Any]] = [
    {"name": scope, "from_environment": f"KEY_{scope.upper()}", "scopes": [scope], "plan": "enterprise"}
    for scope in ("read", "write", "admin")
]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no server has issued, unless a test says otherwise."""
    for row in KEYS:
        monkeypatch.setenv(row["from_environment"], f"sk_live_{row['name']:0<32}")


@contextmanager
def free_port() -> Iterator[int]:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    yield port


@contextmanager
def speaking(script: Script, *, secure: bool = True) -> Iterator[int]:
    """Return a port on which a script speaks."""
    with in_thread(serving(script, certificate().context() if secure else None)) as server:
        yield server.port


def judged(capsys: Any, folder: Path, port: int, *options: str, scheme: str = "https") -> Outcome:
    file = target_file(folder, f"{scheme}://127.0.0.1:{port}/api/v1", KEYS)
    return verify(capsys, folder / "run.ndjson", "--target", str(file), "--timeout", "0.5", *options)


#: What is wrong -> who listens, and what is said.
TROUBLES: dict[str, tuple[Any, str]] = {
    "down": (free_port(), "the target did not answer: "),
    "plain HTTP where TLS should be": (speaking(blurting, secure=False), "did not answer: TLS: "),
    "a handshake that never ends": (speaking(hanging, secure=False), "no connection within 0.5 s"),
    "hanging": (speaking(hanging), "no whole response within 0.5 s"),
    "closing": (speaking(saying(b"")), "closed without a response"),
    "resetting": (speaking(resetting()), "the target did not answer: "),
    "garbage": (speaking(saying(b"\x00\x01garbage\r\n\r\n" * 9)), "not an HTTP response"),
    "a body without end": (speaking(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 3 * 1024 * 1024)), "a body over"),
    "errors of its own": (
        speaking(saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", times=99)),
        "Error: the target answered 503, an error of its own",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_target_that_cannot_be_judged(trouble: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence on standard error, exit 3 within seconds, nobody accused, and a log without a footer."""
    server, sentence = TROUBLES[trouble]
    with server as port:
        found = judged(capsys, tmp_path, port)
    assert found.code == 3
    assert found.err.splitlines()[-1].startswith("Error: ")
    assert sentence in found.err
    assert "Traceback" not in found.err
    assert found.seconds < 10
    kinds = [event["event"] for event in found.events]
    assert kinds[0] == "run_started"
    assert not {"finding", "case", "clause", "run_finished"} & set(kinds)


def test_an_untrusted_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The system's authorities do not know it; nothing is sent."""
    sent: list[Message] = []

    def serve(message: Message) -> Answer:
        sent.append(message)
        return Answer(200)

    with listening(serve) as port:
        file = tmp_path / "target.yaml"
        file.write_text(
            f"url: https://127.0.0.1:{port}/api/v1\nkeys: [{{from_environment: KEY_READ, scopes: [read]}}]\n"
        )
        found = verify(capsys, tmp_path / "run.ndjson", "--target", str(file))
    assert found.code == 3
    assert "TLS: the certificate is not trusted" in found.err
    assert sent == []


REFUSALS: dict[str, Answer] = {
    "401": Answer(401, (("WWW-Authenticate", "Bearer"),), b'{"error":{"code":"unauthorized"}}'),
    "403": Answer(403, (), b'{"error":{"code":"forbidden"}}'),
    "a page to log in": Answer(302, (("Location", "https://127.0.0.1/login"),)),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_keys_that_do_not_work(refusal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and is no list of false failures."""
    with listening(lambda _: REFUSALS[refusal]) as port:
        found = judged(capsys, tmp_path, port)
    assert found.code == 3
    assert "Error: the credentials do not work: " in found.err
    assert f"key read: {REFUSALS[refusal].status}" in found.err
    assert not [event for event in found.events if event["event"] == "finding"]


def test_keys_of_another_deployment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A correct server that has never seen them."""
    with listening(Deployment("synaptiq").server.serve) as port:
        found = judged(capsys, tmp_path, port)
    assert found.code == 3
    assert "the credentials do not work: key admin: 401 unauthorized; key read: 401 unauthorized; " in found.err


def served(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put keys of the deployment into the environment."""
    for row in KEYS:
        monkeypatch.setenv(row["from_environment"], deployment.key(row["name"]))


def mortal(deployment: Deployment, lives: int) -> Any:
    """Serve so many requests, then answer nothing any more; no refusal names how to authenticate."""
    left = [lives]

    def serve(message: Message) -> Answer:
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionAbortedError
        answer = deployment.server.serve(message)
        lines = tuple(line for line in answer.headers if line[0] != "WWW-Authenticate")
        return Answer(answer.status, lines, answer.body)

    return listening(serve)


def test_a_target_that_dies_in_the_middle(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was found until then is kept, the end is said, and the log has its footer; yet the run could not be done."""
    deployment = Deployment("synaptiq")
    served(deployment, monkeypatch)
    with mortal(deployment, 60) as port:
        found = judged(capsys, tmp_path, port, "--format", "json", "--skip", "RATE-1", "--skip", "RATE-7")
    assert found.code == 3
    assert found.verdict["verdict"] == "not conformant"
    assert found.verdict["clauses"]["ERR-1"] == "fail"
    assert found.verdict["stopped"].startswith("the target is gone: ")
    assert {f["clause"] for f in found.verdict["findings"]} == {"ERR-1"}
    assert [event["event"] for event in found.events][-1] == "run_finished"
    assert any(event["event"] == "trouble" and "the target is gone" in event["what"] for event in found.events)
    assert found.seconds < 15


def test_a_correct_target_that_dies_is_inconclusive(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = Deployment("synaptiq")
    served(deployment, monkeypatch)
    with mortal(deployment, 30) as port:
        found = judged(capsys, tmp_path, port, "--only", "AUTH-1", "--format", "json")
    assert found.code == 3
    assert found.verdict["verdict"] == "inconclusive"
    assert found.verdict["findings"] == []


@pytest.mark.parametrize(
    ("option", "sentence"),
    [(("--max-requests", "40"), "the budget of 40 requests"), (("--max-time", "0.2"), "the budget of 0.2 seconds")],
    ids=["requests", "time"],
)
def test_a_budget_that_is_used_up(
    option: tuple[str, str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run ends in time, says why, and is not called conformant for what it did not try."""
    deployment = Deployment("synaptiq")
    served(deployment, monkeypatch)
    with listening(deployment.server.serve) as port:
        found = judged(capsys, tmp_path, port, *option, "--format", "json")
    assert found.code == 3
    assert sentence in found.verdict["stopped"]
    assert found.verdict["verdict"] == "inconclusive"
    assert found.verdict["requests"] > 0
    assert found.seconds < 5


BAD_FILES: dict[str, tuple[str, str]] = {
    "no YAML": ("url: [", "close the bracket"),
    "no keys": ("url: https://a.example\n", "keys"),
    "an unknown word": ("url: https://a.example\nkeys: [{from_environment: KEY_READ}]\nkey: x\n", "target.yaml:3:1"),
    "no such variable": ("url: https://a.example\nkeys: [{from_environment: KEY_NONE}]\n", "KEY_NONE"),
    "no such file": ("url: https://a.example\nkeys: [{from_file: none.key}]\n", "none.key"),
    "two places": ("url: https://a.example\nkeys: [{from_file: a, from_environment: B}]\n", "one place"),
    "no such plan": ("url: https://a.example\nkeys: [{from_environment: KEY_READ, plan: gold}]\n", "gold"),
    "no such certificate": ("url: https://a.example\ntrust: no.pem\nkeys: [{from_environment: KEY_READ}]\n", "no.pem"),
    "no URL": ("url: ftp://a.example\nkeys: [{from_environment: KEY_READ}]\n", "target.yaml:1"),
}


@pytest.mark.parametrize("mistake", BAD_FILES)
def test_a_target_file_with_mistakes(mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Located, exit 2, and no key in what is said."""
    text, said = BAD_FILES[mistake]
    file = tmp_path / "target.yaml"
    file.write_text(text)
    found = verify(capsys, tmp_path / "run.ndjson", "--target", str(file))
    assert found.code == 2
    assert said in found.err + found.out
    assert "target.yaml:" in found.err + found.out
    assert "sk_live_read0000" not in found.err + found.out


def test_a_url_without_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify(capsys, tmp_path / "run.ndjson", "https://a.example")
    assert found.code == 2
    assert "needs keys to be judged" in found.err
