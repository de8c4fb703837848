"""How a key may be shown: in the documented ways, in no other, and never twice. Ids are those of the variants tried."""

import hashlib
from base64 import b64encode

import pytest
from authcontract_engine import Contract, Facts, KeyRecord
from authcontract_policy import Cause
from leads import LEADS, NOW, contract, request

SECRET = b"sk_live_" + b"aB3" * 10
OTHER = b"sk_live_" + b"xY9" * 10
KEY, MISSING, MALFORMED, CONFLICTING = "key", "missing", "malformed", "conflicting"
Lines = tuple[tuple[bytes, bytes], ...]


def by(value: bytes, name: bytes = b"Authorization") -> Lines:
    return ((name, value),)


def basic(text: bytes) -> bytes:
    return b"Basic " + b64encode(text)


CASES: dict[str, tuple[Lines, str]] = {
    "as documented": (by(b"Bearer " + SECRET), KEY),
    "V-C01 lower": (by(b"bearer " + SECRET), KEY),
    "V-C01 upper": (by(b"BEARER " + SECRET), KEY),
    "V-C01 mixed": (by(b"bEaReR " + SECRET), KEY),
    "V-C02 two spaces": (by(b"Bearer  " + SECRET), KEY),
    "V-C02 ten spaces": (by(b"Bearer          " + SECRET), KEY),
    "V-C03 TAB": (by(b"Bearer\t" + SECRET), MALFORMED),
    "V-C04 no space": (by(b"Bearer" + SECRET), MALFORMED),
    "V-C05 no-break space": (by(b"Bearer\xa0" + SECRET), MALFORMED),
    "V-C05 next line": (by(b"Bearer " + SECRET + b"\x85"), MALFORMED),
    "V-C06 around": (by(b"\t Bearer " + SECRET + b" \t"), KEY),
    "V-C07 quoted": (by(b'Bearer "' + SECRET + b'"'), "unknown"),
    "V-C07 parameter": (by(b"Bearer token=" + SECRET), "unknown"),
    "V-C07 comma": (by(b"Bearer " + SECRET + b","), MALFORMED),
    "V-C07 more": (by(b"Bearer " + SECRET + b" extra"), MALFORMED),
    "V-C08 other scheme": (by(b"Token " + SECRET), MALFORMED),
    "V-C08 raw in Basic": (by(b"Basic " + SECRET), MALFORMED),
    "V-C08 no scheme": (by(SECRET), MALFORMED),
    "V-C09 Basic": (by(basic(SECRET + b":")), MALFORMED),
    "V-C10 two lines": (by(b"Bearer " + OTHER) + by(b"Bearer " + SECRET), CONFLICTING),
    "V-C10 same line twice": (by(b"Bearer " + SECRET) * 2, CONFLICTING),
    "V-C10 name in another case": (by(b"Bearer " + SECRET) + by(b"Bearer " + OTHER, b"aUTHORIZATION"), CONFLICTING),
    "V-C11 joined": (by(b"Bearer " + OTHER + b", Bearer " + SECRET), CONFLICTING),
    "V-C13 another header": (by(SECRET, b"X-API-Key"), MISSING),
    "V-C13 proxy": (by(b"Bearer " + SECRET, b"Proxy-Authorization"), MISSING),
    "V-C13 cookie": (by(b"api_key=" + SECRET, b"Cookie"), MISSING),
    "V-C14 empty": (by(b""), MALFORMED),
    "V-C14 scheme alone": (by(b"Bearer"), MALFORMED),
    "V-C14 scheme and space": (by(b"Bearer "), MALFORMED),
    "V-C14 prefix": (by(b"Bearer sk_live_"), MALFORMED),
    "V-C14 null": (by(b"Bearer null"), "unknown"),
    "V-C15 shorter": (by(b"Bearer " + SECRET[:-1]), MALFORMED),
    "V-C16 longer": (by(b"Bearer " + SECRET + b"a"), MALFORMED),
    "V-C16 padded": (by(b"Bearer " + SECRET + b"="), MALFORMED),
    "V-C17 other case": (by(b"Bearer " + SECRET.swapcase()), "unknown"),
    "V-C19 latin-1": (by(b"Bearer " + SECRET[:-1] + b"\xe9"), MALFORMED),
    "V-C19 long s": (by("Bearer \u017fk_live_".encode() + SECRET[8:]), MALFORMED),
    "V-C23 percent-encoded": (by(b"Bearer " + SECRET.replace(b"_", b"%5F")), "unknown"),
    "V-C24 masked": (by(b"Bearer sk_live_****3aB3"), MALFORMED),
    "V-C25 other prefix": (by(b"Bearer sk_test_" + SECRET[8:]), KEY),
    "V-C27 wildcard": (by(b"Bearer sk_live_%"), MALFORMED),
    "ENV-5 no such prefix": (by(b"Bearer pk_live_" + SECRET[8:]), "unknown"),
    "name in another case": (by(b"Bearer " + SECRET, b"AUTHORIZATION"), KEY),
    "underscore twin": (by(b"Bearer " + SECRET, b"Authorization_"), MISSING),
    "nothing": ((), MISSING),
}


@pytest.mark.parametrize("name", CASES)
def test_bearer(name: str) -> None:
    lines, state = CASES[name]
    presented = LEADS.read(request("/v1/leads", "GET", *lines)).presented
    if state == "unknown":
        # A key that nobody can have issued has the state of one, and no digest under which a store could find it.
        assert (presented.state, presented.digest) == ("key", None)
        assert LEADS.decide(request("/v1/leads", "GET", *lines), Facts(now=NOW)).cause is Cause.UNKNOWN
    else:
        assert presented.state == state
        assert (presented.digest is not None) == (state == KEY)


def test_the_digest_is_that_of_the_whole_key() -> None:
    presented = LEADS.read(request("/v1/leads", "GET", *by(b"Bearer " + SECRET))).presented
    assert presented.digest == hashlib.sha256(SECRET).hexdigest()


@pytest.mark.parametrize("query", ["access_token", "api_key", "key", "Authorization"])
def test_a_query_that_is_not_documented_carries_nothing(query: str) -> None:
    assert LEADS.read(request(f"/v1/leads?{query}={SECRET.decode()}")).presented.state == MISSING


WAYS = contract(
    {
        "keys.sent_as": [
            {"Authorization": "Basic base64(<key>:)"},
            {"Authorization": "Bearer <key>"},
            {"X-API-Key": "<key>"},
            "?key=<key>",
        ]
    }
)
SEVERAL: dict[str, tuple[bytes, Lines, str]] = {
    "Basic": (b"", by(basic(SECRET + b":")), KEY),
    "basic in lower case": (b"", by(basic(SECRET + b":").replace(b"Basic", b"basic  ")), KEY),
    "Bearer": (b"", by(b"Bearer " + SECRET), KEY),
    "header of its own": (b"", by(b"  " + SECRET, b"x-api-key"), KEY),
    "query": (b"?page=2&key=" + SECRET, (), KEY),
    "query, percent-encoded": (b"?k%65y=" + SECRET.replace(b"_", b"%5f"), (), KEY),
    "password": (b"", by(basic(SECRET + b":x")), MALFORMED),
    "as password": (b"", by(basic(b":" + SECRET)), MALFORMED),
    "no base64": (b"", by(b"Basic " + SECRET + b":"), MALFORMED),
    "broken base64": (b"", by(b"Basic c2t"), MALFORMED),
    "base64 after its padding": (b"", by(basic(SECRET + b"::") + b"c2s="), MALFORMED),
    "only a colon": (b"", by(basic(b":")), MALFORMED),
    "empty query": (b"?key=", (), MALFORMED),
    "query without value": (b"?key", (), MALFORMED),
    "the same key twice": (b"?key=" + SECRET, by(SECRET, b"X-API-Key"), KEY),
    "two keys": (b"?key=" + OTHER, by(SECRET, b"X-API-Key"), CONFLICTING),
    "two keys in headers": (b"", by(b"Bearer " + OTHER) + by(SECRET, b"X-API-Key"), CONFLICTING),
    "a key and nonsense": (b"?key=" + SECRET, by(b"Bearer"), CONFLICTING),
    "twice in the query": (b"?key=" + SECRET + b"&key=" + SECRET, (), CONFLICTING),
    "joined, without scheme": (b"", by(SECRET + b"," + OTHER, b"X-API-Key"), CONFLICTING),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_ways(name: str) -> None:
    query, lines, state = SEVERAL[name]
    presented = WAYS.read(request("/v1/leads" + query.decode(), "GET", *lines)).presented
    assert presented.state == state
    if state == KEY:
        assert presented.digest == hashlib.sha256(SECRET).hexdigest()


def kinds(**secret: object) -> Contract:
    return contract({"keys.kinds": {"API key": {"holds": "one scope", "prefix": "k_", "secret": secret}}})


@pytest.mark.parametrize(
    ("found", "secret", "state"),
    [
        pytest.param(kinds(length={"at_least": 4}, alphabet="0-9 a-f"), b"k_0123456789", KEY, id="at least"),
        pytest.param(kinds(length={"at_least": 4}, alphabet="0-9 a-f"), b"k_012", MALFORMED, id="too short"),
        pytest.param(kinds(length={"at_most": 4}, alphabet="0-9 a-f"), b"k_0123", KEY, id="at most"),
        pytest.param(kinds(length={"at_most": 4}, alphabet="0-9 a-f"), b"k_01234", MALFORMED, id="too long"),
        pytest.param(kinds(length=4, alphabet="0-9 a-f"), b"k_012g", MALFORMED, id="outside the alphabet"),
        pytest.param(kinds(length=4, alphabet="A-Z - _"), b"k_A-_Z", KEY, id="dash in the alphabet"),
    ],
)
def test_format(found: Contract, secret: bytes, state: str) -> None:
    assert found.read(request("/v1/leads", "GET", *by(b"Bearer " + secret))).presented.state == state


def test_without_a_documented_format_anything_may_be_a_key() -> None:
    found = contract({"keys.kinds": {"API key": {"holds": "one scope"}}})
    presented = found.read(request("/v1/leads", "GET", *by(b"Bearer whatever")))
    assert (presented.presented.state, presented.presented.digest is not None) == (KEY, True)


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        pytest.param(SECRET, "sk_live_****3aB3", id="a key"),
        pytest.param(SECRET + b"a", "sk_live_****", id="no key: nothing of it is repeated"),
        pytest.param(b"nonsense", "", id="nonsense"),
    ],
)
def test_a_key_is_only_shown_masked(secret: bytes, masked: str) -> None:
    reading = LEADS.read(request("/v1/leads", "GET", *by(b"Bearer " + secret)))
    assert reading.presented.masked == masked
    assert secret.decode() not in repr(reading.presented)


def test_no_repr_holds_a_key() -> None:
    sent = request(f"/v1/leads?key={SECRET.decode()}", "GET", *by(b"Bearer " + SECRET))
    shown = f"{sent!r} {LEADS.read(sent)!r}"
    assert SECRET[8:].decode() not in shown
    assert "Authorization" in shown
    assert "/v1/leads" in shown


def test_signs_at_the_end_of_a_key_are_not_shown() -> None:
    found = contract({"keys.kinds": {"API key": {"holds": "one scope", "prefix": "k_"}}})
    assert found.read(request("/v1/leads", "GET", *by(b'Bearer k_ab"><'))).presented.masked == "k_****"


def test_the_environment_comes_from_the_record_not_from_the_prefix() -> None:
    """With one base URL for all there is no other environment; with several, the record's must be the one addressed."""
    urls = {"production": "https://api.example/v1", "sandbox": "https://sandbox.example/v1"}
    apart = contract({"base_url": urls})
    digest = hashlib.sha256(SECRET).hexdigest()
    record = KeyRecord(
        id="k", digest=digest, kind="API key", scopes=frozenset({"read"}), environment="sandbox", issued_at=NOW
    )
    facts = Facts(now=NOW, key=record)
    shown = by(b"Bearer " + SECRET)
    assert LEADS.decide(request("/v1/leads", "GET", *shown), facts).allowed
    assert apart.decide(request("/v1/leads", "GET", *shown, environment="sandbox"), facts).allowed
    there = apart.decide(request("/v1/leads", "GET", *shown, environment="production"), facts)
    nowhere = apart.decide(request("/v1/leads", "GET", *shown), facts)
    assert (there.cause, nowhere.cause) == (Cause.WRONG_ENVIRONMENT, Cause.WRONG_ENVIRONMENT)
