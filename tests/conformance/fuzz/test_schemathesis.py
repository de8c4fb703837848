"""What we use of Schemathesis, which changes often: each test fails when an upgrade changes what we rely on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import conversations
import pytest
from authcontract_conformance.fuzz._schemathesis import Counts, Generated, Schemas
from conversations import contract

FEW = Counts(positive=2, negative=2, coverage=8, operations=4)


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas(contract("roles").specification.document.value)


@pytest.fixture(scope="module")
def operations() -> tuple[str, ...]:
    return tuple(operation.id for operation in contract("roles").operations)


def test_version_is_the_pinned_one() -> None:
    assert version("schemathesis").startswith("4.32.")


def test_corpus_has_every_mode_and_no_credential(schemas: Schemas, operations: tuple[str, ...]) -> None:
    corpus = schemas.corpus(operations, 1, Counts())
    assert {generated.mode for generated in corpus} == {"positive", "negative", "coverage"}
    assert {generated.operation_id for generated in corpus} == set(operations)
    fields = {name.lower() for generated in corpus for name, _ in generated.headers}
    assert not fields & {"authorization", "x-api-key", "user-agent", "host", "x-schemathesis-testcaseid"}


def test_coverage_tries_methods_that_are_not_documented(schemas: Schemas, operations: tuple[str, ...]) -> None:
    methods = {generated.method for generated in schemas.corpus(operations, 1, Counts(coverage=60))}
    assert {"TRACE", "OPTIONS"} <= methods


def test_seed_reproduces_the_corpus(schemas: Schemas, operations: tuple[str, ...]) -> None:
    first = schemas.corpus(operations, 7, FEW)
    assert schemas.corpus(reversed(operations), 7, FEW) == first
    assert schemas.corpus(operations, 8, FEW) != first


def test_seed_reproduces_the_corpus_in_another_process(operations: tuple[str, ...]) -> None:
    """Neither the order of hashes nor what else is loaded may matter."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from conversations import contract\n"
        "from authcontract_conformance.fuzz._schemathesis import Counts, Schemas\n"
        "few = Counts(positive=2, negative=2, coverage=8, operations=4)\n"
        "roles = contract('roles')\n"
        "ids = [operation.id for operation in roles.operations]\n"
        "print(repr(Schemas(roles.specification.document.value).corpus(ids, 7, few)))\n"
    )
    tests = str(Path(conversations.__file__).parent)
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    other = subprocess.run(
        [sys.executable, "-c", script, tests], env=environment, capture_output=True, text=True, check=True
    )
    here = Schemas(contract("roles").specification.document.value).corpus(operations, 7, FEW)
    assert other.stdout.strip() == repr(here)


def test_large_specification_is_sampled(schemas: Schemas, operations: tuple[str, ...]) -> None:
    corpus = schemas.corpus(operations, 1, FEW)
    assert len({generated.operation_id for generated in corpus}) == FEW.operations


def test_simplest_request_comes_first(schemas: Schemas, operations: tuple[str, ...]) -> None:
    first = schemas.corpus(operations, 1, Counts())[0]
    assert (first.mode, first.method, first.query, first.body) == ("positive", "GET", "", b"")


def test_operation_without_a_usable_schema_is_left_out(schemas: Schemas) -> None:
    assert schemas.corpus(("no-such-operation",), 1, FEW) == ()


def test_nothing_is_left_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operations: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Schemas(contract("roles").specification.document.value).corpus(operations, 1, FEW)
    assert list(tmp_path.iterdir()) == []


def test_hooks_of_the_environment_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMATHESIS_HOOKS", "no_such_module")
    Schemas(contract("roles").specification.document.value)
    assert "SCHEMATHESIS_HOOKS" not in os.environ


SPECIFICATION: Mapping[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "things", "version": "1"},
    "paths": {
        "/things": {
            "get": {
                "operationId": "listThings",
                "responses": {
                    "200": {
                        "description": "things",
                        "headers": {"X-Total": {"required": True, "schema": {"type": "integer"}}},
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["data"],
                                    "properties": {"data": {"type": "array"}},
                                }
                            }
                        },
                    }
                },
            },
            "post": {
                "operationId": "addThing",
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["file"],
                                "properties": {"file": {"type": "string", "format": "binary"}},
                            }
                        }
                    }
                },
                "responses": {"201": {"description": "added"}},
            },
        }
    },
}
JSON = ("Content-Type", "application/json")
TOTAL = ("X-Total", "0")


@pytest.mark.parametrize(
    ("status", "headers", "body", "problem"),
    [
        pytest.param(200, (JSON, TOTAL), {"data": []}, None, id="as documented"),
        pytest.param(204, (), None, "Undocumented status code: Received: 204", id="another status"),
        pytest.param(
            200, (("Content-Type", "text/html"), TOTAL), {"data": []}, "Undocumented Content-Type", id="a page"
        ),
        pytest.param(200, (JSON,), {"data": []}, "Missing required response headers", id="a header missing"),
        pytest.param(200, (JSON, TOTAL), {}, "Response violates schema", id="another body"),
    ],
)
def test_responses_are_compared_with_the_documented_ones(
    status: int, headers: tuple[tuple[str, str], ...], body: Any, problem: str | None
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    found = Schemas(SPECIFICATION).problems("listThings", status, headers, content)
    assert len(found) == (problem is not None)
    assert problem is None or found[0].startswith(problem)


def test_several_problems_of_one_response_are_told_apart() -> None:
    found = Schemas(SPECIFICATION).problems("listThings", 200, (JSON,), b"{}")
    assert len(found) == 2


def test_a_header_that_may_be_lacking_is_not_missed() -> None:
    assert Schemas(SPECIFICATION).problems("listThings", 200, (JSON,), b'{"data": []}', may_lack={"x-total"}) == ()


def test_boundary_of_a_form_is_reproduced() -> None:
    corpus = Schemas(SPECIFICATION).corpus(("addThing",), 1, FEW)
    forms = [generated for generated in corpus if (generated.media_type or "").startswith("multipart/form-data")]
    assert forms
    assert {generated.media_type for generated in forms} == {"multipart/form-data; boundary=authcontract-boundary"}
    assert all(b"--authcontract-boundary" in generated.body for generated in forms)


def test_generated_requests_compare_by_value() -> None:
    one = Generated(operation_id="a", mode="positive", method="GET", path="/")
    assert one == Generated(operation_id="a", mode="positive", method="GET", path="/")
