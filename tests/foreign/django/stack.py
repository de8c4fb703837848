"""Django REST Framework with its own throttling, served by gunicorn."""

from pathlib import Path

from foreign.harness import Stack

STACK = Stack(
    name="Django REST Framework",
    folder=Path(__file__).parent,
    command=("{python}", "serve.py"),
    packages=("django", "rest_framework", "gunicorn"),
    path="/api",
)
