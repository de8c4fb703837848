"""Ways to send a key, and headers that claim a right: tables of what clients, frameworks and proxies have tried.

A row says what goes where; `<key>` stands for a key, `{scheme}` and `{whole}` for what the documentation puts before it
and for its whole header value. Bytes beyond ASCII stand as themselves (latin-1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from authcontract_policy import Operation, SentAs

from authcontract_conformance.exchange._exchange import Credential, Key, Parts, Probe
from authcontract_conformance.world._world import Item, World, fill

Line = tuple[Parts, Parts]


@dataclass(frozen=True, slots=True)
class Way:
    """One header line that carries a key: what is special about it, its value, and its name if not the documented."""

    what: str
    value: str
    name: str = "{name}"
    #: What is done to the key first.
    transforms: tuple[tuple[str | int, ...], ...] = ()


# --- the documented line, spelled as RFC 9110 lets clients spell it -------------------------------------------------

SPACES: Final = (
    Way("two spaces before the key", "{scheme}  <key>"),
    Way("ten spaces before the key", "{scheme}" + " " * 10 + "<key>"),
)
PADDED: Final = (
    Way("spaces before the value", "   {whole}"),
    Way("spaces after the value", "{whole}  "),
)
TABBED: Final = (
    Way("a tab before the value", "\t{whole}"),
    Way("spaces and a tab after the value", "{whole}  \t "),
)

# --- what no grammar allows although the whole key is there ---------------------------------------------------------

#: Python's `str.split` takes most of these bytes for white space, and nothing that speaks HTTP does.
SLOPPY: Final = (
    Way("no space before the key", "{scheme}<key>"),
    Way("byte A0 before the key", "{scheme}\xa0<key>"),
    Way("byte 85 before the key", "{scheme}\x85<key>"),
    Way("a vertical tab before the key", "{scheme}\x0b<key>"),
    Way("byte 1F before the key", "{scheme}\x1f<key>"),
    Way("byte A0 after the key", "{scheme} <key>\xa0"),
    Way("the key in quotes", '{scheme} "<key>"'),
    Way("the key as a parameter", "{scheme} token=<key>"),
    Way("a comma after the key", "{scheme} <key>,"),
    Way("another word after the key", "{scheme} <key> extra"),
)
#: Neither demanded nor forbidden: RFC 9110 section 11.4 names spaces, and many parsers take any blank.
EITHER: Final = (Way("a tab before the key", "{scheme}\t<key>"),)

# --- other schemes, other places ------------------------------------------------------------------------------------

SCHEMES: Final = (
    Way("scheme Bearer", "Bearer <key>", "Authorization"),
    Way("scheme Token", "Token <key>", "Authorization"),
    Way("scheme ApiKey", "ApiKey <key>", "Authorization"),
    Way("scheme Basic with the bare key", "Basic <key>", "Authorization"),
    Way("no scheme", "<key>", "Authorization"),
    Way("no scheme", "<key>"),
    Way("scheme Token", "Token <key>"),
    Way("the key as the user name of Basic", "Basic base64(<key>:)", "Authorization"),
    Way("the key as the password of Basic", "Basic <key>", "Authorization", (("prepend", ":"), ("base64", ""))),
)
COOKIES: Final = ("access_token", "api_key", "apikey", "token", "auth", "session", "jwt", "Authorization")
HEADERS: Final = (
    *(Way(name, "<key>", name) for name in ("X-API-Key", "X-Auth-Token", "X-Access-Token", "X-API-Token", "Api-Key")),
    *(Way(name, "Bearer <key>", name) for name in ("Proxy-Authorization", "X-Authorization", "Authorization_")),
    Way("X-Forwarded-Authorization", "Bearer <key>", "X-Forwarded-Authorization"),
    *(Way(f"cookie {name}", f"{name}=<key>", "Cookie") for name in COOKIES),
)
QUERY_NAMES: Final = ("access_token", "api_key", "apikey", "key", "token", "auth")
FORM: Final = "application/x-www-form-urlencoded"

# --- headers that claim a right -------------------------------------------------------------------------------------

#: What proxies add for the programs behind them, and what programs were found to believe from anybody.
TRUST: Final = (
    ("X-Request-From", "internal"),
    ("X-Middleware-Subrequest", "middleware:middleware:middleware:middleware:middleware"),
    ("X-Forwarded-User", "admin"),
    ("X-Forwarded-Email", "admin@localhost"),
    ("X-Remote-User", "admin"),
    ("Remote-User", "admin"),
    ("X-Auth-Request-User", "admin"),
    ("X-Authenticated-User", "admin"),
    ("X-User", "admin"),
    ("X-User-Id", "1"),
    ("X-Role", "admin"),
    ("X-Roles", "admin"),
    ("X-Admin", "true"),
    ("X-Internal", "true"),
    ("X-Internal-Request", "true"),
    ("X-Debug", "1"),
    ("X-Skip-Auth", "true"),
    # A header with underscores becomes the same variable as its twin with dashes in CGI, WSGI and their kin.
    ("X_Forwarded_User", "admin"),
    ("X_User_Id", "1"),
    ("X_Internal", "true"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Real-IP", "127.0.0.1"),
    ("X-Client-IP", "127.0.0.1"),
    ("True-Client-IP", "127.0.0.1"),
    ("Forwarded", "for=127.0.0.1;host=localhost"),
    ("X-Forwarded-Host", "localhost"),
    ("X-Forwarded-Proto", "https"),
    ("Origin", "http://localhost"),
    ("Referer", "http://localhost/admin"),
    ("User-Agent", "kube-probe/1.31"),
)
#: Each would hide another one, so it is sent by itself; `{name}` is the documented header.
APART: Final = (
    ("X-Forwarded-For", "a"),
    ("X-Forwarded-For", "::1"),
    ("X-Middleware-Subrequest", "src/middleware:src/middleware:src/middleware:src/middleware:src/middleware"),
    ("Connection", "{name}"),
    ("Connection", "close, X-Forwarded-Host"),
)


def documented(world: World) -> SentAs:
    """Return the first documented way to send a key."""
    return world.policy.keys.sent_as[0]


def scheme_of(world: World) -> str | None:
    """Return the scheme of the first documented header line that has one, or None where none has."""
    return _scheme(with_scheme(world))


def with_scheme(world: World) -> SentAs:
    """Return the first documented way to send a key with a scheme before it, or the first of all where none has."""
    return next((way for way in world.policy.keys.sent_as if _scheme(way)), documented(world))


def _scheme(way: SentAs) -> str | None:
    scheme, space, _ = way.template.partition(" ")
    return scheme if way.carrier == "header" and space and "<" not in scheme else None


def line(world: World, way: Way, key: Key) -> Line:
    """Return the header line of a way, with a key."""
    first = with_scheme(world) if "{scheme}" in way.value else documented(world)
    name = way.name.replace("{name}", first.name)
    value = way.value.replace("{whole}", first.template).replace("{scheme}", scheme_of(world) or "")
    return ((name.encode("latin-1"),), fill(value, Credential(key.id, way.transforms)))


def undocumented(world: World, ways: Iterable[Way]) -> tuple[Way, ...]:
    """Leave out the ways that the documentation offers, and what comes to the same as another way."""
    offered = {(sent_as.name.lower(), sent_as.template.lower()) for sent_as in world.policy.keys.sent_as}
    first = documented(world).name
    named = [replace(way, name=way.name.replace("{name}", first)) for way in ways]
    found = {(way.name.lower(), way.value.lower(), way.transforms): way for way in reversed(named)}
    return tuple(way for key, way in reversed(found.items()) if key[:2] not in offered)


def by(world: World, operation: Operation, key: Key, way: Way, item: Item) -> Probe:
    """Return the canonical request with the key sent in this way and in no other."""
    return world.request(operation, key, item, canary=world.canary(), lines=(line(world, way, key),), label=way.what)


def bare(world: World, operation: Operation, key: Key | None, item: Item) -> Probe:
    """Return the canonical request with nothing special about it."""
    return world.request(operation, key, item, canary=world.canary(), label=f"{operation.label}, nothing special")


def in_headers(world: World, operation: Operation, key: Key, ways: tuple[Way, ...], item: Item) -> Probe:
    """Return the canonical request without a documented key, and with the key in each of these headers and cookies."""
    label = ways[0].what if len(ways) == 1 else "the key in headers and cookies that nobody documents"
    lines = _lines(world, key, ways)
    return world.request(operation, key, item, canary=world.canary(), lines=lines, label=f"{operation.label}, {label}")


def _lines(world: World, key: Key, ways: tuple[Way, ...]) -> tuple[Line, ...]:
    """Return the header lines of several ways; cookies share one."""
    lines = [line(world, way, key) for way in ways if way.name != "Cookie"]
    cookies = [line(world, way, key)[1] for way in ways if way.name == "Cookie"]
    joined = [part for cookie in cookies for part in (b"; ", *cookie)]
    return (*lines, ((b"Cookie",), tuple(joined[1:]))) if cookies else tuple(lines)


def everything(  # noqa: PLR0913  every undocumented way at once
    world: World, operation: Operation, key: Key, ways: tuple[Way, ...], names: tuple[str, ...], item: Item
) -> Probe:
    """Return the canonical request without a documented key, with it in every other place, and with every claim."""
    extra = (*_lines(world, key, ways), *_claims(TRUST))
    label = f"{operation.label}, the key in every undocumented place, and every claim of a right"
    query = _query(key, names)
    return world.request(operation, None, item, canary=world.canary(), extra=extra, query=query, label=label)


def _query(key: Key, names: tuple[str, ...]) -> Parts:
    parts: Parts = tuple(part for name in names for part in (f"&{name}=".encode(), Credential(key.id)))
    return (parts[0][1:], *parts[1:]) if parts and isinstance(parts[0], bytes) else ()


def apart(world: World) -> tuple[tuple[str, str], ...]:
    """Return the claims that are sent one by one, of which one names the header that carries the key."""
    first = next((way.name for way in world.policy.keys.sent_as if way.carrier == "header"), "Authorization")
    return tuple((name, value.replace("{name}", first)) for name, value in APART)


def _claims(claims: tuple[tuple[str, str], ...]) -> tuple[Line, ...]:
    return tuple((((name.encode(),), (value.encode(),))) for name, value in claims)


def in_query(world: World, operation: Operation, key: Key, names: tuple[str, ...], item: Item) -> Probe:
    """Return the canonical request without a documented key, and with the key under these names in the query."""
    query = _query(key, names)
    label = f"key in ?{names[0]}=" if len(names) == 1 else f"key in the query under {len(names)} names"
    return world.request(operation, None, item, canary=world.canary(), query=query, label=f"{operation.label}, {label}")


def in_form(world: World, operation: Operation, key: Key, item: Item) -> Probe:
    """Return the request without a documented key, and with the key in a form (RFC 6750 section 2.2)."""
    probe = world.request(operation, None, item, label=f"{operation.label}, the key in a form")
    body: Parts = (b"access_token=", Credential(key.id))
    length = len(b"access_token=") + world.settings.vault.length(key.id)
    other = tuple(pair for pair in probe.headers if pair[0] not in ((b"Content-Type",), (b"Content-Length",)))
    described: tuple[Line, ...] = (
        ((b"Content-Type",), (FORM.encode(),)),
        ((b"Content-Length",), (str(length).encode(),)),
    )
    return replace(probe, body=body, headers=other + described)


def claiming(
    world: World, operation: Operation, key: Key | None, claims: tuple[tuple[str, str], ...], item: Item
) -> Probe:
    """Return the canonical request with headers that claim a right."""
    extra = _claims(claims)
    what = ": ".join(claims[0]) if len(claims) == 1 else f"{len(claims)} headers that claim a right"
    who = "no key" if key is None else "a key that may not"
    return world.request(
        operation, key, item, canary=world.canary(), extra=extra, label=f"{operation.label}, {who}, {what}"
    )
