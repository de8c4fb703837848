"""From a path in a document to a diagnostic at its line."""

from __future__ import annotations

from dataclasses import replace

from ._diagnostics import Diagnostic, Related, Severity
from ._model import Document, Path, Span


def value_span(document: Document, path: Path) -> Span:
    """Return where the value at `path` stands, else the nearest place around it."""
    return document.values.get(path) or key_span(document, path)


def key_span(document: Document, path: Path) -> Span:
    """Return where the name that ends `path` stands, else its value, else the nearest place around it."""
    return document.span(path) or Span(file=document.file, line=1, column=1, end=2, text="")


def narrowed(span: Span, text: str) -> Span:
    """Return the part of a span that holds `text`, or the whole span."""
    found = span.text.find(text, span.column - 1)
    if not text or found < 0 or found >= span.end:
        return span
    return replace(span, column=found + 1, end=found + 1 + len(text))


def at_value(  # noqa: PLR0913  a diagnostic has this many fields
    document: Document,
    path: Path,
    code: str,
    message: str,
    *,
    text: str = "",
    label: str = "",
    help: str = "",  # noqa: A002  the field's name
    severity: Severity = Severity.ERROR,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    """Point at the value at `path`, or at `text` within it."""
    span = narrowed(value_span(document, path), text)
    return Diagnostic(code=code, message=message, span=span, label=label, help=help, severity=severity, related=related)


def at_key(  # noqa: PLR0913  a diagnostic has this many fields
    document: Document,
    path: Path,
    code: str,
    message: str,
    *,
    label: str = "",
    help: str = "",  # noqa: A002  the field's name
    severity: Severity = Severity.ERROR,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    """Point at the name that ends `path`."""
    span = key_span(document, path)
    return Diagnostic(code=code, message=message, span=span, label=label, help=help, severity=severity, related=related)
