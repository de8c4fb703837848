# mypy: disable-error-code="import-not-found,misc"
# Starlette is installed by `run.py` for this application, not in the environment where mypy runs.
"""Request bodies, held against the specification."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from starlette.requests import Request

from .errors import bad_request

SPECIFICATION = Path(__file__).resolve().parents[3] / "specs" / "synaptiq.openapi.yaml"
DAY = {"type": "string", "format": "date"}


@cache
def specification() -> dict[str, Any]:
    """Return the specification."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(SPECIFICATION.read_text(), loader)  # noqa: S506  # safe in C
    return document


@cache
def validator(schema: str) -> Draft202012Validator:
    """Return a validator for a schema of the specification."""
    document = {"$ref": f"#/components/schemas/{schema}", "components": specification()["components"]}
    return Draft202012Validator(document, format_checker=FormatChecker())


async def body(request: Request, schema: str, *, required: bool = True) -> dict[str, Any]:
    """Return the body of a request, or refuse it."""
    raw = await request.body()
    if not raw and not required:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise bad_request("The body must be JSON.")
    try:
        value = json.loads(raw)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise bad_request("The body is not JSON.") from problem
    error = next(validator(schema).iter_errors(value), None)
    if error:
        raise bad_request(f"The body is not as documented: {'/'.join(map(str, error.path)) or 'body'}.")
    result: dict[str, Any] = value
    return result


def day(request: Request, name: str, default: str) -> str:
    """Return a day from the query, or refuse it."""
    value: str | None = request.query_params.get(name)
    if value is None:
        return default
    if not Draft202012Validator(DAY, format_checker=FormatChecker()).is_valid(value):
        raise bad_request(f"`{name}` is not a day.")
    return value
