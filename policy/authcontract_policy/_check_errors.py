"""Errors: each cause leads to one, each can happen, and every `<placeholder>` gets a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._diagnostics import Diagnostic, Related, listing, quote, suggestion
from ._model import OTHERS, ByCause, Cause, ErrorRow, Path, Policy
from ._places import at_key, at_value, value_span

_PLACEHOLDER: Final = re.compile(r"<([a-z_]+)>")
#: What the server fills in by itself, in every response.
BUILT_IN: Final = frozenset(
    {"code", "status", "method", "path", "required", "granted", "masked_key", "environment", "request_id", "allowed"}
)
#: What only a limit knows, so only its own headers can say it.
OF_A_LIMIT: Final = frozenset(
    {"limit", "limit_name", "remaining", "used", "window", "reset_at", "reset_in", "retry_after"}
)


def placeholders(value: Any) -> tuple[str, ...]:
    """Return the names in `<...>` of a text or template, in their order."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def check_causes(policy: Policy) -> Iterator[Diagnostic]:
    """Yield causes that lead to two errors."""
    claimed: dict[Cause, tuple[str, Path]] = {}
    for name, row in policy.errors.items():
        for index, cause in enumerate(row.when):
            path: Path = ("errors", name, "when", index)
            if cause not in claimed:
                claimed[cause] = name, path
                continue
            other, first = claimed[cause]
            yield at_value(
                policy.document,
                path,
                "cause-claimed-twice",
                f"{quote(cause)} leads to {quote(other)} already",
                help="let each cause lead to one error",
                related=(Related(span=value_span(policy.document, first), label="first here"),),
            )


def refusing_rows(policy: Policy) -> dict[str, list[Path]]:
    """Return error name -> every `refused_with` that names it."""
    found: dict[str, list[Path]] = {}
    for block, rows in (("capabilities", policy.capabilities), ("rate_limits", policy.rate_limits)):
        for name, row in rows.items():
            if row.refused_with is not None:
                found.setdefault(row.refused_with, []).append((block, name, "refused_with"))
    return found


def check_use(policy: Policy) -> Iterator[Diagnostic]:
    """Yield errors that nothing leads to, and `refused_with` that names none."""
    refusing = refusing_rows(policy)
    for name, paths in refusing.items():
        for path in paths if name not in policy.errors else ():
            yield at_value(
                policy.document,
                path,
                "unknown-error",
                f"{quote(name)} is no error of this policy",
                help=suggestion(name, policy.errors),
            )
    for name, row in policy.errors.items():
        if not row.when and name not in refusing:
            yield at_key(
                policy.document,
                ("errors", name),
                "error-never-happens",
                f"nothing leads to {quote(name)}",
                help="say `when` it happens, or name it in a `refused_with`",
            )


def _causes_of(row: ErrorRow, refusing: list[Path]) -> frozenset[Cause]:
    """Return every cause that can lead to an error."""
    blocks = {path[0] for path in refusing}
    further = {Cause.INSUFFICIENT_SCOPE, Cause.INSUFFICIENT_PLAN} if "capabilities" in blocks else set()
    return frozenset(row.when) | further | ({Cause.THROTTLED} if "rate_limits" in blocks else set())


def check_texts(policy: Policy) -> Iterator[Diagnostic]:
    """Yield texts by cause for causes that lead elsewhere, and causes without a text."""
    refusing = refusing_rows(policy)
    for name, row in policy.errors.items():
        causes = _causes_of(row, refusing.get(name, []))
        for block, texts in (("says", row.says), ("headers", row.headers)):
            for word, text in texts.items():
                yield from _by_cause(policy, ("errors", name, block, word), text, causes)


def _by_cause(policy: Policy, path: Path, text: ByCause, causes: frozenset[Cause]) -> Iterator[Diagnostic]:
    given = [cause for cause, _ in text.texts]
    for cause in given:
        if cause not in causes:
            message = f"{quote(cause)} does not lead to this error"
            help_ = f"it has {listing(sorted(causes))}" if causes else ""
            yield at_key(policy.document, (*path, cause.value), "cause-elsewhere", message, help=help_)
    lacking = sorted(causes - set(given))
    if lacking and text.others is None:
        message = f"there is no text for {listing(lacking)}"
        yield at_key(policy.document, path, "cause-without-text", message, help=f"add it, or {quote(OTHERS)}")


def check_placeholders(policy: Policy) -> Iterator[Diagnostic]:
    """Yield placeholders that nothing fills in, and values that no placeholder takes."""
    for name, text in policy.headers.items():
        yield from _unknown(policy, ("headers", name), text, frozenset())
    yield from _never_given(policy)
    for name, row in policy.errors.items():
        yield from _in_error(policy, name, row)
    for name, limit in policy.rate_limits.items():
        for header, text in limit.headers.items():
            yield from _unknown(policy, ("rate_limits", name, "headers", header), text, OF_A_LIMIT)


def _never_given(policy: Policy) -> Iterator[Diagnostic]:
    given = {word for row in policy.errors.values() for word in row.says}
    path: Path = ("error_format", "body")
    for word in placeholders(policy.error_format.body):
        if word in OF_A_LIMIT:
            yield _limit_only(policy, path, word)
        elif word not in BUILT_IN | given:
            message = f"no error says what {quote(f'<{word}>')} is"
            help_ = suggestion(word, sorted(BUILT_IN | given))
            yield _within(policy, path, "placeholder-never-given", message, word, help_)


def _in_error(policy: Policy, name: str, row: ErrorRow) -> Iterator[Diagnostic]:
    own = row.body if isinstance(row.body, Mapping) else None
    body = placeholders(own if own is not None else policy.error_format.body)
    path: Path = ("errors", name)
    for word, text in row.says.items():
        place = (*path, "says", word)
        if word in BUILT_IN:
            message = f"{quote(f'<{word}>')} is filled in by itself"
            yield at_key(policy.document, place, "placeholder-built-in", message, help="delete this line")
        elif row.body == "any":
            yield at_key(policy.document, place, "value-without-placeholder", "this error promises no body")
        elif word not in body:
            message = f"the body has no {quote(f'<{word}>')}"
            help_ = suggestion(word, [each for each in body if each not in BUILT_IN])
            yield at_key(policy.document, place, "value-without-placeholder", message, help=help_)
        yield from _in_texts(policy, place, text)
    for header, text in row.headers.items():
        yield from _in_texts(policy, (*path, "headers", header), text)
    if own is not None:
        yield from _unknown(policy, (*path, "body"), own, frozenset(row.says))


def _in_texts(policy: Policy, path: Path, text: ByCause) -> Iterator[Diagnostic]:
    by_cause = bool(text.texts)
    for cause, each in text.texts:
        yield from _unknown(policy, (*path, cause.value), each, frozenset())
    if text.others is not None:
        yield from _unknown(policy, (*path, OTHERS) if by_cause else path, text.others, frozenset())


def _unknown(policy: Policy, path: Path, value: Any, further: frozenset[str]) -> Iterator[Diagnostic]:
    for word in placeholders(value):
        if word in OF_A_LIMIT - further:
            yield _limit_only(policy, path, word)
        elif word not in BUILT_IN | further:
            message = f"nothing fills in {quote(f'<{word}>')}"
            help_ = suggestion(word, sorted(BUILT_IN | further))
            yield _within(policy, path, "placeholder-unknown", message, word, help_)


def _limit_only(policy: Policy, path: Path, word: str) -> Diagnostic:
    message = f"only a rate limit's own headers know {quote(f'<{word}>')}"
    help_ = "several limits may refuse at once: put the header under the limit"
    return _within(policy, path, "placeholder-of-a-limit", message, word, help_)


def _within(policy: Policy, path: Path, code: str, message: str, word: str, help_: str) -> Diagnostic:  # noqa: PLR0913  the parts of a diagnostic
    """Point at a placeholder, in whichever value below `path` it stands."""
    place = _holding(policy.document.value, path, f"<{word}>")
    return at_value(policy.document, place, code, message, text=f"<{word}>", help=help_)


def _holding(value: Any, path: Path, text: str) -> Path:
    for step in path:
        value = value[step]
    while isinstance(value, dict | list):
        below = value.items() if isinstance(value, dict) else enumerate(value)
        inside = next(((step, each) for step, each in below if text in json.dumps(each, ensure_ascii=False)), None)
        if inside is None:
            break
        path, value = (*path, inside[0]), inside[1]
    return path


def check_may_differ(policy: Policy) -> Iterator[Diagnostic]:
    """Yield fields of `may_differ` that no body has."""
    bodies = [policy.error_format.body, *(row.body for row in policy.errors.values() if isinstance(row.body, Mapping))]
    fields = sorted({field for body in bodies for field in _fields(body)})
    for index, field in enumerate(policy.document.value["error_format"].get("may_differ", ())):
        if field not in fields:
            yield at_value(
                policy.document,
                ("error_format", "may_differ", index),
                "no-such-field",
                f"{quote(field)} is no field of the body",
                help=suggestion(field, fields),
            )


def _fields(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
        for below in value.values():
            yield from _fields(below)
    elif isinstance(value, list):
        for below in value:
            yield from _fields(below)
