"""Faults of paths and hosts: what guards reads a request otherwise than what serves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from authcontract_engine import Contract, KeyRecord, Reading, Request
from authcontract_policy import Operation

from authcontract_conformance.reference import Answer, Message, Seams, Server

from ._fault import Family, Fault
from ._readings import Reread, at_host, by_path, by_segments, by_target, hosts, in_http_1, two_readings
from ._tools import WRITING, Onward, may_write, passing, takes_a_right, values

_STATIC: Final = re.compile(rb"\.(css|js|png)$")
_SUFFIX: Final = re.compile(rb"\.(json|html|xml)$")
_PARAMETER: Final = re.compile(rb";[^/.]*")
#: A slash in more bytes than UTF-8 allows (RFC 3629 section 10).
_OVERLONG: Final = re.compile(rb"%(c0%af|e0%80%af)", re.IGNORECASE)
#: What a proxy's rule lets everybody see.
_OPEN: Final = re.compile(rb"/(health|public)\b")


# --- paths ---------------------------------------------------------------------------------------------------------


def _without_dots(path: bytes) -> bytes:
    """Remove dot segments (RFC 3986 section 5.2.4)."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b".." and len(kept) > 1:
            kept.pop()
        elif segment not in {b".", b".."}:
            kept.append(segment)
    return b"/".join(kept)


def _merged(path: bytes) -> bytes:
    return re.sub(rb"/{2,}", b"/", path)


def _one_slash_first(path: bytes) -> bytes:
    return b"/" + path.lstrip(b"/") if path.startswith(b"//") else path


def _encoded_dots(path: bytes) -> bytes:
    plain = re.sub(rb"%2e", b".", path, flags=re.IGNORECASE)
    return path if plain == path else _without_dots(plain)


def _letters(path: bytes) -> bytes:
    return re.sub(rb"%([46][1-9a-f]|[57][0-9a])", lambda found: unquote_to_bytes(found[0]), path, flags=re.IGNORECASE)


def _slashes(path: bytes) -> bytes:
    return _merged(re.sub(rb"%2f|%5c|\\", b"/", path, flags=re.IGNORECASE))


def _decoded_twice(path: bytes) -> bytes:
    return _without_dots(unquote_to_bytes(unquote_to_bytes(path))) if b"%25" in path else path


def _overlong(path: bytes) -> bytes:
    return _OVERLONG.sub(b"/", path)


def _without_slash(path: bytes) -> bytes:
    return path[:-1] if path.endswith(b"/") else path


def _without_line_feed(path: bytes) -> bytes:
    return re.sub(rb"(%0d)?%0a$", b"", path, flags=re.IGNORECASE)


def _without_space(path: bytes) -> bytes:
    return re.sub(rb"(%20|%09|%00|\x85|\xa0)+$", b"", path, flags=re.IGNORECASE)


def _without_suffix(path: bytes) -> bytes:
    return _SUFFIX.sub(b"", path)


def _last_changing(server: Server, operation: Operation) -> bool:
    """Tell whether it is the last operation of the specification that changes an item."""
    return operation in _on_items(server.contract, "PATCH", "PUT")[-1:]


def _first_taking_a_right(*methods: str) -> Callable[[Server, Operation], bool]:
    """Return what tells whether it is the first operation with these methods on an item that not every key may call."""

    def first(server: Server, operation: Operation) -> bool:
        return operation in _restricted(server.contract, *methods)[:1]

    return first


def _on_items(contract: Contract, *methods: str) -> list[Operation]:
    """Return the operations with these methods on an item that need a key."""
    found = [each for each in contract.operations if each.method in methods and each.path.endswith("}")]
    return [each for each in found if not contract.permit(each, None, None).allowed]


def _restricted(contract: Contract, *methods: str) -> list[Operation]:
    return [each for each in _on_items(contract, *methods) if takes_a_right(contract, each)]


def _nothing_changes(contract: Contract) -> str | None:
    return None if _on_items(contract, "PATCH", "PUT") else "no operation changes an item"


def _every_key_may(*methods: str) -> Callable[[Contract], str | None]:
    """Return what says that no item has an operation with one of these methods that some key may not call."""

    def meaningful(contract: Contract) -> str | None:
        there = bool(_restricted(contract, *methods))
        return None if there else f"no item has a {' or '.join(methods)} that a key may not call"

    return meaningful


def _listed_open(_server: Server, request: Request) -> Request | None:
    """Let a rule that is meant for paths match the query too."""
    path, _, query = request.target.partition(b"?")
    return replace(request, target=path) if _OPEN.search(query) and not _OPEN.search(path) else None


def _original_url(server: Server, request: Request) -> Request | None:
    named = next(iter(values(request, "X-Original-URL")), None)
    meant = None if named is None else replace(request, target=named)
    return None if meant is None or server.contract.read(meant).operation is None else meant


def _forwarded_prefix(_server: Server, request: Request) -> Request | None:
    prefix = next(iter(values(request, "X-Forwarded-Prefix")), None)
    return None if prefix is None else replace(request, target=prefix + request.target)


# --- addresses and hosts -------------------------------------------------------------------------------------------


def _path_of(target: bytes) -> bytes:
    """Return the path of a whole address."""
    scheme, separator, rest = target.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if separator and scheme else target


def _from_localhost(_server: Server, request: Request) -> Request | None:
    """Take what the client says of the address for where it is."""
    named = re.match(rb"https?://(localhost|127\.0\.0\.1)/", request.target, re.IGNORECASE)
    return None if named is None else replace(request, target=_path_of(request.target))


def _address_in_host(server: Server, request: Request) -> Request | None:
    """Guard the path of an address that is put together of Host and target."""
    named = hosts(request)
    if len(named) != 1 or not re.search(rb"[/?#]", named[0]):
        return None
    path = urlsplit(f"https://{named[0].decode('latin-1')}{request.target.decode('latin-1')}").path
    guarded = path.startswith(server.contract.base_path(request.environment) + "/") and not _OPEN.search(path.encode())
    return None if guarded else at_host(request, named[0].partition(b"/")[0])


def _host_case(_server: Server, request: Request) -> Request | None:
    named = hosts(request)
    upper = len(named) == 1 and named[0] != named[0].lower()
    return at_host(request, named[0].lower()) if upper else None


def _no_host(_server: Server, request: Request) -> Request | None:
    """Serve what names no host from the site that is there by default, which nobody guards."""
    return None if any(hosts(request)) or not request.headers else at_host(request, b"default")


def _two_hosts(_server: Server, request: Request) -> Request | None:
    named = hosts(request)
    return at_host(request, named[-1]) if len(set(named)) > 1 else None


def _without_fragment(target: bytes) -> bytes:
    return target.partition(b"#")[0]


def _static_fragment(target: bytes) -> bytes:
    path, mark, fragment = target.partition(b"#")
    return path if mark and _STATIC.search(fragment) else target


# --- lenient for some ----------------------------------------------------------------------------------------------


def _all_write(contract: Contract) -> str | None:
    """Say so where no operation is open both to keys that write and to keys that only read."""
    kind = next(iter(contract.policy.keys.kinds))
    keys = [
        KeyRecord(id="", digest="", kind=kind, scopes=frozenset({scope}), issued_at=0.0)
        for scope in contract.resolution.scopes
    ]
    writes = {
        key: any(_permits(contract, op, key) for op in contract.operations if op.method in WRITING) for key in keys
    }
    for operation in contract.operations:
        seen = {writes[key] for key in keys if operation.method == "GET" and _permits(contract, operation, key)}
        if len(seen) > 1 and not contract.permit(operation, None, None).allowed:
            return None
    return "keys that read write too"


def _permits(contract: Contract, operation: Operation, key: KeyRecord) -> bool:
    return contract.permit(operation, key, None).allowed


def _slash_for_writers(seams: Seams) -> Seams:
    """Serve a path with a slash at its end to keys that may write."""

    def route(server: Server, request: Request, reading: Reading) -> Reading:
        meant = _without_slash(reading.path)
        record = server.keyring.records.by_digest(reading.presented.digest) if reading.presented.digest else None
        if meant == reading.path or not may_write(server, record):
            return seams.route(server, request, reading)
        return server.contract.read(replace(request, target=meant))

    return replace(seams, route=route)


def _redirected(where: str) -> Fault:
    def plant(seams: Seams) -> Seams:
        def proxy(server: Server, message: Message, onward: Onward) -> Answer:
            path = message.head.target.partition(b"?")[0]
            found = _without_slash(path)
            request = replace(seams.parse(server, message), target=found)
            if found == path or server.contract.read(request).operation is None:
                return onward(message)
            host = next(iter(hosts(request)), b"localhost").decode("latin-1")
            return Answer(301, (("Location", where.format(host=host, path=found.decode("latin-1"))),))

        return passing(seams, proxy)

    plain = where.startswith("http:")
    return Fault(
        name="redirected-to-plain-http" if plain else "redirected-to-another-host",
        sentence=f"A path with a slash at its end is redirected to {'plain HTTP' if plain else 'another host'}",
        family=Family.DEPLOYMENT,
        clauses=("ROUTE-5",),
        plant=plant,
    )


def _fault(name: str, sentence: str, family: Family, reread: Reread, clause: str = "ROUTE-1") -> Fault:
    return Fault(name=name, sentence=sentence, family=family, clauses=(clause,), plant=two_readings(reread))


FAULTS: Final = (
    _fault(
        "doubled-slashes-unguarded",
        "A path with doubled slashes matches no rule of the proxy, and the application merges them",
        Family.DEPLOYMENT,
        by_path(_merged),
    ),
    _fault(
        "doubled-slash-first-unguarded",
        "A path that begins with two slashes matches no rule, and the router drops one of them",
        Family.LIBRARY,
        by_path(_one_slash_first),
    ),
    _fault(
        "dot-segments-unguarded",
        "A path with dot segments matches no rule of the proxy, and the application resolves them",
        Family.DEPLOYMENT,
        by_path(_without_dots),
    ),
    _fault(
        "encoded-dots-unguarded",
        "Dot segments that are percent-encoded are resolved after the path was checked",
        Family.LIBRARY,
        by_path(_encoded_dots),
    ),
    _fault(
        "encoded-letters-unguarded",
        "The guard compares the path as it was sent, the router as it is when decoded",
        Family.LIBRARY,
        by_path(_letters),
    ),
    _fault(
        "encoded-slashes-unguarded",
        "An encoded slash or a backslash separates segments for the application, and not for the proxy",
        Family.DEPLOYMENT,
        by_path(_slashes),
    ),
    _fault(
        "decoded-twice",
        "The path is decoded once before it is checked and once more after that",
        Family.IMPLEMENTATION,
        by_path(_decoded_twice),
    ),
    _fault(
        "overlong-utf-8-unguarded",
        "A slash in overlong UTF-8 separates segments for the router, and not for the guard",
        Family.LIBRARY,
        by_path(_overlong),
    ),
    _fault(
        "upper-case-unguarded",
        "The guard compares paths letter by letter, the router without regard to case",
        Family.IMPLEMENTATION,
        by_segments(lambda documented, asked: asked.lower() == documented.lower()),
    ),
    _fault(
        "slash-at-end-unguarded",
        "A path with a slash at its end matches no rule, and the router drops it",
        Family.LIBRARY,
        by_path(_without_slash),
    ),
    Fault(
        name="one-route-open-by-a-slash",
        sentence="One operation that changes an item is open to everybody by a slash at the end of its path",
        family=Family.IMPLEMENTATION,
        clauses=("ROUTE-1",),
        plant=two_readings(by_path(_without_slash), only=_last_changing),
        meaningful=_nothing_changes,
    ),
    Fault(
        name="one-deletion-by-a-suffix",
        sentence="One operation that deletes an item asks for a key and for no right where its path ends in `.json`",
        family=Family.LIBRARY,
        clauses=("ROUTE-1",),
        plant=two_readings(by_path(_without_suffix), only=_first_taking_a_right("DELETE"), without_key=False),
        meaningful=_every_key_may("DELETE"),
    ),
    Fault(
        name="one-change-by-a-slash",
        sentence="One operation that changes an item asks for no right where a slash stands at the end of its path",
        family=Family.IMPLEMENTATION,
        clauses=("ROUTE-1",),
        plant=two_readings(by_path(_without_slash), only=_first_taking_a_right("PATCH", "PUT"), without_key=False),
        meaningful=_every_key_may("PATCH", "PUT"),
    ),
    Fault(
        name="rights-by-doubled-slash",
        sentence="A path with doubled slashes needs a key, and no right",
        family=Family.DEPLOYMENT,
        clauses=("ROUTE-1",),
        plant=two_readings(by_path(_merged), without_key=False),
    ),
    _fault(
        "line-feed-unguarded",
        "The guard's expression stops at a line feed, which the router strips",
        Family.LIBRARY,
        by_path(_without_line_feed),
    ),
    _fault(
        "space-at-end-unguarded",
        "The router strips blanks from the end of a path that the guard did not recognise",
        Family.LIBRARY,
        by_path(_without_space),
    ),
    _fault(
        "path-parameters-unguarded",
        "What follows a semicolon in a path counts for the guard, and not for the router",
        Family.LIBRARY,
        by_path(lambda path: _PARAMETER.sub(b"", path)),
    ),
    _fault(
        "format-suffix-unguarded",
        "The router takes a suffix for a format, the guard for another path",
        Family.LIBRARY,
        by_path(_without_suffix),
    ),
    _fault(
        "style-sheets-unguarded",
        "Whatever ends like a style sheet is public for the proxy, and the router ignores how it ends",
        Family.DEPLOYMENT,
        by_path(lambda path: _STATIC.sub(b"", path)),
    ),
    _fault(
        "open-by-query",
        "The proxy's list of public paths is compared with path and query together",
        Family.DEPLOYMENT,
        _listed_open,
    ),
    _fault(
        "original-url-trusted",
        "The proxy checks the path of the request line, the application follows X-Original-URL",
        Family.LIBRARY,
        _original_url,
    ),
    _fault(
        "forwarded-prefix-trusted",
        "The application puts X-Forwarded-Prefix before the path, whoever sent it",
        Family.LIBRARY,
        _forwarded_prefix,
    ),
    _fault(
        "whole-address-unguarded",
        "A whole address on the request line matches no rule of the guard",
        Family.IMPLEMENTATION,
        by_target(_path_of),
        "ROUTE-2",
    ),
    _fault(
        "localhost-in-address-trusted",
        "A request whose address says localhost counts as one from inside",
        Family.IMPLEMENTATION,
        _from_localhost,
        "ROUTE-2",
    ),
    _fault(
        "path-in-host",
        "The guard looks at the path of an address that is put together from Host, which may hold one itself",
        Family.LIBRARY,
        _address_in_host,
        "ROUTE-3",
    ),
    _fault(
        "host-case-unguarded",
        "The proxy's rules for a host do not apply to its name in upper case",
        Family.DEPLOYMENT,
        _host_case,
        "ROUTE-3",
    ),
    _fault(
        "no-host-unguarded",
        "A request without Host is served by the default site, which nobody guards",
        Family.DEPLOYMENT,
        in_http_1(_no_host),
        "ROUTE-3",
    ),
    _fault(
        "two-hosts-unguarded",
        "With two Host lines the proxy follows the first and the application the last",
        Family.DEPLOYMENT,
        in_http_1(_two_hosts),
        "ROUTE-3",
    ),
    _fault(
        "fragment-unguarded",
        "A fragment belongs to the path for the guard, and not for the router",
        Family.DEPLOYMENT,
        in_http_1(by_target(_without_fragment)),
        "ROUTE-4",
    ),
    _fault(
        "fragment-like-a-style-sheet",
        "A fragment that ends like a style sheet makes a request public for the proxy",
        Family.DEPLOYMENT,
        by_target(_static_fragment),
        "ROUTE-4",
    ),
    Fault(
        name="slash-for-writers",
        sentence="A path with a slash at its end is found by keys that may write, and by no other",
        family=Family.IMPLEMENTATION,
        clauses=("ROUTE-5",),
        plant=_slash_for_writers,
        meaningful=_all_write,
    ),
    _redirected("http://{host}{path}"),
    _redirected("https://www.elsewhere.example{path}"),
)
