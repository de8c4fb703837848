"""The event log: one line an event, flushed as it happens, so that nothing is lost on a crash or Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from authcontract_conformance._events import Event, to_json


class LogError(Exception):
    """A log cannot be written or read; the text says which and why."""


class EventLog:
    """An open log file; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Half a character, which JSON can hold, is written as the escape that JSON has for it.
            self._file: TextIO = path.open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _unwritable(self, problem: OSError) -> LogError:
        return LogError(f"the log `{self.path}` cannot be written: {problem.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._file.close()
        except OSError as problem:  # what could not be written before cannot be now
            if error is None:
                raise self._unwritable(problem) from problem

    def __call__(self, event: Event) -> None:
        """Write one event."""
        try:
            # Escaped, since a target may answer with characters that some readers take for the end of a line (U+0085).
            self._file.write(json.dumps(to_json(event), separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as problem:
            raise self._unwritable(problem) from problem


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log, checked line by line; raises `LogError` with the line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = json.loads(line)
                except ValueError:
                    raise LogError(f"{path}:{number}: this line is no event; was the log cut off?") from None
                if not isinstance(event, dict) or "event" not in event:
                    raise LogError(f"{path}:{number}: this line is no event")
                yield event
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"the log `{path}` cannot be read: {getattr(error, 'strerror', None) or error}") from error
