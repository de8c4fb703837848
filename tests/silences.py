"""Servers that answer a silence otherwise: the reference server by a policy with an entry of `otherwise` merged in."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from authcontract_conformance._events import Event
from authcontract_conformance.run._run import Options, Result
from authcontract_conformance.run._run import verify as judge
from authcontract_policy import Answered, Loaded, alternatives, confirming, load
from conversations import POLICIES, loaded


def written(document: Any, specification: str, place: Path) -> Path:
    """Write a policy of these values, with the specification named from anywhere."""
    whole = {**document, "specification": os.path.relpath(Path(specification).resolve(), place.parent.resolve())}
    place.write_text(yaml.safe_dump(json.loads(json.dumps(whole)), sort_keys=False, allow_unicode=True, width=1000))
    return place


def answering(name: str, silence: str, number: int, folder: Path) -> Path:
    """Write the policy of a contract whose silence has the n-th other answer."""
    found = loaded(name)
    assert found.policy is not None
    assert found.specification is not None
    other = alternatives(found.policy)[silence][number - 1]
    # What would be acceptable besides does not fit this answer perhaps, and nobody asks a server for it.
    settled = {"confirmed": {each.id: each.answer for each in found.policy.silences.values()}}
    place = folder / f"{name}-{silence}-{number}.yaml"
    return written({**other.document.value, "silences": settled}, found.specification.document.file, place)


def answering_both(name: str, one: tuple[str, int], other: tuple[str, int], folder: Path) -> Path:
    """Write the policy of a contract two of whose silences have another answer each."""
    found = loaded(name)
    assert found.policy is not None
    assert found.specification is not None
    both = [Answered(silence=silence, number=number, text="x") for silence, number in (one, other)]
    settled = {"confirmed": {each.id: each.answer for each in found.policy.silences.values()}}
    whole = {**confirming(found.policy, both), "silences": settled}
    return written(whole, found.specification.document.file, folder / f"{name}-{one[0]}-{other[0]}.yaml")


def others(name: str) -> list[tuple[str, int]]:
    """Return every other answer that the policy of a contract accepts: silence and number."""
    policy = load(POLICIES[name]).policy
    assert policy is not None
    return [(silence, n + 1) for silence, found in alternatives(policy).items() for n in range(len(found))]


def judged(by: Loaded, served: Path, events: list[Event] | None = None, **options: Any) -> Result:
    """Judge by one policy the reference server that serves another."""
    kept: list[Event] = [] if events is None else events
    server = ("--policy", str(served))
    return asyncio.run(judge(by, None, Options(server=server, **options), kept.append))


def states(result: Result) -> Mapping[str, str]:
    """Return silence -> what the ledger says of it."""
    return {row.silence: row.state for row in result.silences}
