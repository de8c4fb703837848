"""What a deployment offers by its file and its contract."""

from dataclasses import replace

import pytest
from authcontract_conformance.run._connection import offers
from authcontract_conformance.run._target import Target
from conversations import loaded


@pytest.mark.parametrize(
    ("lacks", "excluded", "offered"),
    [
        pytest.param(None, None, True, id="everything"),
        pytest.param("rotate", None, True, id="no rotation, which is what the clauses on rotation are about"),
        pytest.param("create", None, False, id="no new keys"),
        pytest.param("revoke", None, False, id="no end of what a run makes"),
        pytest.param(None, "revokeKey", False, id="an end that must not be called"),
        pytest.param(None, "rotateKey", True, id="a rotation that must not be called"),
    ],
)
def test_keys_are_managed_where_they_can_be_made_and_ended(
    lacks: str | None,
    excluded: str | None,
    offered: bool,  # noqa: FBT001  a row of the table
) -> None:
    found = loaded("synaptiq")
    assert found.policy is not None
    assert found.policy.keys.managed_by is not None
    managed_by = replace(found.policy.keys.managed_by, **({lacks: None} if lacks else {}))
    policy = replace(found.policy, keys=replace(found.policy.keys, managed_by=managed_by))
    target = Target(
        name="staging",
        urls={None: "https://staging.example.com"},
        exclude=frozenset({excluded} if excluded is not None else ()),
    )
    assert ("key management" in offers(replace(found, policy=policy), target)) is offered
