"""Other spellings of paths, hosts and requests: what is sent, and who must not be accused for taking them leniently."""

import re
from dataclasses import replace

import authcontract_engine as engine
import pytest
from authcontract_conformance.clauses._spellings import (
    COMMON,
    GATED,
    ROUTED,
    SPELLINGS,
    place,
    some,
    spelled,
    with_too_little,
)
from authcontract_conformance.exchange._exchange import HOST, Credential, Delivery, Exchange, Probe
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import CORRECT, Answer, Message, Seams, Server
from authcontract_conformance.run._run import at
from authcontract_engine import Request
from authcontract_policy import Operation
from conversations import POLICIES, Conversation, instead, loaded, lost

ROUTES = ("ROUTE-1", "ROUTE-2", "ROUTE-3", "ROUTE-4", "ROUTE-5")
every_contract = pytest.mark.parametrize("name", list(POLICIES))
every_clause = pytest.mark.parametrize("clause", ROUTES)


# --- the table -----------------------------------------------------------------------------------------------------


def operation(path: str = "/keys/{id}") -> Operation:
    return Operation(id="getKey", method="GET", path=path, request_body={}, responses={})


def written(what: str, target: bytes = b"/api/v1/keys/7?a=b", base: str = "/api/v1") -> bytes | None:
    """Return the target in one spelling of the table."""
    spelling = next(spelling for spelling in SPELLINGS if spelling.what == what)
    probe = Probe(method=b"GET", target=(target,))
    found = spelled(probe, spelling, place(probe, operation(), base, b"/public"))
    if found is None:
        return None
    part = found.target[0]
    assert isinstance(part, bytes)
    return part


WRITTEN = {
    "a slash at its end": b"/api/v1/keys/7/?a=b",
    "an empty query": b"/api/v1/keys/7?",
    "a doubled slash at its start": b"//api/v1/keys/7?a=b",
    "a doubled slash after the base path": b"/api/v1//keys/7?a=b",
    "a doubled slash before its end": b"/api/v1/keys//7?a=b",
    "a doubled slash after its first segment": b"/api//v1/keys/7?a=b",
    "a detour": b"/api/v1/keys/x/../7?a=b",
    "a detour by a public path": b"/public/../api/v1/keys/7?a=b",
    "an encoded dot segment": b"/api/v1/keys/%2e/7?a=b",
    "an encoded letter": b"/api/v1/%6beys/7?a=b",
    "an encoded letter in its first segment": b"/%61pi/v1/keys/7?a=b",
    "a letter encoded twice": b"/api/v1/%256beys/7?a=b",
    "a parameter in its first segment": b"/api;/v1/keys/7?a=b",
    "its last segment in upper case": b"/api/v1/KEYS/7?a=b",
    "its first segment in upper case": b"/API/v1/keys/7?a=b",
    "the suffix .json": b"/api/v1/keys/7.json?a=b",
    "a public path as a parameter of the query": b"/api/v1/keys/7?a=b&x=/public",
    "a public path as the query": b"/api/v1/keys/7?/public&a=b",
}


@pytest.mark.parametrize(("what", "target"), WRITTEN.items(), ids=list(WRITTEN))
def test_a_spelling_is_written_so(what: str, target: bytes) -> None:
    assert written(what) == target


def test_each_row_of_the_table_is_another_spelling() -> None:
    """No two rows send the same, none sends the documented path, and each names a variant of paths."""
    targets = [written(spelling.what) for spelling in SPELLINGS]
    assert len({*targets}) == len(SPELLINGS) == len({spelling.what for spelling in SPELLINGS})
    assert b"/api/v1/keys/7?a=b" not in targets
    assert all(re.fullmatch(r"V-P(0[1-9]|1[0-7])", spelling.variant) for spelling in SPELLINGS)
    assert {*COMMON} | {*GATED} < {*SPELLINGS}


def test_without_a_base_path_there_are_still_spellings() -> None:
    assert written("a slash at its end", b"/keys/7", "") == b"/keys/7/"
    assert written("a doubled slash after the base path", b"/keys/7", "") == b"//keys/7"


def test_a_path_that_is_spelled_as_ever_is_not_sent() -> None:
    assert written("its first segment in upper case", b"/API/v1/keys/7", "/API/v1") is None


def test_a_key_in_the_query_stays_there() -> None:
    """What would change the query is left out; the rest goes before it."""
    probe = Probe(method=b"GET", target=(b"/keys/7?key=", Credential("K")))
    here = place(probe, operation(), "", b"/public")
    found = {spelling.what: spelled(probe, spelling, here) for spelling in SPELLINGS}
    assert found["a public path as the query"] is None
    slash = found["a slash at its end"]
    assert slash is not None
    assert slash.target == (b"/keys/7/?key=", Credential("K"))


@pytest.mark.parametrize("wanted", [2, 3, 4])
def test_every_common_spelling_is_tried_somewhere_and_the_commonest_everywhere(wanted: int) -> None:
    chosen = [some(number, wanted) for number in range(len(COMMON))]
    assert {spelling for few in chosen for spelling in few} == {*COMMON}
    assert all(few[0] == COMMON[0] and len({*few}) == wanted for few in chosen)


@pytest.mark.parametrize("wanted", [2, 3])
def test_what_has_a_route_of_its_own_is_tried_with_too_little_and_the_others_without_a_key(wanted: int) -> None:
    chosen = [with_too_little(number, wanted) for number in range(len(COMMON))]
    assert {spelling for _, keyed in chosen for spelling in keyed} == {*ROUTED} == {s for s in COMMON if s.routed}
    assert {spelling for keyless, _ in chosen for spelling in keyless} == {*COMMON} - {*ROUTED}
    assert all(len({*keyless, *keyed}) == wanted for keyless, keyed in chosen)


# --- who must not be accused ---------------------------------------------------------------------------------------


def merging(seams: Seams) -> Seams:
    """A server that merges slashes, drops one at the end and ignores case, before anything else looks at the path."""

    def parse(server: Server, message: Message) -> Request:
        request = seams.parse(server, message)
        path, mark, query = request.target.partition(b"?")
        if not path.startswith(b"/"):
            return request
        plain = re.sub(rb"/{2,}", b"/", path)
        return replace(request, target=(plain.rstrip(b"/") or b"/") + mark + query)

    return replace(seams, parse=parse)


def one_page_for_all(seams: Seams) -> Seams:
    """A server that answers whatever it does not know with a page for people."""

    def transport(server: Server, message: Message) -> Answer:
        answer = seams.transport(server, message)
        page = Answer(200, (("Content-Type", "text/html"),), b"<html><body>Welcome</body></html>")
        return page if answer.status in {400, 404} else answer

    return replace(seams, transport=transport)


def redirecting(seams: Seams) -> Seams:
    """A server that redirects to the path without its last slash, on the same host over HTTPS."""

    def transport(server: Server, message: Message) -> Answer:
        path = message.head.target.partition(b"?")[0]
        if path.endswith(b"/") and len(path) > 1:
            return Answer(308, (("Location", f"https://target{path[:-1].decode('latin-1')}"),))
        return seams.transport(server, message)

    return replace(seams, transport=transport)


ODD = {"merges slashes": merging, "one page for all": one_page_for_all, "redirects": redirecting}


@every_contract
@every_clause
@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
def test_a_lenient_server_that_checks_what_it_routes_is_not_accused(name: str, clause: str, odd: object) -> None:
    assert callable(odd)
    talk = Conversation(name, seams=odd(CORRECT), confirmed=True)
    words = {subject: talk.judge(clause, subject).word for subject in talk.cases(clause)}
    assert not {Word.FAIL, Word.WARN} & {*words.values()}


@every_clause
def test_a_server_that_hangs_up_on_what_it_does_not_understand_is_not_accused(clause: str) -> None:
    def hang_up(exchange: Exchange) -> Exchange:
        return lost(exchange) if exchange.status == 400 else exchange

    talk = Conversation("synaptiq", altered=hang_up, confirmed=True)
    assert {talk.judge(clause, subject).word for subject in talk.cases(clause)} <= {Word.PASS}


def test_a_refusal_of_the_whole_address_is_a_warning() -> None:
    def refuse(exchange: Exchange) -> Exchange:
        whole = exchange.probe.target[0] == b"https://" and exchange.probe.target[1:2] == HOST
        return instead(exchange, 400, {}) if whole else exchange

    talk = Conversation("synaptiq", altered=refuse)
    assert talk.judge("ROUTE-2", "a key that may").word is Word.WARN


def test_a_bare_body_for_a_request_of_http_0_9_is_seen() -> None:
    """Content is content, also where no status line stands before it."""
    made: dict[str, bytes] = {}

    def bare(exchange: Exchange) -> Exchange:
        if exchange.status == 201:
            made[exchange.json()["id"]] = exchange.body
        if exchange.probe.protocol != "0.9":
            return exchange
        path = exchange.probe.target[0]
        assert isinstance(path, bytes)
        body = made[path.decode().rpartition("/")[2]]
        return replace(exchange, delivery=Delivery.GARBAGE, status=0, headers=(), body=body)

    talk = Conversation("synaptiq", altered=bare)
    subject = next(subject for subject in talk.cases("ROUTE-4") if "without a key" in subject)
    assert talk.judge("ROUTE-4", subject).word is Word.FAIL


REDIRECTS = {
    "the same host": ("https://target/x", Word.PASS),
    "a path": ("/x", Word.PASS),
    "plain HTTP": ("http://target/x", Word.WARN),
    "another host": ("https://elsewhere.example/x", Word.WARN),
    "no address": ("https://[", Word.WARN),
}


@pytest.mark.parametrize(("location", "word"), REDIRECTS.values(), ids=list(REDIRECTS))
def test_a_redirect_leads_no_key_astray(location: str, word: Word) -> None:
    def redirect(exchange: Exchange) -> Exchange:
        slash = isinstance(exchange.probe.target[0], bytes) and exchange.probe.target[0].endswith(b"/")
        return instead(exchange, 301, None, ("Location", location)) if slash else exchange

    assert Conversation("synaptiq", altered=redirect).judge("ROUTE-5").word is word


def without_tls(talk: Conversation) -> Conversation:
    """Judge the same server as one that is called by plain HTTP, as behind a proxy."""
    policy, specification = (
        at(talk.settings.contract.policy, {None: "http://target/api/v1"}),
        loaded("synaptiq").specification,
    )
    assert specification is not None
    talk.settings = replace(talk.settings, contract=engine.compile(policy, specification))
    return talk


@pytest.mark.parametrize(
    ("location", "word"), [("http://target/x", Word.PASS), ("http://elsewhere.example/x", Word.WARN)]
)
def test_where_there_is_no_tls_a_redirect_keeps_to_plain_http(location: str, word: Word) -> None:
    def redirect(exchange: Exchange) -> Exchange:
        slash = isinstance(exchange.probe.target[0], bytes) and exchange.probe.target[0].endswith(b"/")
        return instead(exchange, 301, None, ("Location", location)) if slash else exchange

    assert without_tls(Conversation("synaptiq", altered=redirect)).judge("ROUTE-5").word is word


def test_the_whole_address_is_the_one_that_is_called() -> None:
    talk = without_tls(Conversation("synaptiq"))
    talk.judge("ROUTE-2", "a key that may")
    assert b"http://" in {exchange.probe.target[0] for exchange in talk.exchanges}
    assert b"https://" not in {exchange.probe.target[0] for exchange in talk.exchanges}
