"""The shape of a policy: every word is known and holds what it may hold.

`policy.schema.json` decides; the sentences are ours, one for each keyword of JSON Schema that it uses. A subschema
without a description is the form of one value: its title is the noun (`60s` is no duration), its examples the help.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from ._diagnostics import Diagnostic, Related, listing, quote, suggestion
from ._model import Document, Path
from ._places import at_key, at_value, value_span

_KINDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a block of names",
}


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
        yield from _sentences(document, _validator().iter_errors(document.value))
        return
    for name in blocks:
        if name in document.value:
            part = _validator().evolve(schema={**schema["properties"][name], "$defs": schema["$defs"]})
            yield from _sentences(document, part.iter_errors(document.value[name]), (name,))
        elif name in schema["required"]:
            yield _missing(document, (), name)


@cache
def _validator() -> Draft202012Validator:
    changed = extend(Draft202012Validator, {"uniqueItems": _unique_items, "pattern": _pattern})
    validator: Draft202012Validator = changed(policy_schema())
    return validator


def _unique_items(_: Any, wanted: bool, instance: Any, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001  jsonschema's signature
    """Look items up instead of comparing each with each, and say which one is repeated."""
    seen: dict[str, int] = {}
    for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
        first = seen.setdefault(json.dumps(item, sort_keys=True), index)
        if first != index:
            yield ValidationError("", path=(index,), context=(), cause=None, validator_value=first)


def _pattern(_: Any, pattern: str, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Match the whole text; one that is too long has its own error and is not searched."""
    if isinstance(instance, str) and len(instance) <= schema["maxLength"] and not re.fullmatch(pattern, instance):
        yield ValidationError("")


def _sentences(document: Document, errors: Iterable[ValidationError], above: Path = ()) -> Iterator[Diagnostic]:
    for error in errors:
        path = (*above, *error.absolute_path)
        if "propertyNames" in error.absolute_schema_path:
            yield _name(document, path, error)
        else:
            yield from _SENTENCES[str(error.validator)](document, path, error)


def _subject(path: Path) -> str:
    """Return the word that the value at `path` belongs to."""
    return quote(next((step for step in reversed(path) if isinstance(step, str)), "the policy"))


def _noun(schema: Mapping[str, Any]) -> str | None:
    return schema.get("title") if "description" not in schema else None


def _like(schema: Mapping[str, Any]) -> str:
    """Show what a good value looks like."""
    shown = " or ".join(quote(example) for example in schema.get("examples", ()))
    return f"write it like {shown}" if shown else ""


def _name(document: Document, path: Path, error: ValidationError) -> Diagnostic:
    """Report a name that cannot stand in its block."""
    name, schema = error.instance, error.schema
    place = (*path, name)
    match error.validator:
        case "enum":
            help_ = suggestion(name, schema["enum"])
            return at_key(document, place, "unknown-word", f"{quote(name)} is no {_noun(schema)}", help=help_)
        case "not":
            message, help_ = _reserved(name)
            return at_key(document, place, "reserved-name", message, help=help_)
        case "maxLength":
            message = f"the name {quote(name)} is longer than {schema['maxLength']} characters"
            return at_key(document, place, "malformed-name", message)
        case _:
            message = f"{quote(name)} is no {_noun(schema)}"
            return at_key(document, place, "malformed-name", message, help=_like(schema))


def _reserved(name: object) -> tuple[str, str]:
    return f"{quote(name)} is a word of the language and names nothing of yours", "choose another name"


def _type(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    wanted, found = str(error.validator_value), error.instance
    subject, noun, help_ = _subject(path), _noun(error.schema), ""
    match wanted, found:
        case _, None:
            message = f"{subject} has no value" if path else "the policy is empty"
            help_ = "give it one, or delete the word; a text that contains `,` needs quotes inside `{ }`"
        case "array", dict():
            message = f"{subject} takes a list, not a block"
        case "array", _:
            message = f"{subject} takes a list"
            help_ = f"write {quote(f'{path[-1]}: [{found}]')}" if path and isinstance(path[-1], str) else ""
        case "object", _:
            message = f"{subject} takes a block of names" + (", not a list" if isinstance(found, list) else "")
        case _, list():
            message = f"{subject} takes one value, not a list"
            one = len(found) == 1 and isinstance(found[0], str) and path and isinstance(path[-1], str)
            help_ = f"write {quote(f'{path[-1]}: {found[0]}')}" if one else ""
        case _, dict():
            message = f"{subject} takes one value, not a block"
        case _:
            message = f"{quote(_yaml(found))} is no {noun}" if noun else f"{subject} takes {_KINDS[wanted]}"
            text_wanted = wanted == "string" and not isinstance(found, str)
            help_ = _like(error.schema) if noun and noun not in ("text", "name") else ""
            help_ = help_ or ("put it in quotes to make it a text" if text_wanted else "")
    yield at_value(document, path, "wrong-type", message, help=help_)


def _yaml(value: Any) -> str:
    """Return a scalar as it is written in YAML."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _enum(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    found, allowed = error.instance, [_yaml(each) for each in error.validator_value]
    if isinstance(found, dict | list):
        kind = "a block" if isinstance(found, dict) else "a list"
        yield at_value(document, path, "wrong-type", f"{_subject(path)} takes one value, not {kind}")
        return
    noun = _noun(error.schema) if "examples" in error.schema else None
    message = f"{quote(_yaml(found))} is {f'no {noun}' if noun else f'not a value of {_subject(path)}'}"
    help_ = _like(error.schema) if noun else suggestion(_yaml(found), allowed)
    yield at_value(document, path, "unknown-value", message, help=help_)


def _not(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    if error.validator_value == {}:
        message = f"{_subject(path)} does not stand beside `concurrent`"
        help_ = "a limit is a number of `requests` in a `window`, or `concurrent`"
        yield at_key(document, path, "word-beside", message, help=help_)
        return
    message, help_ = _reserved(error.instance)
    yield at_value(document, path, "reserved-name", message, help=help_)


def _malformed(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    message = f"{quote(error.instance)} is no {_noun(error.schema)}"
    yield at_value(document, path, "malformed-value", message, help=_like(error.schema))


def _too_long(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    message = f"the text has {len(error.instance):,} characters, at most {error.validator_value:,} are allowed"
    yield at_value(document, path, "malformed-value", message)


def _missing(document: Document, path: Path, word: str) -> Diagnostic:
    """Point at the block that lacks a word."""
    described = _words()[word]
    example = next((each for each in described["examples"] if not isinstance(each, dict | list)), None)
    meaning = described["description"].rstrip(".")
    help_ = f"write it like {quote(f'{word}: {_yaml(example)}')}" if example is not None else meaning
    return at_key(document, path, "missing-word", f"{quote(word)} is missing", help=help_[:1].lower() + help_[1:])


@cache
def _words() -> Mapping[str, Mapping[str, Any]]:
    """Return what the schema says of each word, wherever it stands."""
    found: dict[str, Mapping[str, Any]] = {}
    todo: list[Any] = [policy_schema()]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            described = here.get("properties")
            if isinstance(described, dict):
                found.update({word: below for word, below in described.items() if "description" in below})
            todo.extend(here.values())
    return found


def _required(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    # jsonschema reports each missing word by itself, and names it only in its message.
    word = next(each for each in error.validator_value if repr(each) == error.message.partition(" is a required")[0])
    yield _missing(document, path, word)


def _unknown_words(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    known = error.schema["properties"]
    for word, value in error.instance.items():
        if word not in known:
            cut = value is None and " " in word
            help_ = "a comma ended the text before: put that text in quotes" if cut else suggestion(word, known)
            where = f"a word of {_subject(path)}" if path else "a word of a policy"
            yield at_key(document, (*path, word), "unknown-word", f"{quote(word)} is not {where}", help=help_)


def _repeated(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    first = value_span(document, (*path[:-1], error.validator_value))
    yield at_value(
        document,
        path,
        "repeated-entry",
        "this entry stands in the list already",
        help="delete one of the two",
        related=(Related(span=first, label="first here"),),
    )


def _too_few(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    wanted, found = error.validator_value, error.instance
    subject, help_ = _subject(path), ""
    entries = "rows" if isinstance(found, dict) else "entries"
    if not found:
        message = f"{subject} is empty"
        help_ = "fill it in, or delete the word"
    else:
        message = f"{subject} needs at least {wanted} {entries}, here {'is' if len(found) == 1 else 'are'} {len(found)}"
        help_ = "write the one value without a table" if isinstance(found, dict) else ""
        if isinstance(found, list) and "enum" in error.schema["items"]:
            lacking = [each for each in error.schema["items"]["enum"] if each not in found]
            help_ = f"missing: {listing(lacking)}"
        elif isinstance(found, list) and not isinstance(found[0], dict | list):
            help_ = f"write {quote(found[0])} without the list"
    yield at_value(document, path, "too-few", message, help=help_)


def _too_many(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    most, found = error.validator_value, error.instance
    if isinstance(found, dict):
        message, help_ = f"{_subject(path)} takes one word, here are {listing(found)}", "keep one of them"
    else:
        message, help_ = f"{_subject(path)} takes at most {most:,} entries, here are {len(found):,}", ""
    yield at_value(document, path, "too-many", message, help=help_)


def _out_of_range(document: Document, path: Path, error: ValidationError) -> Iterator[Diagnostic]:
    low, high = error.schema["minimum"], error.schema["maximum"]
    message = f"{quote(error.instance)} is no {_noun(error.schema)}: those go from {low:,} to {high:,}"
    yield at_value(document, path, "out-of-range", message)


_SENTENCES: Final[Mapping[str, Callable[[Document, Path, ValidationError], Iterator[Diagnostic]]]] = {
    "type": _type,
    "enum": _enum,
    "not": _not,
    "pattern": _malformed,
    "minLength": _malformed,
    "maxLength": _too_long,
    "required": _required,
    "additionalProperties": _unknown_words,
    "uniqueItems": _repeated,
    "minItems": _too_few,
    "minProperties": _too_few,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
}
