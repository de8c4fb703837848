"""One slip for each code: the code, the text over the carets, the message and the help.

Longer than other modules because it is one table, a row for each code of the language.
"""

from dataclasses import dataclass

import pytest
from authcontract_policy import CODES, Diagnostic, Severity, load, parse_policy, parse_specification
from policy_contracts import FILES, Edits, edited, slip, underlined


@dataclass(frozen=True, kw_only=True)
class Slip:
    """An edit of a sound contract, and the diagnostic that it must bring."""

    code: str
    policy: Edits = ()
    specification: Edits = ()
    contract: str = "harbour"
    underlined: str
    message: str
    help: str = ""
    severity: Severity = Severity.ERROR


SCOPES = "scopes:\n"
LAST = "labels: {requests: 500"

SLIPS = (
    # YAML
    Slip(
        code="yaml-syntax",
        policy=(("[live, test]", "[live, test"),),
        underlined=":",
        message="a bracket is not closed before this",
        help="close it, or put a text with `,` `[` or `{` in quotes",
    ),
    Slip(
        code="duplicate-key",
        policy=(("labels:buy: {}", "labels:buy: {}\n  labels:buy: {}"),),
        underlined="labels:buy",
        message="`labels:buy` stands here a second time, first in line 21",
        help="keep one of the two",
    ),
    Slip(
        code="second-document",
        policy=((SCOPES, f"---\n{SCOPES}"),),
        underlined="---",
        message="a second document begins here",
        help="keep one document a file",
    ),
    Slip(
        code="name-not-text",
        policy=((SCOPES, f"? [a]\n: b\n{SCOPES}"),),
        underlined="[",
        message="a name must be a text",
        help="put the name in quotes",
    ),
    Slip(
        code="anchor",
        policy=(("plans: [free", "plans: [&f free"),),
        underlined="&f free",
        message="an anchor has no meaning here",
        help="write out each value where it is needed",
    ),
    Slip(
        code="tag",
        policy=(("plans: [free", "plans: [!!str free"),),
        underlined="!!str free",
        message="a tag has no meaning here",
        help="leave the tag out",
    ),
    Slip(
        code="number",
        policy=(("requests: 500", "requests: 1e999"),),
        underlined="1e999",
        message="`1e999` is no number that JSON has",
    ),
    Slip(
        code="too-deep",
        policy=((SCOPES, f"x: {'[' * 50}{']' * 50}\n{SCOPES}"),),
        underlined="[",
        message="blocks are nested more than 40 deep",
    ),
    Slip(
        code="text-cut",
        policy=(
            ("title: Key of another environment", "title: Key #2"),
            ("detail: Use a <environment> key here.}}", "}}"),
        ),
        underlined="#2, }}",
        message="the text ends before ` #`: what follows is a comment",
        help="put the whole text in quotes, or two spaces before a comment",
        severity=Severity.WARNING,
    ),
    # Shape
    Slip(
        code="unknown-word",
        policy=(("rate_limits:", "rate_limit:"),),
        underlined="rate_limit",
        message="`rate_limit` is not a word of a policy",
        help="did you mean `rate_limits`?",
    ),
    Slip(
        code="missing-word",
        policy=(("    window: 1 minute\n", ""),),
        underlined="requests",
        message="`window` is missing",
        help="write it like `window: 1 minute`",
    ),
    Slip(
        code="word-beside",
        policy=((LAST, f"{LAST}, concurrent: 3"), ("requests: 500, ", "")),
        underlined="window",
        message="`window` does not stand beside `concurrent`",
        help="a limit is a number of `requests` in a `window`, or `concurrent`",
    ),
    Slip(
        code="wrong-type",
        policy=(("requires: shipments:read, ", "requires: [shipments:read], "),),
        underlined="[shipments:read]",
        message="`requires` takes one value, not a list",
        help="write `requires: shipments:read`",
    ),
    Slip(
        code="unknown-value",
        policy=(("algorithm: token_bucket", "algorithm: token_buckets"),),
        underlined="token_buckets",
        message="`token_buckets` is not a value of `algorithm`",
        help="did you mean `token_bucket`?",
    ),
    Slip(
        code="malformed-value",
        policy=(("window: 1 minute", "window: 60s"),),
        underlined="60s",
        message="`60s` is no duration above zero",
        help="write it like `1 minute` or `24 hours`",
    ),
    Slip(
        code="malformed-name",
        policy=(("WWW-Authenticate:", "WWW Authenticate:"),),
        underlined="WWW Authenticate",
        message="`WWW Authenticate` is no header name",
        help="write it like `WWW-Authenticate`",
    ),
    Slip(
        code="reserved-name",
        policy=(("plans: [free", "plans: [others"),),
        underlined="others",
        message="`others` is a word of the language and names nothing of yours",
        help="choose another name",
    ),
    Slip(
        code="out-of-range",
        policy=(("status: 402", "status: 200"),),
        underlined="200",
        message="`200` is no HTTP status of a refusal: those go from 300 to 599",
    ),
    Slip(
        code="too-few",
        policy=(("burst: {free: 20, business: 100}", "burst: {free: 20}"),),
        underlined="{free: 20}",
        message="`burst` needs at least 2 rows, here is 1",
        help="write the one value without a table",
    ),
    Slip(
        code="too-many",
        policy=(("{all_of: [labels:buy, billing:manage]}", "{all_of: [a, b], any_of: [a, b]}"),),
        underlined="{all_of: [a, b], any_of: [a, b]}",
        message="`requires` takes one word, here are `all_of`, `any_of`",
        help="keep one of them",
    ),
    Slip(
        code="repeated-entry",
        policy=(("per: [organisation, environment]", "per: [organisation, organisation]"),),
        underlined="organisation",
        message="this entry stands in the list already",
        help="delete one of the two",
    ),
    # Names
    Slip(
        code="name-twice",
        policy=(("plans: [free", "plans: [labels:buy"),),
        underlined="labels:buy",
        message="`labels:buy` is a scope and a plan at once",
    ),
    Slip(
        code="undeclared-scope",
        policy=(("requires: shipments:write", "requires: shipment:write"),),
        underlined="shipment:write",
        message="`shipment:write` is required here but declared nowhere",
        help="did you mean `shipments:write`?",
    ),
    Slip(
        code="undeclared-object",
        contract="github",
        policy=(("objects: [public],  requires: no key", "objects: [publik],  requires: no key"),),
        underlined="publik",
        message="`publik` is no kind of object of this policy",
        help="did you mean `public`?",
    ),
    Slip(
        code="precedence-impossible",
        policy=(("key, path, method, scope,", "scope, key, path, method,"),),
        underlined="scope",
        message="`scope` cannot be checked before `key`",
        help="put `key` before it",
    ),
    Slip(
        code="bounds-crossed",
        policy=(("length: 43", "length: {at_least: 9, at_most: 8}"),),
        underlined="8",
        message="the longest secret is shorter than the shortest",
    ),
    Slip(
        code="range-backwards",
        policy=(("alphabet: A-Z a-z", "alphabet: A-Z z-a"),),
        underlined="z-a",
        message="the range `z-a` runs backwards",
        help="write `a-z`",
    ),
    # Scopes
    Slip(
        code="family-unclear",
        contract="github",
        policy=(("  delete_repo: {}", "  delete_repo: {}\n  <a><b>: {}"),),
        underlined="<a><b>",
        message="`<a><b>` can be read in several ways",
        help="fill in at most 2 parts, with text between them",
    ),
    Slip(
        code="family-ambiguous",
        contract="stripe",
        policy=(("  <resource>_write:", "  customer_<what>: {}\n  <resource>_write:"),),
        underlined="customer_<what>",
        message="`customer_read` fits `<resource>_read`, `customer_<what>`",
        help="give `customer_read` a row of its own",
    ),
    Slip(
        code="scopes-endless",
        contract="github",
        policy=(("includes: [read:<thing>]", "includes: [read:<thing>, write:<thing>x]"),),
        underlined="scopes",
        message="there are more than 2,000 scopes, or families that make ever longer names",
        help="look for a family that includes a longer form of itself",
    ),
    Slip(
        code="include-matches-nothing",
        policy=(("includes: [billing:read]", "includes: [<any>:red]"),),
        underlined="<any>:red",
        message="this includes no other scope that exists",
    ),
    Slip(
        code="include-opens-nothing",
        policy=(("includes: [billing:read]", "includes: [billing:reed]"),),
        underlined="billing:reed",
        message="no row requires `billing:reed`",
        help="did you mean `billing:read`?",
        severity=Severity.WARNING,
    ),
    Slip(
        code="include-exceeds-methods",
        policy=(("{includes: [shipments:read]}", "{methods: [POST], includes: [shipments:read]}"),),
        underlined="shipments:read",
        message="`shipments:write` includes `shipments:read`, but not its methods: every method",
        help="add the methods here, or include less",
    ),
    # Capabilities
    Slip(
        code="selector-matches-nothing",
        policy=(("[buyLabel]}\n  See", "[buyLabels]}\n  See"),),
        underlined="buyLabels",
        message="`buyLabels` matches no operation of the specification",
        help="did you mean `buyLabel`?",
    ),
    Slip(
        code="uncovered-operation",
        policy=(("operations: [quoteRates]", "operations: [getForecast]"),),
        underlined="capabilities",
        message="`POST /rates` (`quoteRates`) is in no capability",
        help="add a capability that names it; what no row names is never allowed by silence",
    ),
    Slip(
        code="ambiguous-capability",
        policy=(("operations: [quoteRates]", "operations: [quoteRates, getForecast]"),),
        underlined="Forecasts (business)",
        message="`GET /forecasts` (`getForecast`) is claimed by `Quote rates`, `Forecasts (business)`",
        help="of two rows the one inside the other decides: name fewer operations in one of them",
    ),
    Slip(
        code="capability-decides-nothing",
        policy=(
            ("operations: [buyLabel]", "operations: [tag: labels]"),
            ("  Quote", "  Buy:  {requires: any key, operations: [/shipments/*]}\n  Quote"),
        ),
        underlined="Buy",
        message="`Buy` decides no operation: narrower rows take all of them",
        help="delete the row, or name its operations more narrowly",
    ),
    Slip(
        code="nobody-can-call",
        policy=(("  labels:buy: {}", "  labels:buy: {methods: [GET]}"),),
        underlined="{all_of: [labels:buy, billing:manage]}",
        message="no key can call `POST /shipments/{id}/label` (`buyLabel`)",
        help="nothing that the row requires counts on `POST`, or no one key can hold all of it",
    ),
    Slip(
        code="redundant-requirement",
        policy=(("{any_of: [billing:read, shipments:write]}", "{any_of: [billing:read, billing:manage]}"),),
        underlined="billing:manage",
        message="`billing:manage` includes `billing:read` already",
        help="delete `billing:manage` here",
        severity=Severity.WARNING,
    ),
    Slip(
        code="specification-silent",
        policy=(("requires: any key, operations: [quoteRates]", "requires: as specified, operations: [quoteRates]"),),
        specification=(("security: [{token: []}]\n", ""),),
        underlined="as specified",
        message="the specification does not say what `POST /rates` (`quoteRates`) requires",
        help="name it in a row of its own",
    ),
    Slip(
        code="schemes-unclear",
        contract="spotify",
        specification=(('"oauth_2_0": []', '"pat": []}, {"oauth_2_0": []'),),
        underlined="as specified",
        message="which key answers `oauth_2_0`, `pat` at `GET /albums/{id}` (`get-an-album`)?",
        help="name the kinds of key like the schemes of the specification",
    ),
    # Errors
    Slip(
        code="cause-claimed-twice",
        policy=(("when: [expired]", "when: [expired, revoked]"),),
        underlined="revoked",
        message="`revoked` leads to `key-invalid` already",
        help="let each cause lead to one error",
    ),
    Slip(
        code="error-never-happens",
        policy=((", when: [invalid_body]", ""),),
        underlined="invalid-body",
        message="nothing leads to `invalid-body`",
        help="say `when` it happens, or name it in a `refused_with`",
    ),
    Slip(
        code="unknown-error",
        contract="github",
        policy=(("operations: [pulls/merge], refused_with: hidden", "operations: [pulls/merge], refused_with: hiden"),),
        underlined="hiden",
        message="`hiden` is no error of this policy",
        help="did you mean `hidden`?",
    ),
    Slip(
        code="cause-elsewhere",
        policy=(("{malformed: This is", "{expired: This is"),),
        underlined="expired",
        message="`expired` does not lead to this error",
        help="it has `malformed`, `revoked`, `unknown`",
    ),
    Slip(
        code="cause-without-text",
        policy=(("others: This key", "unknown: This key"),),
        underlined="detail",
        message="there is no text for `revoked`",
        help="add it, or `others`",
    ),
    Slip(
        code="placeholder-unknown",
        policy=(("Use a <environment> key", "Use a <enviroment> key"),),
        underlined="<enviroment>",
        message="nothing fills in `<enviroment>`",
        help="did you mean `environment`?",
    ),
    Slip(
        code="placeholder-never-given",
        policy=(("status: <status>, detail: <detail>,", "status: <status>, detail: <details>,"),),
        underlined="<details>",
        message="no error says what `<details>` is",
        help="did you mean `detail`?",
    ),
    Slip(
        code="placeholder-built-in",
        policy=(("says: {title: Wrong method}", "says: {title: Wrong method, status: bad}"),),
        underlined="status",
        message="`<status>` is filled in by itself",
        help="delete this line",
    ),
    Slip(
        code="placeholder-of-a-limit",
        policy=(("title: Quota exceeded", "title: Wait <retry_after> seconds"),),
        underlined="<retry_after>",
        message="only a rate limit's own headers know `<retry_after>`",
        help="several limits may refuse at once: put the header under the limit",
    ),
    Slip(
        code="value-without-placeholder",
        policy=(("says: {title: HTTPS only}", "says: {titel: HTTPS only}"),),
        underlined="titel",
        message="the body has no `<titel>`",
        help="did you mean `title`?",
    ),
    Slip(
        code="no-such-field",
        policy=(("may_differ: [title", "may_differ: [titles"),),
        underlined="titles",
        message="`titles` is no field of the body",
        help="did you mean `title`?",
    ),
    # Tables and limits
    Slip(
        code="unknown-heading",
        policy=(("burst: {free: 20", "burst: {fre: 20"),),
        underlined="fre",
        message="`fre` is none of the plans",
        help="did you mean `free`?",
    ),
    Slip(
        code="headings-unclear",
        policy=(("free: {live: 100, test: 20}", "free: {free: 100, business: 20}"),),
        underlined="free",
        message="plans are told apart further out already",
        help="nest a table under other headings",
    ),
    Slip(
        code="wrong-headings",
        policy=(("prefix: {live: hb_live_, test: hb_test_}", "prefix: {free: hb_live_, business: hb_test_}"),),
        underlined="prefix",
        message="`prefix` cannot differ by plan",
        help="its headings are environments",
    ),
    Slip(
        code="missing-row",
        policy=(("plans: [free, business]", "plans: [free, business, custom]"),),
        underlined="requests",
        message="there is no row for `custom`",
        help="add it, or `others`",
    ),
    Slip(
        code="scope-table",
        contract="roles",
        policy=(("holds: one scope", "holds: several scopes"),),
        underlined="requests",
        message="which row counts for `workspace key`, which can hold several scopes?",
        help="only where each key holds one scope can a value differ by scope",
    ),
    Slip(
        code="burst-without-bucket",
        policy=(("algorithm: token_bucket", "algorithm: any"),),
        underlined="burst",
        message="only a token bucket has a burst",
        help="write `algorithm: token_bucket`, or leave `burst` out",
    ),
    Slip(
        code="unknown-cost",
        policy=(("invalid_body: 0}", "invalid_bodies: 0}"),),
        underlined="invalid_bodies",
        message="`invalid_bodies` is neither cause, operation nor method",
        help="did you mean `invalid_body`?",
    ),
    # Sources and silences
    Slip(
        code="unknown-silence",
        contract="spotify",
        policy=(("[get-current-users-profile], source: SP-2", "[get-current-users-profile], source: SP-4"),),
        underlined="SP-4",
        message="there is no silence `SP-4`",
        help="did you mean `SP-3`?",
    ),
    Slip(
        code="source-of-nothing",
        contract="github",
        policy=(("headers: Scopes for OAuth apps}", "header: Scopes for OAuth apps}"),),
        underlined="header",
        message="nothing beside this source is called `header`",
        help="did you mean `headers`?",
    ),
    Slip(
        code="silence-twice",
        contract="spotify",
        policy=(("not_covered:", "  confirmed:\n    SP-8: Yes.\n    SP-1: Indeed.\n\nnot_covered:"),),
        underlined="SP-1",
        message="`SP-1` is assumed and confirmed at once",
        help="delete the assumed one",
    ),
    Slip(
        code="silence-uncited",
        contract="spotify",
        policy=(("[get-current-users-profile], source: SP-2", "[get-current-users-profile], source: Scopes"),),
        underlined="SP-2",
        message="no `source` cites `SP-2`: it describes what the engine does anyway",
        help="editing the sentence changes no decision",
        severity=Severity.INFO,
    ),
    Slip(
        code="alternative-changes-nothing",
        contract="spotify",
        policy=(("    SP-3: The", "    SP-4: {answer: Yes., otherwise: [{source: Scopes}]}\n    SP-3: The"),),
        underlined="{source: Scopes}",
        message="this is what the policy says already",
        help="delete it, or state what else would be as good",
        severity=Severity.WARNING,
    ),
    # Keys and the specification
    Slip(
        code="unknown-operation",
        policy=(("  kinds:", "  managed_by: {create: createShipments}\n  kinds:"),),
        underlined="createShipments",
        message="`createShipments` is no operation of the specification",
        help="did you mean `createShipment`?",
    ),
    Slip(
        code="cannot-manage-keys",
        policy=(("  kinds:", "  managed_by: {revoke: quoteRates}\n  kinds:"),),
        underlined="quoteRates",
        message="`POST /rates` does not say which key to revoke",
        help="its path needs a parameter that names the key",
    ),
    Slip(
        code="base-url-elsewhere",
        policy=(("https://api.harbour.example, test", "https://api.harbor.example, test"),),
        underlined="https://api.harbor.example",
        message="`https://api.harbor.example` is no server of the specification",
        help="did you mean `https://api.harbour.example`?",
    ),
    Slip(
        code="openapi-version",
        specification=(("openapi: 3.1.0", "openapi: 2.0.0"),),
        underlined="2.0.0",
        message="`2.0.0` is no version of OpenAPI that is read here",
        help="versions 3.0 and 3.1 are read",
    ),
    Slip(
        code="openapi-shape",
        specification=(("  /rates:\n", "  /nothing: []\n  /rates:\n"),),
        underlined="/nothing",
        message="`/nothing` must be a block of names",
    ),
    Slip(
        code="no-operations",
        specification=(("paths:\n", "paths: {}\nx-paths:\n"),),
        underlined="paths",
        message="the specification has no operation",
    ),
    Slip(
        code="path-template",
        specification=(("  /rates:\n", "  rates:\n"),),
        underlined="rates",
        message="the path `rates` does not begin with `/`",
    ),
    Slip(
        code="operation-id",
        specification=(("operationId: quoteRates", "operationId: [quoteRates]"),),
        underlined="[quoteRates]",
        message="an operationId is a text",
    ),
    Slip(
        code="operation-id-twice",
        specification=(("operationId: quoteRates", "operationId: buyLabel"),),
        underlined="buyLabel",
        message="two operations are called `buyLabel`",
        help="give each operation a name of its own",
    ),
    Slip(
        code="parameter",
        specification=(("name: id, in: path,", "name: id,"),),
        underlined='{$ref: "#/components/parameters/ShipmentId"}',
        message="a parameter needs a `name` and says where it is `in`",
    ),
    Slip(
        code="security",
        specification=(("      operationId: quoteRates\n", "      operationId: quoteRates\n      security: oauth\n"),),
        underlined="oauth",
        message="`security` is a list of schemes with their lists of scopes",
    ),
    Slip(
        code="server",
        specification=(("  - {url: https://api", "  - {uri: https://api"),),
        underlined="{uri: https://api.harbour.example, description: Live.}",
        message="a server needs a `url`",
    ),
    Slip(
        code="reference-not-found",
        specification=(('"#/components/schemas/NewLabel"', "'#/info/titel'"),),
        underlined="'#/info/titel'",
        message="`#/info/titel` names nothing in this file",
        help="did you mean `title`?",
    ),
    Slip(
        code="reference-elsewhere",
        specification=(('"#/components/schemas/NewLabel"', "other.yaml#/x"),),
        underlined="other.yaml#/x",
        message="`other.yaml#/x` lies outside this file",
        help="bundle the specification into one file first",
    ),
    Slip(
        code="json-syntax",
        contract="stripe",
        specification=(("{", "{,"),),
        underlined=",",
        message="this is not JSON: expecting property name enclosed in double quotes",
    ),
)


@pytest.mark.parametrize("expected", SLIPS, ids=lambda expected: expected.code)
def test_each_slip_is_found_where_it_stands(expected: Slip) -> None:
    found = slip(expected.contract, expected.policy, expected.specification).diagnostics

    matching = [each for each in found if each.code == expected.code]
    assert matching, [(each.code, each.message) for each in found]
    first = matching[0]
    assert underlined(first) == expected.underlined
    assert first.message == expected.message
    assert first.help == expected.help
    assert first.severity is expected.severity


def _of_bytes() -> dict[str, Diagnostic]:
    """Return the diagnostics of files that no edit of a text can make."""
    found = [
        *load(FILES["harbour"].with_name("nowhere.yaml")).diagnostics,
        *parse_policy(b"# nothing\n", "empty.yaml")[1],
        *parse_policy(b"version: \xff", "latin.yaml")[1],
        *parse_policy(b" " * (1 << 20) + b" ", "large.yaml")[1],
    ]
    return {each.code: each for each in found}


def test_a_file_that_holds_no_text_is_refused() -> None:
    found = _of_bytes()

    assert found["cannot-read-file"].message == "the file cannot be read: no such file or directory"
    assert found["empty-file"].message == "the file is empty"
    assert (found["not-utf-8"].message, found["not-utf-8"].span.column) == ("byte 0xff is not UTF-8", 10)
    assert found["file-too-large"].message == "the file has 1,048,577 bytes, more than the 1,048,576 that are read"


def test_every_code_is_explained_and_shown_by_a_slip() -> None:
    assert sorted([*(each.code for each in SLIPS), *_of_bytes()]) == sorted(CODES)


def test_an_edit_that_changes_nothing_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="has no"):
        edited(FILES["harbour"], (("no such text", ""),))


def test_a_sound_specification_alone_has_no_diagnostics() -> None:
    data = (FILES["harbour"].parent / "harbour.openapi.yaml").read_bytes()

    specification, problems = parse_specification(data, "harbour.openapi.yaml")

    assert specification is not None
    assert problems == ()
