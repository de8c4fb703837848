"""Where a path leads: in its documented spelling only, once decoded."""

import pytest
from authcontract_engine import ContractError
from leads import LEADS, OPEN, PATHS, contract, operation, request
from policy_contracts import FILES
from second_opinion import both, filled

#: Target -> operationId, or None where it leads nowhere.
SPELLINGS = {
    "/v1/leads": "listLeads",
    "/v1/leads?page=2&x=/health": "listLeads",
    "/v1/leads?": "listLeads",
    "/v1/leads/7": "getLead",
    "/v1/leads/a%20b": "getLead",
    "/v1/leads/%C3%A9": "getLead",
    "/v1/leads/...": "getLead",
    "/v1/leads/a.b": "getLead",
    "/v1/leads/a%252fb": "getLead",
    "/v1/%6ceads": "listLeads",
    "/%761/leads": "listLeads",
    "/v1/leads/search": "searchLeads",
    "/v1/leads/%73earch": "searchLeads",
    "/v1/leads/search/notes": "listNotes",
    "/v1/health": "getHealth",
    "https://elsewhere.example/v1/leads": "listLeads",
    "HTTP://elsewhere.example:80/v1/leads?page=2": "listLeads",
    "/v1/Leads": None,
    "/V1/leads": None,
    "/v1/leads/": None,
    "/v1//leads": None,
    "//v1/leads": None,
    "/v1/./leads": None,
    "/v1/x/../leads": None,
    "/v1/leads/.": None,
    "/v1/leads/..": None,
    "/v1/leads/%2e": None,
    "/v1/leads/%2E%2e": None,
    "/v1/leads/a%2fb": None,
    "/v1/leads/a%5Cb": None,
    "/v1/leads\\7": None,
    "/v1/leads/7;x=1": None,
    "/v1;/leads": None,
    "/v1/leads/%00": None,
    "/v1/leads/7%0d%0a": None,
    "/v1/leads/%7f": None,
    "/v1/leads/%c0%af": None,
    "/v1/leads/%": None,
    "/v1/leads/%zz": None,
    "/v1/leads/7/notes/8": None,
    "/v1/leads/search/x": None,
    "/v1": None,
    "/v1/": None,
    "/v2/leads": None,
    "/leads": None,
    "/": None,
    "https://elsewhere.example": None,
    "https://elsewhere.example?/v1/leads": None,
    "*": None,
}


@pytest.mark.parametrize(("target", "leads_to"), SPELLINGS.items())
def test_spelling(target: str, leads_to: str | None) -> None:
    found = LEADS.read(request(target)).operation
    assert (None if found is None else found.id) == leads_to


def test_what_stands_for_a_parameter_is_decoded_once() -> None:
    assert LEADS.read(request("/v1/leads/a%2520b%C3%A9")).path_parameters == {"id": "a%20bé"}
    assert LEADS.read(request("/v1/leads")).path_parameters == {}
    assert LEADS.read(request("/nowhere")).path_parameters == {}


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/v1/leads", ("GET", "HEAD", "OPTIONS", "POST")),
        ("/v1/leads/7", ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH")),
        ("/nowhere", ()),
    ],
)
def test_allow_lists_the_methods_of_the_path(target: str, methods: tuple[str, ...]) -> None:
    assert LEADS.read(request(target)).allowed_methods == methods


def test_head_is_get_unless_it_is_documented() -> None:
    assert LEADS.read(request(method="HEAD")).operation is operation(LEADS, "listLeads")
    documented = contract(OPEN, {**PATHS, "/leads": {"get": "listLeads", "head": "peekAtLeads"}})
    assert documented.read(request(method="HEAD")).operation is operation(documented, "peekAtLeads")


def test_parameters_of_one_place_may_have_two_names() -> None:
    found = contract(OPEN, {"/leads/{lead}": {"put": "replaceLead"}, "/leads/{id}": {"get": "getLead"}})
    assert found.read(request("/v1/leads/7", "PUT")).path_parameters == {"lead": "7"}
    assert found.read(request("/v1/leads/7", "HEAD")).path_parameters == {"id": "7"}
    assert found.read(request("/v1/leads/7", "TRACE")).path_parameters == {"lead": "7"}


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/v1/leads/7.json", "exportLead"),
        ("/v1/leads/7.pdf", "getLead"),
        ("/v1/leads/.json", "getLead"),
        ("/v1/leads/v7", "getVersion"),
        ("/v1/leads/v", "getLead"),
        ("/v1/leads/search", "searchLeads"),
    ],
)
def test_text_around_a_parameter(target: str, leads_to: str) -> None:
    """The longest text around a parameter goes first, as a literal goes before any parameter."""
    found = contract(
        {}, {**PATHS, "/leads/{id}.json": {"get": "exportLead"}, "/leads/v{version}": {"get": "getVersion"}}
    )
    route = found.read(request(target)).operation
    assert route is operation(found, leads_to)


def test_a_documented_slash_at_the_end_is_needed() -> None:
    found = contract(OPEN, {**PATHS, "/leads/{id}/": {"put": "replaceLead"}})
    assert found.read(request("/v1/leads/7/", "PUT")).operation is operation(found, "replaceLead")
    assert found.read(request("/v1/leads/7", "PUT")).operation is None


def test_two_parameters_in_one_segment_make_no_contract() -> None:
    with pytest.raises(ContractError, match="has several parameters"):
        contract(OPEN, {"/leads/{from}-{to}": {"get": "listLeads"}})


@pytest.mark.parametrize("name", FILES)
def test_every_operation_is_found(name: str) -> None:
    """Each documented operation is reached by its own method and path."""
    found = both(name).contract
    environment = next(iter(found.policy.environments), None)
    for each in found.operations:
        sent = request(found.base_path(environment) + filled(each), each.method, environment=environment)
        assert found.read(sent).operation is each
