"""The shape of a policy: `policy.schema.json` decides, `_sentences` says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from ._diagnostics import MOST, Diagnostic
from ._model import Document, Path
from ._sentences import Violation, Words, missing, sentences


@cache
def policy_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a policy."""
    text = files(__package__).joinpath("policy.schema.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def violations(document: Document, blocks: Iterable[str] | None = None) -> Iterator[Diagnostic]:
    """Yield each place at which the document, or some top-level blocks of it, is not shaped like a policy."""
    schema = policy_schema()
    if blocks is None:
        yield from _located(document, _validator().iter_errors(document.value), (), _words())
        return
    for name in blocks:
        if name in document.value:
            part = _validator().evolve(schema={**schema["properties"][name], "$defs": schema["$defs"]})
            yield from _located(document, part.iter_errors(document.value[name]), (name,), _words())
        elif name in schema["required"]:
            yield missing(document, (), name, _words())


def misshapen(document: Document, schema: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Yield each place at which a file of another kind, such as a target file, is not shaped as its schema says.

    The schema must describe each word with examples, and bound each text that has a pattern, as a policy's does.
    """
    yield from _located(document, _Validator(schema).iter_errors(document.value), (), described(schema))


def _located(document: Document, errors: Iterable[ValidationError], above: Path, words: Words) -> Iterator[Diagnostic]:
    for error in islice(errors, MOST):
        keywords = [*error.absolute_schema_path]
        violation = Violation(
            path=(*above, *error.absolute_path),
            keyword=str(keywords[-1]),
            wanted=error.validator_value,
            found=error.instance,
            schema=error.schema if isinstance(error.schema, dict) else {},
            of_name="propertyNames" in keywords,
            detail=error.message,
        )
        yield from sentences(document, violation, words)


def _unique_items(_: Any, wanted: bool, instance: Any, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001  jsonschema's signature
    """Look items up instead of comparing each with each, and say which one is repeated."""
    seen: dict[str, int] = {}
    for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
        first = seen.setdefault(json.dumps(item, sort_keys=True), index)
        if first != index:
            yield ValidationError(str(first), path=(index,))


def _pattern(_: Any, pattern: str, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Match the whole text; one that is too long has its own error and is not searched."""
    if isinstance(instance, str) and len(instance) <= schema["maxLength"] and not re.fullmatch(pattern, instance):
        yield ValidationError("")


def _required(_: Any, words: list[str], instance: Any, __: Any) -> Iterator[ValidationError]:
    """Name the missing word alone."""
    for word in words if isinstance(instance, dict) else ():
        if word not in instance:
            yield ValidationError(word)


_Validator: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"uniqueItems": _unique_items, "pattern": _pattern, "required": _required}
)


@cache
def _validator() -> Draft202012Validator:
    return _Validator(policy_schema())


@cache
def _words() -> Words:
    return described(policy_schema())


def described(schema: Mapping[str, Any]) -> Words:
    """Return what a schema says of each word, wherever it stands."""
    found: dict[str, Mapping[str, Any]] = {}
    todo: list[Any] = [schema]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            described = here.get("properties")
            if isinstance(described, dict):
                found.update({word: below for word, below in described.items() if "description" in below})
            todo.extend(here.values())
    return found
