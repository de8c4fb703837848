"""The specifications that stand here are whole, readable for others too, and say what their policies say."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import schemathesis
from authcontract_policy import load, load_specification
from policy_contracts import FILES, ROOT
from schemathesis.core.result import Ok

FOLDERS = (ROOT / "specs", ROOT / "tests" / "contracts")
SPECS = [file for folder in FOLDERS for file in sorted(folder.glob("*.openapi.*"))]
DIGITALOCEAN = ROOT / "specs" / "digitalocean.openapi.json"
#: What a reader would have to be shown, and what somebody wrote.
PROSE = {"summary", "title", "externalDocs", "examples", "x-codeSamples", "links"}
specs = pytest.mark.parametrize("file", SPECS, ids=lambda file: file.name)


def document(file: Path) -> Any:
    specification, problems = load_specification(file)
    assert specification is not None
    assert problems == ()
    return specification.document.value


def within(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a document."""
    if isinstance(value, Mapping):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from within(inner)


@specs
def test_every_reference_names_something(file: Path) -> None:
    whole = document(file)
    # A property may be called `$ref`; a reference is a text.
    for reference in {each["$ref"] for each in within(whole) if isinstance(each.get("$ref"), str)}:
        assert reference.startswith("#/"), reference
        at = whole
        for step in reference[2:].split("/"):
            at = at[step.replace("~1", "/").replace("~0", "~")]


@specs
def test_schemathesis_reads_every_operation(file: Path) -> None:
    specification, _ = load_specification(file)
    assert specification is not None
    schema = schemathesis.openapi.from_dict(dict(specification.document.value))
    read = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert {each.definition.raw["operationId"] for each in read} == {each.id for each in specification.operations}


# --- DigitalOcean ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("facts", ROOT / "specs" / "make_digitalocean_facts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_facts_are_what_the_script_makes(script: ModuleType) -> None:
    """Whoever makes them from facts gets them back to the byte, so nothing was changed by hand."""
    written = DIGITALOCEAN.read_text("utf-8")
    assert script.text(script.facts(json.loads(written))) == written


def test_the_facts_keep_what_decides_and_drop_what_somebody_wrote(script: ModuleType) -> None:
    operation = {
        "operationId": "list_things",
        "summary": "List all things",
        "description": "Prose.",
        "tags": ["Things"],
        "x-codeSamples": [{"lang": "cURL", "source": "curl ..."}],
        "security": [{"bearer_auth": ["thing:read"]}],
        "parameters": [{"$ref": "#/components/parameters/page"}],
        "responses": {"200": {"description": "Things.", "content": {"application/json": {"schema": THING}}}},
    }
    bundled = {
        "openapi": "3.0.0",
        "info": {"title": "Things", "version": "2.0", "description": "Prose."},
        "servers": [{"url": "https://api.example", "description": "production"}],
        "paths": {"/things": {"get": operation}},
        "components": {
            "securitySchemes": {"bearer_auth": {"type": "http", "scheme": "bearer", "description": "Prose."}},
            "parameters": {
                "page": {"name": "page", "in": "query", "description": "Prose.", "schema": {"type": "integer"}}
            },
            "schemas": {"unused": {"type": "string"}},
        },
    }
    facts = script.facts(bundled)
    assert facts["servers"] == [{"url": "https://api.example"}]
    assert facts["info"]["license"]["name"] == "Apache-2.0"
    assert facts["paths"]["/things"]["get"] == {
        "operationId": "list_things",
        "tags": ["Things"],
        "security": [{"bearer_auth": ["thing:read"]}],
        "parameters": [{"$ref": "#/components/parameters/page"}],
        "responses": {
            "200": {
                "description": "",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string", "maxLength": 9},
                                "description": {"type": "string"},
                            },
                        }
                    }
                },
            }
        },
    }
    assert facts["components"] == {
        "securitySchemes": {"bearer_auth": {"type": "http", "scheme": "bearer"}},
        "parameters": {"page": {"name": "page", "in": "query", "schema": {"type": "integer"}}},
    }


#: A property may have the name of a word that is dropped.
THING = {
    "type": "object",
    "title": "A thing",
    "required": ["name"],
    "example": {"name": "x"},
    "properties": {
        "name": {"type": "string", "maxLength": 9, "description": "Prose.", "example": "blue"},
        "description": {"type": "string", "description": "Prose."},
    },
}


def test_the_facts_hold_all_operations_and_no_prose() -> None:
    whole = document(DIGITALOCEAN)
    operations = [each for item in whole["paths"].values() for each in item.values() if "operationId" in each]
    assert len(operations) == 659
    assert (
        len({scope for each in operations for entry in each["security"] for s in entry.values() for scope in s}) == 142
    )
    for each in operations:
        assert PROSE.isdisjoint(each)
        assert all(response.get("description", "") == "" for response in each["responses"].values())


# --- Synaptiq --------------------------------------------------------------------------------------------------------


def test_synaptiqs_policy_answers_the_forty_silences() -> None:
    loaded = load(FILES["synaptiq"])
    assert loaded.policy is not None
    assert sorted(loaded.policy.silences) == [f"G-{number:02}" for number in range(1, 41)]


def test_synaptiqs_specification_shows_the_errors_that_its_policy_states() -> None:
    policy = load(FILES["synaptiq"]).policy
    assert policy is not None
    shown = {
        content["example"]["error"]["code"]: content["example"]["error"]
        for response in document(ROOT / "specs" / "synaptiq.openapi.yaml")["components"]["responses"].values()
        for content in response["content"].values()
    }
    assert {"unauthorized", "forbidden", "rate_limited", "not_found"} <= shown.keys()
    template = policy.error_format.body["error"]
    for code, error in shown.items():
        assert error == {**template, "code": code, "message": policy.errors[code].says["message"].others}


def test_what_synaptiqs_page_does_not_say_is_marked() -> None:
    """The page shows one path, `/leads`; of every other one somebody assumed that it is called so."""
    for path, item in document(ROOT / "specs" / "synaptiq.openapi.yaml")["paths"].items():
        for operation in (each for each in item.values() if "operationId" in each):
            assert path.startswith("/leads") or operation["x-assumed"]
