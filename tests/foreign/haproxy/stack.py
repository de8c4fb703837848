"""HAProxy in front of Python's own http.server."""

from pathlib import Path

from foreign.harness import Defect, Stack

FOLDER = Path(__file__).parent

STACK = Stack(
    name="HAProxy",
    folder=FOLDER,
    command=("python3", "../nginx/proxied.py", "haproxy.cfg", "SECRET HOLDER", "haproxy", "-db", "-f"),
    programs=("haproxy", "python3"),
    path="/api/v1",
    secure=True,
    limiters=("requests", "admitted"),
)
