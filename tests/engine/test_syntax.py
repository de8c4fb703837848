"""What makes a request unreadable, and nothing else does."""

from dataclasses import replace
from typing import Literal

import pytest
from authcontract_engine import Facts, Request
from authcontract_policy import Cause
from leads import HOST, LEADS, NOW, request

BAD, LARGE = Cause.MALFORMED_REQUEST, Cause.TOO_LARGE


def sent(method: bytes = b"GET", target: bytes = b"/v1/leads", *lines: tuple[bytes, bytes]) -> Request:
    return Request(method=method, target=target, headers=lines or (HOST,))


CASES: dict[str, tuple[Request, Cause | None]] = {
    "as it should be": (sent(), None),
    "TAB and obs-text in a value": (sent(b"GET", b"/", HOST, (b"X", b"a\tb\xe9")), None),
    "empty value": (sent(b"GET", b"/", HOST, (b"X", b"")), None),
    "unknown method": (sent(b"BREW"), None),
    "Host with port": (sent(b"GET", b"/", (b"hOsT", b" [::1]:8443 ")), None),
    ":authority for Host": (sent(b"GET", b"/", (b":authority", b"api.example")), None),
    "absolute-form": (sent(b"GET", b"https://api.example/v1/leads"), None),
    "OPTIONS *": (sent(b"OPTIONS", b"*"), None),
    "CONNECT to an authority": (sent(b"CONNECT", b"api.example:443"), None),
    "8,000 bytes of target": (sent(b"GET", b"/" + b"a" * 7999), None),
    "8 KiB of line": (sent(b"GET", b"/", HOST, (b"X", b"a" * 8191)), None),
    "many lines": (sent(b"GET", b"/", HOST, *((b"X", b"a" * 1000),) * 20), None),
    "8,001 bytes of target": (sent(b"GET", b"/" + b"a" * 8000), LARGE),
    "more than 8 KiB of line": (sent(b"GET", b"/", HOST, (b"X", b"a" * 8192)), LARGE),
    "no method": (sent(b""), BAD),
    "method with a space": (sent(b"GET "), BAD),
    "no target": (sent(b"GET", b""), BAD),
    "space in the target": (sent(b"GET", b"/v1/leads HTTP/1.1"), BAD),
    "fragment": (sent(b"GET", b"/v1/leads#top"), BAD),
    "NUL in the target": (sent(b"GET", b"/v1/leads\0"), BAD),
    "latin-1 in the target": (sent(b"GET", b"/v1/leads\xe9"), BAD),
    "target without slash": (sent(b"GET", b"v1/leads"), BAD),
    "GET *": (sent(b"GET", b"*"), BAD),
    "GET with an authority": (sent(b"GET", b"api.example:443"), BAD),
    "another scheme": (sent(b"GET", b"ftp://api.example/v1/leads"), BAD),
    "absolute-form without authority": (sent(b"GET", b"https:///v1/leads"), BAD),
    "absolute-form with a user": (sent(b"GET", b"https://x@api.example/v1/leads"), BAD),
    "no Host": (sent(b"GET", b"/", (b"Accept", b"*/*")), BAD),
    "two Hosts": (sent(b"GET", b"/", HOST, HOST), BAD),
    "two Hosts beside :authority": (sent(b"GET", b"/", (b":authority", b"x"), HOST, HOST), BAD),
    "empty Host": (sent(b"GET", b"/", (b"Host", b" ")), BAD),
    "Host with a path": (sent(b"GET", b"/", (b"Host", b"api.example/v1/health?")), BAD),
    "Host with a user": (sent(b"GET", b"/", (b"Host", b"x@api.example")), BAD),
    "space before the colon": (sent(b"GET", b"/", HOST, (b"Accept ", b"*/*")), BAD),
    "folded line": (sent(b"GET", b"/", HOST, (b" more", b"")), BAD),
    "line break in a value": (sent(b"GET", b"/", HOST, (b"X", b"a\r\n b")), BAD),
    "NUL in a value": (sent(b"GET", b"/", HOST, (b"X", b"a\0b")), BAD),
    "DEL in a value": (sent(b"GET", b"/", HOST, (b"X", b"a\x7fb")), BAD),
    "no field name": (sent(b"GET", b"/", HOST, (b"", b"x")), BAD),
    "other pseudo-header": (sent(b"GET", b"/", (b":authority", b"x"), (b":path", b"/")), BAD),
}


@pytest.mark.parametrize("name", CASES)
def test_syntax(name: str) -> None:
    asked, problem = CASES[name]
    assert LEADS.read(asked).problem is problem


def test_what_the_listener_found_is_believed() -> None:
    assert LEADS.read(replace(request(), problem=Cause.TOO_LARGE)).problem is LARGE


@pytest.mark.parametrize("cause", [Cause.MALFORMED_REQUEST, Cause.TOO_LARGE])
def test_an_unreadable_request_is_refused_first(cause: Literal[Cause.MALFORMED_REQUEST, Cause.TOO_LARGE]) -> None:
    """The policy's order has syntax before everything but transport."""
    asked = replace(request(), problem=cause)
    decision = LEADS.decide(asked, Facts(now=NOW))
    assert (decision.allowed, decision.cause) == (False, cause)
    plain = LEADS.decide(replace(asked, scheme="http"), Facts(now=NOW))
    assert plain.cause is Cause.PLAINTEXT
