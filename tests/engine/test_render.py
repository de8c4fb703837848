"""What a refusal looks like on the wire, and the headers of any response."""

import json
from typing import Any

import pytest
from authcontract_engine import (
    UNKNOWN,
    Contract,
    Facts,
    KeyRecord,
    MemoryKeys,
    MemoryLimiter,
    Reservation,
    Response,
    Standing,
)
from leads import NOW, bearer, contract, issue, operation, request
from second_opinion import both

HEADERS = {"Cache-Control": "no-store", "Strict-Transport-Security": "max-age=1", "X-Scopes": "<granted>"}


def refused(found: Contract, sent: Any, key: KeyRecord | None = None, **facts: Any) -> Response:
    """Return the response to a request that the contract refuses."""
    reading, known = found.read(sent), Facts(now=NOW, key=key, **facts)
    return found.refuse(found.decide(reading, known), reading, known, request_id="req_1")


def test_synaptiqs_401_word_for_word() -> None:
    """The page's sample, with challenge, caching and transport as the policy states them."""
    found = both("synaptiq").contract
    response = refused(found, request("/api/v1/leads"))
    assert response.status == 401
    assert dict(response.headers) == {
        "WWW-Authenticate": 'Bearer realm="synaptiq"',
        "Cache-Control": "no-store",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "Content-Type": "application/json",
    }
    assert json.loads(response.body) == {
        "error": {
            "code": "unauthorized",
            "message": "Invalid or missing API key. Provide a valid Bearer token in the Authorization header.",
            "doc_url": "https://synaptiqintel.com/docs/api-reference/authentication",
        }
    }


def test_synaptiqs_429_says_when_to_retry() -> None:
    found = both("synaptiq").contract
    keys, limiter = MemoryKeys(found), MemoryLimiter(found)
    record, secret = issue(keys, "admin")
    sent = request("/api/v1/leads", "GET", bearer(secret))
    charges = found.charges(found.read(sent), record, NOW)
    for _ in range(30):
        usage = limiter.reserve(charges, NOW + 0.5)
        assert found.decide(sent, Facts(now=NOW, key=record, usage=usage)).allowed
    response = refused(found, sent, record, usage=limiter.reserve(charges, NOW + 1.25))
    headers = dict(response.headers)
    assert response.status == 429
    assert headers["Retry-After"] == "60"
    assert headers["RateLimit"].endswith(";r=0;t=60")
    assert headers["RateLimit-Policy"].endswith(";q=30;w=60")


def test_harbours_problem_leaves_out_what_has_no_value() -> None:
    """A status stays a number; names are one text; `detail` has no value for this cause."""
    found = both("harbour").contract
    keys = MemoryKeys(found)
    record, secret = keys.issue(
        organisation="o", environment="live", kind="access token", scopes=["labels:buy"], plan="free", now=NOW
    )
    labels = operation(found, "buyLabel")
    sent = request(found.base_path("live") + labels.path, labels.method, bearer(secret), environment="live")
    response = refused(found, sent, record)
    assert dict(response.headers) == {
        "WWW-Authenticate": 'Bearer realm="harbour", error="insufficient_scope", scope="billing:manage labels:buy"',
        "Content-Type": "application/problem+json",
    }
    assert json.loads(response.body) == {
        "type": "https://harbour.example/problems/scope-missing",
        "title": "Scope missing",
        "status": 403,
        "code": "scope-missing",
        "required_scopes": "billing:manage labels:buy",
    }


def test_a_text_may_differ_by_cause() -> None:
    found = both("harbour").contract
    malformed = refused(found, request("/shipments", "GET", bearer("hb_live_"), environment="live"))
    unknown = refused(found, request("/shipments", "GET", bearer("hb_live_" + "a" * 43), environment="live"))
    assert json.loads(malformed.body)["detail"] == "This is no key of ours."
    assert json.loads(unknown.body)["detail"] == "This key does not exist or was revoked."


def test_every_placeholder() -> None:
    names = "code status method path required granted masked_key environment request_id allowed"
    body = {name: f"<{name}>" for name in names.split(" ")}
    found = contract(
        {
            "error_format.body": {**body, "list": ["<code>", "<said>", 1], "n": None},
            "errors.forbidden.says": {"said": "needs <required>"},
        }
    )
    record, secret = issue(MemoryKeys(found))
    response = refused(found, request("/v1/leads?x=1", "POST", bearer(secret)), record)
    assert json.loads(response.body) == {
        "code": "forbidden",
        "status": 403,
        "method": "POST",
        "path": "/v1/leads",
        "required": "write",
        "granted": "read",
        "masked_key": f"sk_live_****{secret[-4:]}",
        "environment": "production",
        "request_id": "req_1",
        "allowed": "GET, HEAD, OPTIONS, POST",
        "list": ["forbidden", "needs write", 1],
        "n": None,
    }


def test_what_has_no_value_is_left_out() -> None:
    found = contract(
        {
            "error_format.body": {"error": {"code": "<code>"}, "who": "key <masked_key>", "needs": ["<required>"]},
            "headers": {"X-Scopes": "<granted>"},
            "errors.not_found.headers": {"X-Needs": "<required>"},
        }
    )
    response = refused(found, request("/v1/health/x"), None)
    assert json.loads(response.body) == {"error": {"code": "unauthorized"}, "needs": []}
    assert "X-Scopes" not in dict(response.headers)


def test_a_cause_that_no_row_names_has_its_usual_status_and_its_own_name() -> None:
    found = contract({"errors.not_found": {"status": 404, "when": ["unknown_path"]}})
    record, secret = issue(MemoryKeys(found))
    response = refused(found, request("/v1/leads", "PUT", bearer(secret)), record)
    assert (response.status, json.loads(response.body)) == (405, {"error": {"code": "method_not_allowed"}})


@pytest.mark.parametrize(
    ("status", "cause", "header"),
    [
        (401, "missing", ("WWW-Authenticate", 'Bearer realm="api"')),
        (405, "method_not_allowed", ("Allow", "GET, HEAD, OPTIONS, POST")),
        (426, "plaintext", ("Upgrade", "TLS/1.3, HTTP/1.1")),
    ],
)
def test_headers_that_http_demands(status: int, cause: str, header: tuple[str, str]) -> None:
    found = contract({"errors": {"refused": {"status": status, "when": [cause], "body": "any"}}})
    record, secret = issue(MemoryKeys(found))
    lines = () if cause == "missing" else (bearer(secret),)
    scheme = "http" if cause == "plaintext" else "https"
    method = "PUT" if cause == "method_not_allowed" else "GET"
    response = refused(found, request("/v1/leads", method, *lines, scheme=scheme), record)
    assert (response.status, response.headers, response.body) == (status, (header,), b"")


def test_a_challenge_of_a_way_without_scheme() -> None:
    found = contract({"keys.sent_as": [{"X-API-Key": "<key>"}]})
    assert dict(refused(found, request()).headers)["WWW-Authenticate"] == 'ApiKey realm="api"'


def test_the_errors_own_headers_come_before_the_policys() -> None:
    found = contract({"headers": HEADERS, "errors.unauthorized.headers": {"cache-control": "private"}})
    headers = [(name, value) for name, value in refused(found, request()).headers if name.lower() == "cache-control"]
    assert headers == [("cache-control", "private")]


@pytest.mark.parametrize("secure", [True, False])
def test_hsts_goes_over_tls_only(*, secure: bool) -> None:
    found = contract({"headers": HEADERS})
    names = dict(found.headers(found.read(request()), Facts(now=NOW), secure=secure))
    assert ("Strict-Transport-Security" in names) == secure
    plain = dict(refused(found, request(scheme="http")).headers)
    assert "Strict-Transport-Security" not in plain


def test_unknown_facts_fill_nothing() -> None:
    found = contract({"headers": HEADERS})
    reading = found.read(request())
    known = Facts(now=NOW, key=UNKNOWN, usage=UNKNOWN)
    assert [name for name, _ in found.headers(reading, known)] == ["Cache-Control", "Strict-Transport-Security"]


def standing(limit: str, **chosen: Any) -> Standing:
    usual = {"amount": 10, "remaining": 4, "used": 6, "window": 60, "reset_in": 30, "reset_at": 1030}
    return Standing(**{"limit": limit, **usual, "retry_after": 0.0, "admitted": True, **chosen})


def test_headers_of_several_limits() -> None:
    """The same header of two limits is joined; of Retry-After, which allows one value, the longest stands."""
    headers = {"X-Left": "<remaining>", "X-Name": '"<limit_name>"', "Retry-After": "<retry_after>"}
    found = contract(
        {
            "rate_limits": {
                "one": {"requests": 10, "window": "1 minute", "per": ["key"], "headers": headers},
                "two": {
                    "requests": 10,
                    "window": "1 minute",
                    "per": ["key"],
                    "headers": {"x-left": "<remaining>", "retry-after": "<retry_after>", "X-At": "<reset_at> <used>"},
                },
            }
        }
    )
    refusing = (
        standing("one", retry_after=9.2, admitted=False, remaining=0),
        standing("two", retry_after=59.0, admitted=False),
    )
    usage = Reservation(admitted=False, standings=refusing)
    lines = found.headers(found.read(request()), Facts(now=NOW, usage=usage))
    assert lines == (("x-left", "0, 4"), ("X-Name", '"one"'), ("retry-after", "59"), ("X-At", "1030 6"))


@pytest.mark.parametrize(
    ("wait", "value"), [(0.0001, "1"), (1.0, "1"), (1.0001, "2"), (59.5, "60"), (float("inf"), None)]
)
def test_retry_after_is_rounded_up(wait: float, value: str | None) -> None:
    found = contract({"rate_limits.by plan.headers": {"Retry-After": "<retry_after>"}})
    usage = Reservation(admitted=False, standings=(standing("by plan", retry_after=wait, admitted=False),))
    headers = dict(found.headers(found.read(request()), Facts(now=NOW, usage=usage)))
    assert headers.get("Retry-After") == value


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (b"/v1/leads\r\nSet-Cookie: a=b", "https://api.example/v1/leads%0D%0ASet-Cookie:%20a=b"),
        (b"/v1/leads\xe9?x=1", "https://api.example/v1/leads%E9"),
        (b"/v1/a%20b", "https://api.example/v1/a%20b"),
    ],
)
def test_what_a_client_sent_cannot_break_a_header(target: bytes, location: str) -> None:
    found = contract(
        {"errors.https": {"status": 308, "when": ["plaintext"], "headers": {"Location": "https://api.example<path>"}}}
    )
    sent = request(scheme="http")
    sent = type(sent)(scheme="http", method=b"GET", target=target, headers=sent.headers)
    assert dict(refused(found, sent).headers)["Location"] == location


def test_the_required_names_of_the_kind_of_object() -> None:
    """GitHub lists accepted scopes on every response; of unknown objects it lists those of private ones."""
    found = both("github").contract
    reading = found.read(request("/repos/o/r"))
    listed = [dict(found.headers(reading, Facts(now=NOW, object_kind=kind))) for kind in (None, "private", "public")]
    assert [headers.get("X-Accepted-OAuth-Scopes") for headers in listed] == ["repo", "repo", None]


def test_only_refusals_are_rendered() -> None:
    found = contract()
    reading, facts = found.read(request("/v1/health")), Facts(now=NOW)
    with pytest.raises(ValueError, match="no refusal"):
        found.refuse(found.decide(reading, facts), reading, facts)
