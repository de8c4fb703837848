"""Reading a request: what is wrong with its syntax, what key it shows, and where its path leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from authcontract_policy import Cause, Operation

from ._keys import Presented
from ._routes import Route
from ._values import Request

#: What HTTP defines; another method may be answered 501 (RFC 9110 section 15.6.2).
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
#: RFC 9112 section 3 recommends to support targets of at least 8,000 octets.
LONGEST_TARGET = 8000
LONGEST_LINE = 8192


class Reading(NamedTuple):
    """A request, read once: what is wrong with its syntax, what key it shows, and where its path leads."""

    request: Request
    problem: Cause | None
    presented: Presented
    route: Route | None
    operation: Operation | None
    #: Path of the target as received.
    path: bytes

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """Return what stood for the parameters of the path."""
        if self.route is None:
            return {}
        method = b"GET" if self.request.method == b"HEAD" else self.request.method
        return self.route.parameters(method)

    @property
    def allowed_methods(self) -> tuple[str, ...]:
        """Return the methods of the path, as `Allow` lists them."""
        if self.route is None:
            return ()
        found = {method.decode() for method in self.route.methods}
        return tuple(sorted(found | ({"HEAD"} if "GET" in found else set()) | {"OPTIONS"}))


def problem(request: Request) -> Cause | None:
    """Return what is wrong with the syntax of a request (RFC 9112 sections 3 and 5)."""
    target = request.target
    if len(target) > LONGEST_TARGET:
        return Cause.TOO_LARGE
    if not request.method or not _TOKEN.issuperset(request.method) or not target or not _TARGET.issuperset(target):
        return Cause.MALFORMED_REQUEST
    hosts = 0
    for name, value in request.headers:
        if len(name) + len(value) > LONGEST_LINE:
            return Cause.TOO_LARGE
        if not name or not _TOKEN.issuperset(name) or not _CONTROL.isdisjoint(value):
            return Cause.MALFORMED_REQUEST if name != b":authority" else None
        if len(name) == 4 and name.lower() == b"host":  # noqa: PLR2004  the length of `host`
            hosts += 1
            if not _HOST.issuperset(value.strip(b" \t")):
                return Cause.MALFORMED_REQUEST
    return None if hosts == 1 else Cause.MALFORMED_REQUEST


_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TARGET = frozenset(range(0x21, 0x7F)) - frozenset(b"#")
_CONTROL = frozenset(range(0x20)) - frozenset(b"\t") | {0x7F}
_HOST = frozenset(b"-._~!$&'()*+,;=:[]%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def origin_form(target: bytes) -> bytes:
    """Return the path and query of an absolute-form target (RFC 9112 section 3.2.2); others lead nowhere."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return b"*"
    _, slash, path = rest.partition(b"/")
    return slash + path if slash else b"/"
