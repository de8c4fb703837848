"""The steps of a decision end where the decision was made."""

from dataclasses import replace

import pytest
from authcontract_engine import (
    Body,
    Contract,
    Facts,
    KeyRecord,
    MemoryKeys,
    Object,
    Request,
    compile,  # noqa: A004  the design's name
    explain,
)
from policy_contracts import slip

NOW = 1_000_000.0


@pytest.fixture(scope="module")
def contract() -> Contract:
    loaded = slip("roles")
    assert loaded.policy is not None
    assert loaded.specification is not None
    return compile(loaded.policy, loaded.specification, loaded.resolution)


@pytest.fixture(scope="module")
def key(contract: Contract) -> tuple[KeyRecord, str]:
    return MemoryKeys(contract).issue(
        organisation="A", environment=None, kind="workspace key", scopes=["viewer"], plan=None, now=NOW
    )


@pytest.mark.parametrize(
    ("changed", "facts", "refused_by"),
    [
        ({}, {}, None),
        ({"scheme": "http"}, {}, "transport"),
        ({"target": b"/projects/\x00"}, {}, "syntax"),
        ({}, {"key": None}, "key"),
        ({"target": b"/nowhere"}, {}, "path"),
        ({"method": b"PUT", "target": b"/projects/1/export"}, {}, "method"),
        ({"method": b"DELETE"}, {}, "scope"),
        ({}, {"body": Body.INVALID}, "body"),
        ({}, {"object": Object.FOREIGN}, "object"),
    ],
)
def test_the_check_that_refuses_is_the_last_one_reached(
    contract: Contract,
    key: tuple[KeyRecord, str],
    changed: dict[str, object],
    facts: dict[str, object],
    refused_by: str,
) -> None:
    record, secret = key
    headers = ((b"Host", b"api.draftboard.example"), (b"X-API-Key", secret.encode()))
    request = replace(Request(method=b"GET", target=b"/projects/1", headers=headers), **changed)  # type: ignore[arg-type]
    known = replace(Facts(key=record, now=NOW), **facts)  # type: ignore[arg-type]

    steps = explain(contract, request, known)

    assert len(steps) == len(contract.checks)
    decision = contract.decide(request, known)
    refusing = [step for step in steps if step.outcome == "refused"]
    assert [step.check for step in refusing] == ([refused_by] if refused_by else [])
    assert all(step.decision is decision for step in refusing)
    after = steps[steps.index(refusing[0]) + 1 :] if refusing else ()
    assert {step.outcome for step in after} <= {"not reached"}
    assert decision.allowed is (refused_by is None)
