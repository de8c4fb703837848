"""The driver against a bare loop on the same server in the same run, and a full `verify` as a user types it.

Both send the same allowed GET over TLS, each on so many kept connections, with keys of their own. The bare loop writes
run bytes and looks for the end of the response by its Content-Length; the driver renders the request, paces it by
the contract's limits, parses the response, shows it to every passive clause, hides keys and writes the event log.

Run it as `python benches/verify.py [REQUESTS]`. Figures are wall time on loopback, where client and server share the
machine; compare the ratios, not the figures.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from authcontract_conformance._events import Event
from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Key
from authcontract_conformance.oracle._verdict import PASSED, Basis, Level
from authcontract_conformance.reports._log import EventLog
from authcontract_conformance.run._connection import connect
from authcontract_conformance.run._run import Options, Run
from authcontract_conformance.world._world import World
from authcontract_policy import load

POLICY = Path(__file__).parent.parent / "policy" / "synaptiq.yaml"
CONNECTIONS = 8
ROUNDS = 3
#: Requests with one key; the smallest plan of the contract admits more in a minute.
EACH = 100


def _clause(requests: int) -> Clause:
    """Return a clause whose cases read a list, so many requests in all."""

    def steps(world: World) -> Steps:
        operation = next(op for op in world.operations if op.id == "listLeads")
        key: Key = yield Acquire(world.need(operation, scopes=frozenset({"read"})))
        probe = world.request(operation, key)
        for _ in range(EACH):
            yield probe
        return PASSED

    return Clause(
        id="BENCH",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=(),
        promise="",
        why="",
        how="",
        fix="",
        cases=lambda _: [Case(str(number), steps) for number in range(requests // EACH)],
    )


async def _driver(run: Run, requests: int) -> float:
    began = time.perf_counter()
    clause = _clause(requests)
    await run.driver.run([(clause, list(clause.cases(World(run.settings, "bench")) if clause.cases else []))])
    return time.perf_counter() - began


async def _bare(run: Run, requests: int) -> float:
    """Send run bytes as fast as an asyncio stream takes them."""
    origin = run.connected.pools["tls", None].origin
    world = World(run.settings, f"bare/{time.perf_counter_ns()}")
    operation = next(op for op in world.operations if op.id == "listLeads")
    messages = []
    for number in range(requests // EACH):
        need = world.need(operation, scopes=frozenset({"read"}))
        key = await run.keyring.acquire(need, f"{world.case}/{number}")
        messages.append(run.settings.vault.message(world.request(operation, key), origin.authority))
    queue = iter(messages)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=origin.tls)
        for message in queue:
            for _ in range(EACH):
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 "), head[:40]  # noqa: S101  a bench of refusals says nothing
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return time.perf_counter() - began


async def _rounds(requests: int) -> tuple[list[float], list[float]]:
    loaded = load(POLICY)
    driven, bare = [], []
    with tempfile.TemporaryDirectory() as folder, EventLog(Path(folder) / "bench.ndjson") as log:

        def emit(event: Event) -> None:
            log(event)

        async with connect(loaded, None) as connected:
            run = Run(loaded, connected, Options(), emit)
            for _ in range(ROUNDS):
                bare.append(requests / await _bare(run, requests))
                driven.append(requests / await _driver(run, requests))
    return driven, bare


def _full_verify() -> list[tuple[int, float, float, str]]:
    """Return requests, the run's own seconds, the command's wall time and the verdict, for each round."""
    found = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            log = str(Path(folder) / "verify.ndjson")
            command = [sys.executable, "-m", "authcontract_conformance", "verify", "--policy", str(POLICY)]
            began = time.perf_counter()
            ended = subprocess.run(
                [*command, "--format", "json", "--log", log], capture_output=True, text=True, check=False
            )
            wall = time.perf_counter() - began
        result = json.loads(ended.stdout)
        found.append((result["requests"], result["seconds"], wall, result["verdict"]))
    return found


def main() -> None:
    """Print one Markdown table."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    driven, bare = asyncio.run(_rounds(requests))
    rounds = _full_verify()
    ratio = statistics.median(d / b for d, b in zip(driven, bare, strict=True))
    print(f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}")
    print(f"{requests} requests a round, {ROUNDS} rounds, medians\n")
    print("| what | figure |")
    print("| --- | --- |")
    print(f"| bare loop, {CONNECTIONS} TLS connections | {statistics.median(bare):,.0f} requests/s |")
    print(f"| driver, log and passive clauses included | {statistics.median(driven):,.0f} requests/s |")
    print(f"| driver / bare | {ratio:.2f} |")
    print(f"| full verify | {rounds[0][3]}, {rounds[0][0]:,} requests |")
    print(f"| its wall time, start-up included | {statistics.median(r[2] for r in rounds):.1f} s (target 15 s) |")
    print(f"| of that the run itself | {statistics.median(r[1] for r in rounds):.1f} s |")


if __name__ == "__main__":
    main()
