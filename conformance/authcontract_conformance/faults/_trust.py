"""Faults of trusting what a request says of its sender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from authcontract_engine import Decision, Object, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Call, Message, Seams, Server, Sight

from ._fault import Family, Fault, Plant
from ._tools import header, known, last_closed, lenient, lets, presenting, simple, values

#: Tells whether something in a request is believed.
When = Callable[[Server, Call], bool]


def trusting(when: When) -> Plant:
    """Serve a request whoever sent it, if something in it is believed; what is there is found whoever owns it."""

    def plant(seams: Seams) -> Seams:
        def through(server: Server, call: Call, _decision: Decision) -> bool:
            return when(server, call)

        def look(server: Server, call: Call) -> Sight:
            sight = seams.look(server, call)
            return replace(sight, object=Object.OWN) if sight.item is not None and when(server, call) else sight

        return replace(lets(seams, through), look=look)

    return plant


def says(name: str, *texts: bytes) -> When:
    """Tell whether a header says one of these; any text where none is named."""

    def when(_server: Server, call: Call) -> bool:
        return any(not texts or value.lower() in texts for value in values(call.request, name))

    return when


def _subrequest(_server: Server, call: Call) -> bool:
    """Count how often the middleware was passed already, as a framework did to end its own loops."""
    found = values(call.request, "X-Middleware-Subrequest")
    return any(value.split(b":").count(b"middleware") >= 5 for value in found)  # noqa: PLR2004  where it gave up


def _key_dropped(server: Server, call: Call) -> bool:
    """Tell whether the proxy knew the key, and dropped it because Connection names its header."""
    way = header(server)
    options = b",".join(values(call.request, "Connection")).lower().split(b",")
    dropped = way is not None and way.name.lower().encode() in [option.strip() for option in options]
    return dropped and call.key is not None


def _near(_server: Server, call: Call) -> bool:
    return any(value.startswith(b"127.") for value in values(call.request, "X-Real-IP"))


def _unreadable(_server: Server, call: Call) -> bool:
    """Tell whether the check of the address would raise, and the request be let through by whoever catches that."""
    try:
        for value in values(call.request, "X-Forwarded-For"):
            ip_address(value.partition(b",")[0].strip().decode("latin-1"))
    except ValueError:
        return True
    return False


def _debugged_route(server: Server, call: Call) -> bool:
    return call.reading.operation == last_closed(server) and says("X-Debug")(server, call)


def _role_believed(server: Server, call: Call) -> bool:
    return call.key is not None and says("X-Role", b"admin")(server, call)


def _too_long_to_check(_server: Server, call: Call) -> bool:
    return call.message.head.problem is Cause.TOO_LARGE and not call.message.head.long_target


def _unchecked_if_long(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        if request.problem is not Cause.TOO_LARGE or message.head.long_target:
            return request
        return replace(presenting(server, request), problem=None)

    return replace(trusting(_too_long_to_check)(seams), parse=parse)


def _middle_unread(seams: Seams) -> Seams:
    """Look for a key of a made-up environment (`sk_prod_…`) among the keys of a real one that has its tail."""

    def correct(server: Server, key: bytes) -> bytes | None:
        kinds = server.contract.policy.keys.kinds.values()
        named = [prefix.encode() for kind in kinds if kind.prefix for prefix in kind.prefix.values()]
        stems = {prefix.rstrip(b"_").rpartition(b"_")[0] for prefix in named}
        stem, _, rest = key.partition(b"_")
        word, _, tail = rest.partition(b"_")
        if stem not in stems or not word.isalpha() or any(key.startswith(prefix) for prefix in named):
            return None
        return next((prefix + tail for prefix in named if known(server, prefix + tail)), None)

    return lenient(seams, correct)


FAULTS: Final[tuple[Fault, ...]] = (
    simple(
        "long-key-unchecked",
        "A proxy drops a header line that is too long, and what comes without a key from the proxy is trusted",
        "AUTH-14",
        _unchecked_if_long,
        Family.DEPLOYMENT,
    ),
    simple(
        "user-from-proxy-header",
        "`X-Forwarded-User` is believed, whoever wrote it",
        "AUTH-15",
        trusting(says("X-Forwarded-User")),
        Family.DEPLOYMENT,
    ),
    simple(
        "user-from-underscore-twin",
        "The proxy strips `X-Forwarded-User`, and the program takes `X_Forwarded_User` for the same",
        "AUTH-15",
        trusting(says("X_Forwarded_User")),
        Family.LIBRARY,
    ),
    simple(
        "internal-by-header",
        "A request that says of itself that it is internal is not checked",
        "AUTH-15",
        trusting(says("X-Request-From", b"internal")),
    ),
    simple(
        "middleware-skipped",
        "A header by which the framework ends its own loops makes it leave out the check for keys",
        "AUTH-15",
        trusting(_subrequest),
        Family.LIBRARY,
    ),
    simple(
        "connection-drops-key",
        "The proxy checks the key, drops it because `Connection` says so, and what comes without one is trusted",
        "AUTH-15",
        trusting(_key_dropped),
        Family.DEPLOYMENT,
    ),
    simple(
        "near-address-trusted",
        "A request that says in `X-Real-IP` that it comes from this machine is not checked",
        "AUTH-15",
        trusting(_near),
        Family.DEPLOYMENT,
    ),
    simple(
        "unreadable-address-lets-in",
        "Where `X-Forwarded-For` cannot be read, the check of the address raises and the request passes",
        "AUTH-15",
        trusting(_unreadable),
    ),
    simple(
        "debug-header-on-one-route",
        "With `X-Debug` the last operation is served to everybody",
        "AUTH-15",
        trusting(_debugged_route),
    ),
    simple(
        "role-from-header",
        "A key's scope is checked, unless `X-Role` says that the caller is an administrator",
        "AUTH-15",
        trusting(_role_believed),
    ),
    simple(
        "made-up-environment-is-some",
        "A key whose prefix names an environment that does not exist is taken for one of those that do",
        "ENV-5",
        _middle_unread,
    ),
)
