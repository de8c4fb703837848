"""What the checks of meaning see besides the one slip that `test_codes` shows for each."""

import pytest
from authcontract_policy import Severity
from policy_contracts import Edits, slip, underlined

#: Slip -> contract, edits of the policy, code, underlined text, message.
SLIPS: dict[str, tuple[str, Edits, str, str, str]] = {
    "two kinds that are scopes": (
        "harbour",
        (("    access token: {", "    labels:buy: {holds: one scope}\n    access token: {"),),
        "name-twice",
        "labels:buy",
        "`labels:buy` is a scope and a kind of key at once",
    ),
    "an unknown object without any": (
        "harbour",
        (("{requires: any key, ", "{requires: any key, objects: [private], "),),
        "undeclared-object",
        "private",
        "`private` is no kind of object of this policy",
    ),
    "a limit on nothing": (
        "harbour",
        (("operations: [buyLabel], costs", "operations: [buyLabels], costs"),),
        "selector-matches-nothing",
        "buyLabels",
        "`buyLabels` matches no operation of the specification",
    ),
    "a cost of no path": (
        "harbour",
        (("POST /rates: 5", "POST /rate: 5"),),
        "selector-matches-nothing",
        "5",
        "`POST /rate` matches no operation of the specification",
    ),
    "a path below which there is nothing": (
        "harbour",
        (("[GET /shipments/*]", "[/shipment/*]"),),
        "selector-matches-nothing",
        "/shipment/*",
        "`/shipment/*` matches no operation of the specification",
    ),
    "an unknown tag": (
        "harbour",
        (("tag: shipments", "tag: shipment"),),
        "selector-matches-nothing",
        "tag: shipment",
        "`tag: shipment` matches no operation of the specification",
    ),
    "an operation on one kind of object in no row": (
        "github",
        (
            (
                "  Public information:           {requires",
                "  Public information:           {objects: [public], requires",
            ),
        ),
        "uncovered-operation",
        "capabilities",
        "`GET /rate_limit` (`rate-limit/get`) on `private` objects is in no capability",
    ),
    "two kinds of key at once": (
        "stripe",
        (("meter_event_write,  ", "{all_of: [secret key, restricted key]},  "),),
        "nobody-can-call",
        "{all_of: [secret key, restricted key]}",
        "no key can call `POST /v1/billing/meter_events` (`PostBillingMeterEvents`)",
    ),
    "two plans at once": (
        "harbour",
        (("{all_of: [shipments:read, business]}", "{all_of: [free, business]}"),),
        "nobody-can-call",
        "{all_of: [free, business]}",
        "no key can call `GET /forecasts` (`getForecast`)",
    ),
    "two scopes of a key that holds one": (
        "roles",
        (
            ("  owner:  {includes: [editor]}", "  owner:  {}"),
            (
                "requires: owner,  operations: [deleteProject]",
                "requires: {all_of: [owner, editor]},  operations: [deleteProject]",
            ),
        ),
        "nobody-can-call",
        "{all_of: [owner, editor]}",
        "no key can call `DELETE /projects/{id}` (`deleteProject`)",
    ),
    "many operations that nobody can call": (
        "stripe",
        (("{any_of: [customer_read, customer_write]},            ", "customer_read,"),),
        "nobody-can-call",
        "customer_read",
        (
            "no key can call `POST /v1/customers` (`PostCustomers`), `POST /v1/customers/{customer}` "
            "(`PostCustomersCustomer`), `DELETE /v1/customers/{customer}` (`DeleteCustomersCustomer`)"
        ),
    ),
    "an included scope with more methods": (
        "kube",
        (
            (
                "list:<resource>:             {methods: [GET]}",
                "list:<resource>:             {methods: [GET], includes: [create:<resource>]}",
            ),
        ),
        "include-exceeds-methods",
        "create:<resource>",
        "`list:pods` includes `create:pods`, but not its methods: `POST`",
    ),
    "a value for no body": (
        "roles",
        (("body: any}", "body: any, says: {hint: Use HTTPS.}}"),),
        "value-without-placeholder",
        "hint",
        "this error promises no body",
    ),
    "an own body": (
        "roles",
        (("{status: 429, when: [throttled]}", "{status: 429, when: [throttled], body: {wait: [{for: <what>}]}}"),),
        "placeholder-unknown",
        "<what>",
        "nothing fills in `<what>`",
    ),
    "a placeholder that is a field": (
        "roles",
        (("{status: 429, when: [throttled]}", "{status: 429, when: [throttled], body: {<what>: 1}}"),),
        "placeholder-unknown",
        "<what>",
        "nothing fills in `<what>`",
    ),
    "a limit's word in the common body": (
        "roles",
        (("hint: <hint>}", "hint: <hint>, left: <remaining>}"),),
        "placeholder-of-a-limit",
        "<remaining>",
        "only a rate limit's own headers know `<remaining>`",
    ),
    "a limit's word in every response": (
        "github",
        (("X-OAuth-Scopes: <granted>", "X-OAuth-Scopes: <remaining>"),),
        "placeholder-of-a-limit",
        "<remaining>",
        "only a rate limit's own headers know `<remaining>`",
    ),
    "a limit's header that nothing fills in": (
        "roles",
        (("{Retry-After: <retry_after>}", "{Retry-After: <retryafter>}"),),
        "placeholder-unknown",
        "<retryafter>",
        "nothing fills in `<retryafter>`",
    ),
    "a text by cause with a slip": (
        "harbour",
        (("others: This key does not", "others: The <keyy> does not"),),
        "placeholder-unknown",
        "<keyy>",
        "nothing fills in `<keyy>`",
    ),
    "a cause with a slip in its text": (
        "harbour",
        (("{malformed: This is no key", "{malformed: This is no <keyy>"),),
        "placeholder-unknown",
        "<keyy>",
        "nothing fills in `<keyy>`",
    ),
    "a text by cause of a limit's error": (
        "spotify",
        (("reason: QUOTA_EXCEEDED}", "reason: {throttled: QUOTA_EXCEEDED, missing: NONE}}"),),
        "cause-elsewhere",
        "missing",
        "`missing` does not lead to this error",
    ),
    "a text by cause of an error that never happens": (
        "spotify",
        (("refused_with: over_quota, ", ""), ("reason: QUOTA_EXCEEDED}", "reason: {missing: A, others: B}}")),
        "cause-elsewhere",
        "missing",
        "`missing` does not lead to this error",
    ),
    "a heading that is no name of any sort": (
        "roles",
        (("{viewer: 60, editor: 120, owner: 240}", "{one: 60, two: 120}"),),
        "unknown-heading",
        "one",
        "`one` is no declared name",
    ),
    "only others twice": (
        "roles",
        (("{viewer: 60, editor: 120, owner: 240}", "{others: 60, viewr: 120}"),),
        "unknown-heading",
        "viewr",
        "`viewr` is no declared name",
    ),
    "headings of two sorts": (
        "harbour",
        (
            ("plans: [free, business]", "plans: [live, test]"),
            ("burst: {free: 20, business: 100}", "burst: {live: 1, test: 2}"),
        ),
        "headings-unclear",
        "burst",
        "the headings could be plans or environments",
    ),
    "a base URL by plan": (
        "harbour",
        (("{live: https://api.harbour.example, test:", "{free: https://api.harbour.example, business:"),),
        "wrong-headings",
        "base_url",
        "`base_url` cannot differ by plan",
    ),
    "a source within a block of sources": (
        "github",
        (("headers: Scopes for OAuth apps}", "headers: {X-OAuth-Scope: Scopes}}"),),
        "source-of-nothing",
        "X-OAuth-Scope",
        "nothing beside this source is called `X-OAuth-Scope`",
    ),
    "a source below a single value": (
        "github",
        (("headers: Scopes for OAuth apps}", "version: {one: Scopes}}"),),
        "source-of-nothing",
        "one",
        "nothing beside this source is called `one`",
    ),
    "an operation that cannot make keys": (
        "harbour",
        (("  kinds:", "  managed_by: {create: listShipments, rotate: buyLabel}\n  kinds:"),),
        "cannot-manage-keys",
        "listShipments",
        "`GET /shipments` only reads: it cannot create a key",
    ),
    "one base URL": (
        "roles",
        (("base_url: https://api.draftboard.example", "base_url: https://draftboard.example"),),
        "base-url-elsewhere",
        "https://draftboard.example",
        "`https://draftboard.example` is no server of the specification",
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_in_meaning_is_refused_where_it_stands(name: str) -> None:
    contract, edits, code, marked, message = SLIPS[name]

    loaded = slip(contract, edits)

    found = [each for each in loaded.diagnostics if (each.code, each.message) == (code, message)]
    assert found, [(each.code, each.message) for each in loaded.diagnostics]
    assert marked in [underlined(each) for each in found]
    assert loaded.policy is not None
    assert loaded.resolution is None


@pytest.mark.parametrize(
    ("contract", "policy", "specification"),
    [
        ("harbour", (), (("{url: https://api.", "{url: 'https://{where}.harbour.example', x-was: https://api."),)),
        ("roles", (), (("https://api.draftboard.example", "/"),)),
        (
            "roles",
            (("api.draftboard.example\n", "api.draftboard.example/v1/\n"),),
            (("https://api.draftboard.example", "/v1"),),
        ),
        ("roles", (), (("servers:", "x-servers:"),)),
        ("harbour", (("{live: hb_live_, test: hb_test_}", "{live: hb_live_, others: hb_test_}"),), ()),
        (
            "harbour",
            (("Quote rates:             {requires: any key", "Quote rates:             {requires: access token"),),
            (),
        ),
        (
            "harbour",
            (
                (
                    "  kinds:",
                    "  managed_by: {create: createShipment, rotate: buyLabel, revoke: cancelShipment}\n  kinds:",
                ),
            ),
            (),
        ),
        (
            "roles",
            (
                (
                    "{status: 429, when: [throttled]}",
                    "{status: 429, when: [throttled], body: {wait: <hint>}, says: {hint: Soon.}}",
                ),
            ),
            (),
        ),
        ("spotify", (("reason: QUOTA_EXCEEDED}", "reason: {throttled: QUOTA_EXCEEDED, others: NONE}}"),), ()),
        (
            "stripe",
            (
                (
                    "shown_once: {live: true, test: false}",
                    "shown_once: {secret key: true, restricted key: {live: true, test: false}}",
                ),
            ),
            (),
        ),
    ],
)
def test_what_is_sound_is_accepted(contract: str, policy: Edits, specification: Edits) -> None:
    loaded = slip(contract, policy, specification)

    assert [each.message for each in loaded.diagnostics if each.severity is not Severity.INFO] == []
    assert loaded.resolution is not None


def test_kinds_named_like_schemes_answer_those_schemes_only() -> None:
    policy = (
        (
            "    access token: {holds: several scopes, lifetime: 1 hour}",
            "    pat: {holds: every scope}\n    oauth_2_0: {holds: several scopes}",
        ),
    )
    specification = (('"oauth_2_0": []', '"pat": []}, {"oauth_2_0": ["some"]'),)

    loaded = slip("spotify", policy, specification)

    assert loaded.resolution is not None
    grant = loaded.resolution.grants["get-an-album", None]
    assert grant.alternatives == (frozenset({"pat"}), frozenset({"some", "oauth_2_0"}))


def test_an_operation_that_the_specification_leaves_open_needs_no_key() -> None:
    loaded = slip("spotify", (), (('"oauth_2_0": []', '"oauth_2_0": []}, {'),))

    assert loaded.resolution is not None
    assert loaded.resolution.grants["get-an-album", None].alternatives is None


def test_a_scope_that_includes_itself_through_others_is_no_endless_chain() -> None:
    loaded = slip("roles", (("viewer: {}", "viewer: {includes: [owner]}"),))

    assert loaded.resolution is not None
    assert {len(included) for included in loaded.resolution.closure.values()} == {3}


def test_a_row_that_names_an_operation_twice_claims_it_by_the_narrower_selector() -> None:
    edits = (
        ("[GET /shipments/*]", "[GET /shipments/*, listShipments, /shipments]"),
        ("operations: [tag: shipments]", "operations: [tag: shipments, createShipment]"),
    )

    loaded = slip("harbour", edits)

    assert loaded.resolution is not None
    assert loaded.resolution.grants["listShipments", None].capability == "See shipments"
    assert loaded.resolution.grants["createShipment", None].capability == "Create shipments"
