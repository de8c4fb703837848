"""The layers point one way, the core touches nothing, and what a package offers is what it says it offers."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from authcontract_conformance.clauses import FAMILIES

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "authcontract_policy": ROOT / "policy" / "authcontract_policy",
    "authcontract_engine": ROOT / "engine" / "authcontract_engine",
    "authcontract_conformance": ROOT / "conformance" / "authcontract_conformance",
}
#: What policy and engine may import besides themselves: nothing that knows of files, sockets, clocks or logs.
PURE = {
    "__future__",
    "base64",
    "binascii",
    "collections",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "importlib.resources",
    "itertools",
    "json",
    "jsonschema",
    "math",
    "re",
    "referencing",
    "typing",
    "unicodedata",
    "urllib.parse",
    "yaml",
}
#: Modules at the edge, with what they may import besides.
EDGES = {
    "authcontract_policy._load": {"pathlib", "os"},
    "authcontract_engine._stores": {"secrets", "threading"},
}


def modules(package: str) -> dict[str, ast.Module]:
    """Return the syntax tree of each module of a package by its dotted name."""
    folder = PACKAGES[package]
    found = {}
    for file in sorted(folder.rglob("*.py")):
        parts = (package, *file.relative_to(folder).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text("utf-8"), str(file))
    return found


def imports(name: str, tree: ast.Module, *, is_package: bool) -> Iterator[str]:
    """Yield the dotted name of all that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name.split(".")
            if node.level:
                base = base[: len(base) - node.level + is_package]
                module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            else:
                module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


IMPORTS = {
    name: set(imports(name, tree, is_package=(PACKAGES[package] / "/".join(name.split(".")[1:])).is_dir()))
    for package in PACKAGES
    for name, tree in modules(package).items()
}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def names_of(package: str) -> list[str]:
    return [name for name in IMPORTS if within(name, package)]


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("authcontract_policy", ("authcontract_engine", "authcontract_conformance")),
        ("authcontract_engine", ("authcontract_conformance",)),
    ],
)
def test_a_layer_knows_nothing_of_those_above_it(package: str, above: tuple[str, ...]) -> None:
    assert names_of(package)
    wrong = {
        name: found
        for name in names_of(package)
        if (found := {each for each in IMPORTS[name] if any(within(each, other) for other in above)})
    }
    assert wrong == {}


@pytest.mark.parametrize("package", ["authcontract_policy", "authcontract_engine"])
def test_the_core_imports_nothing_that_touches_the_world(package: str) -> None:
    """Each module of policy and engine may import what is listed here, and a listed edge a little more."""
    ours = tuple(PACKAGES)
    wrong = {}
    for name in names_of(package):
        allowed = PURE | EDGES.get(name, set())
        foreign = {each for each in IMPORTS[name] if not any(within(each, own) for own in ours)}
        left = {each for each in foreign if not any(within(each, one) for one in allowed)}
        if left:
            wrong[name] = left
    assert wrong == {}


def test_the_edges_exist_and_need_what_they_are_allowed() -> None:
    """An exception that nobody needs any more has to go."""
    for name, allowed in EDGES.items():
        used = {one for one in allowed if any(within(each, one) for each in IMPORTS[name])}
        assert used, f"{name} needs no exception"


@pytest.mark.parametrize("outer", ["cli", "reports"])
def test_the_edge_of_conformance_is_never_imported_from_inside(outer: str) -> None:
    """Command line and reports read events and results; nothing of the suite knows that they exist."""
    package = f"authcontract_conformance.{outer}"
    assert names_of(package)
    edge = ("authcontract_conformance.cli", "authcontract_conformance.__main__")
    inside = [name for name in names_of("authcontract_conformance") if not any(within(name, each) for each in edge)]
    wrong = [
        name for name in inside if not within(name, package) and any(within(each, package) for each in IMPORTS[name])
    ]
    assert wrong == []


def test_one_module_imports_schemathesis() -> None:
    users = [name for name, found in IMPORTS.items() if any(within(each, "schemathesis") for each in found)]
    assert users == ["authcontract_conformance.fuzz._schemathesis"]


def test_a_clause_touches_no_socket() -> None:
    """A clause yields what it wants sent; a test and a replay can feed it as well as the driver."""
    world = {"asyncio", "socket", "ssl", "http", "urllib.request", "threading", "time", "subprocess"}
    forbidden = (*world, "authcontract_conformance.driver")
    wrong = {
        family.__name__: found
        for family in FAMILIES
        if (found := {each for each in IMPORTS[family.__name__] if any(within(each, one) for one in forbidden)})
    }
    assert wrong == {}


@pytest.mark.parametrize("package", ["authcontract_policy", "authcontract_engine"])
def test_a_package_offers_exactly_what_it_says(package: str) -> None:
    """`__all__` is sorted as ruff has it, complete and free of what does not exist."""
    module = importlib.import_module(package)
    offered = {name for name in vars(module) if not name.startswith("_")}
    modules_of_it = {name.rpartition(".")[2] for name in names_of(package)}
    assert set(module.__all__) == offered - modules_of_it
    assert len(module.__all__) == len(set(module.__all__))


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_stay_small(package: str) -> None:
    """Half of all modules stay under 150 lines, and none passes 500 without saying why at its top."""
    folder = PACKAGES[package]
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in folder.rglob("*.py")}
    assert {file.name: length for file, length in lengths.items() if length > 500} == {}
