"""Faults of believing what a request says of where it belongs: a helper for the families whose border that crosses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl

from authcontract_engine import Request
from authcontract_policy import inline

from authcontract_conformance.reference import Answer, Call, Identity, Message, Outcome, Seams, Server
from authcontract_conformance.samples._instance import merged

from ._fault import Plant
from ._tools import Onward, passing, values

Place: TypeAlias = Literal["field", "query", "member"]
#: What a claim means: the organisation or environment that a text stands for, or None.
Meaning: TypeAlias = Callable[[Server, str], str | None]


def believing(dimension: str, place: Place, name: str, meaning: Meaning) -> Plant:
    """Let a request that says so belong to another organisation or environment than its key."""

    def plant(seams: Seams) -> Seams:
        said: list[str] = []

        def strip(server: Server, message: Message, onward: Onward) -> Answer:
            """Read over the members of a body that no schema knows, but for the one that is believed."""
            said.clear()
            body = _object(message.body)
            if name in body:
                said.append(str(body[name]))
                known = _known(server, message)
                kept = {member: value for member, value in body.items() if member in known}
                message = replace(message, body=json.dumps(kept).encode())
            try:
                return onward(message)
            finally:
                said.clear()

        def authenticate(server: Server, request: Request, now: float) -> Identity:
            identity = seams.authenticate(server, request, now)
            texts = said if place == "member" else _said(request, place, name)
            meant = next((found for text in texts if (found := meaning(server, text)) is not None), None)
            if identity.key is None or meant is None:
                return identity
            changes: dict[str, Any] = {dimension: meant}
            return Identity(identity.reading, replace(identity.key, **changes))

        changed = replace(seams, authenticate=authenticate)
        return passing(changed, strip) if place == "member" else changed

    return plant


def moving(dimension: str, name: str, meaning: Meaning) -> Plant:
    """Let an object of one's own move to the organisation or environment that a change of it names in its body."""

    def plant(seams: Seams) -> Seams:
        said: list[str] = []

        def strip(server: Server, message: Message, onward: Onward) -> Answer:
            """Read over the member if no schema knows it, but remember it."""
            said.clear()
            body = _object(message.body)
            if message.head.method in {b"PATCH", b"PUT"} and name in body:
                said.append(str(body.pop(name)))
                known = _known(server, message)
                kept = {member: value for member, value in body.items() if member in known}
                message = replace(message, body=json.dumps(kept).encode())
            try:
                return onward(message)
            finally:
                said.clear()

        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            item, plan = call.sight.item, server.store.plans.of(call.operation)
            meant = next((found for text in said if (found := meaning(server, text)) is not None), None)
            if meant is not None and item is not None and plan.levels:
                level, at = plan.levels[-1], server.store.isolation.index(dimension)
                path, old = plan.path(call.reading.path_parameters, level.depth), call.sight.partition
                server.store.data.remove(old, path, item.id)
                server.store.data.add((*old[:at], meant, *old[at + 1 :]), path, level.collection, item)
            return outcome

        return passing(replace(seams, perform=perform), strip)

    return plant


def _said(request: Request, place: Place, name: str) -> list[str]:
    if place == "field":
        return [value.decode("latin-1") for value in values(request, name)]
    query = request.target.partition(b"?")[2].decode("latin-1")
    return [value for key, value in parse_qsl(query) if key == name]


def _known(server: Server, message: Message) -> frozenset[str]:
    operation = server.contract.read(server.seams.parse(server, message)).operation
    schemas = operation.request_body.values() if operation is not None else ()
    whole = [merged(inline(server.contract.specification, schema)) for schema in schemas]
    return frozenset(member for schema in whole for member in schema.get("properties", {}))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return dict(value) if isinstance(value, Mapping) else {}


def organisation(server: Server, text: str) -> str | None:
    """Return the organisation whose name, or whose document's id, this is."""
    documents = {tuple(op.path.split("/")) for op in server.contract.operations if "{" not in op.path}
    for partition in server.store.data.partitions():
        if text == partition[0] or any(text == server.store.document_id(partition, path) for path in documents):
            return partition[0]
    return None


def environment(server: Server, text: str) -> str | None:
    """Return the environment that is called so, or whose keys say so in their prefix."""
    kinds = server.contract.policy.keys.kinds.values()
    for name in server.contract.policy.environments:
        at = server.contract.policy.environments.index(name)
        prefixes = [kind.prefix.values()[at] for kind in kinds if kind.prefix is not None and kind.prefix.dimension]
        if text == name or any(text in prefix.split("_") for prefix in prefixes if prefix):
            return name
    return None
