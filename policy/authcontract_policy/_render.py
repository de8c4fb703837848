"""Diagnostics as text: for people (`full`, `concise`), for programs (`json`), for a pull request (`github`).

Text of a stranger's file never carries a control character to a terminal.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from ._diagnostics import Diagnostic, Severity
from ._model import Span

Format: TypeAlias = Literal["full", "concise", "json", "github"]

#: So much of a long line fits a terminal of 80 columns, with the place that matters inside it.
_WIDTH: Final = 68
_BEFORE: Final = 28
_MARK: Final = "..."


def render(diagnostics: Iterable[Diagnostic], format: Format = "full") -> str:  # noqa: A002  the command line's word
    """Return these diagnostics as text that ends with a line break, or nothing where there are none."""
    found = tuple(diagnostics)
    return _RENDERERS[format](found)


def _full(found: tuple[Diagnostic, ...]) -> str:
    if not found:
        return ""
    blocks = ["\n".join(_block(diagnostic)) for diagnostic in found]
    return "\n\n".join([*blocks, count_in_words(found)]) + "\n"


def count_in_words(found: Iterable[Diagnostic]) -> str:
    """Say how many there are of each severity, e.g. `2 errors, 1 note`."""
    counts = Counter(diagnostic.severity for diagnostic in found)
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [f"{counts[each]} {word}{'s' * (counts[each] != 1)}" for each, word in words.items() if counts[each]]
    return ", ".join(parts) or "no problems"


def _block(diagnostic: Diagnostic) -> list[str]:
    places = (diagnostic.span, *(related.span for related in diagnostic.related))
    margin = " " * len(str(max(place.line for place in places)))
    name = "note" if diagnostic.severity is Severity.INFO else diagnostic.severity.value
    lines = [f"{name}[{diagnostic.code}]: {printable(diagnostic.message)}"]
    lines += _excerpt(diagnostic.span, diagnostic.label, margin, "-->", "^")
    for related in diagnostic.related:
        lines += _excerpt(related.span, related.label, margin, ":::", "-")
    if diagnostic.help:
        lines += [f"{margin} |", f"{margin} = help: {printable(diagnostic.help)}"]
    return lines


def excerpt(span: Span, label: str = "") -> str:
    """Return where something stands: the file, its line, and carets under the words."""
    return "\n".join(_excerpt(span, label, " " * len(str(span.line)), "-->", "^"))


def _excerpt(span: Span, label: str, margin: str, arrow: str, stroke: str) -> list[str]:
    where = f"{margin}{arrow} {printable(span.file)}:{span.line}:{span.column}"
    if not span.text.strip():
        return [where]
    text, start, end = _window(span)
    indent = " " * _columns(text[:start])
    strokes = stroke * max(1, _columns(text[start:end]))
    marked = f"{margin} | {indent}{strokes} {printable(label)}".rstrip()
    return [where, f"{margin} |", f"{span.line:>{len(margin)}} | {text}", marked]


def _window(span: Span) -> tuple[str, int, int]:
    """Return the part of the line that is shown, and where the marked part begins and ends in it."""
    text = printable(span.text)
    start, end = span.column - 1, min(span.end - 1, len(text))
    if len(text) <= _WIDTH:
        return text, start, end
    first = max(0, start - _BEFORE)
    last = min(len(text), first + _WIDTH)
    lead, tail = _MARK if first else "", _MARK if last < len(text) else ""
    shift = len(lead) - first
    return f"{lead}{text[first:last]}{tail}", start + shift, min(end, last) + shift


def _columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def printable(text: str) -> str:
    """Return a stranger's text as a terminal may have it: on one line, without control characters."""
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def _concise(found: tuple[Diagnostic, ...]) -> str:
    return "".join(f"{_where(each.span)}: {each.code} {printable(each.message)}\n" for each in found)


def _where(span: Span) -> str:
    return f"{printable(span.file)}:{span.line}:{span.column}"


def _json(found: tuple[Diagnostic, ...]) -> str:
    return json.dumps([as_json(each) for each in found], indent=2) + "\n"


def as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as `diagnostics.schema.json` describes it."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "label": diagnostic.label,
        "help": diagnostic.help,
        "related": [{**_place(related.span), "label": related.label} for related in diagnostic.related],
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column, "end_column": span.end}


def _github(found: tuple[Diagnostic, ...]) -> str:
    """Write workflow commands, which GitHub shows beside the line in a pull request."""
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
    lines = []
    for each in found:
        place = {"file": each.span.file, "line": each.span.line, "col": each.span.column, "endColumn": each.span.end}
        fields = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in {**place, "title": each.code}.items())
        text = f"{each.message}\n{each.help}" if each.help else each.message
        lines.append(f"::{words[each.severity]} {fields}::{_escaped(text, '')}\n")
    return "".join(lines)


def _escaped(value: object, further: str) -> str:
    """Write the characters that end a command, or a field of one, as GitHub reads them."""
    text = str(value)
    for character in f"%\r\n{further}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


_RENDERERS: Final[Mapping[Format, Callable[[tuple[Diagnostic, ...]], str]]] = {
    "full": _full,
    "concise": _concise,
    "json": _json,
    "github": _github,
}
