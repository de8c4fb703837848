"""The head of a request and the chunks of its body, byte by byte."""

from __future__ import annotations

import pytest
from authcontract_conformance.reference._http import (
    MAX_BODY,
    MAX_LINE,
    MAX_TARGET,
    ChunkError,
    read_chunks,
    read_head,
)
from authcontract_policy import Cause
from hypothesis import given
from hypothesis import strategies as st

BAD, LARGE = Cause.MALFORMED_REQUEST, Cause.TOO_LARGE


def test_a_head_is_kept_byte_for_byte() -> None:
    head = read_head(b"GET /a%2Fb//c?x=1#y HTTP/1.1\r\nhOsT:a\r\nX-A:  b \t\r\nx-a:\xff\x0b")

    assert (head.method, head.target, head.problem) == (b"GET", b"/a%2Fb//c?x=1#y", None)
    assert head.headers == ((b"hOsT", b"a"), (b"X-A", b"  b \t"), (b"x-a", b"\xff\x0b"))
    assert head.keep_alive


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nA : b", id="space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n c", id="folded line"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\0c", id="NUL in a value"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rc", id="bare CR"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\nC: d", id="bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nA", id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\n: a", id="no name"),
        pytest.param(b"GET / HTTP/1.1\r\n\xe9: a", id="a name that is no token"),
        pytest.param(b"GET /a b HTTP/1.1", id="space in the target"),
        pytest.param(b"GET  / HTTP/1.1", id="two spaces"),
        pytest.param(b"GET /", id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/2.0", id="another version"),
        pytest.param(b"GET / http/1.1", id="version in lower case"),
        pytest.param(b" / HTTP/1.1", id="no method"),
        pytest.param(b"G(T / HTTP/1.1", id="a method that is no token"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", id="two lengths"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1", id="length twice"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: +1", id="a length with a sign"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1, 1", id="a list of lengths"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length:", id="an empty length"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", id="another coding"),
        pytest.param(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked", id="chunked in HTTP/1.0"),
    ],
)
def test_what_cannot_be_read_safely_is_malformed(data: bytes) -> None:
    assert read_head(data).problem is BAD


@pytest.mark.parametrize(
    ("data", "long_target"),
    [
        (b"GET /" + b"a" * MAX_TARGET + b" HTTP/1.1", True),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_LINE, False),
        (b"A" * (MAX_LINE + 1) + b" / HTTP/1.1", False),
        (b"POST / HTTP/1.1\r\nContent-Length: %d" % (MAX_BODY + 1), False),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000, False),
    ],
)
def test_what_is_too_large_is_said_to_be(data: bytes, *, long_target: bool) -> None:
    head = read_head(data)

    assert (head.problem, head.long_target) == (LARGE, long_target)


def test_the_largest_allowed_still_fits() -> None:
    data = b"GET /" + b"a" * (MAX_TARGET - 1) + b" HTTP/1.1\r\nA:" + b"b" * (MAX_LINE - 2)

    assert read_head(data).problem is None


@pytest.mark.parametrize(
    ("lines", "version", "kept"),
    [
        (b"", b"1.1", True),
        (b"\r\nConnection: x, Close", b"1.1", False),
        (b"", b"1.0", False),
        (b"\r\nConnection: keep-alive", b"1.0", False),
        (b"", b"1.2", True),
    ],
)
def test_a_connection_is_kept_as_the_client_asks(lines: bytes, version: bytes, *, kept: bool) -> None:
    assert read_head(b"GET / HTTP/" + version + lines).keep_alive is kept


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever comes is a head, perhaps with a problem."""
    head = read_head(data)

    assert head.problem in {None, BAD, LARGE}


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(0, 5))
def test_chunks_carry_their_body_wherever_they_are_cut(parts: list[bytes], cut: int) -> None:
    data = b"".join(b"%x;e=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\n"

    assert read_chunks(data + b"GET /") == (b"".join(parts), len(data))
    assert read_chunks(data[: len(data) - 1 - cut]) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"x\r\n", BAD),
        (b"-1\r\n", BAD),
        (b"\r\n", BAD),
        (b"1\r\nab\r\n", BAD),
        (b"1\nab", BAD),
        (b"fffffffff\r\n", BAD),
        (b"1" * 2000, BAD),
        (b"%x\r\n" % (MAX_BODY + 1), LARGE),
        (b"0\r\n" + b"A: b\r\n" * 2000, LARGE),
    ],
)
def test_chunks_that_lie_are_refused(data: bytes, problem: Cause) -> None:
    with pytest.raises(ChunkError) as raised:
        read_chunks(data)

    assert raised.value.problem is problem
