"""Other policies that a silence allows: while an answer is only assumed, these would be as good.

An entry of `otherwise` is a partial policy that is merged into the whole: blocks merge word by word, any other value
replaces what stands, and `null` takes a word away (as RFC 7396 has it).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from ._build import build
from ._model import Document, Path, Policy, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One entry of an `otherwise`, with the document that it makes."""

    silence: str
    #: Where the entry stands.
    path: Path
    #: The top-level blocks that it changes.
    changed: tuple[str, ...]
    #: The whole policy with the entry merged in; a place in the entry keeps its line.
    document: Document

    def spans(self) -> Iterator[Span]:
        """Yield the place of every key and value of the entry."""
        for spans in (self.document.keys, self.document.values):
            yield from (span for path, span in spans.items() if path[: len(self.path)] == self.path != path)


def patches(document: Document) -> Iterator[Patch]:
    """Yield every entry of every `otherwise` in a document that its schema accepts."""
    assumed = document.value.get("silences", {}).get("assumed", {})
    for silence, answer in assumed.items():
        for index, entry in enumerate(answer.get("otherwise", ()) if isinstance(answer, Mapping) else ()):
            path: Path = ("silences", "assumed", silence, "otherwise", index)
            yield Patch(
                silence=silence,
                path=path,
                changed=tuple(entry),
                document=replace(
                    document,
                    value=merged(document.value, entry),
                    keys=_Moved(document.keys, path),
                    values=_Moved(document.values, path),
                ),
            )


def alternatives(policy: Policy) -> Mapping[str, tuple[Policy, ...]]:
    """Return silence -> the policies that could stand here instead; only silences that allow any are in it."""
    found: dict[str, tuple[Policy, ...]] = {}
    for patch in patches(policy.document):
        found[patch.silence] = (*found.get(patch.silence, ()), build(patch.document))
    return found


def together(policy: Policy, among: Collection[str]) -> Iterator[tuple[str, Policy]]:
    """Yield the policies that two of these silences allow together: their ids, and the policy with an entry of each."""
    whole = policy.document.value
    chosen = [patch for patch in patches(policy.document) if patch.silence in among]
    for one, other in combinations(chosen, 2):
        if one.silence != other.silence:
            entries = (_entry(whole, each.path) for each in (one, other))
            change: Any = {}
            for entry in entries:
                change = combined(whole, change, entry)
            yield (
                f"{one.silence} and {other.silence}",
                build(replace(one.document, value=merged(whole, change))),
            )


def _entry(whole: Any, path: Path) -> Any:
    for step in path:
        whole = whole[step]
    return whole


def merged(value: Any, patch: Any) -> Any:
    """Return the value with the patch merged in."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for word, below in patch.items():
        if below is None:
            result.pop(word, None)
        else:
            result[word] = merged(result.get(word), below)
    return result


def combined(whole: Any, change: Any, entry: Any) -> Any:
    """Return two changes of one value as one."""
    if isinstance(change, Mapping) and isinstance(entry, Mapping):
        below = whole if isinstance(whole, Mapping) else {}
        new = {word: value for word, value in entry.items() if word not in change}
        return {word: combined(below.get(word), value, entry.get(word, value)) for word, value in change.items()} | new
    if isinstance(change, list) and isinstance(entry, list) and isinstance(whole, list):
        kept = [each for each in change if each in entry or each not in whole]
        return [*kept, *(each for each in entry if each not in whole and each not in kept)]
    return entry


class _Moved(Mapping[Path, Span]):
    """Places in which those of a patch count as the places of the words that it replaces."""

    def __init__(self, spans: Mapping[Path, Span], patch: Path) -> None:
        self._spans, self._patch = spans, patch

    def __getitem__(self, path: Path) -> Span:
        inside = self._spans.get((*self._patch, *path)) if path else None
        return inside or self._spans[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)
