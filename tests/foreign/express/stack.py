"""Express with express-rate-limit, and with rate-limiter-flexible."""

from pathlib import Path

from foreign.harness import Defect, Stack

FOLDER = Path(__file__).parent

STACK = Stack(
    name="Express",
    folder=FOLDER,
    command=("node", "app.js"),
    programs=("node",),
    files=("node_modules/express/package.json",),
    path="/api/v1",
    limiters=("legacy", "draft-6", "draft-7", "draft-8", "flexible"),
)
