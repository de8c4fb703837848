"""Start the backend and a proxy in front of it, and end both: `proxied.py CONFIGURATION KEY_LINES PROXY...`.

The configuration's `${NAME}`s are filled in from the environment, as `envsubst` does it. A line that ends with `#+NAME`
counts only with the limiter or the defect of that name, one that ends with `#-NAME` only without it. Each key that
lives gets its lines in the file `keys.map`; one that was revoked or has expired is in no map.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent
LIVING = re.compile(r"KEY_(?P<organisation>[A-Z])_(?P<scope>[A-Z]+)_\d+")


MARK = re.compile(r" *#(?P<sign>[+-])(?P<name>[a-z0-9-]+)$")


def main() -> int:
    """Run until the proxy ends."""
    configuration, key_lines, *proxy = sys.argv[1:]
    work = Path(os.environ["WORK"])
    (work / "keys.map").write_text(_chosen(line for each in key_lines.splitlines() for line in _keys(each)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = Template(_chosen(Path(configuration).read_text().splitlines()))
    filled = work / Path(configuration).name
    filled.write_text(chosen.safe_substitute(os.environ, BACKEND=f"127.0.0.1:{port}"))
    backend = subprocess.Popen([sys.executable, FOLDER / "backend.py", str(port)])
    server = subprocess.Popen([*proxy, str(filled)])
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    finally:
        backend.terminate()
        backend.wait()


def _chosen(lines: Iterable[str]) -> str:
    """Return the lines that count, without their marks."""
    return "".join(MARK.sub("", line) + "\n" for line in lines if _counts(line))


def _counts(line: str) -> bool:
    mark = MARK.search(line)
    there = mark is not None and mark["name"] in (os.environ["LIMITER"], os.environ["DEFECT"])
    return mark is None or (mark["sign"] == "+") == there


def _keys(line: str) -> Iterator[str]:
    """Yield a line of the map for each key, with `SECRET`, `LOWERED` and `HOLDER` (`A:read:KEY_A_READ_1`) filled in."""
    for name, secret in os.environ.items():
        if (key := LIVING.fullmatch(name)) is not None:
            holder = f"{key['organisation']}:{key['scope'].lower()}:{name}"
            yield line.replace("SECRET", secret).replace("LOWERED", secret.lower()).replace("HOLDER", holder)


if __name__ == "__main__":
    sys.exit(main())
