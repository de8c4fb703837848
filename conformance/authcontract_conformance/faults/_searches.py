"""Faults of searches, pages and figures that are queries of their own, and forget whose objects they are about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from authcontract_engine import Contract
from authcontract_policy import Operation

from authcontract_conformance.reference import Call, Outcome, Seams, Server, Sight
from authcontract_conformance.samples._links import Links

from ._fault import Family, Fault, Plant
from ._isolation import both_lists, is_list, joined
from ._tools import one_environment

_SEARCH: Final = ("q", "query", "search", "filter")
_PAGES: Final = ("page", "offset")


def _asked(names: tuple[str, ...]) -> Callable[[Server, Call], bool]:
    """Tell whether a list is asked for with one of these parameters."""

    def when(server: Server, call: Call) -> bool:
        query = call.request.target.partition(b"?")[2].decode("latin-1")
        return is_list(server, call) and any(name in names for name, _ in parse_qsl(query))

    return when


def _search_of_its_own(seams: Seams) -> Seams:
    """Find the members of everybody's list by a search that has a path of its own below it."""

    def perform(server: Server, call: Call) -> Outcome:
        outcome = seams.perform(server, call)
        lister = _searched(server.contract, call.operation)
        if lister is None:
            return outcome
        own = server.store.partition(call.key)
        for partition in server.store.data.partitions():
            if partition[0] != own[0] and partition[1:] == own[1:]:
                reading = replace(call.reading, operation=lister)
                theirs = seams.perform(server, replace(call, reading=reading, sight=Sight(partition=partition)))
                outcome = replace(outcome, body=joined(outcome.body, theirs.body))
        return outcome

    return replace(seams, perform=perform)


def _searched(contract: Contract, operation: Operation) -> Operation | None:
    """Return the list that an operation with a path of its own searches."""
    head, _, last = operation.path.rpartition("/")
    at = {(each.method, each.path): each for each in contract.operations}
    links = Links(contract.specification)
    lists = last in _SEARCH and links.lists(operation) and ("POST", head) in at
    return at.get(("GET", head)) if lists else None


def _searches_elsewhere(contract: Contract) -> str | None:
    """Say why no search has a path of its own."""
    found = any(_searched(contract, operation) is not None for operation in contract.operations)
    return None if found else "no search has a path of its own"


def _figures_over(dimension: str) -> Plant:
    """Count the objects of everybody who differs in this dimension only in what shows figures."""

    def plant(seams: Seams) -> Seams:
        def perform(server: Server, call: Call) -> Outcome:
            outcome = seams.perform(server, call)
            plain = call.request.method == b"GET" and "{" not in call.operation.path and not is_list(server, call)
            if not plain or server.keyring.manages(call.operation) or not outcome.body:
                return outcome
            count = sum(1 for _ in _everything(server, call, dimension))
            body = json.loads(outcome.body)
            if not isinstance(body, dict):
                return outcome
            counted = {n: count if isinstance(v, int) and not isinstance(v, bool) else v for n, v in body.items()}
            return replace(outcome, body=json.dumps(counted).encode())

        return replace(seams, perform=perform)

    return plant


def _shows_figures(contract: Contract) -> str | None:
    """Say why there are no figures to get wrong."""
    links = Links(contract.specification)
    plain = (op for op in contract.operations if op.method == "GET" and "{" not in op.path and not links.lists(op))
    found = any(links.figures(op) and not contract.permit(op, None, None).allowed for op in plain)
    return None if found else "nothing shows figures"


def _everything(server: Server, call: Call, dimension: str) -> Iterator[str]:
    data, own = server.store.data, server.store.partition(call.key)
    at = server.store.isolation.index(dimension)
    for collection in server.store.plans.members:
        if "{" not in collection:
            for partition in data.partitions():
                if (*partition[:at], *partition[at + 1 :]) != (*own[:at], *own[at + 1 :]):
                    continue
                members = data.collection(partition, tuple(collection.split("/")), collection, call.now)
                # What is there from the start was made by nobody.
                yield from (name for name, item in members.items() if item.fields)


FAULTS: Final = (
    Fault(
        name="search-of-everybody",
        sentence="A search forgets to ask whose objects it finds",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-3",),
        plant=both_lists("organisation", _asked(_SEARCH)),
    ),
    Fault(
        name="search-elsewhere-of-everybody",
        sentence="A search with a path of its own forgets to ask whose objects it finds",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-3",),
        plant=_search_of_its_own,
        meaningful=_searches_elsewhere,
    ),
    Fault(
        name="second-page-of-everybody",
        sentence="The further pages of a list are another query, which forgets whose objects it lists",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-3",),
        plant=both_lists("organisation", _asked(_PAGES)),
    ),
    Fault(
        name="figures-of-everybody",
        sentence="Figures count the objects of all organisations",
        family=Family.IMPLEMENTATION,
        clauses=("TEN-3",),
        plant=_figures_over("organisation"),
        meaningful=_shows_figures,
    ),
    Fault(
        name="figures-of-all-environments",
        sentence="Figures count the objects of all environments",
        family=Family.IMPLEMENTATION,
        clauses=("ENV-3",),
        plant=_figures_over("environment"),
        meaningful=lambda contract: _shows_figures(contract) or one_environment(contract),
    ),
)
