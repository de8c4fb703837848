"""RATE: each limiter behind a real server with a running clock, reached through lent keys as a target file names them.

All runs wait side by side, so that they take as long as one. On every commit the two clauses are judged that everything
else rests on; with `AUTHCONTRACT_NIGHTLY=1` all of the family.
"""

import asyncio
import json
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from authcontract_conformance.clauses import catalogue
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import Answer, Message
from authcontract_conformance.run._run import Options, Result, verify
from authcontract_conformance.run._target import load_target
from authcontract_policy import Loaded, load
from deployments import listening
from limiters import CORRECT, SECOND, Kind, Limiter

AMOUNT, WINDOW, HOLDS = 8, 6, 4
NIGHTLY = os.environ.get("AUTHCONTRACT_NIGHTLY") == "1"
RATE = frozenset(name for name in catalogue() if name.startswith("RATE-")) if NIGHTLY else {"RATE-1", "RATE-2"}
KEYS = ("key_of_the_reader_0001", "key_of_the_reader_0002")
SPECIFICATION = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {"/things": {"get": {"operationId": "listThings", "responses": {"200": {"description": "Things"}}}}},
}


def policy(kind: Kind) -> dict[str, object]:
    """Return a policy of one operation and one limit, which says of the limiter what is so."""
    limit: dict[str, object] = {
        "requests": AMOUNT,
        "window": f"{WINDOW} seconds",
        "per": ["key"],
        "algorithm": kind.called[-1],
        "costs": {"throttled": 0},
        "headers": {"Retry-After": "<retry_after>"},
    }
    limit |= {"burst": HOLDS} if kind.stated else {}
    limit |= {"may_be_lower": True} if kind.may_be_lower else {}
    return {
        "version": 1,
        "documentation": "https://things.example/docs",
        "specification": "things.openapi.json",
        "base_url": "https://things.example",
        "precedence": ["transport", "syntax", "key", "limit", "path", "method", "scope", "body", "object"],
        "keys": {"sent_as": [{"Authorization": "Bearer <key>"}], "kinds": {"key": {"holds": "one scope"}}},
        "scopes": {"read": {"methods": ["GET"]}},
        "capabilities": {"See things": {"requires": "read", "operations": ["listThings"]}},
        "error_format": {"content_type": "application/json", "body": {"code": "<code>"}},
        "errors": {
            "unauthorized": {"status": 401, "when": ["missing", "malformed", "unknown"]},
            "forbidden": {"status": 403, "when": ["insufficient_scope"]},
            "limited": {"status": 429, "when": ["throttled"]},
            "not_found": {"status": 404, "when": ["unknown_path"]},
            "wrong_method": {"status": 405, "when": ["method_not_allowed"]},
        },
        "rate_limits": {"requests": limit},
    }


@dataclass
class Things:
    """A server of one operation, written without the engine: whose key it is, whether there is room, then where to."""

    kind: Kind
    limiters: dict[bytes, Limiter] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        burst = HOLDS if self.kind.stated else AMOUNT
        self.limiters = {b"Bearer " + key.encode(): self.kind.make(AMOUNT, WINDOW * SECOND, burst) for key in KEYS}

    def serve(self, message: Message) -> Answer:
        said = [value.strip() for name, value in message.head.headers if name.lower() == b"authorization"]
        limiter = self.limiters.get(said[0]) if len(said) == 1 else None
        if limiter is None:
            return _answer(401, "unauthorized", ("WWW-Authenticate", "Bearer"))
        with self.lock:
            now = time.monotonic_ns() // 1000
            if not limiter.take(now, 1, 0, message.connection):
                wait = limiter.wait(now, 1) or 0
                return _answer(429, "limited", ("Retry-After", str(max(1, math.ceil(wait / SECOND)))))
        if message.head.target.partition(b"?")[0] != b"/things":
            return _answer(404, "not_found")
        if message.head.method not in (b"GET", b"HEAD"):
            return _answer(405, "wrong_method", ("Allow", "GET, HEAD"))
        return _answer(200, "things")


def _answer(status: int, code: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, (("Content-Type", "application/json"), *headers), json.dumps({"code": code}).encode())


@contextmanager
def targets(kinds: dict[str, Kind], folder: Path) -> Iterator[dict[str, tuple[Loaded, Path]]]:
    """Serve each limiter on a port of its own; gives the contract and the target file of each."""
    found: dict[str, tuple[Loaded, Path]] = {}
    with ExitStack() as stack:
        for number, (name, kind) in enumerate(kinds.items()):
            port = stack.enter_context(listening(Things(kind).serve, secure=False))
            place = folder / str(number)
            place.mkdir()
            (place / "things.openapi.json").write_text(json.dumps(SPECIFICATION))
            (place / "policy.yaml").write_text(json.dumps(policy(kind)))
            loaded = load(place / "policy.yaml")
            assert not [each for each in loaded.diagnostics if each.severity == "error"], loaded.diagnostics
            for index, key in enumerate(KEYS):
                (place / f"key {index}").write_text(key)
            keys = [{"name": f"reader {i}", "from_file": f"key {i}", "scopes": ["read"]} for i in range(len(KEYS))]
            target = {"url": f"http://127.0.0.1:{port}", "keys": keys}
            (place / "target.yaml").write_text(json.dumps(target))
            found[name] = (loaded, place / "target.yaml")
        yield found


def judged(kinds: dict[str, Kind], folder: Path) -> dict[str, Result]:
    """Judge all of them side by side."""

    async def judge(loaded: Loaded, path: Path) -> Result:
        assert loaded.policy is not None
        target, problems = load_target(path, loaded.policy)
        assert target is not None, problems
        return await verify(loaded, target, Options(only=frozenset(RATE), fuzz=False), _hear)

    async def all_of_them(found: dict[str, tuple[Loaded, Path]]) -> list[Result]:
        return await asyncio.gather(*(judge(*each) for each in found.values()))

    with targets(kinds, folder) as found:
        return dict(zip(found, asyncio.run(all_of_them(found)), strict=True))


def _hear(_event: object) -> None:
    """Let a run speak to nobody."""


def words(result: Result) -> dict[str, tuple[Word, str]]:
    return {each.clause: (each.word, each.reason) for each in result.clauses}


def test_no_correct_limiter_is_accused_on_a_running_clock(tmp_path: Path) -> None:
    """Both clauses come to a verdict, unless this machine is too slow for a burst, and then that is said."""
    for name, result in judged(CORRECT, tmp_path).items():
        assert result.findings == (), (name, result.findings)
        found = words(result)
        for clause in ("RATE-1", "RATE-2"):
            word, reason = found[clause]
            open_by_policy = CORRECT[name].may_be_lower and word is Word.UNSPECIFIED
            assert word is Word.PASS or open_by_policy or "a burst took" in reason, (name, clause, word, reason)
