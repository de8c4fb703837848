"""The store: looks up what a request addresses, does what its operation says, and words the documented answer."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from authcontract_engine import KeyRecord
from authcontract_policy import Operation, Policy, Specification

from authcontract_conformance.samples._instance import instance
from authcontract_conformance.samples._links import Links
from authcontract_conformance.samples._schema import Schema

from ._call import Call, Outcome, Sight
from ._data import Data, Item, Partition, Path, new_identifiers
from ._plan import Deed, Plan, Plans
from ._shape import Shape, Shapes, View, stamps
from ._validation import Validation

#: Field that counts the actions on an item, so that an action without a field of its own can be seen.
_LAST_ACTION: Final = "last_action"
#: Fields in which a document says which one it is; a name is for its owner to choose.
_OWN_NAMES: Final = frozenset({"id", "uuid"})
#: Things that one item keeps of what was sent to it, the latest.
_KEPT: Final = 50


class Store:
    """The data behind all operations but those that manage keys."""

    def __init__(self, policy: Policy, specification: Specification, validation: Validation) -> None:
        #: What a key sees only its own of; also where the policy is silent, as in any deployment worth testing.
        self.isolation = tuple(dict.fromkeys(("organisation", "environment", *policy.isolation)))
        self.shapes = Shapes(specification)
        self.links = Links(specification)
        listing = frozenset(operation.id for operation in specification.operations if self.shapes.lists(operation))
        self.plans = Plans(specification, listing)
        self.data = Data(self._seed)
        self._validation = validation

    def partition(self, key: KeyRecord | None) -> Partition:
        """Return whose data a key sees: that of its organisation and environment, and of what else is isolated."""
        if key is None:
            return tuple("" for _ in self.isolation)
        return tuple(str(getattr(key, dimension) or "") for dimension in self.isolation)

    def look(self, call: Call) -> Sight:
        """Return what the path addresses, as the caller sees it."""
        plan = self.plans.of(call.operation)
        found = self.data.find(self.partition(call.key), plan, call.reading.path_parameters, call.now)
        return Sight(found.object, found.item, found.partition)

    def perform(self, call: Call) -> Outcome:
        """Carry the operation out and return its documented answer."""
        operation = call.operation
        plan = self.plans.of(operation)
        sent = call.content if isinstance(call.content, Mapping) else {}
        partition = call.sight.partition or self.partition(call.key)
        path = plan.path(call.reading.path_parameters)
        item = call.sight.item
        shape = self.shape(operation)
        match plan.deed:
            case Deed.LIST:
                members = self.data.collection(partition, path, plan.collection, call.now)
                newest = [item for item, _ in zip(reversed(members.values()), range(shape.most), strict=False)]
                return outcome(shape, [self._object(operation, shape, item) for item in newest])
            case Deed.CREATE:
                item = Item(self._new_id(plan, operation, sent), dict(sent), call.now, call.now)
                self.data.add(partition, path, plan.collection, item)
            case Deed.SHOW:
                item = self._document(operation, partition, path, call.now)
            case Deed.EDIT:
                item = self._document(operation, partition, path, call.now)
                item.change(sent, call.now)
            case Deed.CHANGE if item is not None:
                item.change(sent, call.now)
            case Deed.REPLACE if item is not None:
                item.replace(sent, call.now)
            case Deed.REMOVE if item is not None:
                self._remove(plan, partition, path[:-1], item, call.now)
            case Deed.ACT:
                made = self.links.produces(operation)
                if made is not None and not self.plans.creates(made):
                    item = self._add_to(made, partition, operation, sent, call.now)
                else:
                    item = self._act(operation, item, sent, call.now)
        return self._outcome(operation, shape, item)

    def _document(self, operation: Operation, partition: Partition, path: Path, now: float) -> Item:
        """Return the document at a path; where it says which one it is, each organisation's says something else.

        One that has members below it names one of these instead.
        """
        item = self.data.document(partition, path, now)
        shape = self.shape(operation)
        if (
            operation.resource not in self.plans.members
            and shape.item.identifier in _OWN_NAMES & shape.item.properties.keys()
        ):
            item.id = self.document_id(partition, path)
        return item

    @staticmethod
    def document_id(partition: Partition, path: Path) -> str:
        """Return what an organisation's document at a path is called, in every environment."""
        return f"{path[-1]}_{hashlib.sha256(partition[0].encode()).hexdigest()[:12]}"

    def _add_to(
        self, collection: str, partition: Partition, operation: Operation, sent: Mapping[str, Any], now: float
    ) -> Item:
        """Add something to the caller's own item that the request names, or to a new one where it names none of them.

        The item keeps it in whatever list of its own takes it. Returns what the answer is made of.
        """
        field = next(name for made, (_, name) in self.links.producers.items() if made == collection)
        path = tuple(collection.split("/"))
        item = self.data.collection(partition, path, collection, now).get(str(sent.get(field)))
        shower = self.plans.at("GET", f"{collection}/{{{self.plans.members[collection]}}}")
        view = None if shower is None else self.shape(shower).item
        if item is None:
            item = Item(self._free_id(collection, (), view), {}, now, now)
            self.data.add(partition, path, collection, item)
        part = Item(next(new_identifiers(operation.resource)), {**sent, field: item.id}, now, now)
        shown = self._object(operation, self.shape(operation), part)
        for name in () if view is None else view.properties:
            if view is not None and view.accepts(name, [shown]):
                item.change({name: [*item.fields.get(name, ()), shown][-_KEPT:]}, now)
        return part

    def _remove(self, plan: Plan, partition: Partition, path: Path, item: Item, now: float) -> None:
        """Take an item away; where none can be made, another one stands in its place for whoever looks next."""
        collection = plan.levels[-1].collection
        self.data.remove(partition, path, item.id)
        seed = self._seed(collection)
        if seed is not None and seed != item.id:
            self.data.add(partition, path, collection, Item(seed, {}, now, now))

    def _act(self, operation: Operation, item: Item | None, sent: Mapping[str, Any], now: float) -> Item:
        """Mark the item acted upon, and return what the answer is made of."""
        if item is None:
            return Item(next(new_identifiers(operation.resource)), dict(sent), now, now)
        last = item.fields.get(_LAST_ACTION)
        count = last["count"] + 1 if isinstance(last, dict) and isinstance(last.get("count"), int) else 1
        item.change({_LAST_ACTION: {"operation": operation.id, "count": count}}, now)
        return Item(item.id, {**item.fields, **sent}, item.created, now)

    def shape(self, operation: Operation) -> Shape:
        """Return the documented answer of an operation."""
        plan = self.plans.of(operation)
        parameter = plan.levels[-1].parameter if plan.levels else "id"
        if plan.deed in {Deed.LIST, Deed.CREATE}:
            parameter = self.plans.members.get(plan.collection, "id")
        return self.shapes.of(operation, parameter)

    def _outcome(self, operation: Operation, shape: Shape, item: Item | None) -> Outcome:
        """Return the answer that shows one item; the same one until the item changes."""
        if item is None:
            return outcome(shape, shape.start)
        place = f"answer of {operation.id}"
        found = item.rendered.get(place)
        if found is None:
            filled = self._object(operation, shape, item)
            found = item.rendered[place] = outcome(shape, [filled] if shape.many else filled)
        return found

    def _object(self, operation: Operation, shape: Shape, item: Item) -> Any:
        found = item.rendered.get(operation.id)
        if found is None:
            dates = stamps(iso(item.created), iso(item.updated))
            found = item.rendered[operation.id] = shape.item.fill(item.fields, dates, item.id or None)
        return found

    def _new_id(self, plan: Plan, creator: Operation, sent: Mapping[str, Any]) -> str:
        """Return the id of a new item: the name that the caller gave it, where items are named, else a random one."""
        collection = plan.collection
        view = self.shape(creator).item
        named = sent.get(view.identifier) if view.identifier not in {None, "id"} else None
        chosen = [str(named)] if isinstance(named, str | int) and not isinstance(named, bool) else []
        return self._free_id(collection, tuple(chosen), view)

    def _free_id(self, collection: str, chosen: tuple[str, ...], view: View | None) -> str:
        """Return the first of these, else a random identifier, that paths and object can hold."""
        candidates = (*chosen, *new_identifiers(collection))
        return next((each for each in candidates if self._names(collection, each, view)), candidates[-1])

    def _names(self, collection: str, candidate: str, view: View | None) -> bool:
        """Tell whether every path through the collection, and the object itself, can hold this identifier."""
        fits = (
            self._validation.accepts(operation, level.parameter, candidate)
            for operation in self.plans.through(collection)
            for level in self.plans.of(operation).levels
            if level.collection == collection
        )
        return (view is None or view.identifier is None or bool(view.identified(candidate))) and all(fits)

    def _seed(self, collection: str) -> str | None:
        """Return the one member of a collection that no operation makes: the documented example, else a random one."""
        if self.plans.creates(collection) or collection not in self.plans.members:
            return None
        parameter, operation = self.plans.members[collection], self.plans.through(collection)[0]
        schema = self._validation.parameter(operation, parameter)
        example = next(documented(schema), None)
        if example is not None:
            return example
        lister = self.plans.lister(collection)
        if lister is None:
            # Nothing announces it, so its id is one that a caller can work out from the schema.
            return str(instance(schema))
        view = self.shape(lister).item
        candidates = tuple(new_identifiers(collection))
        return next((each for each in candidates if self._names(collection, each, view)), str(instance(schema)))


def outcome(shape: Shape, content: Any) -> Outcome:
    """Return the documented answer with this object or list in it."""
    return Outcome(shape.status, shape.media_type, shape.encode(shape.body(content)))


def documented(schema: Schema) -> Iterator[str]:
    """Yield the values that a parameter's schema shows, likeliest first."""
    if isinstance(schema, Mapping):
        shown = [schema[word] for word in ("example", "default") if word in schema]
        for word in ("examples", "enum"):
            shown += schema[word] if isinstance(schema.get(word), list) else []
        yield from (str(value) for value in shown if isinstance(value, str | int))


def iso(moment: float) -> str:
    """Return a moment as RFC 3339 writes it."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
