"""Faults of methods and of transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from authcontract_engine import Contract, Decision, Request
from authcontract_policy import Cause

from authcontract_conformance.reference import Answer, Call, Message, Outcome, Seams, Server

from ._fault import Family, Fault, Plant
from ._tools import Onward, at_key, at_scope, carry_out_as, header, lets, may, passing, simple, values, without
from ._trust import trusting

#: RFC 9110 section 9.3 and RFC 5789.
KNOWN: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"})


def _head_open(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return call.request.method == b"HEAD" and at_key(decision)

    return lets(seams, through)


def _head_any_scope(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return call.request.method == b"HEAD" and at_scope(decision)

    return lets(seams, through)


def _put_is_patch(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        return replace(request, method=b"PATCH") if request.method == b"PUT" else request

    return replace(seams, parse=parse)


def _put_is_free(contract: Contract) -> str | None:
    paths = {method: {o.path for o in contract.operations if o.method == method} for method in ("PATCH", "PUT")}
    return None if paths["PATCH"] - paths["PUT"] else "no path serves PATCH and not PUT"


def _unknown_is_get(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        missing = server.contract.read(request).operation is None
        return replace(request, method=b"GET") if missing and request.method != b"HEAD" else request

    return replace(seams, parse=parse)


def _overriding(wanted: Callable[[Request], bytes | None]) -> Plant:
    """Carry out another method than the one that was authorised."""

    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            method = wanted(call.request)
            if method is not None and call.key is not None and not at_key(decision):
                carry_out_as(server, call, method)
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _by_header(request: Request) -> bytes | None:
    return next(iter(values(request, "X-HTTP-Method-Override")), None)


def _by_query(request: Request) -> bytes | None:
    query = parse_qsl(request.target.partition(b"?")[2].decode("latin-1"))
    return next((value.upper().encode("latin-1") for name, value in query if name == "_method"), None)


def _by_original(request: Request) -> bytes | None:
    return next(iter(values(request, "X-Original-Method")), None)


def _in_body(read: Callable[[Message], object]) -> Plant:
    """Carry out the method that the body names after the one on the request line was authorised."""

    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            method = read(call.message)
            if isinstance(method, str) and call.key is not None and not at_key(decision):
                carry_out_as(server, call, method.upper().encode("latin-1", "replace"))
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _by_member(message: Message) -> object:
    try:
        found = json.loads(message.body)
    except ValueError:
        return None
    return found.get("_method") if isinstance(found, dict) else None


def _by_form(message: Message) -> object:
    kinds = [value for name, value in message.head.headers if name.lower() == b"content-type"]
    form = any(b"application/x-www-form-urlencoded" in kind for kind in kinds)
    return dict(parse_qsl(message.body.decode("latin-1"))).get("_method") if form else None


def _overridden_to_nonsense(_server: Server, call: Call) -> bool:
    """Tell whether the check looks for the route of a method that there is none for."""
    named = values(call.request, "X-HTTP-Method-Override")
    return any(method not in KNOWN for method in named)


def _made_up(_server: Server, call: Call) -> bool:
    return _is_made_up(call.message)


def _is_made_up(message: Message) -> bool:
    return message.head.method not in KNOWN and message.head.method.isupper()


def _made_up_reads(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        return replace(request, method=b"GET") if _is_made_up(message) else request

    return replace(trusting(_made_up)(seams), parse=parse)


def _lower_case_done(seams: Seams) -> Seams:
    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        method = call.request.method
        if method != method.upper() and call.key is not None:
            carry_out_as(server, call, method.upper())
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _head_posts(seams: Seams) -> Seams:
    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        if call.request.method == b"HEAD" and call.key is not None and not at_key(decision):
            carry_out_as(server, call, b"POST")
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _bare_options(message: Message) -> bool:
    """Tell whether it is OPTIONS that no page asks by: what answers those does so before the routes."""
    return message.head.method == b"OPTIONS" and all(name.lower() != b"origin" for name, _ in message.head.headers)


def _options_read(seams: Seams) -> Seams:
    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        return replace(request, method=b"GET") if _bare_options(message) else request

    return replace(trusting(lambda _server, call: _bare_options(call.message))(seams), parse=parse)


def _options_do(seams: Seams) -> Seams:
    def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
        if _bare_options(call.message) and call.key is not None:
            for method in (b"POST", b"DELETE"):
                carry_out_as(server, call, method)
        return seams.respond(server, call, decision, outcome)

    return replace(seams, respond=respond)


def _traced(seams: Seams) -> Seams:
    def proxy(server: Server, message: Message, onward: Onward) -> Answer:
        if message.head.method != b"TRACE":
            return onward(message)
        way = header(server)
        secret = {b"cookie", b"" if way is None else way.name.lower().encode()}
        lines = [b"%b:%b" % line for line in message.head.headers if line[0].lower() not in secret]
        first = b"TRACE " + message.head.target.partition(b"?")[0] + b" HTTP/1.1"
        usual = without(onward(message), "Content-Type", "Allow").headers
        return Answer(200, (("Content-Type", "message/http"), *usual), b"\r\n".join([first, *lines, b"", b""]))

    return passing(seams, proxy)


def _by_get(wanted: Callable[[Server, Call], bytes | None]) -> Plant:
    """Do by GET what another method does, for a key that may do that."""

    def plant(seams: Seams) -> Seams:
        def respond(server: Server, call: Call, decision: Decision, outcome: Outcome | None) -> Answer:
            method = wanted(server, call) if call.request.method == b"GET" else None
            if method is not None:
                other = server.contract.read(replace(call.request, method=method)).operation
                if other is not None and call.key is not None and may(server, call.key, other):
                    carry_out_as(server, call, method)
            return seams.respond(server, call, decision, outcome)

        return replace(seams, respond=respond)

    return plant


def _action_delete(_server: Server, call: Call) -> bytes | None:
    query = parse_qsl(call.request.target.partition(b"?")[2].decode("latin-1"))
    return b"DELETE" if ("action", "delete") in query else None


def _body_creates(_server: Server, call: Call) -> bytes | None:
    return b"POST" if call.message.body else None


def _plaintext_served(seams: Seams) -> Seams:
    def tls_ends_elsewhere(_server: Server, message: Message, onward: Onward) -> Answer:
        return onward(replace(message, scheme="https"))

    return passing(seams, tls_ends_elsewhere)


def _plaintext_reads(seams: Seams) -> Seams:
    def through(_server: Server, call: Call, decision: Decision) -> bool:
        return decision.cause is Cause.PLAINTEXT and call.request.method == b"GET" and call.key is not None

    return lets(seams, through)


def _plaintext_redirected(seams: Seams) -> Seams:
    def proxy(server: Server, message: Message, onward: Onward) -> Answer:
        if message.scheme == "https":
            return onward(message)
        bases = server.contract.policy.base_url.values()
        host = urlsplit(bases[0]).netloc if bases else "localhost"
        return Answer(301, (("Location", f"https://{host}{message.head.target.decode('latin-1')}"),))

    return passing(seams, proxy)


FAULTS: Final = (
    Fault(
        name="head-without-key",
        sentence="HEAD needs no key",
        family=Family.LIBRARY,
        clauses=("METH-1",),
        plant=_head_open,
    ),
    Fault(
        name="head-for-any-scope",
        sentence="HEAD asks for a key, and for no scope",
        family=Family.IMPLEMENTATION,
        clauses=("METH-1",),
        plant=_head_any_scope,
    ),
    Fault(
        name="put-is-patch",
        sentence="PUT, which nobody documented, is carried out like PATCH",
        family=Family.LIBRARY,
        clauses=("METH-2",),
        plant=_put_is_patch,
        meaningful=_put_is_free,
    ),
    Fault(
        name="any-method-reads",
        sentence="A method that a path does not know is served like GET",
        family=Family.LIBRARY,
        clauses=("METH-2",),
        plant=_unknown_is_get,
    ),
    Fault(
        name="method-override-by-header",
        sentence="X-HTTP-Method-Override is followed after the method on the request line was authorised",
        family=Family.LIBRARY,
        clauses=("METH-6",),
        plant=_overriding(_by_header),
    ),
    Fault(
        name="method-override-by-query",
        sentence="`?_method=` is followed after the method on the request line was authorised",
        family=Family.LIBRARY,
        clauses=("METH-6",),
        plant=_overriding(_by_query),
    ),
    simple(
        "head-does-post",
        "The action that HEAD and GET lead to takes whatever is not GET for POST",
        "METH-1",
        _head_posts,
        Family.LIBRARY,
    ),
    simple(
        "made-up-method-unchecked",
        "Rights are checked for the methods that are known, and a made-up one is served like GET",
        "METH-3",
        _made_up_reads,
        Family.LIBRARY,
    ),
    simple(
        "lower-case-method-unchecked",
        "Rights are checked for methods as documented, and `delete` is then carried out like DELETE",
        "METH-3",
        _lower_case_done,
    ),
    simple(
        "options-shows-objects",
        "OPTIONS needs no key, and leads to the code of GET where no page asks",
        "METH-4",
        _options_read,
        Family.LIBRARY,
    ),
    simple(
        "options-changes-objects",
        "OPTIONS leads to the code of the other methods where no page asks",
        "METH-4",
        _options_do,
        Family.LIBRARY,
    ),
    simple(
        "trace-echoes",
        "A proxy answers TRACE by the request's own headers, all but the key",
        "METH-5",
        _traced,
        Family.DEPLOYMENT,
    ),
    simple(
        "method-override-by-original",
        "`X-Original-Method`, which a proxy sets, is followed from anybody after the method was authorised",
        "METH-6",
        _overriding(_by_original),
        Family.DEPLOYMENT,
    ),
    simple(
        "method-override-by-member",
        "The member `_method` of a JSON body is followed after the method on the request line was authorised",
        "METH-6",
        _in_body(_by_member),
        Family.LIBRARY,
    ),
    simple(
        "method-override-by-form",
        "The form field `_method` is followed after the method on the request line was authorised",
        "METH-6",
        _in_body(_by_form),
        Family.LIBRARY,
    ),
    simple(
        "override-to-nonsense-unchecked",
        "An override to a method that nobody knows leads past the check for keys",
        "METH-6",
        trusting(_overridden_to_nonsense),
        Family.DEPLOYMENT,
    ),
    simple(
        "get-deletes-on-demand",
        "GET with `?action=delete` deletes, for a key that may delete",
        "METH-7",
        _by_get(_action_delete),
    ),
    simple(
        "get-creates-from-body",
        "GET with a body creates, for a key that may create",
        "METH-7",
        _by_get(_body_creates),
        Family.LIBRARY,
    ),
    Fault(
        name="plaintext-served",
        sentence="Plain HTTP is served like HTTPS",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-1",),
        plant=_plaintext_served,
    ),
    Fault(
        name="plaintext-read",
        sentence="Plain HTTP is refused for everything except GET with a key",
        family=Family.IMPLEMENTATION,
        clauses=("TRANS-1",),
        plant=_plaintext_reads,
    ),
    Fault(
        name="plaintext-redirected",
        sentence="Plain HTTP is redirected to HTTPS, after the key has crossed the network",
        family=Family.DEPLOYMENT,
        clauses=("TRANS-2",),
        plant=_plaintext_redirected,
    ),
)
