"""The package exports what it says, and its core touches no file, socket, clock or log."""

import ast
from importlib.resources import files
from pathlib import Path
from typing import Final

import authcontract_policy
import pytest

MODULES: Final = sorted(Path(str(files("authcontract_policy"))).glob("*.py"))
#: All that any module may import; a new one is a decision.
ALLOWED: Final = {
    "__future__",
    "collections",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "importlib",
    "itertools",
    "json",
    "jsonschema",
    "math",
    "re",
    "referencing",
    "typing",
    "unicodedata",
    "yaml",
}
#: Where files are read, and where a file's ending tells JSON from YAML.
FURTHER: Final = {"_load.py": {"os", "pathlib"}, "_specification.py": {"pathlib"}}


def imported(path: Path) -> set[str]:
    """Return the packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                found.update(each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_leaves_it_pure(path: Path) -> None:
    assert imported(path) <= ALLOWED | FURTHER.get(path.name, set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_the_loader_opens_files(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    names = {node.id for node in calls if isinstance(node, ast.Name)}
    names |= {node.attr for node in calls if isinstance(node, ast.Attribute)}

    opening = names & {"open", "read_bytes", "read_text", "write_text", "print", "input", "exec", "eval"}
    assert opening == {"_load": {"open"}, "_schema": {"read_text"}}.get(path.stem, set())


def test_all_names_every_public_name_and_nothing_else() -> None:
    public = {name for name in vars(authcontract_policy) if not name.startswith("_")}

    assert sorted(authcontract_policy.__all__) == sorted(set(authcontract_policy.__all__))
    assert set(authcontract_policy.__all__) == public
    assert all(getattr(authcontract_policy, name) is not None for name in authcontract_policy.__all__)


def test_half_of_the_modules_are_short_and_none_is_long() -> None:
    lengths = sorted(len(path.read_text("utf-8").splitlines()) for path in MODULES)

    assert lengths[len(lengths) // 2] < 150
    assert lengths[-1] <= 500
