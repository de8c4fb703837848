"""The engine's core is pure, its layers point one way, and its list of names is complete."""

import ast
from collections.abc import Iterator
from pathlib import Path

import authcontract_engine
import pytest

PACKAGE = Path(authcontract_engine.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))
#: What the core may import beside the policy: nothing that reads a file, a socket, a clock, the environment or chance.
PURE = {
    "__future__",
    "authcontract_policy",
    "base64",
    "binascii",
    "collections.abc",
    "dataclasses",
    "enum",
    "hashlib",
    "itertools",
    "json",
    "math",
    "re",
    "typing",
    "urllib.parse",
}
#: The edge issues secrets.
EDGE = {"_stores": PURE | {"secrets"}}


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_what_a_module_may_import(module: Path) -> None:
    allowed = EDGE.get(module.stem, PURE)
    assert sorted(set(imported(module)) - allowed) == []


def test_the_edge_is_not_imported_from_inside() -> None:
    inner = [module for module in MODULES if module.stem not in {"__init__", *EDGE}]
    for module in inner:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level and node.module in EDGE), module


def test_the_list_of_names_is_complete() -> None:
    public = {name for name in vars(authcontract_engine) if not name.startswith("_")}
    assert public == set(authcontract_engine.__all__)
