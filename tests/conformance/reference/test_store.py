"""What operations do to data, read off the paths of any specification, and how objects stand in answers."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from authcontract_conformance.reference import Call, Sight
from authcontract_conformance.reference._plan import Deed
from authcontract_conformance.reference._store import Store
from authcontract_conformance.reference._validation import Validation
from authcontract_engine import Object
from authcontract_policy import Operation, Specification, parse_specification
from shop import shop


def _answer(schema: Any) -> Any:
    return {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}


def _operation(name: str, schema: Any, **parameters: Any) -> dict[str, Any]:
    declared = [{"name": n, "in": "path", "required": True, "schema": s} for n, s in parameters.items()]
    return {"operationId": name, "parameters": declared, "responses": _answer(schema)}


NUMBER, TEXT, ADDRESS = {"type": "integer"}, {"type": "string"}, {"type": "string", "format": "ipv6"}
DROPLET = {"type": "object", "properties": {"id": NUMBER, "name": TEXT, "backups": {"type": "array", "items": TEXT}}}
DOMAIN = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
SIZE = {"type": "object", "properties": {"slug": TEXT}}
PATHS = {
    "/droplets": {
        "get": _operation("list", {"properties": {"links": {}, "droplets": {"type": "array", "items": DROPLET}}}),
        "post": _operation("create", {"properties": {"droplet": DROPLET, "links": {"type": "object"}}}),
    },
    "/droplets/{droplet_id}": {
        "get": _operation("show", {"properties": {"droplet": DROPLET}}, droplet_id=NUMBER),
        "delete": {**_operation("remove", {}, droplet_id=NUMBER), "responses": {"204": {"description": "gone"}}},
    },
    "/droplets/{droplet_id}/notes": {
        "get": _operation("notes", {"type": "array", "items": DOMAIN}, droplet_id=NUMBER),
        "post": _operation("note", DOMAIN, droplet_id=NUMBER),
    },
    "/droplets/{droplet_id}/reboot": {"post": _operation("reboot", {}, droplet_id=NUMBER)},
    "/droplets/{droplet_id}/policy": {
        "get": _operation("policy", {"type": "object"}, droplet_id=NUMBER),
        "put": _operation("setPolicy", {"type": "object"}, droplet_id=NUMBER),
    },
    "/domains": {"post": _operation("addDomain", {"properties": {"domain": DOMAIN}})},
    "/domains/{domain_name}": {"get": _operation("domain", {"properties": {"domain": DOMAIN}}, domain_name=TEXT)},
    "/addresses": {"post": _operation("address", {"properties": {"ip": TEXT}})},
    "/addresses/{ip}": {"delete": _operation("release", {}, ip=ADDRESS)},
    "/sizes": {"get": _operation("sizes", {"properties": {"sizes": {"type": "array", "items": SIZE}}})},
    "/sizes/{slug}": {"delete": _operation("dropSize", {"type": "object"}, slug=TEXT)},
    "/hidden/{code}": {"get": _operation("hidden", {"type": "object"}, code={"type": "string", "pattern": "^x{3}$"})},
    "/ping": {"post": _operation("ping", {"properties": {"id": TEXT}})},
    "/report": {"get": {**_operation("report", {}), "responses": {"200": {"content": {"text/csv": {"schema": TEXT}}}}}},
    "/silent": {"get": {"operationId": "silent", "responses": {"default": {"description": "anything"}}}},
}


@pytest.fixture(scope="module", params=["", "/"], ids=["plain", "each path with a slash at its end"])
def specification(request: pytest.FixtureRequest) -> Specification:
    paths = {f"{path}{request.param}": operations for path, operations in PATHS.items()}
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}
    found, problems = parse_specification(json.dumps(document).encode(), "t.json")
    assert problems == ()
    assert found is not None
    return found


class Owner:
    """One organisation's way to the store."""

    def __init__(self, specification: Specification) -> None:
        self.specification = specification
        self.store = Store(shop().policy, specification, Validation(specification))
        self.partition: tuple[str, ...] = ("A", "live")

    def operation(self, name: str) -> Operation:
        found = self.specification.operation(name)
        assert found is not None
        return found

    def look(self, name: str, **parameters: str) -> Any:
        plan = self.store.plans.of(self.operation(name))
        return self.store.data.find(self.partition, plan, parameters, 0.0)

    def do(self, name: str, sent: Any = None, **parameters: str) -> Any:
        """Do it, and return the decoded answer."""
        operation = self.operation(name)
        found = self.look(name, **parameters)
        assert found.object is Object.OWN, (name, parameters)
        call = SimpleNamespace(
            operation=operation,
            reading=SimpleNamespace(path_parameters=parameters),
            content=sent,
            sight=Sight(found.object, found.item, found.partition),
            now=0.0,
        )
        outcome = self.store.perform(cast(Call, call))
        return json.loads(outcome.body) if outcome.body[:1] in {b"{", b"["} else outcome


@pytest.fixture
def owner(specification: Specification) -> Owner:
    return Owner(specification)


@pytest.mark.parametrize(
    ("name", "deed"),
    [
        ("list", Deed.LIST),
        ("create", Deed.CREATE),
        ("show", Deed.READ),
        ("remove", Deed.REMOVE),
        ("notes", Deed.LIST),
        ("note", Deed.CREATE),
        ("reboot", Deed.ACT),
        ("policy", Deed.SHOW),
        ("setPolicy", Deed.EDIT),
        ("addDomain", Deed.CREATE),
        ("ping", Deed.ACT),
        ("report", Deed.SHOW),
    ],
)
def test_the_path_says_what_an_operation_does(owner: Owner, name: str, deed: Deed) -> None:
    assert owner.store.plans.of(owner.operation(name)).deed is deed


def test_an_object_stands_where_the_schema_has_room_for_it(owner: Owner) -> None:
    """Also in an envelope, with a number for its id, and in a list beside other things."""
    made = owner.do("create", {"name": "one", "backups": "no list"})
    droplet = made["droplet"]

    assert (set(droplet), droplet["name"], type(droplet["id"])) == ({"id", "name"}, "one", int)
    assert owner.do("show", droplet_id=str(droplet["id"])) == {"droplet": droplet}
    assert owner.do("list") == {"droplets": [droplet]}


def test_lists_show_the_newest_first(owner: Owner) -> None:
    names = [owner.do("create", {"name": str(number)})["droplet"]["name"] for number in range(3)]

    assert [each["name"] for each in owner.do("list")["droplets"]] == names[::-1]


def test_what_lies_below_goes_with_its_parent(owner: Owner) -> None:
    number = str(owner.do("create")["droplet"]["id"])
    owner.do("note", {"name": "a note"}, droplet_id=number)
    owner.do("setPolicy", {"days": 1}, droplet_id=number)

    assert owner.do("notes", droplet_id=number)[0]["name"] == "a note"
    assert owner.do("policy", droplet_id=number) == {"days": 1}
    assert owner.do("remove", droplet_id=number).status == 204
    assert owner.look("notes", droplet_id=number).object is Object.ABSENT
    assert owner.look("reboot", droplet_id=number).object is Object.ABSENT


def test_objects_are_named_as_the_caller_names_them_where_they_are_named(owner: Owner) -> None:
    owner.do("addDomain", {"name": "example.com"})

    assert owner.do("domain", domain_name="example.com") == {"domain": {"name": "example.com"}}


def test_an_id_fits_every_path_that_it_stands_in(owner: Owner) -> None:
    made = owner.do("address")["ip"]

    assert isinstance(ipaddress.ip_address(made), ipaddress.IPv6Address)
    assert owner.look("release", ip=made).object is Object.OWN


def test_a_collection_that_nobody_fills_is_never_empty(owner: Owner) -> None:
    (first,) = owner.do("sizes")["sizes"]
    owner.do("dropSize", slug=first["slug"])
    (second,) = owner.do("sizes")["sizes"]

    assert first["slug"] != second["slug"]
    assert owner.look("dropSize", slug=first["slug"]).object is Object.ABSENT


def test_what_nothing_announces_can_be_worked_out(owner: Owner) -> None:
    assert owner.look("hidden", code="xxx").object is Object.OWN
    assert owner.look("hidden", code="yyy").object is Object.ABSENT


def test_somebody_elses_object_is_known_as_such(owner: Owner) -> None:
    number = str(owner.do("create")["droplet"]["id"])
    owner.partition = ("B", "live")

    found = owner.look("show", droplet_id=number)
    assert (found.object, found.partition) == (Object.FOREIGN, ("A", "live"))


def test_answers_have_the_documented_status_and_media_type(owner: Owner) -> None:
    report, silent = owner.do("report"), owner.do("silent")

    assert (report.status, report.media_type, report.body) == (200, "text/csv", b"text")
    assert (silent.status, silent.media_type, silent.body) == (200, None, b"")


def test_no_caller_can_fill_the_memory(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authcontract_conformance.reference._data._MOST", 3)
    ids = [owner.do("create")["droplet"]["id"] for _ in range(5)]

    assert [each["id"] for each in owner.do("list")["droplets"]] == ids[:1:-1]


def test_a_silent_policy_still_keeps_organisations_apart(specification: Specification) -> None:
    policy = replace(shop().policy, isolation=())

    assert Store(policy, specification, Validation(specification)).isolation == ("organisation", "environment")
