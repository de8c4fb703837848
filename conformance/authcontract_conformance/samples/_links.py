"""Which members of which collections a response or a request names, read off the fields of its schema.

`conversation_id` names a member of `/conversations`, whatever operation it stands in. An operation whose response names
a member of a collection that lies off its path, and whose request need not, makes that member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from authcontract_policy import Operation, Specification, inline

from authcontract_conformance.samples._instance import kind, merged
from authcontract_conformance.samples._schema import Schema, translate

#: Names of parameters that say nothing of what they name.
_GENERIC: Final = frozenset({"id", "uuid", "name", "slug", "key", "identifier"})
_PLURALS: Final = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))


class Links:
    """The references between the operations of one specification."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification

    @cached_property
    def collections(self) -> Mapping[str, str]:
        """Return each collection whose path has no parameter, with the parameter that names its members."""
        found: dict[str, str] = {}
        for operation in self._specification.operations:
            head, _, rest = operation.path.partition("/{")
            if rest and "{" not in head:
                found.setdefault(head, rest.partition("}")[0])
        return found

    @cached_property
    def _named_by(self) -> Mapping[str, str]:
        """Return field -> the collection whose member it names."""
        found: dict[str, str] = {}
        for collection, parameter in self.collections.items():
            for name in _names(collection, parameter):
                found.setdefault(name, collection)
        return found

    @cached_property
    def producers(self) -> Mapping[str, tuple[Operation, str]]:
        """Return collection -> the first operation elsewhere that makes members of it, and the field that names one."""
        found: dict[str, tuple[Operation, str]] = {}
        for operation in self._specification.operations:
            for collection, field in self._produced(operation):
                found.setdefault(collection, (operation, field))
        return found

    def producer(self, collection: str) -> tuple[Operation, str] | None:
        """Return the operation elsewhere that makes members of a collection, with the field of its response."""
        return self.producers.get(collection)

    def produces(self, operation: Operation) -> str | None:
        """Return the collection that an operation elsewhere makes members of, or None."""
        return next((where for where, (maker, _) in self.producers.items() if maker.id == operation.id), None)

    def _produced(self, operation: Operation) -> Iterator[tuple[str, str]]:
        if operation.method != "POST":
            return
        asked = self._required(operation)
        for field in self._shown(operation):
            collection = self._named_by.get(field)
            on_path = (
                collection is None
                or operation.resource == collection
                or operation.resource.startswith(f"{collection}/")
            )
            if collection is not None and not on_path and field not in asked:
                yield collection, field

    def refers(self, operation: Operation) -> tuple[tuple[str, str, str], ...]:
        """Return what a request may name off its path: `body` or `query`, the field, the collection."""
        body = sorted(set(_properties(self._request(operation))))
        query = [p.name for p in operation.parameters if p.where == "query"]
        fields = [*(("body", name) for name in body), *(("query", name) for name in query)]
        found = [(where, name, self._named_by[name]) for where, name in fields if name in self._named_by]
        return tuple(each for each in found if not operation.resource.startswith(f"{each[2]}/"))

    def texts(self, operation: Operation) -> tuple[str, ...]:
        """Return the query parameters in which any text may stand."""
        return tuple(p.name for p in operation.parameters if p.where == "query" and self._is_text(p.schema))

    def choices(self, operation: Operation) -> Mapping[str, str]:
        """Return the query parameters that have a few documented values, each with the first of them."""
        found: dict[str, str] = {}
        for parameter in operation.parameters:
            whole = translate(inline(self._specification, parameter.schema), "request")
            plain = merged(whole) if isinstance(whole, dict) else {}
            inner = plain.get("items")
            values = plain.get("enum") or (merged(inner).get("enum") if isinstance(inner, dict) else None) or ()
            texts = [value for value in values if isinstance(value, str | int) and not isinstance(value, bool)]
            if parameter.where == "query" and texts:
                found[parameter.name] = str(texts[0])
        return found

    def has_identity(self, operation: Operation) -> bool:
        """Tell whether the response shows an object with an id, alone or as the one object in it."""
        return bool({"id", "uuid"} & set(self._shown(operation)))

    def _is_text(self, schema: Mapping[str, Any]) -> bool:
        whole = translate(inline(self._specification, schema), "request")
        plain = merged(whole) if isinstance(whole, dict) else {}
        return plain.get("type") == "string" and not {"enum", "const", "format", "pattern"} & plain.keys()

    def _required(self, operation: Operation) -> frozenset[str]:
        schema = self._request(operation)
        whole = merged(schema) if isinstance(schema, dict) else {}
        return frozenset(whole.get("required") or ())

    def _request(self, operation: Operation) -> Schema:
        media = next((m for m in operation.request_body if "json" in m), None)
        return {} if media is None else translate(inline(self._specification, operation.request_body[media]), "request")

    def figures(self, operation: Operation) -> bool:
        """Tell whether a successful response has a whole number in it."""
        fields = (each for whole in self._answers(operation) for each in _properties(whole).values())
        return any(kind(merged(each)) == "integer" for each in fields if isinstance(each, Mapping))

    def lists(self, operation: Operation) -> bool:
        """Tell whether a successful response is a list, or has one in it."""
        return any(
            kind(merged(each)) == "array"
            for whole in self._answers(operation)
            for each in (whole, *_properties(whole).values())
            if isinstance(each, Mapping)
        )

    def _answers(self, operation: Operation) -> Iterator[Schema]:
        for status, content in operation.responses.items():
            media = next((m for m in content if "json" in m), None)
            if media is not None and status.startswith("2"):
                yield translate(inline(self._specification, content[media]), "response")

    def _shown(self, operation: Operation) -> Iterator[str]:
        """Yield the fields of successful responses, those of the object itself first, then of the objects in it."""
        for whole in self._answers(operation):
            outer = _properties(whole)
            yield from outer
            for inner in outer.values():
                yield from _properties(inner)


def _properties(schema: Any) -> Mapping[str, Any]:
    whole = merged(schema) if isinstance(schema, Mapping) else {}
    found = whole.get("properties")
    return {n: s for n, s in found.items() if s is not False} if isinstance(found, Mapping) else {}


def _names(collection: str, parameter: str) -> Iterator[str]:
    """Yield the fields that name a member of a collection: its parameter, if telling, and its singular with `id`."""
    if parameter.lower() not in _GENERIC:
        yield parameter
    word = collection.rpartition("/")[2].replace("-", "_")
    singular = next((word.removesuffix(end) + start for end, start in _PLURALS if word.endswith(end)), word)
    if singular:
        yield f"{singular}_id"
        yield f"{singular}_uuid"
        camel = "".join(part.capitalize() for part in singular.split("_"))
        yield f"{camel[:1].lower()}{camel[1:]}Id"
