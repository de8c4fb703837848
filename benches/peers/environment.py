"""Where everything is installed that the benchmark needs: a cache folder, with an environment for each tool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

APPLICATION = (
    "starlette==1.10.0",
    "uvicorn==0.54.0",
    "jsonschema==4.26.0",
    "pyyaml==6.0.4",
    "rfc3339-validator==0.1.4",
    "rfc3986-validator==0.1.1",
)


def cache_folder() -> Path:
    """Return the folder of everything that is installed and measured."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = base / "authcontract-peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def python_with(name: str, packages: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment that has these packages and what they need."""
    folder = cache_folder() / f"python-{name}"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(packages)
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, stderr=subprocess.DEVNULL)
        installed.write_text(wanted)
    return python


def app_python() -> Path:
    """Return the interpreter that runs the application."""
    return python_with("application", APPLICATION)
