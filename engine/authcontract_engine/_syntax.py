"""What makes a request unreadable, whoever sent it (RFC 9112 sections 2 to 5), and where its target leads."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from authcontract_policy import Cause

from ._values import Request

Problem: TypeAlias = Literal[Cause.MALFORMED_REQUEST, Cause.TOO_LARGE]

#: RFC 9110 section 9.3 and RFC 5789; TRACE and CONNECT are nothing that an API serves.
METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
#: RFC 9112 section 3 recommends to support targets of at least 8,000 octets.
LONGEST_TARGET: Final = 8000
#: Octets of one field line; nginx and Apache stop at 8 KiB too.
LONGEST_LINE: Final = 8192
#: What OPTIONS names where it means the whole server (RFC 9112 section 3.2.4), and CONNECT in its own way.
ASTERISK: Final = b"*"

_ALPHANUMERIC: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Each of these is deleted from a text; whatever is left does not belong there.
_TOKEN: Final = b"!#$%&'*+-.^_`|~" + _ALPHANUMERIC
#: Visible ASCII without `#`: a fragment is never sent (RFC 9112 section 3.2).
_TARGET: Final = bytes(code for code in range(0x21, 0x7F) if code != ord("#"))
#: A field value: no control byte but TAB, so no folded line either (RFC 9110 section 5.5).
_VALUE: Final = b"\t" + bytes(code for code in range(0x20, 0x100) if code != 0x7F)  # noqa: PLR2004  DEL
#: RFC 3986 section 3.2.2, with a port.
_HOST: Final = b"-._~!$&'()*+,;=:[]%" + _ALPHANUMERIC
_OWS: Final = b" \t"
#: HTTP/2 says in a pseudo-header what HTTP/1.1 says in Host (RFC 9113 section 8.3.1).
_AUTHORITY: Final = b":authority"


def problem_of(request: Request, names: list[bytes], values: list[bytes]) -> Problem | None:
    """Return what is wrong with a request's syntax; its fields come as names in lower case and as values."""
    if request.problem is not None:
        return request.problem
    target, method = request.target, request.method
    every_name, every_value = b"".join(names), b"".join(values)
    if len(target) > LONGEST_TARGET or (len(every_name) + len(every_value) > LONGEST_LINE and _has_long_line(request)):
        return Cause.TOO_LARGE
    if not target or target.translate(None, _TARGET) or every_value.translate(None, _VALUE):
        return Cause.MALFORMED_REQUEST
    if method not in METHODS and (not method or method.translate(None, _TOKEN)):
        return Cause.MALFORMED_REQUEST
    hosts = names.count(b"host")
    if hosts == 1:
        host = values[names.index(b"host")].strip(_OWS)
        if not host or host.translate(None, _HOST):
            return Cause.MALFORMED_REQUEST
    elif hosts or _AUTHORITY not in names:
        return Cause.MALFORMED_REQUEST
    odd = every_name.translate(None, _TOKEN)
    if b"" in names or (odd and not (odd == b":" and _AUTHORITY in names)):
        return Cause.MALFORMED_REQUEST
    return None


def _has_long_line(request: Request) -> bool:
    return any(len(name) + len(value) > LONGEST_LINE for name, value in request.headers)


def origin_form(target: bytes, method: bytes) -> bytes | None:
    """Return path and query of a target in another form, or None where it has no form that the method may use.

    An absolute-form is decided as its path and query (RFC 9112 section 3.2.2): what it says of scheme and authority is
    the client's claim.
    """
    if target == ASTERISK and method == b"OPTIONS":
        return ASTERISK
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"https", b"http"):
        authority = rest.partition(b"/")[0].partition(b"?")[0]
        below = rest[len(authority) :]
        if authority and not authority.translate(None, _HOST):
            return below if below.startswith(b"/") else b"/" + below
    if method == b"CONNECT" and not target.translate(None, _HOST):
        return ASTERISK
    return None
