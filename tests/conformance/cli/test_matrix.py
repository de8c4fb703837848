"""`matrix`: who may call what, as people review it and as programs read it."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from authcontract_conformance.cli.matrix import command
from click.testing import CliRunner, Result
from policy_contracts import FILES

SCHEMA = json.loads(files("authcontract_conformance").joinpath("schemas", "matrix.schema.json").read_text("utf-8"))


def matrix(name: str, *arguments: str, columns: str = "80") -> Result:
    return CliRunner(env={"COLUMNS": columns}).invoke(command, [str(FILES[name]), *arguments])


def lines(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.output.splitlines()]


def test_operations_stand_beside_scopes_where_these_fit() -> None:
    result = matrix("synaptiq")

    assert result.exit_code == 0
    assert "operation read write admin" in lines(result)
    assert "DELETE /leads/{id} – refused – refused ✔ allowed" in lines(result)
    assert max(map(len, result.output.splitlines())) <= 80


def test_what_works_without_a_key_has_a_column_of_its_own() -> None:
    found = lines(matrix("roles"))

    assert "operation no key viewer editor owner" in found
    assert "GET /health ✔ allowed ✔ allowed ✔ allowed ✔ allowed" in found
    assert "12 operations: viewer 5, editor 8, owner 12; 1 without a key." in found
    assert "none without a key" in matrix("synaptiq").output


def test_names_are_listed_where_columns_do_not_fit() -> None:
    result = matrix("harbour")

    assert "POST /shipments/{id}/label billing:manage and labels:buy" in lines(result)
    assert "POST /rates any key" in lines(result)
    assert max(map(len, result.output.splitlines())) <= 80


def test_limits_are_tables_of_their_headings() -> None:
    found = lines(matrix("synaptiq"))

    at = found.index("by scope and plan: requests in 1 minute, counted by key")
    assert found[at + 1] == "starter pro enterprise"
    assert found[at + 3 : at + 6] == ["read 120 600 3,000", "write 60 300 1,500", "admin 30 150 750"]


def test_a_limit_of_one_amount_is_a_sentence() -> None:
    assert "labels: 500 requests in 1 day, counted by organisation, for 1 operation" in lines(matrix("harbour"))
    assert any(
        line.startswith("at the same time: an unpublished number of requests") for line in lines(matrix("stripe"))
    )


def test_kinds_of_objects_are_told_apart_only_where_they_differ() -> None:
    found = "\n".join(lines(matrix("github", columns="140")))

    assert "GET /repos/{owner}/{repo} (public) anybody, even without a key" in found
    assert "GET /repos/{owner}/{repo} (private) repo, contents=read, contents=write" in found
    assert "GET /users/{username} anybody, even without a key" in found


def test_markdown_is_a_table() -> None:
    found = matrix("synaptiq", "--format", "markdown").output.splitlines()

    assert "| operation | read | write | admin |" in found
    assert "| GET /leads | ✔ allowed | ✔ allowed | ✔ allowed |" in found
    assert "| read | 120 | 600 | 3,000 |" in found


@pytest.mark.parametrize("name", sorted({*FILES} - {"digitalocean"}))
def test_json_follows_its_published_schema(name: str) -> None:
    found = json.loads(matrix(name, "--format", "json").stdout)

    jsonschema.validate(found, SCHEMA)
    assert all({*row["cells"]} == {*found["holders"]} for row in found["operations"])


def test_why_shows_the_row_that_decides() -> None:
    result = matrix("synaptiq", "--why", "GET /webhooks")

    assert "GET /webhooks (listWebhooks) is decided by `Read webhooks, keys and settings`" in result.output
    assert "^^^^^^^^" in result.output
    assert "source: G-02 (assumed): " in result.output
    assert "write   refused (403 forbidden)" in result.output
    assert "Counted by `by scope and plan`" in result.output
    assert matrix("synaptiq", "--why", "listWebhooks").output == result.output


def test_a_wrong_operation_is_told_what_was_meant() -> None:
    result = matrix("synaptiq", "--why", "listWebhook")

    assert result.exit_code == 2
    assert "no operation is called `listWebhook`; did you mean `listWebhooks`?" in result.output


def test_a_policy_with_errors_has_no_matrix(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("version: 2\n", "utf-8")

    result = CliRunner().invoke(command, [str(file)])

    assert result.exit_code == 2
    assert "error[" in result.output
