"""The shape of a policy: every word is known and holds what it may hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from ._diagnostics import Diagnostic
from ._model import Document
from ._places import at_value


@cache
def policy_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a policy."""
    text = files(__package__).joinpath("policy.schema.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def violations(document: Document) -> Iterator[Diagnostic]:
    """Yield each place at which the document is not shaped like a policy."""
    for error in Draft202012Validator(policy_schema()).iter_errors(document.value):
        yield at_value(document, tuple(error.absolute_path), "schema", error.message)
