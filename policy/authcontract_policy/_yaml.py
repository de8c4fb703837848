"""YAML text to plain values with positions, for files that a stranger may have written.

Invariants: only the scalars of YAML 1.2's core schema are anything but text; a key is always text, as written; no key
stands twice in a block; no anchor, alias or tag is followed; size and depth are bounded before anything is built;
whatever is wrong becomes a diagnostic, never an exception.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import yaml

from ._diagnostics import Diagnostic, Related, Severity, quote
from ._model import Document, Path, Span

#: A policy of a thousand capabilities takes a tenth of it.
POLICY_BYTES: Final = 1 << 20
#: DigitalOcean's specification takes 2.3 MB.
SPECIFICATION_BYTES: Final = 16 << 20
#: A policy needs eight levels; a specification's schemas need more.
POLICY_DEPTH: Final = 40
SPECIFICATION_DEPTH: Final = 100
#: No number of a policy or specification needs more digits; Python refuses to read 4,300.
_DIGITS: Final = 40

#: A line beyond this is not shown.
LONGEST_LINE: Final = 1_000

_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
#: A comment stands two spaces off and has a space after its sign; anything else may have been meant as text.
_CUT: Final = re.compile(r" #\S| # ")

#: What the parser finds (in the words of libyaml or of its Python twin), what that means, and what helps.
_SYNTAX: Final = (
    ("cannot start any token", "a text cannot begin with this character", "put the text in quotes"),
    ("alphabetic or numeric character", "a text cannot begin with `*` or `&`", "put the text in quotes"),
    (
        "mapping values are not allowed",
        "a name with a value cannot stand here",
        "put a text that contains `: ` in quotes, or indent the line like its neighbours",
    ),
    ("expected ':'", "this is no name with a value", "put a colon and a space after the name"),
    ("expected ',' or", "a bracket is not closed before this", "close it, or put a text with `,` `[` or `{` in quotes"),
    ("expected node content", "a value is missing here", "close the bracket, or give the value"),
    ("expected key", "this does not belong to what stands before", "indent the lines of a block alike"),
    ("<block end>", "this does not belong to what stands before", "indent the lines of a block alike"),
    ("'-' indicator", "this does not belong to what stands before", "indent the entries of a list alike"),
    ("entries are not allowed", "a list cannot begin in this line", "put its first `- ` on a line of its own"),
    ("end of stream", "the quotes are not closed", "close them"),
    ("escape character", "no character is written so", "use single quotes, in which a backslash is a backslash"),
    ("<document start>", "another document cannot begin here", "keep one document a file"),
    ("tag", "a tag has no meaning here", "leave the tag out, or put the text in quotes"),
)


def shown(line: str) -> str:
    """Return the line as a span keeps it: a file without line breaks is not shown whole for each problem."""
    return line if len(line) <= LONGEST_LINE else ""


def text_of(data: bytes, file: str, limit: int) -> str | Diagnostic:
    """Return the text of a file, or say why there is none."""
    if len(data) > limit:
        return Diagnostic(
            code="file-too-large",
            message=f"the file has {len(data):,} bytes, more than the {limit:,} that are read",
            span=Span(file=file, line=1, column=1, end=1, text=""),
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = data[: problem.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        text = data.decode("utf-8-sig", "replace").split("\n")[line - 1].rstrip("\r")
        return Diagnostic(
            code="not-utf-8",
            message=f"byte 0x{data[problem.start]:02x} is not UTF-8",
            span=Span(file=file, line=line, column=column, end=column + 1, text=text),
            help="save the file as UTF-8",
        )


def read_yaml(
    data: bytes, file: str, *, limit: int = POLICY_BYTES, depth: int = POLICY_DEPTH
) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Return the content of a YAML file with the place of each key and value, and what is wrong with it."""
    text = text_of(data, file, limit)
    if isinstance(text, Diagnostic):
        return None, (text,)
    reader = _Reader(text, file, depth)
    value = reader.document()
    if reader.broken:
        return None, tuple(reader.problems)
    document = Document(
        file=file, sha256=hashlib.sha256(data).hexdigest(), value=value, keys=reader.keys, values=reader.values
    )
    return document, tuple(reader.problems)


class _Stop(Exception):  # noqa: N818  control flow, no error: what is wrong has been noted
    """Nothing after this place can be read."""


class _Reader:
    """One pass over the parser's events that builds values and positions at once."""

    def __init__(self, text: str, file: str, depth: int) -> None:
        self._text, self._file, self._depth = text, file, depth
        # YAML's own line breaks, so that its marks count the same lines as ours.
        self._lines = re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text)
        self._events: Iterator[Any] = iter(())
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self.problems: list[Diagnostic] = []
        self.broken = False

    def document(self) -> Any:
        """Read the one document of the file."""
        try:
            self._events = iter(yaml.parse(self._text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            return self._whole()
        except _Stop:
            pass
        except yaml.MarkedYAMLError as problem:
            self._syntax(str(problem.problem), problem.problem_mark or problem.context_mark)
        except yaml.reader.ReaderError:
            self._unreadable()
        return None

    def _whole(self) -> Any:
        self._next()
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            self._refuse("empty-file", "the file is empty", first)
            return None
        value = self._node(self._next(), (), 0)
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse("second-document", "a second document begins here", after, "keep one document a file")
        return value

    def _next(self) -> Any:
        return next(self._events)

    def _node(self, event: Any, path: Path, depth: int) -> Any:
        """Build the value that begins with this event."""
        self.values[path] = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            self._refuse("anchor", "an alias is not followed", event, "write out what it stands for")
            return None
        if event.anchor is not None:
            self._refuse("anchor", "an anchor has no meaning here", event, "write out each value where it is needed")
        if event.tag is not None:
            self._refuse("tag", "a tag has no meaning here", event, "leave the tag out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth >= self._depth:
            self._refuse("too-deep", f"blocks are nested more than {self._depth} deep", event)
            raise _Stop
        found, end = (
            self._sequence(path, depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path, depth)
        )
        if event.flow_style and end.end_mark.line == event.start_mark.line:
            self.values[path] = replace(self.values[path], end=end.end_mark.column + 1)
        return found

    def _sequence(self, path: Path, depth: int) -> tuple[list[Any], Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._node(event, (*path, len(found)), depth + 1))
        return found, event

    def _mapping(self, path: Path, depth: int) -> tuple[dict[str, Any], Any]:
        found: dict[str, Any] = {}
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                self._refuse("name-not-text", "a name must be a text", key, "put the name in quotes")
                raise _Stop
            if key.anchor is not None or key.tag is not None:
                self._refuse("tag", "a name can have neither tag nor anchor", key, "leave it out")
            here = (*path, key.value)
            if key.value in found:
                first = self.keys[here]
                self._refuse(
                    "duplicate-key",
                    f"{quote(key.value)} stands here a second time, first in line {first.line}",
                    key,
                    "keep one of the two",
                    Related(span=first, label="first here"),
                )
                here = (*path, key.value, "second")
                self._node(self._next(), here, depth + 1)
                continue
            self.keys[here] = self._span(key)
            found[key.value] = self._node(self._next(), here, depth + 1)
        return found, key

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.style is not None and event.style != "":
            return text
        if text in _WORDS:
            return _WORDS[text]
        whole = _INTEGER.fullmatch(text)
        if whole or _FLOAT.fullmatch(text):
            number = self._number(text, whole=bool(whole))
            if number is None:
                self._refuse("number", f"{quote(text)} is no number that JSON has", event)
            return number
        self._warn_of_a_cut(event)
        return text

    @staticmethod
    def _number(text: str, *, whole: bool) -> int | float | None:
        if len(text) > _DIGITS:
            return None
        if whole:
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return number if math.isfinite(number) else None

    def _warn_of_a_cut(self, event: Any) -> None:
        mark = event.end_mark
        line = self._line(mark.line)
        cut = _CUT.match(line, mark.column)
        if cut is not None:
            self.problems.append(
                Diagnostic(
                    code="text-cut",
                    severity=Severity.WARNING,
                    message="the text ends before ` #`: what follows is a comment",
                    span=self._at(mark.line, mark.column + 1, len(line)),
                    label="not part of the text",
                    help="put the whole text in quotes, or two spaces before a comment",
                )
            )

    def _syntax(self, problem: str, mark: Any) -> None:
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        found = next((each for each in _SYNTAX if each[0] in problem), ("", "this is not YAML", ""))
        message, help_ = found[1:]
        if self._line(line)[column : column + 1] == "\t":
            message, help_ = "a tab cannot stand here", "indent with spaces"
        self.broken = True
        self.problems.append(
            Diagnostic(code="yaml-syntax", message=message, span=self._at(line, column, column + 1), help=help_)
        )

    def _unreadable(self) -> None:
        """Point at a control character, which YAML does not allow anywhere."""
        found = re.search(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", self._text)
        position = found.start() if found else 0
        before = re.split(r"\r\n|[\r\n\x85\u2028\u2029]", self._text[:position])
        self.broken = True
        self.problems.append(
            Diagnostic(
                code="yaml-syntax",
                message=f"character U+{ord(self._text[position]):04X} is not allowed in YAML",
                span=self._at(len(before) - 1, len(before[-1]), len(before[-1]) + 1),
                help="delete the character",
            )
        )

    def _refuse(self, code: str, message: str, event: Any, help_: str = "", *related: Related) -> None:
        self.broken = True
        self.problems.append(
            Diagnostic(code=code, message=message, span=self._span(event), help=help_, related=related)
        )

    def _line(self, number: int) -> str:
        return self._lines[number] if number < len(self._lines) else ""

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        same = end.line == start.line and end.column > start.column
        return self._at(start.line, start.column, end.column if same else len(self._line(start.line).rstrip()))

    def _at(self, line: int, start: int, end: int) -> Span:
        text = shown(self._line(line))
        return Span(file=self._file, line=line + 1, column=start + 1, end=max(end, start + 1) + 1, text=text)
