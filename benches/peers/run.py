"""Run every tool against the correct application and against each defect, and write what they found.

    python -m benches.peers.run [--jobs N] [TOOL ...]     measure what is not yet measured, then write RESULTS.md
    python -m benches.peers.run --only DEFECT,... [TOOL ...]   the same for some defects

Each measurement is a file in the cache folder, so an interrupted run goes on where it stopped. report.py says
when a defect counts as found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from .client import SECRETS, application
from .environment import app_python, cache_folder
from .report import CORRECT, DEFECTS, Measurement, file_of, write_results
from .tools import TOOLS, Tool, variable


def measure(tool: Tool, defect: str, area: str) -> None:
    """Run a tool against a defect, unless that is done."""
    path = file_of(tool, defect)
    if path.exists():
        return
    planted = "" if defect.startswith("correct") else defect
    with TemporaryDirectory() as name, application(app_python(), cache_folder(), planted) as app:
        folder, cut, tail = Path(name), 0, []
        environment = os.environ | {variable(key): secret for key, secret in SECRETS.items()}
        environment |= {"NODE_EXTRA_CA_CERTS": str(app.certificate), "REQUESTS_CA_BUNDLE": str(app.certificate)}
        environment |= {"ORIGIN": app.url.removesuffix("/api/v1"), "URL": app.url, "PLAIN_URL": app.plain_url}
        commands = tool.commands(app, folder, area)
        started = time.monotonic()
        for command in commands:
            process = subprocess.Popen(
                command.arguments,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            try:
                output, _ = process.communicate(timeout=command.seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                cut += 1
            tail.append(output[-20_000:])
        seconds = time.monotonic() - started
        findings = sorted(set(tool.findings(folder)))
    requests = int(app.count.read_text())
    app.count.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(Measurement(findings, requests, round(seconds, 1), cut, tail)), indent=1))
    print(f"{tool.name} {defect}: {len(findings)} findings, {requests} requests, {seconds:.0f} s", flush=True)


def main(arguments: list[str]) -> int:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}; by default all")
    parser.add_argument("--jobs", type=int, default=1, help="measure so many at a time")
    parser.add_argument("--only", metavar="DEFECTS", help="measure these only, by name, with commas between")
    given = parser.parse_args(arguments)
    tools = [TOOLS[name] for name in given.tools or TOOLS]
    for tool in tools:
        tool.title()
    wanted = (given.only or ",".join(name for name, _ in (*CORRECT, *DEFECTS))).split(",")
    work = [(tool, defect, area) for tool in tools for defect, area in (*CORRECT, *DEFECTS) if defect in wanted]
    app_python()
    with ThreadPoolExecutor(given.jobs) as pool:
        for done in [pool.submit(measure, *item) for item in work]:
            done.result()
    write_results()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
