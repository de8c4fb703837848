"""Where everything is installed that the benchmark needs: a cache folder, with an environment for each tool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
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


def node_with(name: str, packages: tuple[str, ...]) -> Path:
    """Return the folder of programs of a Node project that has these packages."""
    folder = cache_folder() / f"node-{name}"
    installed, wanted = folder / "installed.txt", "\n".join(packages)
    if not installed.exists() or installed.read_text() != wanted:
        folder.mkdir(exist_ok=True)
        quietly = ("--no-audit", "--no-fund", "--silent")
        subprocess.run(["npm", "install", "--prefix", folder, *quietly, *packages], check=True)
        installed.write_text(wanted)
    return folder / "node_modules" / ".bin"


def checkout() -> tuple[str, Path]:
    """Return the commit of this project that is measured, and a folder with just its files."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    commit = os.environ.get("AUTHCONTRACT_COMMIT", commit)
    folder = cache_folder() / f"authcontract-{commit}"
    if not folder.exists():
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        folder.mkdir()
        subprocess.run(["tar", "x", "-C", folder], input=archive, check=True)
    return commit, folder
