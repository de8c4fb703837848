"""Faults of how a key may be written and where it may be sent, and of headers that claim a right."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl

from authcontract_engine import Contract, Request
from authcontract_policy import Cause, Operation

from authcontract_conformance.reference import Answer, Identity, Message, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import (
    Onward,
    chosen,
    header,
    known,
    last_closed,
    passing,
    presented,
    presenting,
    simple,
    two_keys_unsaid,
    values,
)

# --- how it is written ----------------------------------------------------------------------------------------------


def _rewriting(find: Callable[[Server, Request], bytes | None]) -> Plant:
    """Take another key out of a request than the documented one: `find` returns it, or None to read on as usual."""

    def plant(seams: Seams) -> Seams:
        def authenticate(server: Server, request: Request, now: float) -> Identity:
            key = find(server, request)
            return seams.authenticate(server, request if key is None else presenting(server, request, key), now)

        return replace(seams, authenticate=authenticate)

    return plant


def _deaf(to: Callable[[Server, bytes, bytes], bool]) -> Plant:
    """Read over the documented header where it is written in some way: `to` gets the name and the raw value."""

    def plant(seams: Seams) -> Seams:
        def authenticate(server: Server, request: Request, now: float) -> Identity:
            way = header(server)
            name = b"" if way is None else way.name.lower().encode()
            odd = any(to(server, *line) for line in request.headers if line[0].lower() == name)
            return seams.authenticate(server, presenting(server, request) if odd else request, now)

        return replace(seams, authenticate=authenticate)

    return plant


def _scheme(server: Server) -> str:
    way = header(server)
    return "" if way is None else way.template.partition("<key>")[0].strip()


def _one(server: Server, request: Request) -> bytes:
    """Return the value of the documented header where there is just one, else nothing."""
    way = header(server)
    found = () if way is None else values(request, way.name)
    return found[0] if len(found) == 1 else b""


def _two_spaces(_server: Server, _name: bytes, value: bytes) -> bool:
    return b"  " in value.strip(b" \t")


def _padded(_server: Server, _name: bytes, value: bytes) -> bool:
    return value[1:] != value.strip(b" \t") if value[:1] == b" " else value != value.strip(b" \t")


def _other_case(server: Server, name: bytes, _value: bytes) -> bool:
    way = header(server)
    return way is not None and name not in (way.name.encode(), way.name.lower().encode())


def _split_like_text(server: Server, request: Request) -> bytes | None:
    """Split the value at whatever Python calls white space."""
    words = _one(server, request).decode("latin-1").split()
    return words[1].encode("latin-1") if len(words) == 2 and words[0] == _scheme(server) else None  # noqa: PLR2004  scheme and key


def _out_of_quotes(server: Server, request: Request) -> bytes | None:
    keys = presented(server, request)
    return keys[0].strip(b'"') if len(keys) == 1 and keys[0][:1] == b'"' else None


def _from_authorization(request: Request) -> bytes:
    """Return the value of Authorization where there is just one, whichever header is documented; else nothing."""
    found = values(request, "Authorization")
    return found[0] if len(found) == 1 else b""


def _scheme_optional(server: Server, request: Request) -> bytes | None:
    """Cut the scheme off if it is there, as `removeprefix` does."""
    return _one(server, request) if known(server, _one(server, request)) else None


def _any_scheme(_server: Server, request: Request) -> bytes | None:
    scheme, _, key = _from_authorization(request).partition(b" ")
    return key if scheme.lower() == b"token" and key else None


def _basic(_server: Server, request: Request) -> bytes | None:
    """Take the user name of Basic for a key, as an API does that documents it."""
    scheme, _, text = _from_authorization(request).partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(text, validate=True).partition(b":")[0]
    except binascii.Error:
        return None


def _without_the_invisible(server: Server, request: Request) -> bytes | None:
    """Drop the characters that have no width, as functions do that prepare names for comparison."""
    keys = presented(server, request)
    try:
        text = keys[0].decode() if len(keys) == 1 else ""
    except UnicodeDecodeError:
        return None
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return visible.encode() if visible != text else None


def _folded(server: Server, request: Request) -> bytes | None:
    """Normalise what was sent, so that full-width characters and the long s are those of ASCII (NFKC)."""
    keys = presented(server, request)
    try:
        text = keys[0].decode() if len(keys) == 1 else ""
    except UnicodeDecodeError:
        return None
    folded = unicodedata.normalize("NFKC", text)
    return folded.encode() if folded != text else None


def _mended(problem: Cause, mend: Callable[[bytes, bytes], tuple[bytes, bytes] | None]) -> Plant:
    """Read on where a correct server stops: `mend` returns a header line as it is read, or None to drop it."""

    def plant(seams: Seams) -> Seams:
        def proxy(_server: Server, message: Message, onward: Onward) -> Answer:
            head = message.head
            if head.problem is not problem or head.long_target:
                return onward(message)
            lines = tuple(mended for line in head.headers if (mended := mend(*line)) is not None)
            return onward(replace(message, head=replace(head, headers=lines, problem=None)))

        return passing(seams, proxy)

    return plant


def _name_stripped(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name.rstrip(b" "), value


def _until_nul(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name, value.partition(b"\0")[0]


# --- where it is sent -----------------------------------------------------------------------------------------------


def _also_from(find: Callable[[Message], bytes | None], route: Callable[[Server], Operation | None]) -> Plant:
    """Take a key from somewhere else if none is where it belongs; `route`: only there, None: everywhere."""

    def plant(seams: Seams) -> Seams:
        def before(server: Server, message: Message, onward: Onward) -> Answer:
            key = find(message)
            way = header(server)
            names = {name.lower() for name, _ in message.head.headers}
            if key is None or way is None or way.name.lower().encode() in names:
                return onward(message)
            only = route(server)
            request = seams.parse(server, message)
            if only is not None and server.contract.read(request).operation != only:
                return onward(message)
            headers = presenting(server, request, key).headers
            return onward(replace(message, head=replace(message.head, headers=headers)))

        return passing(seams, before)

    return plant


def _everywhere(_server: Server) -> None:
    return None


def _first_deletion(server: Server) -> Operation | None:
    return chosen(server, "DELETE")


def _field(message: Message, name: str) -> bytes | None:
    found = (value.strip(b" \t") for key, value in message.head.headers if key.lower() == name.lower().encode())
    return next(found, None)


def _in_header(name: str) -> Callable[[Message], bytes | None]:
    return lambda message: _field(message, name)


def _in_cookie(message: Message) -> bytes | None:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load((_field(message, "Cookie") or b"").decode("latin-1"))
    except CookieError:
        return None
    return cookies["access_token"].value.encode("latin-1") if "access_token" in cookies else None


def _in_form(message: Message) -> bytes | None:
    kinds = [value for name, value in message.head.headers if name.lower() == b"content-type"]
    if not any(b"application/x-www-form-urlencoded" in kind for kind in kinds):
        return None
    fields = dict(parse_qsl(message.body.decode("latin-1")))
    return fields["access_token"].encode("latin-1") if "access_token" in fields else None


def _in_query(message: Message) -> bytes | None:
    fields = dict(parse_qsl(message.head.target.partition(b"?")[2].decode("latin-1")))
    return fields["api_key"].encode("latin-1") if "api_key" in fields else None


def _two_keys_on_one_route(seams: Seams) -> Seams:
    def authenticate(server: Server, request: Request, now: float) -> Identity:
        keys = presented(server, request)
        if len(keys) > 1 and seams.authenticate(server, request, now).reading.operation == _first_deletion(server):
            request = presenting(server, request, next((key for key in keys if known(server, key)), keys[0]))
        return seams.authenticate(server, request, now)

    return replace(seams, authenticate=authenticate)


def _unless_documented(name: str, template: str) -> Callable[[Contract], str | None]:
    """Return what says of a contract, where it is so, that keys are documented to be sent in this way."""

    def meaningful(contract: Contract) -> str | None:
        ways = {(way.name.lower(), way.template.lower()) for way in contract.policy.keys.sent_as}
        there = (name.lower(), template.lower()) in ways
        return f"the contract documents `{name}: {template}`" if there else None

    return meaningful


def _no_scheme(contract: Contract) -> str | None:
    """Say that keys are sent bare, so that there is no scheme to leave out; only the first header line is read."""
    way = next((way for way in contract.policy.keys.sent_as if way.carrier == "header"), None)
    if way is None or way.template.startswith("<key>"):
        return "keys are sent without a scheme"
    return _unless_documented(way.name, "<key>")(contract)


FAULTS: Final[tuple[Fault, ...]] = (
    simple(
        "one-space-only",
        "Exactly one space is taken between scheme and key, so that two are refused",
        "AUTH-4",
        _deaf(_two_spaces),
    ),
    simple(
        "split-at-any-blank",
        "Scheme and key are split at whatever the language calls white space, also at bytes 1F, 85 and A0",
        "AUTH-4",
        _rewriting(_split_like_text),
        Family.LIBRARY,
    ),
    simple("key-out-of-quotes", "Quotes around a key are taken off", "AUTH-4", _rewriting(_out_of_quotes)),
    simple(
        "padding-belongs-to-key",
        "White space around the header's value counts, so that a padded line is refused",
        "AUTH-5",
        _deaf(_padded),
    ),
    simple(
        "name-in-two-cases-only",
        "The header is looked up as `Authorization` and as `authorization`, and in no other case",
        "AUTH-6",
        _deaf(_other_case),
        Family.LIBRARY,
    ),
    simple(
        "space-before-colon-read",
        "A space between a header's name and the colon is read over",
        "AUTH-7",
        _mended(Cause.MALFORMED_REQUEST, _name_stripped),
        Family.LIBRARY,
    ),
    simple(
        "key-ends-at-nul",
        "A header's value ends for the server where a NUL stands in it",
        "AUTH-13",
        _mended(Cause.MALFORMED_REQUEST, _until_nul),
        Family.LIBRARY,
    ),
    simple(
        "invisible-characters-dropped",
        "Characters without width are dropped from a key before it is looked up",
        "AUTH-13",
        _rewriting(_without_the_invisible),
        Family.LIBRARY,
    ),
    simple(
        "look-alike-characters-fold",
        "A key is normalised before it is looked up, so that full-width characters and the long s are those of ASCII",
        "AUTH-9",
        _rewriting(_folded),
        Family.LIBRARY,
    ),
    simple(
        "key-in-query-of-one-route",
        "The first operation that deletes also takes a key from `?api_key=`",
        "AUTH-10",
        _also_from(_in_query, _first_deletion),
    ),
    simple(
        "key-in-cookie",
        "A key is also taken from the cookie `access_token`, as the dashboard sends it",
        "AUTH-11",
        _also_from(_in_cookie, _everywhere),
    ),
    Fault(
        name="key-in-x-api-key",
        sentence="The gateway also takes a key from `X-API-Key`",
        family=Family.LIBRARY,
        clauses=("AUTH-11",),
        plant=_also_from(_in_header("X-API-Key"), _everywhere),
        meaningful=_unless_documented("X-API-Key", "<key>"),
    ),
    simple(
        "key-in-header-of-one-route",
        "The last operation also takes a key from `X-Auth-Token`",
        "AUTH-11",
        _also_from(_in_header("X-Auth-Token"), last_closed),
    ),
    simple(
        "key-in-form",
        "A key is also taken from the form field `access_token`, as RFC 6750 section 2.2 lets servers do",
        "AUTH-11",
        _also_from(_in_form, _everywhere),
        Family.LIBRARY,
    ),
    Fault(
        name="key-as-basic-user",
        sentence="The user name of Basic is taken for a key",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-11",),
        plant=_rewriting(_basic),
        meaningful=_unless_documented("Authorization", "Basic base64(<key>:)"),
    ),
    Fault(
        name="scheme-optional",
        sentence="The scheme is cut off if it is there, so that a bare key works too",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-11",),
        plant=_rewriting(_scheme_optional),
        meaningful=_no_scheme,
    ),
    Fault(
        name="scheme-token",
        sentence="The scheme `Token` works too, left over from an older version",
        family=Family.LIBRARY,
        clauses=("AUTH-11",),
        plant=_rewriting(_any_scheme),
        meaningful=_unless_documented("Authorization", "Token <key>"),
    ),
    Fault(
        name="two-keys-on-one-route",
        sentence="The first operation that deletes takes whichever of two keys is good",
        family=Family.IMPLEMENTATION,
        clauses=("AUTH-12",),
        plant=_two_keys_on_one_route,
        meaningful=two_keys_unsaid,
    ),
)
