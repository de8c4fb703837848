"""The schema documents itself, and second ways to say a thing and common slips are refused where they stand."""

from collections.abc import Iterator
from typing import Any

import pytest
from authcontract_policy import Severity, parse_policy, policy_schema
from jsonschema import Draft202012Validator
from policy_contracts import FILES, Edits, edited, slip, underlined

SEE = ("See shipments:           {requires: shipments:read,  operations: [GET /shipments/*]}",)


def _see(requires: str = "shipments:read", operations: str = "[GET /shipments/*]") -> Edits:
    return ((SEE[0], f"See shipments: {{requires: {requires}, operations: {operations}}}"),)


LABELS = "labels: {requests: 500, window: 1 day, per: [organisation],"
SLIPS: dict[str, tuple[Edits, str, str]] = {
    "a list where one scope is meant": (
        _see("[shipments:read]"),
        "[shipments:read]",
        "`requires` takes one value, not a list",
    ),
    "any_of of one": (
        _see("{any_of: [billing:read]}"),
        "[billing:read]",
        "`any_of` needs at least 2 entries, here is 1",
    ),
    "any_of inside all_of": (
        _see("{all_of: [billing:read, {any_of: [labels:buy, billing:manage]}]}"),
        "{any_of: [labels:buy, billing:manage]}",
        "an entry of `all_of` takes one value, not a block",
    ),
    "any_of and all_of at once": (
        _see("{all_of: [a, b], any_of: [a, b]}"),
        "{all_of: [a, b], any_of: [a, b]}",
        "`requires` takes one word, here are `all_of`, `any_of`",
    ),
    "one operation without a list": (_see(operations="getShipment"), "getShipment", "`operations` takes a list"),
    "a star for everything": (
        _see(operations='["*"]'),
        '"*"',
        "`*` is no operationId, `METHOD /path`, `/path` or `/path/*`",
    ),
    "a star in the middle": (
        _see(operations="[/v1/*/search]"),
        "/v1/*/search",
        "`/v1/*/search` is no operationId, `METHOD /path`, `/path` or `/path/*`",
    ),
    "two stars": (
        _see(operations="[/v1/**]"),
        "/v1/**",
        "`/v1/**` is no operationId, `METHOD /path`, `/path` or `/path/*`",
    ),
    "a method in lower case": (
        _see(operations="[get /shipments]"),
        "get /shipments",
        "`get /shipments` is no operationId, `METHOD /path`, `/path` or `/path/*`",
    ),
    "includes without a list": (
        (("{includes: [shipments:read]}", "{includes: shipments:read}"),),
        "shipments:read",
        "`includes` takes a list",
    ),
    "an unknown method": (
        (("labels:buy: {}", "labels:buy: {methods: [FETCH]}"),),
        "FETCH",
        "`FETCH` is not a value of `methods`",
    ),
    "a window as number": ((("window: 1 minute", "window: 60"),), "60", "`60` is no duration above zero"),
    "a window as 60s": ((("window: 1 minute", "window: 60s"),), "60s", "`60s` is no duration above zero"),
    "another word for per": (
        (("    per: [organisation, environment]\n", "    per: [organisation]\n    partition: key\n"),),
        "partition",
        "`partition` is not a word of `requests`",
    ),
    "per without a list": (((LABELS, LABELS.replace("[organisation]", "key")),), "key", "`per` takes a list"),
    "requests and concurrent": (
        ((LABELS, f"{LABELS} concurrent: 5,"),),
        "requests",
        "`requests` does not stand beside `concurrent`",
    ),
    "requests without window": (((LABELS, LABELS.replace("window: 1 day, ", "")),), "labels", "`window` is missing"),
    "an unknown algorithm": (
        (("algorithm: token_bucket", "algorithm: leaky"),),
        "leaky",
        "`leaky` is not a value of `algorithm`",
    ),
    "an amount of zero": (
        (("requests: 500", "requests: 0"),),
        "0",
        "`0` is no number of requests: those go from 1 to 1,000,000,000",
    ),
    "an amount as text": ((("requests: 500", "requests: 500/day"),), "500/day", "`500/day` is no number of requests"),
    "a table of one": (
        (("requests: 500", "requests: {others: 5}"),),
        "{others: 5}",
        "`requests` needs at least 2 rows, here is 1",
    ),
    "a status as text": ((("status: 402", "status: '402'"),), "'402'", "`402` is no HTTP status of a refusal"),
    "a status of success": (
        (("status: 402", "status: 200"),),
        "200",
        "`200` is no HTTP status of a refusal: those go from 300 to 599",
    ),
    "an unknown cause": (
        (("when: [insufficient_plan]", "when: [no_plan]"),),
        "no_plan",
        "`no_plan` is not a value of `when`",
    ),
    "a comma that cuts a text": (
        (("{title: Wrong method}", "{title: Sorry, no.}"),),
        "no.",
        "`no.` has no value",
    ),
    "a section for transport": (
        (("\nkeys:\n", "\ntransport: {plaintext: reject}\nkeys:\n"),),
        "transport",
        "`transport` is not a word of a policy",
    ),
    "a regular expression for a key": (
        (("access token: {", "access token: {format: ^hb_, "),),
        "format",
        "`format` is not a word of `access token`",
    ),
    "a key sent without <key>": (
        (("[Authorization: Bearer <key>]", "[Authorization: Bearer]"),),
        "Bearer",
        "`Bearer` is no header text with `<key>` in it",
    ),
    "an incomplete precedence": (
        (("[transport, syntax, key, path, method, scope, limit, object, body]", "[key, scope]"),),
        "[key, scope]",
        "`precedence` needs at least 9 entries, here are 2",
    ),
    "a silence confirmed inline": (
        (("\nrate_limits:", "\nsilences: {assumed: {H-1: {answer: x, confirmed: false}}}\nrate_limits:"),),
        "confirmed",
        "`confirmed` is not a word of `H-1`",
    ),
    "a silence with a free name": (
        (("\nrate_limits:", "\nsilences: {assumed: {whatever: x}}\nrate_limits:"),),
        "whatever",
        "`whatever` is no silence id",
    ),
    "a grace as number": ((("grace: {at_most: 7 days}", "grace: 24"),), "24", "`24` is no duration"),
    "holds a number": ((("holds: several scopes", "holds: 2"),), "2", "`2` is not a value of `holds`"),
    "version 2": ((("version: 1", "version: 2"),), "2", "`2` is not a value of `version`"),
    "any key among alternatives": (
        _see("{any_of: [billing:read, any key]}"),
        "any key",
        "`any key` is a word of the language and names nothing of yours",
    ),
    "a plan called others": (
        (("plans: [free, business]", "plans: [free, others]"),),
        "others",
        "`others` is a word of the language and names nothing of yours",
    ),
    "HEAD in a scope": (
        (("labels:buy: {}", "labels:buy: {methods: [GET, HEAD]}"),),
        "HEAD",
        "`HEAD` is not a value of `methods`",
    ),
    "a misspelt top word": (
        (("\nrate_limits:", "\nrate_limit:"),),
        "rate_limit",
        "`rate_limit` is not a word of a policy",
    ),
}
HELP = {
    "a list where one scope is meant": "write `requires: shipments:read`",
    "any_of of one": "write `billing:read` without the list",
    "one operation without a list": "write `operations: [getShipment]`",
    "an unknown algorithm": "known here: `any`, `fixed_window`, `sliding_log`, `window_counter`, `token_bucket`",
    "an amount as text": "write it like `5000` or `unlimited` or `unpublished`",
    "a table of one": "write the one value without a table",
    "a comma that cuts a text": "give it one, or delete the word; a text that contains `,` needs quotes inside `{ }`",
    "an incomplete precedence": "missing: `transport`, `syntax`, `limit`, `path`, `method`, `body`, `object`",
    "requests without window": "write it like `window: 1 minute`",
    "a silence with a free name": "write it like `G-05`",
    "a misspelt top word": "did you mean `rate_limits`?",
    "any key among alternatives": "choose another name",
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_in_shape_is_refused_where_it_stands(name: str) -> None:
    edits, marked, message = SLIPS[name]

    loaded = slip("harbour", edits)

    errors = [each for each in loaded.diagnostics if each.severity is Severity.ERROR]
    found = next((each for each in errors if each.message == message), None)
    assert found is not None, [each.message for each in errors]
    assert underlined(found) == marked
    assert loaded.policy is None
    assert found.help == HELP.get(name, found.help)


def test_there_are_38_slips() -> None:
    assert len(SLIPS) == 38
    assert HELP.keys() <= SLIPS.keys()


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    edits = (("version: 1", "version: 2"), ("holds: several scopes", "holds: 2"), ("status: 402", "status: 200"))

    found = slip("harbour", edits).diagnostics

    assert [each.message.split(" ")[0] for each in found] == ["`2`", "`2`", "`200`"]
    assert [each.span.line for each in found] == sorted(each.span.line for each in found)
    assert found == slip("harbour", edits).diagnostics


ODD = {
    "nothing but a list": (b"[1]", "`the policy` takes a block of names, not a list"),
    "nothing but a text": (b"x", "`the policy` takes a block of names"),
    "nothing at all": (b"null", "the policy is empty"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_file_of_another_kind_is_no_policy(name: str) -> None:
    text, message = ODD[name]

    policy, problems = parse_policy(text, "odd.yaml")

    assert policy is None
    assert [each.message for each in problems] == [message]


SENTENCES: dict[str, tuple[Edits, str]] = {
    "a block for a list": ((("plans: [free, business]", "plans: {free: 1}"),), "`plans` takes a list, not a block"),
    "a list for a block": ((("labels:buy: {}", "labels:buy: []"),), "`labels:buy` takes a block of names, not a list"),
    "a block for a word": ((("holds: several scopes", "holds: {a: b}"),), "`holds` takes one value, not a block"),
    "a list for a word": ((("holds: several scopes", "holds: [a]"),), "`holds` takes one value, not a list"),
    "a number for a text": ((("{title: Wrong method}", "{title: 5}"),), "`5` is no text"),
    "a word for a flag": ((("keys:\n", "keys:\n  shown_once: yes\n"),), "`shown_once` takes `true` or `false`"),
    "an empty list": ((("plans: [free, business]", "plans: []"),), "`plans` is empty"),
    "too long a list": (
        (("plans: [free, business]", f"plans: [{', '.join(f'p{index}' for index in range(201))}]"),),
        "`plans` takes at most 200 entries, here are 201",
    ),
    "too long a text": (
        (("{title: Wrong method}", f"{{title: {'x' * 2001}}}"),),
        "the text has 2,001 characters, at most 2,000 are allowed",
    ),
    "too long a name": (
        (("labels:buy: {}", f"{'x' * 81}: {{}}"),),
        f"the name `{'x' * 57}...` is longer than 80 characters",
    ),
    "a reserved name": (
        (("access token: {", "any key: {"),),
        "`any key` is a word of the language and names nothing of yours",
    ),
    "an unknown cause of a text": ((("{malformed: This", "{malformd: This"),), "`malformd` is no cause"),
    "a comma that leaves a name": (
        (("access token: {", "access token: {of customers, "),),
        "`of customers` is not a word of `access token`",
    ),
    "a missing block": ((("\nerror_format:", "\nnot_covered:"),), "`error_format` is missing"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_each_keyword_of_the_schema_has_its_sentence(name: str) -> None:
    edits, message = SENTENCES[name]

    assert message in [each.message for each in slip("harbour", edits).diagnostics]


def test_the_help_for_a_missing_block_says_what_it_is_for() -> None:
    found = slip("harbour", (("\nerror_format:", "\nnot_covered:"),)).diagnostics

    assert next(each.help for each in found if each.code == "missing-word") == "the body that all errors share"


def _properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for word, below in schema.get("properties", {}).items():
            if below != {"not": {}}:
                yield f"{path}/{word}", below
        for word, below in schema.items():
            if word != "examples":
                yield from _properties(below, f"{path}/{word}")
    elif isinstance(schema, list):
        for below in schema:
            yield from _properties(below, path)


PROPERTIES = dict(_properties(policy_schema()))


def test_the_schema_is_valid_under_its_metaschema() -> None:
    Draft202012Validator.check_schema(policy_schema())

    assert len(PROPERTIES) > 60


@pytest.mark.parametrize("path", PROPERTIES)
def test_every_word_has_a_title_a_description_and_sound_examples(path: str) -> None:
    schema = PROPERTIES[path]

    validator = Draft202012Validator({**schema, "$defs": policy_schema()["$defs"]})
    assert schema["title"]
    assert schema["description"].endswith(".")
    assert schema["examples"]
    assert [example for example in schema["examples"] if not validator.is_valid(example)] == []


def test_every_contract_names_the_schema_for_editors() -> None:
    first = {name: path.read_text("utf-8").splitlines()[0] for name, path in FILES.items() if path.exists()}

    assert all(line.startswith("# yaml-language-server: $schema=") for line in first.values()), first
    assert edited(FILES["roles"], ()) == FILES["roles"].read_text("utf-8")
