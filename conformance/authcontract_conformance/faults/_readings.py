"""What faults of routing share: one part of a server reads a request otherwise than the part that guards it.

The guard looks at the request as it came, finds no rule for it, and lets it pass; the router behind it repairs the
request and serves it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from authcontract_engine import Decision, Facts, Object, Reading, Request
from authcontract_policy import Operation

from authcontract_conformance.reference import Call, Seams, Server, Sight

from ._fault import Plant
from ._tools import allowed, at_key, at_scope

#: Returns the request as the router reads it, or None where it reads it as the guard does.
Reread: TypeAlias = Callable[[Server, Request], Request | None]


def two_readings(
    reread: Reread,
    *,
    only: Callable[[Server, Operation], bool] = lambda _server, _operation: True,
    without_key: bool = True,
) -> Plant:
    """Serve what the guard does not recognise; with `without_key` false a key is asked for, and no right."""

    def plant(seams: Seams) -> Seams:
        def route(server: Server, request: Request, reading: Reading) -> Reading:
            meant = reread(server, request)
            other = None if meant is None else server.contract.read(meant)
            served = other is not None and other.operation is not None and only(server, other.operation)
            return other if other is not None and served else seams.route(server, request, reading)

        def authorise(server: Server, call: Call, facts: Facts) -> Decision:
            decision = seams.authorise(server, call, facts)
            unseen = at_scope(decision) or (without_key and at_key(decision))
            return allowed(decision, call) if unseen and _is_reread(call) else decision

        def look(server: Server, call: Call) -> Sight:
            sight = seams.look(server, call)
            if _is_reread(call) and call.key is None and sight.item is not None:
                return replace(sight, object=Object.OWN)
            return sight

        return replace(seams, route=route, authorise=authorise, look=look)

    return plant


def _is_reread(call: Call) -> bool:
    return call.reading.request is not call.request


def by_path(change: Callable[[bytes], bytes]) -> Reread:
    """Let the router read another path; where it is the same one the guard sees it too."""

    def reread(_server: Server, request: Request) -> Request | None:
        path, mark, query = request.target.partition(b"?")
        meant = change(path)
        return None if meant == path else replace(request, target=meant + mark + query)

    return reread


def by_target(change: Callable[[bytes], bytes]) -> Reread:
    """Let the router read another target, query and fragment included."""

    def reread(_server: Server, request: Request) -> Request | None:
        meant = change(request.target)
        return None if meant == request.target else replace(request, target=meant)

    return reread


def by_segments(same: Callable[[bytes, bytes], bool]) -> Reread:
    """Let the router compare each segment with a documented one in a way of its own."""

    def reread(server: Server, request: Request) -> Request | None:
        path, mark, query = request.target.partition(b"?")
        base = server.contract.base_path(request.environment).encode()
        asked = path.split(b"/")
        for operation in server.contract.operations:
            documented = (base + operation.path.encode()).split(b"/")
            if operation.method.encode() != request.method or len(documented) != len(asked):
                continue
            pairs = list(zip(documented, asked, strict=True))
            if all(there[:1] == b"{" or same(there, here) for there, here in pairs):
                meant = b"/".join(here if there[:1] == b"{" else there for there, here in pairs)
                return None if meant == path else replace(request, target=meant + mark + query)
        return None

    return reread


def in_http_1(reread: Reread) -> Reread:
    """Read otherwise what came in HTTP/1.1 only; in HTTP/2 a name is in lower case (RFC 9113 section 8.2)."""

    def only(server: Server, request: Request) -> Request | None:
        return None if any(name == b"host" for name, _ in request.headers) else reread(server, request)

    return only


def hosts(request: Request) -> tuple[bytes, ...]:
    """Return the values of all Host lines."""
    return tuple(value.strip(b" \t") for name, value in request.headers if name.lower() == b"host")


def at_host(request: Request, host: bytes) -> Request:
    """Return the request as if it had just this Host."""
    rest = tuple(line for line in request.headers if line[0].lower() != b"host")
    return replace(request, headers=((b"Host", host), *rest), problem=None)
