"""An OpenAPI document becomes operations; what is wrong in it is located; references are followed within bounds."""

import json
from typing import Any

import pytest
from authcontract_policy import Operation, Specification, inline, matches, parse_specification, selector
from authcontract_policy._selectors import Extents
from hypothesis import given
from hypothesis import strategies as st
from policy_contracts import underlined


def parsed(document: Any) -> Specification:
    found, problems = parse_specification(json.dumps(document).encode(), "x.json")
    assert problems == ()
    assert found is not None
    return found


def of_paths(paths: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": paths, **further}


TEXT = {"type": "string"}
WHOLE = of_paths(
    {
        "/things/{id}": {
            "servers": [{"url": "https://files.example"}],
            "parameters": [
                {"name": "id", "in": "path", "schema": TEXT},
                {"$ref": "#/components/parameters/page"},
            ],
            "get": {
                "operationId": "getThing",
                "tags": ["things", 5],
                "security": [{"oauth": ["a", "b"]}, {}],
                "parameters": [{"name": "page", "in": "query", "content": {"text/plain": {"schema": TEXT}}}],
                "responses": {"200": {"$ref": "#/components/responses/thing"}, "404": {}, "x-note": "none"},
            },
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": TEXT}, "a/b": {}}},
                "servers": [{"url": "https://upload.example"}],
            },
        },
        "x-paths": {},
    },
    security=[{"key": []}],
    servers=[{"url": "https://{region}.example/v1", "variables": {"region": {"default": "eu"}}}],
    components={
        "parameters": {"page": {"name": "page", "in": "query", "required": True, "schema": {"type": "integer"}}},
        "responses": {"thing": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}},
        "schemas": {"thing": {"type": "object"}},
    },
)


def test_an_operation_is_read_whole() -> None:
    get, post = parsed(WHOLE).operations

    assert (get.id, get.label, get.tags) == ("getThing", "GET /things/{id}", ("things",))
    assert get.security == ({"oauth": ("a", "b")}, {})
    assert [(each.name, each.where, each.required, each.schema) for each in get.parameters] == [
        ("page", "query", False, TEXT),
        ("id", "path", True, TEXT),
    ]
    assert get.responses == {"200": {"application/json": {"$ref": "#/components/schemas/thing"}}, "404": {}}
    assert get.servers == ("https://files.example",)
    assert (post.id, post.security, post.body_required) == ("POST /things/{id}", ({"key": ()},), True)
    assert post.request_body == {"application/json": TEXT, "a/b": {}}
    assert post.servers == ("https://upload.example",)


def test_server_variables_have_their_defaults() -> None:
    specification = parsed(WHOLE)

    assert specification.servers == ("https://eu.example/v1",)
    assert specification.operation("getThing") == specification.operations[0]
    assert specification.operation("none") is None


def test_a_document_that_begins_with_a_brace_is_json_whatever_it_is_called() -> None:
    found, _ = parse_specification(json.dumps(WHOLE).encode(), "x.yaml")

    assert found is not None
    assert type(found.document.keys).__name__ != "dict"


def test_an_operation_may_stand_behind_a_reference() -> None:
    specification = parsed(
        of_paths({"/a": {"$ref": "#/components/pathItems/a"}}, components={"pathItems": {"a": {"get": {}}}})
    )

    assert [each.label for each in specification.operations] == ["GET /a"]


@pytest.mark.parametrize(
    ("document", "code", "marked"),
    [
        ([], "openapi-shape", "["),
        ({"paths": {"/a": {"get": {}}}}, "openapi-version", "{"),
        (of_paths({"/a": {"get": []}}), "openapi-shape", '"get"'),
        (of_paths({"/a": {"get": {"responses": []}}}), "openapi-shape", '"responses"'),
        (of_paths({"/a": {"get": {"operationId": ""}}}), "operation-id", '""'),
        (of_paths({"/a": {"get": {"parameters": [{"name": "x", "in": "body"}]}}}), "parameter", "{"),
        (of_paths({"/a": {"get": {"security": [{"a": "b"}]}}}), "security", "["),
        (of_paths({"/a": {"get": {}}}, servers=[{"url": 5}]), "server", "{"),
        (of_paths({"/a": {"get": {"x": {"$ref": "#/components/none"}}}}), "reference-not-found", '"#/components/none"'),
        (of_paths({"/a": {"get": {"x": {"$ref": "#/openapi/none"}}}}), "reference-not-found", '"#/openapi/none"'),
        (of_paths({"/a": {"get": {"x": {"$ref": "#/paths/~1a/get/tags/x"}}}}), "reference-not-found", None),
        (of_paths({"/a": {"get": {"x": {"$ref": "file:///etc/hosts"}}}}), "reference-elsewhere", '"file:///etc/hosts"'),
    ],
)
def test_what_is_wrong_is_located(document: Any, code: str, marked: str | None) -> None:
    specification, problems = parse_specification(json.dumps(document).encode(), "x.json")

    assert specification is None
    assert code in [each.code for each in problems]
    first = next(each for each in problems if each.code == code)
    assert marked in {None, underlined(first)}


def test_a_reference_within_data_is_an_ordinary_word() -> None:
    data = {"$ref": "#/nowhere"}
    schema = {"properties": {"example": {"type": "object", "enum": [data]}, "$ref": TEXT}, "x-note": data}

    specification = parsed(of_paths({"/a": {"get": {"example": data, "schema": schema}}}))

    assert len(specification.operations) == 1


def test_a_reference_goes_by_pointer_whatever_the_document_calls_itself() -> None:
    odd = {"$schema": 5, "$id": ["x"], "x-anchor": {"$anchor": "y"}}
    document = of_paths({"/a": {"get": {"x": {"$ref": "#y"}}}}, **odd)

    assert [each.code for each in parse_specification(json.dumps(document).encode(), "x.json")[1]] == [
        "reference-not-found"
    ]


def test_references_in_a_circle_end() -> None:
    circle = {"$ref": "#/components/parameters/b"}
    document = of_paths(
        {"/a": {"parameters": [{"$ref": "#/components/parameters/a"}], "get": {}}},
        components={"parameters": {"a": circle, "b": {"$ref": "#/components/parameters/a"}}},
    )

    assert parsed(document).operations[0].parameters == ()


def test_a_schema_is_written_out_with_what_stands_beside_its_references() -> None:
    schemas = {
        "name": {"type": "string", "minLength": 1},
        "tree": {
            "properties": {
                "name": {"$ref": "#/components/schemas/name", "minLength": 2},
                "child": {"$ref": "#/components/schemas/tree"},
            }
        },
        "yes": True,
    }
    specification = parsed(of_paths({"/a": {"get": {}}}, components={"schemas": schemas}))

    tree = inline(specification, {"allOf": [{"$ref": "#/components/schemas/tree"}]})

    assert tree == {"allOf": [{"properties": {"name": {"type": "string", "minLength": 2}, "child": {}}}]}
    assert inline(specification, {"$ref": "#/nowhere", "type": "string"}) == {"type": "string"}
    assert inline(specification, {"a": {"$ref": "#/components/schemas/yes"}}) == {"a": True}
    assert inline(specification, {"$ref": "#/components/schemas/yes"}) == {}


def test_references_that_double_at_each_step_do_not_explode() -> None:
    schemas = {f"s{index}": {"anyOf": [{"$ref": f"#/components/schemas/s{index + 1}"}] * 9} for index in range(30)} | {
        "s30": TEXT
    }
    specification = parsed(of_paths({"/a": {"get": {}}}, components={"schemas": schemas}))

    written = json.dumps(inline(specification, {"$ref": "#/components/schemas/s0"}))

    assert len(written) < 1_000_000


OPERATION = Operation(id="getThing", method="GET", path="/things/{id}", tags=("things",), request_body={}, responses={})


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("getThing", True),
        ("getThings", False),
        ("/things/{id}", True),
        ("GET /things/{id}", True),
        ("POST /things/{id}", False),
        ("/things", False),
        ("/things/*", True),
        ("/thing/*", False),
        ("/things/{id}/*", True),
        ("GET /*", True),
        ("DELETE /*", False),
        ("/*", True),
        ({"tag": "things"}, True),
        ({"tag": "thing"}, False),
    ],
)
def test_which_operations_a_selector_names(written: str | dict[str, str], *, named: bool) -> None:
    assert matches(selector(written), OPERATION) is named


PATHS = st.lists(st.sampled_from(["a", "b", "{id}"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
OPERATIONS = st.builds(
    Operation,
    id=st.sampled_from(["getA", "getB"]),
    method=st.sampled_from(["GET", "POST"]),
    path=PATHS,
    tags=st.lists(st.sampled_from(["t", "u"])).map(tuple),
    request_body=st.just({}),
    responses=st.just({}),
)
WRITTEN = st.one_of(
    st.sampled_from(["getA", "getC", "/*", "GET /*"]),
    st.builds("{}{}{}".format, st.sampled_from(["", "GET ", "POST "]), PATHS, st.sampled_from(["", "/*"])),
    st.sampled_from(["t", "v"]).map(lambda tag: {"tag": tag}),
)


@given(operation=OPERATIONS, written=WRITTEN)
def test_the_index_of_selectors_agrees_with_each_match(operation: Operation, written: str | dict[str, str]) -> None:
    chosen = selector(written)

    assert (operation.id in Extents([operation]).of(chosen)) is matches(chosen, operation)
