"""A file of another kind is read as strictly as a policy, by a schema of its own."""

from pathlib import Path

import pytest
from authcontract_policy import read_document

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"name": {"description": "A name.", "enum": ["one", "two"], "examples": ["one"]}},
}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("name: one\n", []),
        ("name: three\n", ["unknown-value"]),
        ("nam: one\n", ["unknown-word"]),
        ("a: [", ["yaml-syntax"]),
    ],
)
def test_a_document_is_read_by_its_schema(tmp_path: Path, text: str, codes: list[str]) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")

    document, problems = read_document(path, SCHEMA)

    assert [each.code for each in problems] == codes
    assert (document is None) == bool(codes)


def test_a_document_that_is_not_there_is_a_diagnostic(tmp_path: Path) -> None:
    document, problems = read_document(tmp_path / "nowhere.yaml", SCHEMA)

    assert document is None
    assert [each.code for each in problems] == ["cannot-read-file"]
