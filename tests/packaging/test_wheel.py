"""What is built and published: complete, of the version that it says, and naming no machine of ours."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = ("authcontract_policy", "authcontract_engine", "authcontract_conformance")
FOLDERS = dict(zip(PACKAGES, ("policy", "engine", "conformance"), strict=True))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Build the wheel with what the lock installed; nothing is fetched."""
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(place), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return ZipFile(next(place.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_packages(wheel: ZipFile) -> None:
    """Modules, schemas and `py.typed` marks are all there, and nothing else is."""
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{file.relative_to(ROOT / folder / package).as_posix()}"
        for package, folder in FOLDERS.items()
        for file in (ROOT / folder / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert "authcontract_policy/policy.schema.json" in held
    assert "authcontract_conformance/schemas/verify.schema.json" in held


def test_the_wheel_brings_the_command_and_the_licence(wheel: ZipFile) -> None:
    info = next(name.split("/")[0] for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert "authcontract = authcontract_conformance.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert any(name.endswith("LICENSE") for name in wheel.namelist())


def test_there_is_one_version() -> None:
    stated = PYPROJECT["project"]["version"]
    said = subprocess.run(
        [sys.executable, "-m", "authcontract_conformance", "--version"], check=True, capture_output=True, text=True
    )
    assert version("authcontract") == stated
    assert said.stdout.split()[-1] == stated


def published() -> list[str]:
    return [
        f"{package}/{file.name}"
        for package, folder in (("authcontract_policy", ""), ("authcontract_conformance", "schemas"))
        for file in sorted(Path(str(files(package))).joinpath(folder).glob("*.schema.json"))
    ]


@pytest.mark.parametrize("name", published())
def test_each_published_schema_is_one_and_names_itself(name: str) -> None:
    package, file = name.split("/")
    folder = "schemas" if package == "authcontract_conformance" else "."
    schema = json.loads(files(package).joinpath(folder, file).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]


def requirement_names(lines: list[str]) -> set[str]:
    """Return the names of requirements, as the index spells them."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0]).lower() for line in lines}


def test_the_lock_holds_all_that_is_required_each_with_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = re.findall(
        r"^([A-Za-z0-9._-]+)==\S+ \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    groups = [each for group in PYPROJECT["dependency-groups"].values() for each in group]
    wanted = [*PYPROJECT["build-system"]["requires"], *PYPROJECT["project"]["dependencies"], *groups, "editables"]
    assert requirement_names(wanted) <= requirement_names([name for name, _ in pinned])
    assert len(pinned) == len(re.findall(r"^[^ #\n]", text, re.MULTILINE))


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: what git tracks cannot be told")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_file_names_a_machine_or_an_index_of_ours() -> None:
    """Whoever clones the project has other paths and fetches from wherever their own pip is set to."""
    ours = re.compile(
        rb"/wor[k]/|\.\./share[d]|--(?:extra-)?index-ur[l] |pythonhoste[d]|pypi\.or[g]|registry\.npmj[s]|/home/[a-z]"
    )
    found = {
        f"{file.relative_to(ROOT)}: {match.group().decode()}"
        for file in tracked()
        if file.is_file() and (match := ours.search(file.read_bytes()))
    }
    assert found == set()
