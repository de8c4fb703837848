"""What clauses that only look say of single responses: the odd ones that are right accuse nobody."""

from dataclasses import replace
from typing import TypeAlias

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.exchange._exchange import Credential, Exchange
from authcontract_conformance.oracle._verdict import Word
from conversations import Conversation, answer

CANARY = "canary-0123456789abcdef"


def said(talk: Conversation, clause: str, exchange: Exchange) -> Word | None:
    passive = catalogue()[clause].passive
    assert passive is not None
    judgement = passive(talk.world(clause), exchange)
    return None if judgement is None else judgement.word


def told(talk: Conversation, status: int, *headers: tuple[str, str], with_key: bool = False) -> Exchange:
    """Return an answer to the first read of the contract, without a key or with one that may."""
    world = talk.world()
    operation = talk.operation("listLeads")
    probe = world.request(operation, talk.key("listLeads") if with_key else None)
    body = {"error": {"code": "unauthorized", "message": "No.", "doc_url": "https://x.example"}}
    return Exchange(
        number=1,
        probe=probe,
        delivery=answer(200).delivery,
        status=status,
        headers=headers,
        body=answer(status, {"data": [CANARY]} if status == 200 else body).body,
    )


WWW, CACHE = "WWW-Authenticate", "Cache-Control"
Row: TypeAlias = tuple[str, int, tuple[tuple[str, str], ...], bool, Word | None]
#: clause, status, what the response says, whether a key was sent, and what is said of it.
ROWS: dict[str, Row] = {
    "Bearer among others": ("ERR-2", 401, ((WWW, 'Basic realm="a", bearer realm="b"'),), False, Word.PASS),
    "Bearer on a line of its own": ("ERR-2", 401, ((WWW, "Negotiate"), (WWW, "Bearer")), False, Word.PASS),
    "a challenge that cannot be read is ERR-1's": ("ERR-2", 401, ((WWW, "<>"),), False, None),
    "no Bearer": ("ERR-2", 401, ((WWW, "Basic"),), False, Word.FAIL),
    "a challenge with a 403": ("ERR-2", 403, ((WWW, "Basic"),), False, None),
    "a scope beside the realm": ("ERR-3", 401, ((WWW, 'Bearer realm="a", scope="b"'),), False, Word.PASS),
    "a parameter other than realm": ("ERR-3", 401, ((WWW, 'Bearer error="invalid_token"'),), False, Word.PASS),
    "a realm without quotes": ("ERR-3", 401, ((WWW, "Bearer realm=a"),), False, Word.WARN),
    "no error without a key": ("ERR-4", 401, ((WWW, 'Bearer realm="a"'),), False, Word.PASS),
    "an error without a key": ("ERR-4", 401, ((WWW, 'Bearer error="invalid_request"'),), False, Word.WARN),
    "a type with a charset": ("ERR-7", 401, (("Content-Type", "application/json; charset=utf-8"),), False, Word.PASS),
    "a type of its own": ("ERR-7", 401, (("Content-Type", "application/vnd.api+json"),), False, Word.PASS),
    "no type": ("ERR-7", 401, (), False, Word.WARN),
    "a problem without a status": ("ERR-8", 401, (("Content-Type", "application/problem+json"),), False, Word.PASS),
    "an empty Allow": ("ERR-10", 405, (("Allow", ""),), False, Word.PASS),
    "405 without Allow": ("ERR-10", 405, (), False, Word.FAIL),
    "426 with Upgrade": ("ERR-12", 426, (("Upgrade", "TLS/1.2, HTTP/1.1"),), False, Word.PASS),
    "private is enough": ("CACHE-1", 200, ((CACHE, "private, max-age=60"),), True, Word.PASS),
    "nothing said to caches": ("CACHE-1", 200, (), True, Word.PASS),
    "public and no-store": ("CACHE-1", 200, ((CACHE, "public, no-store"),), True, Word.PASS),
    "public": ("CACHE-1", 200, ((CACHE, "Public, max-age=60"),), True, Word.FAIL),
    "a lifetime for shared caches": ("CACHE-1", 200, ((CACHE, 's-maxage="60"'),), True, Word.FAIL),
    "no lifetime for shared caches": ("CACHE-1", 200, ((CACHE, "s-maxage=0"),), True, Word.PASS),
    "must-revalidate with a lifetime": ("CACHE-1", 200, ((CACHE, "must-revalidate, max-age=9"),), True, Word.WARN),
    "data that no key asked for": ("CACHE-1", 200, ((CACHE, "public"),), False, None),
    "private and no-cache": ("CACHE-2", 200, ((CACHE, "private, no-cache"),), True, Word.PASS),
    "private alone": ("CACHE-2", 200, ((CACHE, "private"),), True, Word.WARN),
    "a refusal that is kept": ("CACHE-3", 401, ((CACHE, "max-age=5"),), False, Word.WARN),
    "a refusal that is kept by nobody": ("CACHE-3", 401, ((CACHE, "no-store, max-age=5"),), False, Word.PASS),
    "a lifetime that is no number": ("CACHE-3", 401, ((CACHE, "max-age=soon"),), False, Word.PASS),
    "HSTS of another length": ("TRANS-6", 200, (("Strict-Transport-Security", "max-age=60"),), True, Word.PASS),
    "HSTS switched off": ("TRANS-6", 200, (("Strict-Transport-Security", "max-age=0"),), True, Word.WARN),
    "an error of a proxy without HSTS": ("TRANS-6", 404, (), True, Word.PASS),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_one_response(row: Row) -> None:
    clause, status, headers, with_key, word = row
    talk = Conversation("synaptiq", confirmed=True)
    assert said(talk, clause, told(talk, status, *headers, with_key=with_key)) is word


#: clause, status, method and path, and what is said of a response to that, without a key.
ELSEWHERE: dict[str, tuple[str, int, bytes, bytes, Word | None]] = {
    "a file beside the API that nobody may see": ("ERR-9", 403, b"GET", b"/.env", None),
    "a path below the base URL that nobody may see": ("ERR-9", 403, b"GET", b"/api/v1/.env", Word.FAIL),
    "a page beside the API that is for others": ("ERR-2", 401, b"GET", b"/status", None),
    "a login of that page without a challenge": ("ERR-1", 401, b"GET", b"/status", None),
    "a path that begins like the base URL": ("ERR-9", 403, b"GET", b"/api/v1x/leads", None),
    "a login beside the API with a page": ("ERR-5", 401, b"GET", b"/status", None),
    "a wrong method beside the API": ("ERR-10", 405, b"POST", b"/", None),
    "a tunnel": ("ERR-10", 405, b"CONNECT", b"/api/v1/leads", Word.WARN),
    "an echo": ("ERR-10", 405, b"TRACE", b"/api/v1/leads", Word.WARN),
    "a wrong method": ("ERR-10", 405, b"PUT", b"/api/v1/leads", Word.FAIL),
}


@pytest.mark.parametrize("row", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_else_answers_at_the_host(row: tuple[str, int, bytes, bytes, Word | None]) -> None:
    clause, status, method, path, word = row
    talk = Conversation("synaptiq")
    exchange = told(talk, status, (WWW, 'Basic realm="a"')) if clause == "ERR-2" else told(talk, status)
    probe = replace(exchange.probe, method=method, target=(path,), operation=None)
    assert said(talk, clause, replace(exchange, probe=probe)) is word


DETAIL = {"detail": "JSON parse error"}
Body: TypeAlias = tuple[str, int, object, tuple[bytes, ...], Word | None]
#: operation, status, body, header lines beside the usual ones, and what ERR-5 says.
BODIES: dict[str, Body] = {
    "400 of a framework": ("createLead", 400, DETAIL, (), Word.WARN),
    "415 that no contract has": ("createLead", 415, DETAIL, (), None),
    "400 for an expectation, perhaps of a proxy": ("createLead", 400, DETAIL, (b"Expect: 100-continue",), None),
    "400 for two lengths": ("createLead", 400, DETAIL, (b"Content-Length: 1", b"Content-Length: 2"), None),
    "400 for bytes beyond ASCII": ("createLead", 400, DETAIL, (b"X-Name: \xff",), None),
    "404 of a framework": ("getLead", 404, DETAIL, (), Word.WARN),
    "403 of a framework": ("createLead", 403, DETAIL, (), None),
}


@pytest.mark.parametrize("row", BODIES.values(), ids=BODIES)
def test_the_body_of_a_refusal(row: Body) -> None:
    name, status, body, lines, word = row
    talk = Conversation("synaptiq", confirmed=True)
    operation = talk.operation(name)
    probe = talk.world().request(operation, talk.key(name))
    more = tuple(((line.partition(b": ")[0],), (line.partition(b": ")[2],)) for line in lines)
    probe = replace(probe, headers=(*probe.headers, *more))
    exchange = replace(answer(status, body), number=1, probe=probe)
    assert said(talk, "ERR-5", exchange) is word


@pytest.mark.parametrize(("transforms", "word"), [((), Word.FAIL), ((("insert", "\r"),), Word.WARN)])
def test_a_key_in_a_line_that_is_no_http_may_be_quoted(
    transforms: tuple[tuple[str | int, ...], ...], word: Word
) -> None:
    """An HTTP server that quotes what it cannot read repeats what no client that works sends."""
    talk = Conversation("synaptiq")
    key = talk.key("getLead")
    probe = talk.world().request(talk.operation("getLead"), key)
    lines = tuple(
        (name, tuple(replace(part, transforms=transforms) if isinstance(part, Credential) else part for part in value))
        for name, value in probe.headers
    )
    quoting = replace(answer(400, {}), number=1, probe=replace(probe, headers=lines), body=talk.vault.secret(key.id))
    assert said(talk, "LEAK-1", quoting) is word


NEW_KEY = {"secret": "sk_live_" + "a" * 30}
#: operation, status, body, Cache-Control, and what CACHE-2 says.
KEPT: dict[str, tuple[str, int, object, str, Word | None]] = {
    "a new key that a browser may keep": ("createKey", 201, NEW_KEY, "max-age=0, private", Word.WARN),
    "a new key that nobody may keep": ("createKey", 201, NEW_KEY, "private, no-store", Word.PASS),
    "data in which nothing was planted": ("listLeads", 200, {"data": []}, "max-age=0, private", Word.WARN),
    "a refusal, perhaps of a proxy": ("createKey", 403, {}, "max-age=0, private", None),
}


@pytest.mark.parametrize("row", KEPT.values(), ids=KEPT)
def test_what_may_be_kept(row: tuple[str, int, object, str, Word | None]) -> None:
    name, status, body, says, word = row
    talk = Conversation("synaptiq", confirmed=True)
    probe = talk.world().request(talk.operation(name), talk.key(name))
    exchange = replace(answer(status, body), number=1, probe=probe, headers=((CACHE, says),))
    assert said(talk, "CACHE-2", exchange) is word


def told_limit(talk: Conversation, amount: int, *, times: int = 1, window: int = 60, status: int = 200) -> Exchange:
    """Return an answer that says a multiple of the key's amount, or another number, in the newest draft's field."""
    world, operation = talk.world(), talk.operation("listLeads")
    key = talk.key("listLeads")
    [charge] = world.contract.usual_charges(operation, key.record)
    said_of_it = f'"{charge.limit}";q={amount or times * charge.amount};w={window}'
    probe = world.request(operation, key)
    return replace(answer(status, {}), number=1, probe=probe, headers=(("RateLimit-Policy", said_of_it),))


@pytest.mark.parametrize(
    ("amount", "times", "window", "status", "word"),
    [
        pytest.param(0, 1, 60, 200, Word.PASS, id="what the key has"),
        pytest.param(0, 5, 60, 200, Word.WARN, id="what a key of another plan has"),
        pytest.param(0, 1, 3600, 200, Word.WARN, id="another window"),
        pytest.param(7, 1, 60, 403, None, id="a refusal, perhaps of a proxy with a limit of its own"),
    ],
)
def test_what_a_key_is_told(amount: int, times: int, window: int, status: int, word: Word | None) -> None:
    talk = Conversation("synaptiq", confirmed=True)
    assert said(talk, "RATE-4", told_limit(talk, amount, times=times, window=window, status=status)) is word


def test_an_answer_that_says_nothing_of_a_limit_is_not_looked_at() -> None:
    talk = Conversation("synaptiq", confirmed=True)
    assert said(talk, "RATE-4", replace(told_limit(talk, 1), headers=())) is None
