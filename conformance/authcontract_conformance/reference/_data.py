"""What a server keeps: items in collections and documents at paths, one partition for each tenant and environment."""

from __future__ import annotations

import secrets
import string
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from authcontract_engine import Object

from ._plan import Plan

Partition: TypeAlias = tuple[str, ...]
Path: TypeAlias = tuple[str, ...]

#: Items kept in one collection; the oldest makes room, so that no caller can fill the memory.
_MOST: Final = 10_000
#: Random characters of an identifier: 12 of 36 are some 62 bits.
_RANDOM: Final = 12
_ALPHABET: Final = string.ascii_lowercase + string.digits


@dataclass(slots=True)
class Item:
    """One thing that is kept."""

    id: str
    fields: dict[str, Any]
    created: float
    updated: float
    #: Objects and whole answers made of it, by operation, until it changes.
    rendered: dict[str, Any] = field(default_factory=dict)

    def change(self, fields: Mapping[str, Any], now: float) -> None:
        """Take on these fields."""
        self.fields.update(fields)
        self.updated = now
        self.rendered.clear()

    def replace(self, fields: Mapping[str, Any], now: float) -> None:
        """Have these fields and no others."""
        self.fields = dict(fields)
        self.updated = now
        self.rendered.clear()


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path, as the caller of one partition sees it."""

    object: Object
    #: The nearest item on the path; None: the path names none, or it is absent or foreign.
    item: Item | None = None
    #: Whose it is; the caller's own, except where it is foreign.
    partition: Partition = ()


@dataclass(slots=True)
class _Tenant:
    collections: dict[Path, OrderedDict[str, Item]] = field(default_factory=dict)
    documents: dict[Path, Item] = field(default_factory=dict)


class Data:
    """All partitions."""

    def __init__(self, seeds: Callable[[str], str | None]) -> None:
        """Begin empty; `seeds` says for a collection's template which member is there from the start, if any."""
        self._seeds = seeds
        self._tenants: dict[Partition, _Tenant] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._tenants.clear()

    def partitions(self) -> tuple[Partition, ...]:
        """Return whoever has anything here."""
        return tuple(self._tenants)

    def everything(self) -> Iterator[tuple[Partition, Path, Item]]:
        """Yield every item with whose it is and the path of its collection."""
        for partition, tenant in self._tenants.items():
            for path, members in tenant.collections.items():
                yield from ((partition, path, item) for item in members.values())

    def find(self, partition: Partition, plan: Plan, parameters: Mapping[str, str], now: float) -> Found:
        """Return the innermost item that the path names, and whose it is."""
        item: Item | None = None
        for level in plan.levels:
            path = plan.path(parameters, level.depth)
            name = parameters.get(level.parameter, "")
            item = self.collection(partition, path, level.collection, now).get(name)
            if item is None:
                return self._elsewhere(partition, path, name)
        return Found(Object.OWN, item, partition)

    def _elsewhere(self, partition: Partition, path: Path, name: str) -> Found:
        for other, tenant in self._tenants.items():
            members = tenant.collections.get(path)
            if members is not None and name in members and other != partition:
                return Found(Object.FOREIGN, members[name], other)
        return Found(Object.ABSENT, None, partition)

    def collection(self, partition: Partition, path: Path, template: str, now: float) -> OrderedDict[str, Item]:
        """Return the members of a collection, oldest first."""
        tenant = self._tenant(partition)
        found = tenant.collections.get(path)
        if found is None:
            found = tenant.collections[path] = OrderedDict()
            seed = self._seeds(template)
            if seed is not None:
                found[seed] = Item(seed, {}, now, now)
        return found

    def add(self, partition: Partition, path: Path, template: str, item: Item) -> None:
        """Put an item into a collection; one with the same id is replaced."""
        members = self.collection(partition, path, template, item.created)
        members.pop(item.id, None)
        members[item.id] = item
        if len(members) > _MOST:
            members.popitem(last=False)

    def remove(self, partition: Partition, path: Path, name: str) -> None:
        """Take an item out of a collection, with everything below it."""
        tenant = self._tenant(partition)
        tenant.collections.get(path, OrderedDict()).pop(name, None)
        below, depth = (*path, name), len(path) + 1
        for kept in (tenant.collections, tenant.documents):
            for place in [place for place in kept if place[:depth] == below]:
                del kept[place]

    def document(self, partition: Partition, path: Path, now: float) -> Item:
        """Return the document at a path; there always is one."""
        documents = self._tenant(partition).documents
        if path not in documents:
            documents[path] = Item("", {}, now, now)
        return documents[path]

    def _tenant(self, partition: Partition) -> _Tenant:
        found = self._tenants.get(partition)
        if found is None:
            found = self._tenants[partition] = _Tenant()
        return found


def new_identifiers(collection: str) -> Iterator[str]:
    """Yield unguessable identifiers of several forms; the first that a schema accepts is taken."""
    word = collection.rpartition("/")[2].removesuffix("s").replace("-", "_")
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    yield f"{word}_{tail}"
    yield str(uuid.UUID(int=secrets.randbits(128), version=4))
    yield str(secrets.randbelow(2**31 - 1_000_000) + 1_000_000)
    yield f"198.51.100.{secrets.randbelow(254) + 1}"
    yield f"2001:db8::{secrets.randbelow(65535) + 1:x}"
    yield tail
    yield secrets.token_hex(16)
    yield secrets.token_hex(12)
    yield str(secrets.randbelow(9_000) + 1_000)
