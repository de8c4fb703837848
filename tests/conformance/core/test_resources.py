"""Which operation makes, shows and lists an object follows from the paths, and its name from the response."""

from dataclasses import replace
from typing import Any

import pytest
from authcontract_conformance.world._resources import Resources, Step, find_field, find_id, members
from authcontract_policy import Operation
from conversations import contract


def resources(name: str) -> Resources:
    return Resources(contract(name).specification)


def operation(name: str, identity: str) -> Operation:
    found = contract(name).specification.operation(identity)
    assert found is not None
    return found


def _producer(step: Step) -> Operation | None:
    return None if step.producer is None else step.producer[0]


#: Contract and operation -> what makes it, makes it by the way, shows and lists it; a row for each path parameter.
STEPS: dict[str, tuple[str, ...]] = {
    "synaptiq listLeads": (),
    "synaptiq getLead": ("/leads createLead - getLead listLeads",),
    "synaptiq deleteLead": ("/leads createLead - getLead listLeads",),
    "synaptiq triggerWorkflow": ("/workflows - - - -",),
    "synaptiq deleteWebhook": ("/webhooks createWebhook - - listWebhooks",),
    "synaptiq rotateKey": ("/keys createKey - - listKeys",),
    "synaptiq getConversation": ("/conversations - sendChatMessage getConversation listConversations",),
    "harbour buyLabel": ("/shipments createShipment - getShipment listShipments",),
    "harbour disputeInvoice": ("/invoices - - getInvoice listInvoices",),
    "roles updateProject": ("/projects createProject - getProject listProjects",),
}


@pytest.mark.parametrize("row", STEPS)
def test_how_an_object_is_come_by(row: str) -> None:
    name, identity = row.split()
    found = tuple(
        " ".join(
            [
                step.collection,
                *(op.id if op else "-" for op in (step.creator, _producer(step), step.reader, step.lister)),
            ]
        )
        for step in resources(name).steps(operation(name, identity))
    )
    assert found == STEPS[row]


@pytest.mark.parametrize("name", ["synaptiq", "harbour", "roles"])
def test_a_slash_at_the_end_of_a_path_changes_nothing(name: str) -> None:
    """Some frameworks write each path with one; what is made, shown and listed is the same."""
    specification = contract(name).specification
    slashed = replace(
        specification, operations=tuple(replace(op, path=f"{op.path}/") for op in specification.operations)
    )
    plain, other = Resources(specification), Resources(slashed)

    def shape(of: Resources, operation: Operation) -> object:
        steps, listing, maker = of.steps(operation), of.listing(operation), of.maker(operation)
        ids = [[s.creator, _producer(s), s.reader, s.lister] for s in steps] + [[of.reader(operation)]]
        return (
            [[found and found.id for found in row] for row in ids],
            [(step.parameter, step.collection) for step in (*steps, *((listing,) if listing else ()))],
            maker and (maker[0].id, maker[1]),
            of.links.refers(operation),
        )

    for before, after in zip(specification.operations, slashed.operations, strict=True):
        assert shape(other, after) == shape(plain, before)
        assert other.is_document(after) == plain.is_document(before)


#: Contract and operation -> what shows its effect.
READERS = {
    "synaptiq createLead": "listLeads",
    "synaptiq updateLead": "getLead",
    "synaptiq deleteLead": "getLead",
    "synaptiq updateOrganization": "getOrganization",
    "synaptiq sendChatMessage": "listConversations",
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


#: Contract and operation -> the list that alone shows its object.
LISTED = {
    "synaptiq deleteWebhook": "listWebhooks",
    "synaptiq rotateKey": "listKeys",
    "roles removeMember": "listMembers",
}


@pytest.mark.parametrize("row", [*LISTED, "synaptiq deleteLead", "synaptiq triggerWorkflow", "synaptiq listLeads"])
def test_what_cannot_be_read_alone_is_looked_up_in_its_list(row: str) -> None:
    name, identity = row.split()
    step = resources(name).listing(operation(name, identity))
    assert (step.lister.id if step and step.lister else None) == LISTED.get(row)


def test_a_field_names_an_object_in_the_answer_or_one_level_below() -> None:
    assert find_field({"id": "m_1", "conversation_id": "c_1"}, "conversation_id") == "c_1"
    assert find_field({"message": {"conversation_id": 7}}, "conversation_id") == "7"
    assert find_field({"conversation_id": None}, "conversation_id") is None
    assert find_field([{"conversation_id": "c_1"}], "conversation_id") is None


def test_the_members_of_a_list_keep_their_order() -> None:
    rows = [{"id": "b", "x": 1}, {"id": "a"}, 3]
    assert list(members({"next": None, "data": rows}, "id")) == ["b", "a"]
    assert members(rows, "id") == members({"data": rows}, "id")
    assert members("text", "id") == {}
