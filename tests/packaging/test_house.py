"""What the pages tell people to type exists, and a machine that lacks something is told what."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from authcontract_conformance.cli import COMMANDS
from authcontract_conformance.faults import FAULTS

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The tests may themselves run under `make test`, whose variables are not meant for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_names_commands_that_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    targets = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", text, re.MULTILINE))
    commands = set(re.findall(r"(?:^\$ |`)authcontract ([a-z]+)", text, re.MULTILINE))

    assert targets <= set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert commands <= {*COMMANDS}


@pytest.mark.parametrize("page", PAGES)
def test_each_page_links_to_files_that_exist(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text("utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_pages_do_not_count_too_many_faults(page: str) -> None:
    counted = re.findall(r"more\s+than (\d+)\s+named", (ROOT / page).read_text("utf-8"))

    assert [int(number) < len(FAULTS) for number in counted] == [True]


def test_make_alone_lists_what_can_be_made() -> None:
    listed = make()

    assert listed.returncode == 0
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    phony = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[0].split()
    assert sorted(names) == sorted(phony)


def test_a_machine_without_python_is_told_so(tmp_path: Path) -> None:
    told = make("verify", f"VENV={tmp_path / 'venv'}", "PYTHON=")

    assert told.returncode == 2
    assert "authcontract needs Python 3.11 or newer" in told.stdout
    assert "make PYTHON=/path/to/python3.11 verify" in told.stdout


def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    old.chmod(0o755)

    told = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={old}")

    assert told.returncode == 2
    assert "authcontract needs Python 3.11 or newer" in told.stdout


def test_a_python_without_venv_is_told_so(tmp_path: Path) -> None:
    bare = tmp_path / "python3.11"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "utf-8")
    bare.chmod(0o755)

    told = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={bare}")

    assert told.returncode == 2
    assert "lacks the venv module" in told.stdout
    assert "apt-get install python3-venv" in told.stdout


def test_the_script_for_ci_is_a_sound_script() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "set -euo pipefail" in script.read_text("utf-8")
