"""The eight contracts load without an error, and their names mean what their documentation says."""

from functools import cache

import pytest
from authcontract_policy import Loaded, Policy, Resolution, Severity, Specification, load, resolve
from policy_contracts import FILES, SPECIFICATIONS


@cache
def loaded(name: str) -> Loaded:
    return load(FILES[name])


def contract(name: str) -> tuple[Policy, Specification, Resolution]:
    found = loaded(name)
    assert found.policy is not None
    assert found.specification is not None
    assert found.resolution is not None
    return found.policy, found.specification, found.resolution


@pytest.mark.parametrize("name", FILES)
def test_a_contract_loads_without_an_error_or_warning(name: str) -> None:
    assert [each for each in loaded(name).diagnostics if each.severity is not Severity.INFO] == []
    contract(name)


@pytest.mark.parametrize("name", FILES)
def test_every_operation_is_decided_for_every_kind_of_object(name: str) -> None:
    policy, specification, resolution = contract(name)

    wanted = {(operation.id, kind) for operation in specification.operations for kind in policy.objects or (None,)}
    assert resolution.grants.keys() == wanted
    assert resolution.limits.keys() == {operation.id for operation in specification.operations}
    assert resolve(policy, specification)[0] == resolution


@pytest.mark.parametrize("name", FILES)
def test_a_scope_holds_itself_and_all_that_its_scopes_hold(name: str) -> None:
    _, _, resolution = contract(name)

    for scope, included in resolution.closure.items():
        assert scope in included
        assert included == frozenset().union(*(resolution.closure[each] for each in included))


@pytest.mark.parametrize(
    ("name", "scope", "included"),
    [
        ("synaptiq", "admin", {"admin", "write", "read"}),
        ("github", "admin:org", {"admin:org", "write:org", "read:org"}),
        ("github", "contents=write", {"contents=write", "contents=read"}),
        ("github", "user", {"user", "read:user", "user:email", "user:follow"}),
        ("stripe", "customer_write", {"customer_write"}),
        ("kube", "view", {"view", "get:pods", "list:pods", "get:pods/log"}),
        ("roles", "owner", {"owner", "editor", "viewer"}),
    ],
)
def test_what_a_scope_includes(name: str, scope: str, included: set[str]) -> None:
    assert contract(name)[2].closure[scope] == included


def test_a_scope_may_include_every_other_or_all_of_one_form() -> None:
    resolution = contract("digitalocean")[2]

    assert resolution.closure["full_access"] == frozenset(resolution.scopes)
    reading = {scope for scope in resolution.scopes if scope.endswith(":read")}
    assert resolution.closure["read_only"] == {"read_only", *reading}
    assert len(reading) > 20


@pytest.mark.parametrize(
    ("name", "scope", "methods"),
    [
        ("synaptiq", "read", {"GET", "HEAD"}),
        ("stripe", "customer_write", {"GET", "HEAD", "POST", "DELETE"}),
        ("kube", "create:pods", {"POST"}),
        ("kube", "view", None),
        ("harbour", "labels:buy", None),
    ],
)
def test_the_methods_on_which_a_scope_counts(name: str, scope: str, methods: set[str] | None) -> None:
    assert contract(name)[2].methods[scope] == methods


@pytest.mark.parametrize(
    ("name", "operation", "kind", "capability", "alternatives"),
    [
        ("synaptiq", "listWebhooks", None, "Read webhooks, keys and settings", [{"admin"}]),
        ("synaptiq", "createWebhook", None, "Manage webhook subscriptions", [{"admin"}]),
        ("harbour", "listShipments", None, "See shipments", [{"shipments:read"}]),
        ("harbour", "cancelShipment", None, "Create shipments", [{"shipments:write"}]),
        (
            "harbour",
            "disputeInvoice",
            None,
            "Dispute invoices",
            [{"billing:manage"}, {"billing:read", "shipments:write"}],
        ),
        ("harbour", "quoteRates", None, "Quote rates", [set()]),
        ("roles", "deleteProject", None, "Delete projects", [{"owner"}]),
        ("roles", "getHealth", None, "Check that the service is up", None),
        ("github", "repos/get", "public", "Read public repositories", None),
        ("github", "repos/get", "private", "Read private repositories", [{"repo"}, {"contents=read"}]),
        (
            "github",
            "pulls/merge",
            "private",
            "Merge private pull requests",
            [{"repo"}, {"pull_requests=write", "contents=write"}],
        ),
        ("spotify", "get-current-users-profile", None, "Own profile", [set()]),
        (
            "spotify",
            "get-queue",
            None,
            "As the specification says",
            [{"user-read-currently-playing", "user-read-playback-state"}],
        ),
        ("digitalocean", "sshKeys_list", None, "Everything, by custom scopes", [{"ssh_key:read"}]),
    ],
)
def test_the_row_that_decides(
    name: str, operation: str, kind: str | None, capability: str, alternatives: list[set[str]] | None
) -> None:
    grant = contract(name)[2].grants[operation, kind]

    assert grant.capability == capability
    assert (None if grant.alternatives is None else [set(each) for each in grant.alternatives]) == alternatives


@pytest.mark.parametrize(
    ("name", "operation", "limits"),
    [
        ("synaptiq", "listLeads", ("by scope and plan",)),
        ("harbour", "buyLabel", ("requests", "labels")),
        ("digitalocean", "sshKeys_list", ("hourly", "burst", "listing SSH keys")),
        ("digitalocean", "sshKeys_create", ("hourly", "burst")),
        ("kube", "createNamespacedPod", ()),
        (
            "stripe",
            "PostPaymentIntentsIntentCancel",
            ("whole API", "each operation", "one PaymentIntent", "at the same time"),
        ),
    ],
)
def test_the_limits_that_count_an_operation(name: str, operation: str, limits: tuple[str, ...]) -> None:
    assert contract(name)[2].limits[operation] == limits


def test_a_specification_may_be_named_instead() -> None:
    found = load(FILES["harbour"], SPECIFICATIONS["harbour"])

    assert found.resolution == contract("harbour")[2]


def test_without_its_specification_a_policy_is_still_checked() -> None:
    found = load(FILES["harbour"], FILES["harbour"].parent / "nowhere.yaml")

    assert found.policy is not None
    assert (found.specification, found.resolution) == (None, None)
    assert [each.code for each in found.diagnostics] == ["cannot-read-file"]


def test_a_path_that_no_file_can_have_is_a_diagnostic() -> None:
    assert [each.message for each in load("no\0file").diagnostics] == [
        "the file cannot be read: no file can be called so"
    ]
