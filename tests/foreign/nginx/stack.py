"""nginx in front of Python's own http.server."""

from pathlib import Path

from foreign.harness import Defect, Stack

FOLDER = Path(__file__).parent

STACK = Stack(
    name="nginx",
    folder=FOLDER,
    command=(
        "python3",
        "proxied.py",
        "nginx.conf",
        '"~^SECRET$" "HOLDER";',
        "nginx",
        "-e",
        "stderr",
        "-p",
        "{work}",
        "-c",
    ),
    programs=("nginx", "python3"),
    path="/api/v1",
    secure=True,
    limiters=("nodelay", "delay", "small-burst"),
)
