"""What is wrong with the shape of a policy, in our own words: one sentence for each keyword of JSON Schema.

A subschema without a description is the form of one value: its title is the noun (`60s` is no duration), its examples
are the help. One with a description is a word of the language.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ._diagnostics import Diagnostic, Related, listing, quote, suggestion
from ._model import Document, Path
from ._places import at_key, at_value, value_span

#: What the schema says of each word of the language.
Words = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One keyword of the schema that a value, or the name of one, does not satisfy."""

    path: Path
    keyword: str
    wanted: Any
    found: Any
    schema: Mapping[str, Any]
    #: The name is wrong, not the value.
    of_name: bool
    #: The missing word, or the index of the entry that stands twice.
    detail: str


def sentences(document: Document, violation: Violation, words: Words) -> Iterator[Diagnostic]:
    """Say what is wrong."""
    if violation.of_name:
        yield _name(document, violation)
    elif violation.keyword == "required":
        yield missing(document, violation.path, violation.detail, words)
    else:
        yield from _SENTENCES[violation.keyword](document, violation)


def _word(path: Path) -> str:
    """Return the word that the value at `path` belongs to."""
    return quote(next((step for step in reversed(path) if isinstance(step, str)), "the policy"))


def _subject(path: Path) -> str:
    """Name the value at `path`: that of a word, or an entry of its list."""
    return f"an entry of {_word(path)}" if path and isinstance(path[-1], int) else _word(path)


def _noun(schema: Mapping[str, Any]) -> str | None:
    return schema.get("title") if "description" not in schema else None


def _like(schema: Mapping[str, Any]) -> str:
    """Show what a good value looks like."""
    shown = " or ".join(quote(example) for example in schema.get("examples", ()))
    return f"write it like {shown}" if shown else ""


def _name(document: Document, at: Violation) -> Diagnostic:
    """Report a name that cannot stand in its block."""
    name, schema = at.found, at.schema
    place = (*at.path, name)
    match at.keyword:
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


def _type(document: Document, at: Violation) -> Iterator[Diagnostic]:
    if at.found is None:
        message = f"{_subject(at.path)} has no value" if at.path else f"the {_whole(at)} is empty"
        help_ = "give it one, or delete the word; a text that contains `,` needs quotes inside `{ }`"
        yield at_key(document, at.path, "wrong-type", message, help=help_)
        return
    say = {"array": _list_wanted, "object": _block_wanted}.get(at.wanted, _value_wanted)
    message, help_ = say(at)
    yield at_value(document, at.path, "wrong-type", message, help=help_)


def _list_wanted(at: Violation) -> tuple[str, str]:
    if isinstance(at.found, dict):
        return f"{_subject(at.path)} takes a list, not a block", ""
    return f"{_subject(at.path)} takes a list", _instead(at.path, f"[{at.found}]")


def _block_wanted(at: Violation) -> tuple[str, str]:
    return f"{_subject(at.path)} takes a block of names" + (", not a list" if isinstance(at.found, list) else ""), ""


def _value_wanted(at: Violation) -> tuple[str, str]:
    noun = _noun(at.schema)
    match at.found:
        case dict():
            return f"{_subject(at.path)} takes one value, not a block", ""
        case [str(only)]:
            return f"{_subject(at.path)} takes one value, not a list", _instead(at.path, only)
        case list():
            return f"{_subject(at.path)} takes one value, not a list", ""
        case _ if noun is None:
            # Every other form of a value has a noun.
            return f"{_subject(at.path)} takes `true` or `false`", ""
        case _ if noun in {"text", "name"}:
            return f"{quote(_yaml(at.found))} is no {noun}", "put it in quotes to make it one"
        case _:
            return f"{quote(_yaml(at.found))} is no {noun}", _like(at.schema)


def _instead(path: Path, value: str) -> str:
    """Show the line with the value written as its word takes it."""
    return f"write {quote(f'{path[-1]}: {value}')}" if path and isinstance(path[-1], str) else ""


def _yaml(value: Any) -> str:
    """Return a scalar as it is written in YAML."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _enum(document: Document, at: Violation) -> Iterator[Diagnostic]:
    found, allowed = at.found, [_yaml(each) for each in at.wanted]
    if isinstance(found, dict | list):
        kind = "a block" if isinstance(found, dict) else "a list"
        yield at_value(document, at.path, "wrong-type", f"{_subject(at.path)} takes one value, not {kind}")
        return
    # Where the words stand beside numbers, e.g. `unlimited`, a list of the words alone would mislead.
    noun = _noun(at.schema) if any(each not in at.wanted for each in at.schema.get("examples", ())) else None
    message = f"{quote(_yaml(found))} is {f'no {noun}' if noun else f'not a value of {_word(at.path)}'}"
    help_ = _like(at.schema) if noun else suggestion(_yaml(found), allowed)
    yield at_value(document, at.path, "unknown-value", message, help=help_)


def _not(document: Document, at: Violation) -> Iterator[Diagnostic]:
    if at.wanted == {}:
        message = f"{_subject(at.path)} does not stand beside `concurrent`"
        help_ = "a limit is a number of `requests` in a `window`, or `concurrent`"
        yield at_key(document, at.path, "word-beside", message, help=help_)
        return
    message, help_ = _reserved(at.found)
    yield at_value(document, at.path, "reserved-name", message, help=help_)


def _malformed(document: Document, at: Violation) -> Iterator[Diagnostic]:
    message = f"{quote(at.found)} is no {_noun(at.schema)}"
    yield at_value(document, at.path, "malformed-value", message, help=_like(at.schema))


def _too_long(document: Document, at: Violation) -> Iterator[Diagnostic]:
    message = f"the text has {len(at.found):,} characters, at most {at.wanted:,} are allowed"
    yield at_value(document, at.path, "malformed-value", message)


def missing(document: Document, path: Path, word: str, words: Words) -> Diagnostic:
    """Point at the block that lacks a word."""
    described = words[word]
    example = next((each for each in described["examples"] if not isinstance(each, dict | list)), None)
    meaning = described["description"].rstrip(".")
    help_ = f"write it like {quote(f'{word}: {_yaml(example)}')}" if example is not None else meaning
    return at_key(document, path, "missing-word", f"{quote(word)} is missing", help=help_[:1].lower() + help_[1:])


def _whole(at: Violation) -> str:
    """Return what the file is, as the title of its schema says."""
    return str(at.schema.get("title", "file")).removeprefix("authcontract ")


def _unknown_words(document: Document, at: Violation) -> Iterator[Diagnostic]:
    known = at.schema["properties"]
    for word, value in at.found.items():
        if word not in known:
            cut = value is None and " " in word
            help_ = "a comma ended the text before: put that text in quotes" if cut else suggestion(word, known)
            where = f"a word of {_subject(at.path)}" if at.path else f"a word of a {_whole(at)}"
            yield at_key(document, (*at.path, word), "unknown-word", f"{quote(word)} is not {where}", help=help_)


def _repeated(document: Document, at: Violation) -> Iterator[Diagnostic]:
    first = value_span(document, (*at.path[:-1], at.wanted))
    yield at_value(
        document,
        at.path,
        "repeated-entry",
        "this entry stands in the list already",
        help="delete one of the two",
        related=(Related(span=first, label="first here"),),
    )


def _too_few(document: Document, at: Violation) -> Iterator[Diagnostic]:
    wanted, found = at.wanted, at.found
    subject, help_ = _subject(at.path), ""
    entries = "rows" if isinstance(found, dict) else "entries"
    if not found:
        message = f"{subject} is empty"
        help_ = "fill it in, or delete the word"
    else:
        message = f"{subject} needs at least {wanted} {entries}, here {'is' if len(found) == 1 else 'are'} {len(found)}"
        help_ = "write the one value without a table" if isinstance(found, dict) else ""
        if isinstance(found, list) and "enum" in at.schema["items"]:
            lacking = [each for each in at.schema["items"]["enum"] if each not in found]
            help_ = f"missing: {listing(lacking)}"
        elif isinstance(found, list) and not isinstance(found[0], dict | list):
            help_ = f"write {quote(found[0])} without the list"
    yield at_value(document, at.path, "too-few", message, help=help_)


def _too_many(document: Document, at: Violation) -> Iterator[Diagnostic]:
    most, found = at.wanted, at.found
    if most == 1:
        message, help_ = f"{_subject(at.path)} takes one word, here are {listing(found)}", "keep one of them"
    else:
        entries = "rows" if isinstance(found, dict) else "entries"
        message, help_ = f"{_subject(at.path)} takes at most {most:,} {entries}, here are {len(found):,}", ""
    yield at_value(document, at.path, "too-many", message, help=help_)


def _out_of_range(document: Document, at: Violation) -> Iterator[Diagnostic]:
    low, high = at.schema["minimum"], at.schema["maximum"]
    message = f"{quote(at.found)} is no {_noun(at.schema)}: those go from {low:,} to {high:,}"
    yield at_value(document, at.path, "out-of-range", message)


_SENTENCES: Final[Mapping[str, Callable[[Document, Violation], Iterator[Diagnostic]]]] = {
    "type": _type,
    "enum": _enum,
    "not": _not,
    "pattern": _malformed,
    "minLength": _malformed,
    "maxLength": _too_long,
    "additionalProperties": _unknown_words,
    "uniqueItems": _repeated,
    "minItems": _too_few,
    "minProperties": _too_few,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
}
