"""Access: every operation can be called by somebody, and the specification says what the policy leaves to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._diagnostics import Diagnostic, Related, Severity, listing, quote, suggestion
from ._model import Path, Policy
from ._operations import Operation, Specification
from ._places import at_value, key_span, value_span
from ._resolution import Grant, Resolution

#: Enough operations to see the point.
_SHOWN: Final = 3


def check_redundant(policy: Policy, _: Specification, resolution: Resolution) -> Iterator[Diagnostic]:
    """Yield alternatives of a row that another one makes unnecessary."""
    for name, row in policy.capabilities.items():
        single = frozenset().union(*(names for names in row.requires.any_of if len(names) == 1))
        for wide in sorted(single & resolution.closure.keys()):
            for narrow in sorted(single & resolution.closure[wide] - {wide}):
                methods = resolution.methods[narrow]
                if methods is None or methods == resolution.methods[wide]:
                    yield at_value(
                        policy.document,
                        _alternative(policy, name, wide),
                        "redundant-requirement",
                        f"{quote(wide)} includes {quote(narrow)} already",
                        severity=Severity.WARNING,
                        help=f"delete {quote(wide)} here",
                    )


def _alternative(policy: Policy, row: str, name: str) -> Path:
    entries = policy.document.value["capabilities"][row]["requires"]["any_of"]
    return ("capabilities", row, "requires", "any_of", entries.index(name))


def check_callable(policy: Policy, specification: Specification, resolution: Resolution) -> Iterator[Diagnostic]:
    """Yield rows with operations that no key could call."""
    can = _Callers(policy, resolution)
    closed: dict[str, list[Operation]] = {}
    for operation in specification.operations:
        grants = [grant for kind in policy.objects or (None,) if (grant := resolution.grants.get((operation.id, kind)))]
        for grant in grants:
            if grant.alternatives != () and not can.call(grant, operation.method):
                closed.setdefault(grant.capability, []).append(operation)
    for name, operations in closed.items():
        methods = listing(sorted({operation.method for operation in operations}))
        yield at_value(
            policy.document,
            ("capabilities", name, "requires"),
            "nobody-can-call",
            f"no key can call {_some(operations)}",
            help=f"nothing that the row requires counts on {methods}, or no one key can hold all of it",
        )


def _some(operations: list[Operation]) -> str:
    unique = list(dict.fromkeys(f"{quote(each.label)} ({quote(each.id)})" for each in operations))
    further = len(unique) - _SHOWN
    return ", ".join(unique[:_SHOWN]) + (f" and {further} more" if further > 0 else "")


class _Callers:
    """Asks whether any key that can be issued satisfies a grant; remembers the answer for each method."""

    def __init__(self, policy: Policy, resolution: Resolution) -> None:
        self._plans = frozenset(policy.plans)
        self._kinds = policy.keys.kinds
        self._resolution = resolution
        self._known: dict[tuple[frozenset[str], str], bool] = {}

    def call(self, grant: Grant, method: str) -> bool:
        """Say whether somebody can."""
        return grant.alternatives is None or any(self._suffices(names, method) for names in grant.alternatives)

    def _suffices(self, names: frozenset[str], method: str) -> bool:
        key = names, method
        if key not in self._known:
            self._known[key] = self._any_key(names, method)
        return self._known[key]

    def _any_key(self, names: frozenset[str], method: str) -> bool:
        kinds = names & self._kinds.keys()
        scopes = names - self._plans - kinds
        counting = all(self._counts(scope, method) for scope in scopes)
        holders = [kind for name, kind in self._kinds.items() if kinds <= {name}]
        plans = len(names & self._plans)
        return counting and plans <= 1 and any(self._can_hold(kind.holds, scopes) for kind in holders)

    def _counts(self, scope: str, method: str) -> bool:
        methods = self._resolution.methods.get(scope, frozenset())
        return methods is None or method in methods

    def _can_hold(self, holds: str, scopes: frozenset[str]) -> bool:
        """Say whether one such key can hold these scopes together."""
        if holds != "one scope" or not scopes:
            return True
        return any(scopes <= included for included in self._resolution.closure.values())


def check_specified(policy: Policy, specification: Specification, resolution: Resolution) -> Iterator[Diagnostic]:
    """Yield rows that leave to the specification what it does not say, or says of schemes that no kind answers."""
    silent: dict[str, list[Operation]] = {}
    unclear: dict[str, list[Operation]] = {}
    for operation in specification.operations:
        grants = (resolution.grants.get((operation.id, kind)) for kind in policy.objects or (None,))
        for row in dict.fromkeys(grant.capability for grant in grants if grant is not None):
            if policy.capabilities[row].requires.keyword != "as specified":
                continue
            if operation.security is None:
                silent.setdefault(row, []).append(operation)
            elif not _schemes(operation) <= policy.keys.kinds.keys() and len(_schemes(operation)) > 1:
                unclear.setdefault(row, []).append(operation)
    for row, operations in silent.items():
        yield at_value(
            policy.document,
            ("capabilities", row, "requires"),
            "specification-silent",
            f"the specification does not say what {_some(operations)} requires",
            help="name it in a row of its own",
            related=(_first(specification, operations),),
        )
    for row, operations in unclear.items():
        schemes = sorted(_schemes(operations[0]) - policy.keys.kinds.keys())
        yield at_value(
            policy.document,
            ("capabilities", row, "requires"),
            "schemes-unclear",
            f"which key answers {listing(schemes)} at {_some(operations)}?",
            help="name the kinds of key like the schemes of the specification",
            related=(_first(specification, operations),),
        )


def _schemes(operation: Operation) -> frozenset[str]:
    return frozenset(scheme for entry in operation.security or () for scheme in entry)


def _first(specification: Specification, operations: list[Operation]) -> Related:
    first = operations[0]
    span = key_span(specification.document, ("paths", first.path, first.method.lower()))
    return Related(span=span, label="the first of them" if len(operations) > 1 else "here")


def check_base_url(policy: Policy, specification: Specification, _: Resolution) -> Iterator[Diagnostic]:
    """Yield base URLs that are no server of the specification."""
    servers = [_server(server) for server in _written_servers(specification)]
    written = policy.document.value["base_url"]
    places = [(("base_url",), written)] if isinstance(written, str) else _urls(written, ("base_url",))
    for path, url in places if servers else ():
        if not any(server.fullmatch(url.rstrip("/")) for server in servers):
            yield at_value(
                policy.document,
                path,
                "base-url-elsewhere",
                f"{quote(url)} is no server of the specification",
                help=suggestion(url, specification.servers),
                related=(Related(span=value_span(specification.document, ("servers",)), label="its servers"),),
            )


def _urls(table: Mapping[str, Any], path: Path) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for heading, below in table.items():
        place = (*path, heading)
        found += [(place, below)] if isinstance(below, str) else _urls(below, place)
    return found


def _written_servers(specification: Specification) -> list[str]:
    return [server["url"] for server in specification.document.value.get("servers", ())]


def _server(url: str) -> re.Pattern[str]:
    """Return the form of a server: a variable stands for anything but a slash, a relative one for any host."""
    pieces = re.split(r"\{[^{}]*\}", url.rstrip("/"))
    form = "[^/]+".join(re.escape(piece) for piece in pieces)
    return re.compile(form if "://" in url else f"https?://[^/]+{form}")


def check_managed_by(policy: Policy, specification: Specification, _: Resolution) -> Iterator[Diagnostic]:
    """Yield operations that could not create, rotate or revoke a key."""
    managed = policy.keys.managed_by
    if managed is None:
        return
    for word, operation_id in (("create", managed.create), ("rotate", managed.rotate), ("revoke", managed.revoke)):
        if operation_id is None:
            continue
        path: Path = ("keys", "managed_by", word)
        operation = specification.operation(operation_id)
        if operation is None:
            known = [each.id for each in specification.operations]
            message = f"{quote(operation_id)} is no operation of the specification"
            yield at_value(policy.document, path, "unknown-operation", message, help=suggestion(operation_id, known))
            continue
        if operation.method in {"GET", "HEAD", "OPTIONS", "TRACE"}:
            message = f"{quote(operation.label)} only reads: it cannot {word} a key"
            yield at_value(policy.document, path, "cannot-manage-keys", message)
        elif word != "create" and "{" not in operation.path:
            message = f"{quote(operation.label)} does not say which key to {word}"
            help_ = "its path needs a parameter that names the key"
            yield at_value(policy.document, path, "cannot-manage-keys", message, help=help_)
