"""HTTP/1.1 as far as a server reads it: the head of a request, kept byte for byte, and the length of what follows.

Pure: bytes in, a `Head` out. What a request says is never changed here; what makes it unreadable becomes `problem`,
so that the contract answers it. Every problem ends the connection, because nobody knows where the next request begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from authcontract_policy import Cause

#: Bytes of one header line; nginx and Apache stop at 8 KiB too.
MAX_LINE: Final = 8 * 1024
#: Octets of a request target; RFC 9112 section 3 asks for at least 8,000.
MAX_TARGET: Final = 8000
#: Bytes of the whole head.
MAX_HEAD: Final = 64 * 1024
#: Bytes of a body; far more than any documented operation takes.
MAX_BODY: Final = 1024 * 1024

Problem: TypeAlias = Literal[Cause.MALFORMED_REQUEST, Cause.TOO_LARGE]
Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]

#: RFC 9110 section 5.6.2; whatever is left after deleting these is no token.
TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = b"0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The request line and the header lines as received, and how the body is delimited."""

    method: bytes = b""
    target: bytes = b""
    headers: Lines = ()
    problem: Problem | None = None
    #: True where the target alone is what is too large, which has a status of its own (414).
    long_target: bool = False
    #: Bytes of the body; None: chunked.
    length: int | None = 0
    #: Whether the client keeps the connection open for another request.
    keep_alive: bool = False
    #: Whether the client waits for `100 Continue` before it sends the body.
    expects_continue: bool = False


def read_head(data: bytes) -> Head:
    """Read everything before the empty line (`data` ends without it)."""
    first, _, rest = data.partition(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3:  # noqa: PLR2004  method, target, version
        return Head(problem=Cause.MALFORMED_REQUEST)
    method, target, version = parts
    if len(target) > MAX_TARGET:
        return Head(method=method, target=target, problem=Cause.TOO_LARGE, long_target=True)
    if len(method) > MAX_LINE:
        return Head(method=method, target=target, problem=Cause.TOO_LARGE)
    if not method or method.translate(None, TOKEN) or not target or not _is_version(version):
        return Head(method=method, target=target, problem=Cause.MALFORMED_REQUEST)
    if b"\0" in data or data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r") != data.count(b"\r\n"):
        # RFC 9110 section 5.5: NUL and a bare CR or LF are dangerous; RFC 9112 section 2.2 lets us refuse a bare LF.
        return Head(method=method, target=target, headers=_lines(rest), problem=Cause.MALFORMED_REQUEST)
    lines = _lines(rest)
    for name, value in lines:
        if not name or name.translate(None, TOKEN):
            # Also a folded line, whose name begins with a space, and `Name : value` (RFC 9112 section 5).
            return Head(method=method, target=target, headers=lines, problem=Cause.MALFORMED_REQUEST)
        if len(name) + len(value) >= MAX_LINE:
            return Head(method=method, target=target, headers=lines, problem=Cause.TOO_LARGE)
    return _framed(method, target, version, lines)


def _lines(data: bytes) -> Lines:
    return tuple([_split(line) for line in data.split(b"\r\n")]) if data else ()


def _split(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    return (name, value) if colon else (b"", line)


def _is_version(version: bytes) -> bool:
    """Tell whether it is HTTP/1.x; any minor version is read as ours (RFC 9110 section 2.5)."""
    return len(version) == len(b"HTTP/1.1") and version.startswith(b"HTTP/1.") and version[-1:].isdigit()


def _framed(  # noqa: C901  the cases of RFC 9112 section 6.3, in its order
    method: bytes, target: bytes, version: bytes, lines: Lines
) -> Head:
    """Find where the body ends (RFC 9112 section 6.3); two answers to that are request smuggling and are refused."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    connection = b""
    expects = False
    for name, value in lines:
        size = len(name)
        if size == 14 and name.lower() == b"content-length":  # noqa: PLR2004  the length spares most lines a copy
            lengths.append(value.strip(b" \t"))
        elif size == 17 and name.lower() == b"transfer-encoding":  # noqa: PLR2004  likewise
            codings.append(value.strip(b" \t").lower())
        elif size == 10 and name.lower() == b"connection":  # noqa: PLR2004  likewise
            connection += b"," + value.lower()
        elif size == 6 and name.lower() == b"expect":  # noqa: PLR2004  likewise
            expects = value.strip(b" \t").lower() == b"100-continue"
    modern = version != b"HTTP/1.0"
    options = {option.strip(b" \t") for option in connection.split(b",")}
    wrong = Head(method=method, target=target, headers=lines, problem=Cause.MALFORMED_REQUEST)
    length: int | None = 0
    if codings:
        if lengths or codings != [b"chunked"] or not modern:
            return wrong
        length = None
    elif lengths:
        if len(lengths) > 1 or not lengths[0] or lengths[0].translate(None, _DIGITS):
            return wrong
        # More digits than the limit has are too many whatever they say; `int` refuses thousands of them.
        length = int(lengths[0]) if len(lengths[0].lstrip(b"0")) <= len(str(MAX_BODY)) else MAX_BODY + 1
        if length > MAX_BODY:
            return Head(method=method, target=target, headers=lines, problem=Cause.TOO_LARGE)
    return Head(
        method=method,
        target=target,
        headers=lines,
        length=length,
        # HTTP/1.0 has a keep-alive of its own, which nobody needs from a server under test.
        keep_alive=modern and b"close" not in options,
        expects_continue=expects and modern,
    )


class ChunkError(ValueError):
    """A chunked body that is malformed or too large, as `problem` says."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem: Problem = problem


#: A chunk's size line; extensions are read over, as RFC 9112 section 7.1.1 asks, but not without end.
_MAX_SIZE_LINE: Final = 1024
_HEX: Final = b"0123456789abcdefABCDEF"
_MAX_HEX: Final = 8


def read_chunks(data: bytes | bytearray, start: int = 0) -> tuple[bytes, int] | None:
    """Return the body that the chunks from `start` on carry and the position after it; None while it is incomplete."""
    body = bytearray()
    while True:
        end = data.find(b"\r\n", start, start + _MAX_SIZE_LINE)
        if end < 0:
            if len(data) - start >= _MAX_SIZE_LINE or b"\n" in data[start:]:
                raise ChunkError(Cause.MALFORMED_REQUEST)
            return None
        digits = bytes(data[start:end]).partition(b";")[0].rstrip(b" \t")
        if not digits or digits.translate(None, _HEX) or len(digits) > _MAX_HEX:
            raise ChunkError(Cause.MALFORMED_REQUEST)
        size = int(digits, 16)
        start = end + 2
        if size == 0:
            return _read_trailers(data, start, bytes(body))
        if len(body) + size > MAX_BODY:
            raise ChunkError(Cause.TOO_LARGE)
        if len(data) < start + size + 2:
            return None
        if data[start + size : start + size + 2] != b"\r\n":
            raise ChunkError(Cause.MALFORMED_REQUEST)
        body += data[start : start + size]
        start += size + 2


def _read_trailers(data: bytes | bytearray, start: int, body: bytes) -> tuple[bytes, int] | None:
    """Read over the trailer section; a field there never counts as a header (RFC 9110 section 6.5.1)."""
    if data[start : start + 2] == b"\r\n":
        return body, start + 2
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        if len(data) - start > MAX_LINE:
            raise ChunkError(Cause.TOO_LARGE)
        return None
    return body, end + 4
