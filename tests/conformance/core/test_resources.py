"""Which operation makes, shows and lists an object follows from the paths, and its name from the response."""

from typing import Any

import pytest
from authcontract_conformance.world._resources import Resources, find_id
from authcontract_policy import Operation
from conversations import contract


def resources(name: str) -> Resources:
    return Resources(contract(name).specification)


def operation(name: str, identity: str) -> Operation:
    found = contract(name).specification.operation(identity)
    assert found is not None
    return found


#: Contract and operation -> what makes, shows and lists the object; one row for each path parameter.
STEPS: dict[str, tuple[str, ...]] = {
    "synaptiq listLeads": (),
    "synaptiq getLead": ("/leads createLead getLead listLeads",),
    "synaptiq deleteLead": ("/leads createLead getLead listLeads",),
    "synaptiq triggerWorkflow": ("/workflows - - -",),
    "synaptiq deleteWebhook": ("/webhooks createWebhook - listWebhooks",),
    "synaptiq rotateKey": ("/keys createKey - listKeys",),
    "synaptiq getConversation": ("/conversations - getConversation listConversations",),
    "harbour buyLabel": ("/shipments createShipment getShipment listShipments",),
    "harbour disputeInvoice": ("/invoices - getInvoice listInvoices",),
    "roles updateProject": ("/projects createProject getProject listProjects",),
}


@pytest.mark.parametrize("row", STEPS)
def test_how_an_object_is_come_by(row: str) -> None:
    name, identity = row.split()
    found = tuple(
        " ".join([step.collection, *(op.id if op else "-" for op in (step.creator, step.reader, step.lister))])
        for step in resources(name).steps(operation(name, identity))
    )
    assert found == STEPS[row]


#: Contract and operation -> what shows its effect.
READERS = {
    "synaptiq createLead": "listLeads",
    "synaptiq updateLead": "getLead",
    "synaptiq deleteLead": "getLead",
    "synaptiq updateOrganization": "getOrganization",
    "synaptiq sendChatMessage": None,
    "synaptiq triggerWorkflow": None,
    "synaptiq deleteWebhook": None,
    "harbour buyLabel": "getShipment",
    "harbour disputeInvoice": "getInvoice",
    "roles updateProject": "getProject",
}


@pytest.mark.parametrize("row", READERS)
def test_what_shows_an_effect(row: str) -> None:
    name, identity = row.split()
    reader = resources(name).reader(operation(name, identity))
    assert (reader.id if reader else None) == READERS[row]


IDS: dict[str, tuple[Any, str, str | None]] = {
    "id": ({"id": "l_1", "name": "Ada"}, "id", "l_1"),
    "the parameter's own name first": ({"id": 7, "lead_id": "l_1"}, "lead_id", "l_1"),
    "its last word": ({"droplet": 3}, "droplet_id", "3"),
    "a number": ({"id": 7}, "lead_id", "7"),
    "zero": ({"id": 0}, "id", "0"),
    "wrapped": ({"droplet": {"id": 7}}, "droplet_id", "7"),
    "listed": ([{"id": "a"}, {"id": "b"}], "id", "a"),
    "listed in an envelope": ({"next": None, "data": [{"id": "a"}]}, "id", "a"),
    "a name, for want of better": ({"name": "main"}, "branch", "main"),
    "a boolean is no name": ({"id": True}, "id", None),
    "nor is an empty text": ({"id": ""}, "id", None),
    "nor what cannot be written down": ({"id": "a\nb"}, "id", None),
    "nor half a character": ({"id": "\ud800"}, "id", None),
    "an empty list": ([], "id", None),
    "no JSON": (None, "id", None),
    "a text": ("l_1", "id", None),
}


@pytest.mark.parametrize(("body", "parameter", "found"), IDS.values(), ids=list(IDS))
def test_the_name_of_an_object_in_a_response(body: Any, parameter: str, found: str | None) -> None:
    assert find_id(body, parameter) == found
