"""JSON text to plain values; the places of keys and values are looked up only when a diagnostic needs one.

A specification of megabytes loads in milliseconds that way, and nearly every run points at nothing in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._diagnostics import Diagnostic, quote
from ._model import Document, Path, Span
from ._yaml import LONGEST_LINE, SPECIFICATION_BYTES, SPECIFICATION_DEPTH, shown, text_of

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def read_json(
    data: bytes, file: str, *, limit: int = SPECIFICATION_BYTES, depth: int = SPECIFICATION_DEPTH
) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Return the content of a JSON file, and what is wrong with it."""
    text = text_of(data, file, limit)
    if isinstance(text, Diagnostic):
        return None, (text,)
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            repeated.append(next(name for name in names if names.count(name) > 1))
        return found

    def refuse(word: str) -> Any:
        raise ValueError(word)

    def problem(code: str, message: str, place: int, help_: str = "") -> tuple[None, tuple[Diagnostic, ...]]:
        span = _span(text, file, place, place + 1)
        return None, (Diagnostic(code=code, message=message, span=span, help=help_),)

    if (place := _too_deep(text, depth)) is not None:
        return problem("too-deep", f"blocks are nested more than {depth} deep", place)
    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        return problem("json-syntax", f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}", error.pos)
    except ValueError:
        return problem("number", "the file holds a number that JSON does not have", 0)
    if repeated:
        place = text.rfind(json.dumps(repeated[0], ensure_ascii=False))
        return problem("duplicate-key", f"{quote(repeated[0])} stands twice in one block", max(place, 0))
    places = _Places(text, file)
    document = Document(
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        value=value,
        keys=_Lazy(places, keys=True),
        values=_Lazy(places, keys=False),
    )
    return document, ()


def _too_deep(text: str, depth: int) -> int | None:
    """Return where nesting passes `depth`: the parser recurses, and a stranger's file must not exhaust its stack."""
    if text.count("{") + text.count("[") <= depth:
        return None
    level = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', text):
        if token[0] in "{[":
            level += 1
            if level > depth:
                return token.start()
        elif token[0] in "}]":
            level -= 1
    return None


def _span(text: str, file: str, start: int, end: int) -> Span:
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    stop = len(text) if stop < 0 else stop
    return Span(
        file=file,
        line=text.count("\n", 0, start) + 1,
        column=start - begin + 1,
        end=max(min(end, stop), start + 1) - begin + 1,
        text=shown(text[begin:stop].rstrip("\r")) if stop - begin <= LONGEST_LINE + 1 else "",
    )


class _Places:
    """The positions of a JSON text, found by one walk over its tokens, at the first question."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._found: tuple[dict[Path, tuple[int, int]], dict[Path, tuple[int, int]]] | None = None

    def spans(self, *, keys: bool) -> dict[Path, tuple[int, int]]:
        """Return path -> start and end, of keys or of values."""
        if self._found is None:
            self._found = ({}, {})
            tokens = _TOKEN.finditer(self._text)
            self._value(next(tokens), tokens, ())
        return self._found[0 if keys else 1]

    def span(self, place: tuple[int, int]) -> Span:
        """Return the line and columns of this stretch."""
        return _span(self._text, self._file, *place)

    def _value(self, first: re.Match[str], tokens: Iterator[re.Match[str]], path: Path) -> None:
        assert self._found is not None  # noqa: S101  set by the only caller
        keys, values = self._found
        values[path] = first.span()
        if first[0] == "{":
            while (token := next(tokens))[0] != "}":
                if token[0] == ",":
                    continue
                here = (*path, json.loads(token[0]))
                keys[here] = token.span()
                next(tokens)
                self._value(next(tokens), tokens, here)
        elif first[0] == "[":
            index = 0
            while (token := next(tokens))[0] != "]":
                if token[0] == ",":
                    continue
                self._value(token, tokens, (*path, index))
                index += 1


class _Lazy(Mapping[Path, Span]):
    """A mapping of spans that computes nothing until it is asked."""

    def __init__(self, places: _Places, *, keys: bool) -> None:
        self._places, self._keys = places, keys

    def __getitem__(self, path: Path) -> Span:
        return self._places.span(self._places.spans(keys=self._keys)[path])

    def __iter__(self) -> Iterator[Path]:
        return iter(self._places.spans(keys=self._keys))

    def __len__(self) -> int:
        return len(self._places.spans(keys=self._keys))
