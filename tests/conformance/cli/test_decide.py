"""`decide`: the checks in order, the rule, the response, and never the key."""

import json
import re
from importlib.resources import files

import jsonschema
import pytest
from authcontract_conformance.cli.decide import command
from click.testing import CliRunner, Result
from policy_contracts import FILES

SCHEMA = json.loads(files("authcontract_conformance").joinpath("schemas", "decide.schema.json").read_text("utf-8"))


def decide(name: str, *arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(command, [str(FILES[name]), *arguments], input=given)


def values(name: str, *arguments: str, given: bytes | None = None) -> dict[str, object]:
    result = decide(name, *arguments, "--format", "json", given=given)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def test_a_refusal_is_shown_step_by_step_with_its_rule_and_response() -> None:
    result = decide("synaptiq", "--as", "scope=read plan=pro", "PATCH", "/leads/42")

    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines[0] == "PATCH /api/v1/leads/42 over https, with API key · read · pro · production"
    assert "✔ limit passed by scope and plan: 599 of 600 left" in lines
    refused = (
        "✘ scope refused insufficient_scope: takes write; the key holds read, and read does not count on this method"
    )
    assert refused in " ".join(lines)
    assert max(map(len, result.output.splitlines()[:12])) <= 80
    assert "body not reached" in lines
    assert "Refused: 403 forbidden because of insufficient_scope" in lines
    assert any(set(line) == {"|", " ", "^"} for line in lines)
    assert "source: Scope Examples" in lines
    assert "HTTP/1.1 403 Forbidden" in lines
    assert '"code": "forbidden",' in lines


def test_an_allowed_request_goes_on_with_the_headers_that_the_policy_adds() -> None:
    result = decide("synaptiq", "--as", "scope=write", "PATCH", "/leads/42")

    assert "Allowed: PATCH /leads/{id} goes on to the application" in result.output
    assert "Cache-Control: no-store" in result.output
    assert "refused" not in result.output


@pytest.mark.parametrize(
    ("arguments", "cause", "status"),
    [
        (("--no-key", "GET", "/leads"), "missing", 401),
        (("--as", "scope=read", "GET", "/leads", "--key-state", "revoked"), "revoked", 401),
        (("--as", "scope=read", "GET", "/leads", "--key-state", "expired"), "expired", 401),
        (("--as", "scope=read", "GET", "/leads", "--key-state", "grace"), None, None),
        (("--as", "scope=read", "GET", "/leads", "--throttled"), "throttled", 429),
        (("--as", "scope=read", "GET", "/leads", "--scheme", "http"), "plaintext", 403),
        (("--as", "scope=read", "GET", "/nothing"), "unknown_path", 404),
        (("--as", "scope=read", "PUT", "/leads"), "method_not_allowed", 405),
        (("--as", "scope=write", "POST", "/leads", "--body", "invalid"), "invalid_body", 400),
        (("--as", "scope=read", "GET", "/leads/1", "--object", "foreign"), "foreign_object", 404),
        (("--as", "scope=read", "GET", "/leads", "--header", "Authorization: Basic <key>"), "malformed", 401),
        (("--as", "scope=read", "GET", "/leads", "--header", "authorization: bearer   <key>"), None, None),
    ],
)
def test_each_flag_says_one_thing_of_the_request(arguments: tuple[str, ...], cause: str | None, status: int) -> None:
    found = values("synaptiq", *arguments)

    assert found["cause"] == cause
    assert found["allowed"] is (cause is None)
    response = found["response"]
    assert (response["status"] if isinstance(response, dict) else None) == status


def test_raw_bytes_are_read_as_a_server_reads_them() -> None:
    good = b"GET /api/v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer <key>\r\n\r\n"
    folded = good.replace(b"\r\nHost", b"\r\n folded\r\nHost")

    assert values("synaptiq", "--as", "scope=read", "--raw", given=good)["allowed"] is True
    assert values("synaptiq", "--as", "scope=read", "--raw", given=folded)["cause"] == "malformed_request"


@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("harbour", ("--as", "scope=shipments:read plan=business", "GET", "/forecasts"), True),
        ("harbour", ("--as", "scope=shipments:read plan=free", "GET", "/forecasts"), False),
        ("harbour", ("--as", "scope=shipments:read", "GET", "/shipments", "--at", "test"), False),
        ("harbour", ("--as", "scope=labels:buy,billing:manage", "POST", "/shipments/1/label"), True),
        ("stripe", ("--as", "kind=secret key", "DELETE", "/v1/customers/1"), True),
        ("stripe", ("--as", "kind=restricted key scope=customer_read", "DELETE", "/v1/customers/1"), False),
        ("roles", ("--no-key", "GET", "/health"), True),
        ("github", ("--no-key", "GET", "/repos/a/b", "--object-kind", "public"), True),
        ("github", ("--no-key", "GET", "/repos/a/b", "--object-kind", "private"), False),
    ],
)
def test_plans_kinds_and_environments_count(name: str, arguments: tuple[str, ...], allowed: bool) -> None:  # noqa: FBT001  a column of the table
    assert values(name, *arguments)["allowed"] is allowed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--as", "scope=red", "GET", "/leads"), "the policy has no scope `red`; did you mean `read`?"),
        (("--as", "plna=pro", "GET", "/leads"), "--as does not know `plna`; did you mean `plan`?"),
        (("--as", "read", "GET", "/leads"), "--as is written `scope=read plan=starter`, not `read`"),
        (("--as", "none", "GET", "/leads"), "a request without a key is --no-key"),
        (("GET", "/leads"), 'a key of kind `API key` holds one scope: say --as "scope='),
        (("--as", "scope=read", "GET"), "say METHOD and PATH, or --raw"),
        (("--as", "scope=read", "--raw", "GET", "/leads"), "say METHOD and PATH, or --raw"),
        (("--as", "scope=read", "GET", "/leads", "--header", "x"), "--header is written `Name: value`, not `x`"),
        (("--as", "scope=read", "GET", "/leads", "--at", "test"), "the policy has no environment `test`; there is "),
        (("--as", "scope=read", "GET", "/leads", "--object-kind", "x"), "the policy has no kind of object `x`"),
    ],
)
def test_a_mistake_is_said_with_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    result = decide("synaptiq", *arguments)

    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize("where", [(), ("--header", "Authorization: Bearer <key>"), ("--header", "X-Key: <key>")])
def test_the_key_is_never_shown(format_: str, where: tuple[str, ...]) -> None:
    result = decide("synaptiq", "--as", "scope=read", "GET", "/leads?k=<key>", *where, "--format", format_)

    assert result.exit_code == 0
    assert not re.search(r"sk_live_[A-Za-z0-9]{9}", result.output)


def test_control_characters_of_a_request_reach_no_terminal() -> None:
    raw = b"GET /\x1b[31mred HTTP/1.1\r\nHost: x\r\n\r\n"

    result = decide("synaptiq", "--as", "scope=read", "--raw", given=raw)

    assert result.exit_code == 0
    assert "\x1b" not in result.output
