"""Targets that mean harm: memory and time are bounded, nothing is followed, and nothing of theirs moves a terminal.

Each is harmless until a key has worked, and then answers every request in its own way.
"""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from authcontract_conformance.driver._wire import MAX_BODY
from conversations import POLICIES
from deployments import Deployment, certificate, in_thread, listening, target_file
from scripted import serving
from unreliable import Behind, Link, Misbehave, Trouble, between, replaced

#: Megabytes that a run may take: 130 with a target that means well, and for each of eight bodies of two megabytes that
#: are read at once some fifty, where such a body is a list of nothing but empty objects.
MEMORY = 700
#: Megabytes of address space, so that a buffer without a bound ends this run and not the machine.
FUSE = 2000
#: Clauses that show most of what they are answered.
CLAUSES = "AUTH-1,ERR-5,ERR-10,TRANS-1,CACHE-2"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n%s"


# --- a run of its own, so that its memory can be measured -----------------------------------------------------------

RUN = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({FUSE} << 20, {FUSE} << 20))
from authcontract_conformance.cli import run
code = run(sys.argv[1:])
print(json.dumps({{"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}}), file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Harmed:
    """What a run came to."""

    code: int
    out: str
    err: str
    log: str
    memory: int


def judge(folder: Path, file: Path, clauses: str, *options: str) -> Harmed:
    """Judge the target of a file in a process of its own."""
    log = folder / "run.ndjson"
    only = ["--policy", str(POLICIES["synaptiq"]), "--target", str(file), "--log", str(log), "--no-fuzz"]
    command = [
        sys.executable,
        "-c",
        RUN,
        "verify",
        *only,
        "--only",
        clauses,
        "--max-time",
        "15",
        "--max-requests",
        "120",
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    *said, last = done.stderr.splitlines()
    assert last.startswith("{"), done.stderr
    return Harmed(done.returncode, done.stdout, "\n".join(said), log.read_text("utf-8"), json.loads(last)["memory"])


@contextmanager
def harmless_at_first(act: Misbehave, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve correctly until a key has worked, and then by this; gives the target file."""
    deployment = Deployment("synaptiq")
    rows: list[dict[str, Any]] = []
    for scope in ("read", "write", "admin"):
        monkeypatch.setenv(f"KEY_{scope.upper()}", deployment.key(scope))
        rows.append(
            {"name": scope, "from_environment": f"KEY_{scope.upper()}", "scopes": [scope], "plan": "enterprise"}
        )
    first = True

    async def then(link: Link, data: bytes) -> None:
        nonlocal first
        if first:
            first = False
            link.onward.write(data)
        else:
            await act(link, data)

    shows = certificate().context()
    shows.set_alpn_protocols(["http/1.1"])
    with listening(deployment.server.serve) as port:
        behind = Behind(port=port, trusts=certificate().certificate, shows=shows)
        with in_thread(between(Trouble(act=then, gateway=True), 1.0, behind)) as proxy:
            yield target_file(folder, f"https://127.0.0.1:{proxy.port}/api/v1", rows)


# --- too much -------------------------------------------------------------------------------------------------------


def endless(head: bytes, piece: bytes, foot: bytes = b"") -> Misbehave:
    """Return what says a head, and the same piece again and again for as long as anybody listens."""

    async def act(link: Link, _data: bytes) -> None:
        link.client.write(head)
        transport = link.client.transport
        while not transport.is_closing():
            if transport.get_write_buffer_size() < 1 << 20:
                link.client.write(piece)
            await asyncio.sleep(0)
        link.client.write(foot)

    return act


def saying(answer: bytes) -> Misbehave:
    return replaced(lambda _: answer)


def with_body(body: bytes, *lines: bytes) -> Misbehave:
    head = OK + b"".join(line + b"\r\n" for line in lines)
    return saying(head + LENGTH % (len(body), body))


BOMB = gzip.compress(b"0" * (200 << 20), 9)
TOO_MUCH: dict[str, Misbehave] = {
    "a body of 10 GB": endless(OK + b"Content-Length: 10737418240\r\n\r\n", b"x" * 65536),
    "a body until the end of time": endless(OK + b"\r\n", b"x" * 65536),
    "chunks without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 32768 + b"\r\n"),
    "chunks of a byte each": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 4096),
    "a chunk size without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
    "trailers without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 4096),
    "header lines without end": endless(OK, b"X: y\r\n" * 4096),
    "100,000 header lines": saying(OK + b"X: y\r\n" * 100_000 + b"Content-Length: 0\r\n\r\n"),
    "a header line without end": endless(OK + b"X: ", b"y" * 65536),
    "a reason without end": endless(b"HTTP/1.1 200 ", b"y" * 65536),
    "1xx without end": endless(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 64),
    "a gzip bomb": with_body(BOMB, b"Content-Encoding: gzip"),
    "lists in lists": with_body(b"[" * (MAX_BODY - 1)),
    "objects in objects": with_body(b'{"a":' * (MAX_BODY // 5)),
    "a number of two million digits": with_body(b'{"id":' + b"9" * (MAX_BODY - 10) + b"}"),
    "an object of many names": with_body(json.dumps({f"{n}": n for n in range(120_000)}).encode()),
    "a list of many objects": with_body(json.dumps([{"id": str(n)} for n in range(100_000)]).encode()),
    "what looks like keys": with_body(b'{"data":"' + b"sk_live_" * (MAX_BODY // 8 - 100) + b'"}'),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_memory_and_time_are_bounded(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run comes to its own end, by a verdict, and is no larger than with a target that means well."""
    with harmless_at_first(TOO_MUCH[what], tmp_path, monkeypatch) as file:
        found = judge(tmp_path, file, "AUTH-1", "--format", "json", "--timeout", "2")
    assert found.memory < MEMORY
    assert "Traceback" not in found.err
    verdict = json.loads(found.out)
    assert found.code in {1, 3}
    assert verdict["verdict"] != "conformant"
    kinds = [json.loads(line) for line in found.log.splitlines()]
    assert kinds[-1]["event"] == "run_finished"
    assert not [event for event in kinds if "internal error" in event.get("what", "")]


# --- what would be rendered -----------------------------------------------------------------------------------------

#: Clears the screen, sets the title, writes a file (iTerm2), colours, rings; as 7 and as 8 bits; with what Rich, HTML,
#: Markdown, spreadsheets and log readers take for theirs.
NASTY = (
    "\x1b[2J\x1b]0;owned\x07\x1b]1337;File=:AA==\x07\x1b[31mred\x1b[0m\x9b2J\x9d0;owned\x9c\r\x08\x7f\0"
    "[link=https://evil.example]x[/link][/][bold]"
    "<script>alert(1)</script>![x](https://evil.example/x)=1+1\u2028\u202e\x85"
)
PLAIN = NASTY.translate(dict.fromkeys((*range(32), 127))).encode("latin-1", "ignore")
JSON = json.dumps({"error": {"code": NASTY, "message": NASTY}, NASTY: NASTY, "data": [{"id": NASTY, "name": NASTY}]})
RAW = NASTY.encode() * 20


def nasty(status: bytes, body: bytes = JSON.encode()) -> Misbehave:
    lines = (b"X-Note: ", b"Allow: ", b"WWW-Authenticate: Bearer realm=", b"Retry-After: ", b"Link: ", b"Set-Cookie: ")
    head = b"HTTP/1.1 " + status + b" " + PLAIN + b"\r\nContent-Type: application/json\r\n"
    return saying(head + b"".join(line + PLAIN + b"\r\n" for line in lines) + LENGTH % (len(body), body))


RENDERED: dict[str, Misbehave] = {
    "200": nasty(b"200"),
    "200, in bytes": nasty(b"200", RAW),
    "401": nasty(b"401"),
    "403, in bytes": nasty(b"403", RAW),
    "429": nasty(b"429"),
    "503": nasty(b"503"),
    "escapes where HTTP allows none": saying(b"HTTP/1.1 200 " + RAW[:90] + b"\r\nX: " + RAW[:90] + b"\r\n\r\n"),
    "escapes in the place of HTTP": saying(RAW),
}
#: What text may hold of what cannot be seen: the line feed.
SEEN = frozenset("\n")


def unseen(text: str) -> set[str]:
    """Return what of a text does not stand for itself, as a terminal shows it."""
    return {character for character in text if not character.isprintable()} - SEEN


@pytest.mark.parametrize(
    ("what", "format_"), [*((what, "text") for what in RENDERED), ("200", "json"), ("401", "json")]
)
def test_nothing_that_a_target_says_moves_a_terminal(
    what: str, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with harmless_at_first(RENDERED[what], tmp_path, monkeypatch) as file:
        found = judge(tmp_path, file, CLAUSES, "--format", format_, "--timeout", "5")
    assert found.code in {1, 3}
    assert "Traceback" not in found.err
    assert "internal error" not in found.err + found.log
    texts = {"out": found.out, "err": found.err, "log": found.log}
    assert {name: unseen(text) for name, text in texts.items() if unseen(text)} == {}


# --- what would be followed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"302", b"307", b"401", b"200"])
def test_nobody_else_is_ever_called(status: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirects, links, hints and alternatives are text: no connection is opened to where they point."""
    called: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        called.append(await reader.read(65536))

    with in_thread(serving(elsewhere)) as server:
        there = f"http://127.0.0.1:{server.port}/api/v1/leads".encode()
        lines = (
            b"Location: " + there,
            b"Content-Location: " + there,
            b"Refresh: 0; url=" + there,
            b"Link: <" + there + b">; rel=preload, <" + there + b">; rel=next",
            b'Alt-Svc: http/1.1="127.0.0.1:' + str(server.port).encode() + b'"; persist=1',
            b'WWW-Authenticate: Bearer realm="' + there + b'", resource_metadata="' + there + b'"',
        )
        body = json.dumps({"data": [{"id": there.decode(), "url": there.decode(), "next": there.decode()}]}).encode()
        head = b"HTTP/1.1 " + status + b" Over There\r\n" + b"".join(line + b"\r\n" for line in lines)
        answer = saying(head + LENGTH % (len(body), body))
        with harmless_at_first(answer, tmp_path, monkeypatch) as file:
            found = judge(tmp_path, file, CLAUSES, "--format", "json")
        assert server.connections == 0
    assert called == []
    assert found.code in {1, 3}
    assert there.decode() in found.log
