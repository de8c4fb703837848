"""FastAPI with slowapi, served by uvicorn."""

from pathlib import Path

from foreign.harness import Stack

STACK = Stack(
    name="FastAPI + slowapi",
    folder=Path(__file__).parent,
    command=("{python}", "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"),
    packages=("fastapi", "slowapi", "uvicorn"),
    limiters=("fixed-window", "moving-window", "sliding-window-counter"),
)
