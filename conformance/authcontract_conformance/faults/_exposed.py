"""Faults of what nobody documented, and of what responses show beside what they should."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from authcontract_engine import Contract, Decision, KeyRecord

from authcontract_conformance.reference import Answer, Call, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._readings import by_path, two_readings
from ._tools import Onward, answering, known, passing, presented, remembering, rewritten

_JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_TEXT: Final = (("Content-Type", "text/plain"), ("Cache-Control", "no-store"))


def _exporting(path_of: Callable[[str, str], str], *, asks_for_key: bool = False) -> Plant:
    """Serve everything in a collection under a path that is made of the base path and the collection's."""

    def plant(seams: Seams) -> Seams:
        def beside(server: Server, message: Message, onward: Onward) -> Answer:
            request = seams.parse(server, message)
            path = request.target.partition(b"?")[0].decode("latin-1")
            base = server.contract.base_path(request.environment)
            known_key = any(known(server, key) for key in presented(server, request))
            if request.method != b"GET" or (asks_for_key and not known_key):
                return onward(message)
            for operation in server.contract.operations:
                if operation.method == "POST" and path == path_of(base, operation.path):
                    return Answer(200, _JSON, _everything(server, operation.path))
            return onward(message)

        return passing(seams, beside)

    return plant


def _everything(server: Server, collection: str) -> bytes:
    found = server.store.data.everything()
    items = [{"id": item.id, **item.fields} for _, path, item in found if "/".join(path) == collection]
    return json.dumps({"exported": items}).encode()


def _old_version(path: bytes) -> bytes:
    return re.sub(rb"^(.*?)/v0/", rb"\1/v1/", path)


def _no_version(contract: Contract) -> str | None:
    bases = (contract.base_path(environment) for environment in (*contract.policy.environments, None))
    return None if any(base.endswith("/v1") for base in bases) else "the base path has no version"


def _everybody_sees(contract: Contract) -> str | None:
    """Say so where every key may call something of every collection that objects can be made in."""
    kind = next(iter(contract.policy.keys.kinds))
    keys = [
        KeyRecord(id="", digest="", kind=kind, scopes=frozenset({scope}), issued_at=0.0)
        for scope in contract.resolution.scopes
    ]
    for creator in contract.operations:
        near = [each for each in contract.operations if each.path.partition("/{")[0] == creator.path]
        inside = any(each.path.endswith("}") for each in near)
        shut = any(not any(contract.permit(each, key, None).allowed for each in near) for key in keys)
        if creator.method == "POST" and inside and shut:
            return None
    return "every key may see something of every collection"


def _page(path: str, text: str) -> Plant:
    def plant(seams: Seams) -> Seams:
        def beside(_server: Server, message: Message, onward: Onward) -> Answer:
            asked = message.head.target.partition(b"?")[0] == path.encode()
            return Answer(200, _TEXT, text.encode()) if asked else onward(message)

        return passing(seams, beside)

    return plant


def _shows_another_key(seams: Seams) -> Seams:
    """Write out with an object the first key of those that were not sent, so that it looks the same each time."""
    keeping, secrets = remembering(seams)

    def change(server: Server, call: Call, decision: Decision, answer: Answer) -> Answer:
        shown = decision.allowed and call.request.method == b"GET" and call.reading.operation is not None
        if not shown or server.keyring.manages(call.operation):
            return answer
        sent = {key.decode("latin-1") for key in presented(server, call.request)}
        other = next((text for text in map(_text, secrets.values()) if text not in sent), None)
        return answer if other is None else rewritten(answer, lambda body: {**body, "created_with": other})

    return answering(keeping, change)


def _text(secret: bytes) -> str:
    return secret.decode("latin-1")


FAULTS: Final = (
    Fault(
        name="export-unguarded",
        sentence="`/export` below a collection shows everything in it to everybody",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-6",),
        plant=_exporting(lambda base, collection: f"{base}{collection}/export"),
    ),
    Fault(
        name="admin-routes-unguarded",
        sentence="What stands below `/admin` is not behind the check for keys",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-6",),
        plant=_exporting(lambda base, collection: f"{base}/admin{collection}"),
    ),
    Fault(
        name="export-for-every-key",
        sentence="`/all` below a collection asks for a key, and for no right",
        family=Family.IMPLEMENTATION,
        clauses=("SCOPE-6",),
        plant=_exporting(lambda base, collection: f"{base}{collection}/all", asks_for_key=True),
        meaningful=_everybody_sees,
    ),
    Fault(
        name="old-version-unguarded",
        sentence="An old version of the API is still there, and asks for no key",
        family=Family.DEPLOYMENT,
        clauses=("SCOPE-6",),
        plant=two_readings(by_path(_old_version)),
        meaningful=_no_version,
    ),
    Fault(
        name="metrics-for-everybody",
        sentence="`/metrics` is on the same port as the API, and open",
        family=Family.DEPLOYMENT,
        clauses=("SCOPE-6",),
        plant=_page("/metrics", "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total 7\n"),
    ),
    Fault(
        name="settings-file-served",
        sentence="The file with the settings of the process is served like any other file",
        family=Family.DEPLOYMENT,
        clauses=("SCOPE-6",),
        plant=_page("/.env", "DATABASE_HOST=db.internal.example\nLOG_LEVEL=info\n"),
    ),
    Fault(
        name="objects-show-another-key",
        sentence="An object is written out with a key that is not the caller's",
        family=Family.LIBRARY,
        clauses=("SCOPE-9",),
        plant=_shows_another_key,
    ),
)
