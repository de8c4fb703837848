"""SCOPE-6 and SCOPE-9: what nobody documented serves nothing, and what is documented shows no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from authcontract_policy import Operation, inline

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._openings import answerable, reading
from authcontract_conformance.exchange._exchange import Acquire, Credential, Exchange, Key, Need, Probe
from authcontract_conformance.oracle._verdict import PASSED, Basis, Evidence, Judgement, Level, fail, warn
from authcontract_conformance.world._needs import describe
from authcontract_conformance.world._patterns import bypasses, summed
from authcontract_conformance.world._world import Item, World

#: What stands beside or below a documented collection where somebody forgot it.
BELOW: Final = ("export", "all", "internal", "batch")
#: What stands in the place of the documented beginning.
BEFORE: Final = ("admin", "internal", "debug")
#: What stands at the root of an API.
ROOTS: Final = ("export", "admin", "internal", "batch", "dump", "graphql")
VERSION: Final = re.compile(r"v(\d+)")


# --- SCOPE-6: siblings ---------------------------------------------------------------------------------------------


def _collection(operation: Operation) -> str:
    """Return the path of what an operation works on, up to its first parameter."""
    return operation.path.partition("/{")[0]


def siblings(base: str, operation: Operation, paths: Iterable[str]) -> tuple[str, ...]:
    """Return undocumented paths that may lead to the same data as an operation; `paths` has the documented ones."""
    collection = _collection(operation)
    found = [
        *(f"{base}{collection}/{name}" for name in BELOW),
        *(f"{base}/{name}{collection}" for name in BEFORE),
        *(f"/{name}{base}{collection}" for name in BEFORE[:1]),
        *(f"{other}{collection}" for other in _other_versions(base)),
        *(f"{base}/{name}" for name in ROOTS),
        # An action without the object that it is meant for: `/keys/rotate` beside `/keys/{id}/rotate`.
        *(f"{base}{re.sub('/{[^}]*}', '', path)}" for path in paths if path.startswith(f"{collection}/{{")),
    ]
    documented = {f"{base}{path}" for path in paths}
    return tuple(path for path in dict.fromkeys(found) if path not in documented)


def _other_versions(base: str) -> Iterator[str]:
    """Return the base path of an older and of a newer version, and without any."""
    segments = base.split("/")
    for place, segment in enumerate(segments):
        number = VERSION.fullmatch(segment)
        if number is not None:
            for other in (int(number[1]) - 1, int(number[1]) + 1):
                yield "/".join([*segments[:place], f"v{other}", *segments[place + 1 :]])
            yield "/".join(segments[:place] + segments[place + 1 :])


def _undocumented(operation: Operation, need: Need | None, world: World) -> Steps:
    """Ask for what may show the same data by paths that nobody documented; the data counts, and no status."""
    key: Key | None = None if need is None else (yield Acquire(need))
    base = world.contract.base_path(world.environment)
    paths = dict.fromkeys(each.path for each in world.contract.specification.operations)
    attempts = [partial(_asked, world, operation, key, path) for path in siblings(base, operation, paths)]
    return (yield from bypasses(world, operation, attempts, method="GET"))


def _asked(world: World, operation: Operation, key: Key | None, path: str, item: Item) -> Probe:
    probe = world.request(operation, key, item, method="GET", body=b"")
    first, *rest = probe.target
    query = first.partition(b"?")[1:] if isinstance(first, bytes) and rest else ()
    kept = tuple(line for line in probe.headers if line[0] not in ((b"Content-Type",), (b"Content-Length",)))
    return replace(probe, target=(path.encode() + b"".join(query), *rest), headers=kept, label=f"GET {path}")


def _closed(world: World) -> Iterator[tuple[Operation, Need]]:
    """Return one operation on an object that can be made, with a key that may see nothing of that collection."""
    for operation in answerable(world):
        steps = world.resources.steps(operation)
        if len(steps) != 1 or steps[0].creator is None or not operation.resource.endswith("}"):
            continue
        near = [other for other in world.operations if _collection(other) == _collection(operation)]
        for need in world.access.insufficient(operation, world.environment):
            if not any(world.access.permits(other, need) for other in near):
                yield operation, need
                return


# --- SCOPE-6: pages for operators ----------------------------------------------------------------------------------


def _is_object_with(*names: str) -> Callable[[World, Exchange], bool]:
    def shown(_: World, exchange: Exchange) -> bool:
        value = exchange.json()
        return isinstance(value, Mapping) and any(name in value for name in names)

    return shown


def _matches(pattern: bytes) -> Callable[[World, Exchange], bool]:
    compiled = re.compile(pattern)

    def shown(_: World, exchange: Exchange) -> bool:
        # Whoever answers everything with one page shows nothing.
        return b"<html" not in exchange.body[:1000].lower() and compiled.search(exchange.body) is not None

    return shown


def _undocumented_operations(world: World, exchange: Exchange) -> bool:
    """Tell whether a specification that everybody can read has paths that the documented one has not."""
    value = exchange.json()
    if not isinstance(value, Mapping) or not {"openapi", "swagger"} & value.keys():
        return False
    paths = value.get("paths")
    base = world.contract.base_path(world.environment)
    known = {_shape(operation.path) for operation in world.contract.specification.operations}
    named = [str(path) for path in paths] if isinstance(paths, Mapping) else []
    return any(_shape(path) not in known and _shape(path.removeprefix(base)) not in known for path in named)


def _shape(path: str) -> str:
    """Return a path template without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path.rstrip("/"))


#: A page that is for operators, what it is, and how it is recognised.
PAGES: Final[tuple[tuple[str, str, Callable[[World, Exchange], bool]], ...]] = (
    ("/.env", "settings of the environment", _matches(rb"(?m)^(export )?[A-Z][A-Z0-9_]+=\S")),
    ("/.git/config", "a repository", _matches(rb"(?m)^\[core\]")),
    ("/metrics", "metrics", _matches(rb"(?m)^# (HELP|TYPE) \w+")),
    ("/debug", "a debug page", _matches(rb"(?i)traceback|stack trace|environ\b|memstats")),
    ("/debug/vars", "variables of the process", _is_object_with("memstats", "cmdline")),
    ("/actuator/env", "settings of the application", _is_object_with("propertySources", "activeProfiles")),
    ("/server-status", "the state of the web server", _matches(rb"(?i)server uptime|total accesses")),
    ("/openapi.json", "a specification with operations that are not documented", _undocumented_operations),
)


def _pages(world: World) -> Steps:
    judged: list[tuple[str, Judgement]] = []
    for path, what, recognised in PAGES:
        operation = next(iter(answerable(world)))
        nobody = Item(parameters={}, environment=world.environment)
        exchange: Exchange = yield _asked(world, operation, None, path, nobody)
        if not exchange.succeeded or not recognised(world, exchange):
            continue
        evidence = Evidence(expected="nothing without a key", got=f"{exchange.status} with {what}", exchange=exchange)
        judged.append((path, warn(evidence, f"{path} shows strangers {what}")))
    return summed(judged, len(PAGES))


def _scope_6(world: World) -> Iterable[Case]:
    for operation in reading(world):
        yield Case(f"beside {operation.label} without a key", partial(_undocumented, operation, None))
    for operation, need in _closed(world):
        yield Case(f"beside {operation.label} with {describe(need)}", partial(_undocumented, operation, need))
    if answerable(world):
        yield Case("pages for operators without a key", _pages)


# --- SCOPE-9: secrets in responses ---------------------------------------------------------------------------------

#: Members that hold what only its owner should know.
SECRET_NAMES: Final = frozenset(
    {"secret", "signing_secret", "client_secret", "password", "password_hash", "private_key", "webhook_secret"}
)
#: Shorter values are masks and flags.
LEAST: Final = 8
MASKED: Final = re.compile(r"[*•…]|\.\.\.|x{4,}|^\s*$", re.IGNORECASE)


def _scope_9(world: World, exchange: Exchange) -> Judgement | None:
    """Look for keys that were not sent with the request, and for members that are called secrets."""
    sent = (part for place in (exchange.probe.target, exchange.probe.body) for part in place)
    world.settings.told.update(part.key for part in sent if isinstance(part, Credential))
    if not exchange.answered or not exchange.body or _makes_keys(world, exchange.probe.operation):
        return None
    known = {*exchange.probe.keys, *world.settings.told}
    others = [key for key in world.settings.vault.shown(exchange.body) if key not in known]
    if others:
        evidence = Evidence(
            expected="no key of anybody",
            got=f"{exchange.status} with nine or more characters of a key that was not sent",
            exchange=exchange,
        )
        return fail(evidence, "the response shows a key")
    name = _named_secret(world, exchange)
    if name is not None:
        evidence = Evidence(expected="no secret", got=f"{exchange.status} with a value for {name}", exchange=exchange)
        return warn(evidence, f"the response shows {name}, which only the answer to its creation should")
    return PASSED


def _makes_keys(world: World, operation: str | None) -> bool:
    managed = world.policy.keys.managed_by
    return managed is not None and operation in (managed.create, managed.rotate)


def _named_secret(world: World, exchange: Exchange) -> str | None:
    """Return the name of a member with a secret in it that the specification does not document, or None."""
    if not exchange.succeeded or exchange.probe.method == b"POST" or not any(n in exchange.body for n in _IN_BYTES):
        return None
    operation = world.contract.specification.operation(exchange.probe.operation or "")
    documented = "" if operation is None else _documented(world, operation)
    names = (name for name, value in _members(exchange.json()) if name.lower() in SECRET_NAMES and _is_plain(value))
    return next((name for name in names if f'"{name}"' not in documented), None)


def _documented(world: World, operation: Operation) -> str:
    """Return the schemas of an operation's responses as text."""
    schemas = (schema for media in operation.responses.values() for schema in media.values())
    return json.dumps([inline(world.contract.specification, schema) for schema in schemas], default=str)


_IN_BYTES: Final = tuple(name.encode() for name in ("secret", "password", "private_key"))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= LEAST and MASKED.search(value) is None


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every member of every object in a JSON value; it is nested no deeper than `Exchange.json` allows."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name), inner
            yield from _members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner)


CLAUSES = (
    Clause(
        id="SCOPE-6",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP API5:2023", "OWASP API9:2023", "OWASP ASVS 13.4.5"),
        promise="What nobody documented serves nothing of what keys protect.",
        why="An export, an old version or an admin page that nobody wrote a rule for is open to whoever guesses its "
        "name.",
        how="Without a key, and with one that may see nothing of a collection, the neighbours of documented paths are "
        "asked for: `/export` below a collection, `/admin` before it, the version before and after, actions without "
        "their object. Planted content in any answer fails. Pages for operators, such as `/metrics` and `/.env`, are a "
        "warning if they show what their name says; so is a specification with operations that are not documented.",
        fix="Refuse every path that has no rule, and keep pages for operators on another port.",
        variants=("V-L08",),
        cases=_scope_6,
    ),
    Clause(
        id="SCOPE-9",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("OWASP API3:2023", "OWASP ASVS 15.3.1"),
        promise="No response shows a key, or another secret, to somebody who did not just create it.",
        why="Objects that are written out whole carry what was stored beside them: the key that made them, the secret "
        "that signs webhooks.",
        how="Every response of the run is searched for nine characters in a row of any key of the run that the request "
        "did not carry: that fails, except in answers that create keys. A member that is called a secret or a "
        "password, has a value and is not documented is a warning.",
        fix="List what a response shows, member by member, and store keys as digests only.",
        passive=_scope_9,
        traffic=("AUTH-2", "LIFE-2"),
    ),
)
