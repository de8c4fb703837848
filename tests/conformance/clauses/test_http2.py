"""HTTP/2 among the clauses: what is tried once more over it, what only it can say, and whom that must not accuse."""

from dataclasses import replace

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import AGAIN, Case, cases_of
from authcontract_conformance.clauses.http2 import TRICKS, Trick, exactly, over_http2
from authcontract_conformance.exchange._exchange import (
    HOST,
    MALFORMED,
    Credential,
    Delivery,
    Exchange,
    Probe,
    bytes_of,
)
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._verdict import PASSED, Word
from authcontract_engine import KeyRecord
from conversations import POLICIES, Alter, Conversation, instead, lost

every_contract = pytest.mark.parametrize("name", list(POLICIES))
TWICE = [clause for clause in catalogue().values() if clause.again_over_http2]
ONLY = "paths and names as only HTTP/2 says them"
SECRET = b"sk_live_0123456789abcdefghij"


# --- once more ------------------------------------------------------------------------------------------------------


def test_keys_and_scopes_are_tried_again() -> None:
    assert {clause.id for clause in TWICE} >= {"AUTH-1", "AUTH-2", "AUTH-8", "AUTH-12", "SCOPE-1"}


@every_contract
def test_a_few_cases_are_tried_again(name: str) -> None:
    """Where the target offers HTTP/2, and nowhere else; each under a name of its own."""
    with_it = Conversation(name)
    without = Conversation(name, capabilities=with_it.capabilities - {"HTTP/2"})
    for clause in TWICE:
        once = list(cases_of(clause, without.world(clause.id)))
        both = list(cases_of(clause, with_it.world(clause.id)))
        more = [case for case in both if case.protocol == "2"]
        assert {case.protocol for case in once} == {"1.1"}
        assert len(both) == len(once) + len(more)
        assert 1 <= len(more) <= AGAIN
        known = {case.subject for case in once if case.again}
        assert {case.subject.removesuffix(" over HTTP/2") for case in more} <= known


@pytest.mark.parametrize("wanted", range(8))
def test_they_are_spread_over_all_cases(wanted: int) -> None:
    usual = next(iter(Conversation("roles").cases("AUTH-2").values()))
    cases = tuple(Case(str(number), usual.steps) for number in range(wanted))
    clause = replace(TWICE[0], cases=lambda _: cases)
    more = [c.subject for c in cases_of(clause, Conversation("roles").world()) if c.protocol == "2"]
    assert len(more) == min(wanted, AGAIN)
    assert wanted == 0 or more[0] == "0 over HTTP/2"
    assert wanted <= AGAIN or int(more[-1].split()[0]) >= wanted // 2


@every_contract
def test_such_a_case_is_sent_over_http2_from_first_to_last(name: str) -> None:
    """Its fixtures and controls too: only then does a control prove that the request works this way."""
    talk = Conversation(name)
    for clause in TWICE:
        for subject, case in talk.cases(clause.id).items():
            talk.exchanges.clear()
            if case.protocol == "2":
                talk.judge(clause.id, subject)
                assert {exchange.probe.protocol for exchange in talk.exchanges} == {"2"}, subject


def test_it_costs_few_requests() -> None:
    talk = Conversation("synaptiq")
    for clause in (*TWICE, catalogue()["ROUTE-1"]):
        for subject, case in talk.cases(clause.id).items():
            if case.protocol == "2":
                talk.judge(clause.id, subject)
    assert len(talk.exchanges) <= 60


# --- what only HTTP/2 can say ---------------------------------------------------------------------------------------


def closing(exchange: Exchange) -> Exchange:
    """A server that hangs up on whatever it has no answer for."""
    return lost(exchange) if exchange.probe.exact else exchange


def resetting(exchange: Exchange) -> Exchange:
    """A server that refuses the malformed as RFC 9113 has it, by the stream."""
    return replace(lost(exchange), reset=MALFORMED) if exchange.probe.exact else exchange


def page(exchange: Exchange) -> Exchange:
    """A server with a page for everything that it does not know."""
    return instead(exchange, 200, b"<html>Welcome</html>") if exchange.probe.exact else exchange


def not_here(exchange: Exchange) -> Exchange:
    return instead(exchange, 421, {"error": "misdirected"}) if exchange.probe.exact else exchange


def moved(exchange: Exchange) -> Exchange:
    """A server that sends to the usual spelling, with a status of its own."""
    return instead(exchange, 308, b"", ("location", "/")) if exchange.probe.exact else exchange


def broken(exchange: Exchange) -> Exchange:
    return instead(exchange, 500, b"oops") if exchange.probe.exact else exchange


def throttled(exchange: Exchange) -> Exchange:
    return instead(exchange, 429, b"") if exchange.probe.exact else exchange


@every_contract
@pytest.mark.parametrize("odd", [closing, resetting, page, not_here, moved, broken, throttled])
def test_no_way_to_refuse_is_accused(name: str, odd: Alter) -> None:
    assert Conversation(name, altered=odd).judge("ROUTE-1", ONLY).word is Word.PASS


@every_contract
@pytest.mark.parametrize("trick", TRICKS, ids=[trick.what for trick in TRICKS])
def test_whoever_shows_the_object_is_accused(name: str, trick: Trick) -> None:
    """A server that takes any one of the ways for the canonical request of somebody who may."""
    shown: list[bytes] = []

    def altered(exchange: Exchange) -> Exchange:
        probe = exchange.probe
        if probe.exact and probe.label == trick.what:
            return instead(exchange, 200, shown[-1])
        if not probe.exact and exchange.succeeded and probe.method in (b"GET", b"POST"):
            shown.append(exchange.body)  # what was made or read last is the object
        return exchange

    assert Conversation(name, altered=altered).judge("ROUTE-1", ONLY).word is Word.FAIL


@every_contract
def test_each_way_is_refused_by_the_contract(name: str) -> None:
    """So that whoever lets it through is wrong, however it is read."""
    talk = Conversation(name)
    assert talk.judge("ROUTE-1", ONLY) == PASSED
    tried = [exchange for exchange in talk.exchanges if exchange.probe.exact]
    assert {exchange.probe.label for exchange in tried} == {trick.what for trick in TRICKS}
    assert {exchange.status for exchange in tried} == {400}
    assert all(not exchange.probe.keys for exchange in tried)


def test_without_http2_there_is_nothing_to_say() -> None:
    talk = Conversation("synaptiq", capabilities=frozenset())
    assert list(over_http2(talk.world())) == []


# --- how a probe becomes fields -------------------------------------------------------------------------------------


def vault() -> Vault:
    made = Vault()
    made.add(KeyRecord(id="K", digest="", kind="key", issued_at=0.0), "K", SECRET)
    return made


USUAL = Probe(
    method=b"POST",
    target=(b"/leads?key=", Credential("K")),
    headers=(
        ((b"Host",), HOST),
        ((b"Authorization",), (b"Bearer ", Credential("K"))),
        ((b"Accept",), (b"*/* ",)),
        ((b"X-Two",), (b"1",)),
        ((b"X-Two",), (b"2",)),
    ),
    body=(b"{}",),
    protocol="2",
)


def test_a_probe_becomes_fields() -> None:
    """Names in lower case, Host in its pseudo-header, lines of one name apart and in order."""
    assert vault().fields(USUAL, "h:1") == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"h:1"),
        (b":path", b"/leads?key=" + SECRET),
        (b"authorization", b"Bearer " + SECRET),
        (b"accept", b"*/*"),
        (b"x-two", b"1"),
        (b"x-two", b"2"),
    )


def test_without_host_there_is_no_authority() -> None:
    assert vault().fields(replace(USUAL, headers=()), "h") == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", b"/leads?key=" + SECRET),
    )


@pytest.mark.parametrize("name", [b"Connection", b"keep-alive", b"Proxy-Connection", b"Transfer-Encoding", b"UPGRADE"])
def test_what_is_of_the_connection_cannot_be_said(name: bytes) -> None:
    assert vault().fields(replace(USUAL, headers=(((name,), (b"x",)),)), "h") is None


def test_exact_fields_are_sent_as_they_are() -> None:
    """Nothing is added, taken away or put in order; to the contract the probe is still what it means."""
    said = ((b":path", (b"/b#c",)), (b":authority", HOST), (b":authority", (b"x",)), (b"Connection", (b"close",)))
    probe = exactly(USUAL, said, "odd")
    assert probe.exact
    assert (probe.target, probe.keys) == (USUAL.target, ("K",))
    assert vault().fields(probe, "h") == (
        (b":path", b"/b#c"),
        (b":authority", b"h"),
        (b":authority", b"x"),
        (b"Connection", b"close"),
        (b"authorization", b"Bearer " + SECRET),
        (b"accept", b"*/* "),
        (b"x-two", b"1"),
        (b"x-two", b"2"),
    )


READ: dict[str, tuple[tuple[tuple[bytes, bytes], ...], tuple[tuple[bytes, bytes], ...]]] = {
    "a name": (((b":authority", b"a"),), ((b"Host", b"a"),)),
    "a name and the same Host": (((b":authority", b"a"), (b"host", b"a")), ((b"Host", b"a"),)),
    "a name and another Host": (((b":authority", b"a"), (b"host", b"b")), ((b"Host", b"a"), (b"host", b"b"))),
    "two names": (((b":authority", b"a"), (b":authority", b"b")), ((b"Host", b"a"), (b"Host", b"b"))),
    "no name": (((b":path", b"/"),), ()),
}


@pytest.mark.parametrize(("said", "read"), READ.values(), ids=list(READ))
def test_the_contract_reads_host_where_http2_says_a_name(
    said: tuple[tuple[bytes, bytes], ...], read: tuple[tuple[bytes, bytes], ...]
) -> None:
    probe = replace(USUAL, headers=tuple(((name,), (value,)) for name, value in said))
    assert vault().head(probe, "h")[1] == read


def test_over_http_1_a_name_is_a_header_like_any() -> None:
    probe = replace(USUAL, protocol="1.1", headers=(((b":authority",), (b"a",)),))
    assert not probe.exact
    assert vault().head(probe, "h")[1] == ((b":authority", b"a"),)


def test_a_reset_is_no_answer_and_says_why() -> None:
    found = Exchange(number=1, probe=USUAL, delivery=Delivery.CLOSED, reset="PROTOCOL_ERROR")
    assert (found.malformed, found.broken, found.answered) == (True, True, False)
    assert not replace(found, reset="INTERNAL_ERROR").malformed


def test_references_are_no_bytes() -> None:
    assert bytes_of((b"a", Credential("K"), HOST[0], b"b")) == b"ab"
