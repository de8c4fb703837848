"""References (`$ref`) within a specification; one that leaves the file is never followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from referencing import Registry
from referencing import Specification as ReferencingSpecification
from referencing.exceptions import Unresolvable

from ._model import Path
from ._operations import Specification

#: Fields that hold data, in which a `$ref` is an ordinary word.
_DATA: Final = frozenset({"example", "examples", "value", "enum", "const"})
#: A reference to a reference to a reference ... ends here.
_HOPS: Final = 20


class References:
    """Looks up the references of one document."""

    def __init__(self, document: Any) -> None:
        # Opaque: OpenAPI refers by pointer only, and a stranger's `$id` or `$schema` shall mean nothing.
        resource = ReferencingSpecification.OPAQUE.create_resource(document)
        self._resolver = Registry().with_resource("", resource).resolver()
        self._known: dict[str, Any] = {}

    def lookup(self, reference: str) -> Any:
        """Return what the reference names; `KeyError` where there is nothing or another file is meant."""
        if reference not in self._known:
            if not reference.startswith("#"):
                raise KeyError(reference)
            try:
                self._known[reference] = self._resolver.lookup(reference).contents
            except (Unresolvable, ValueError, TypeError, AttributeError) as problem:
                # `referencing` trusts a pointer through a list or a text to be well formed.
                raise KeyError(reference) from problem
        return self._known[reference]

    def follow(self, value: Any) -> Any:
        """Return `value`, or what it refers to."""
        for _ in range(_HOPS):
            reference = reference_of(value)
            if reference is None:
                return value
            value = self.lookup(reference)
        raise KeyError(reference)


def reference_of(value: Any) -> str | None:
    """Return the reference that `value` is, if it is one."""
    reference = value.get("$ref") if isinstance(value, Mapping) else None
    return reference if isinstance(reference, str) else None


def references_in(value: Any) -> Iterator[tuple[Path, str]]:
    """Yield every reference in a document with its place."""
    todo: list[tuple[Path, Any, bool]] = [((), value, False)]
    while todo:
        path, here, named = todo.pop()
        if isinstance(here, dict):
            # Below `properties` every word is a property's name.
            reference = None if named else reference_of(here)
            if reference is not None:
                yield (*path, "$ref"), reference
            for word, below in here.items():
                if isinstance(below, dict | list) and (named or not (word in _DATA or word.startswith("x-"))):
                    todo.append(((*path, word), below, word == "properties" and not named))
        elif isinstance(here, list):
            todo.extend(((*path, index), below, False) for index, below in enumerate(here))


#: A schema that refers to itself in many ways would grow without end; a server's bodies need a few hundred parts.
_PARTS: Final = 20_000
_LEVELS: Final = 100


def inline(specification: Specification, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with its references written out.

    One that comes back to itself, or leads too far, allows anything. What stands beside a `$ref` is kept and wins.
    """
    result = _Inliner(References(specification.document.value)).written_out(schema, (), 0)
    return result if isinstance(result, dict) else {}


class _Inliner:
    """Writes references out until there are too many parts."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._parts = 0

    def written_out(self, value: Any, within: tuple[str, ...], level: int) -> Any:
        """Return the value with its references replaced, of which `within` are being replaced already."""
        self._parts += 1
        if isinstance(value, list):
            return [self.written_out(item, within, level + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        reference = reference_of(value)
        beside = {
            word: self.written_out(below, within, level + 1)
            for word, below in value.items()
            if reference is None or word != "$ref"
        }
        if reference is None or reference in within or level > _LEVELS or self._parts > _PARTS:
            return beside
        try:
            found = self._references.lookup(reference)
        except KeyError:
            return beside
        whole = self.written_out(found, (*within, reference), level + 1)
        return {**whole, **beside} if isinstance(whole, dict) else beside or whole
