"""`check` holds a policy to the decisions that stand beside it."""

from pathlib import Path

import pytest
from authcontract_conformance.cli.check import command
from click.testing import CliRunner, Result

ROOT = Path(__file__).parents[3]
DECISIONS = """\
- {key: none, request: GET /leads, expect: unauthorized}
- {key: {scope: write}, request: DELETE /leads/42, expect: forbidden}
- {key: {scope: admin}, request: DELETE /leads/42, object: absent, expect: not_found}
- {key: {scope: admin}, request: POST /leads, body: invalid, expect: bad_request}
- {key: {scope: read}, request: GET /leads, limit: reached, expect: rate_limited}
- {key: {scope: read}, request: GET /leads, sent_over: http, expect: https_only}
- {key: {scope: read, state: active}, request: GET /leads, expect: allowed}
- {key: {scope: read, state: grace}, request: GET /leads, expect: allowed}
- {key: {scope: read, state: expired}, request: GET /leads, expect: unauthorized}
- {key: {scope: read, state: revoked}, request: GET /leads, expect: unauthorized}
- {key: {scope: read, state: unknown}, request: GET /leads, expect: unauthorized}
- {key: {scope: read, state: malformed}, request: GET /leads, expect: unauthorized}
- {key: {scope: read, state: conflicting}, request: GET /leads, expect: bad_request}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return a copy of a policy, to be edited, with decisions beside it."""
    for name in ("policy/synaptiq.yaml", "specs/synaptiq.openapi.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "policy" / "synaptiq.tests.yaml").write_text(DECISIONS, "utf-8")
    return tmp_path / "policy" / "synaptiq.yaml"


def check(*files: Path) -> Result:
    return CliRunner().invoke(command, [str(file) for file in files])


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_decisions_in_every_state_hold_and_are_counted(policy: Path) -> None:
    result = check(policy)
    assert result.exit_code == 0, result.output
    assert f"  13 of 13 decisions in {policy.with_suffix('.tests.yaml')} hold\n" in result.output


def test_a_decision_that_an_edit_changed_is_shown_at_both_its_lines(policy: Path) -> None:
    edit(
        policy,
        "Delete leads and conversations:   {requires: admin",
        "Delete leads and conversations:   {requires: write",
    )
    edit(policy, "write: {methods: [GET, POST, PATCH],  ", "write: {methods: [GET, POST, PATCH, DELETE],  ")
    result = check(policy)
    assert result.exit_code == 1
    assert "error[decision-differs]: `DELETE /leads/42` is allowed, and should be refused as forbidden" in result.output
    assert "synaptiq.tests.yaml:2:" in result.output
    assert "decides it so" in result.output
    assert "  12 of 13 decisions" in result.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("scope: write", "scope: wrte", "the policy has no scope `wrte`", id="a scope"),
        pytest.param(
            "{scope: write}", "{scopes: [wrte]}", "the policy has no scopes `wrte`", id="one of several scopes"
        ),
        pytest.param("expect: not_found", "expect: missing", "the policy has no error `missing`", id="an outcome"),
    ],
)
def test_a_name_that_the_policy_does_not_have_is_said_where_it_stands(
    policy: Path, old: str, new: str, said: str
) -> None:
    edit(policy.with_suffix(".tests.yaml"), old, new)
    result = check(policy)
    assert result.exit_code == 1
    assert f"error[unknown-name]: {said}" in result.output
    assert "help: there is " in result.output


def test_a_file_without_the_shape_of_decisions_is_no_reason_to_distrust_the_policy(policy: Path) -> None:
    edit(policy.with_suffix(".tests.yaml"), "expect: unauthorized", "expects: unauthorized")
    result = check(policy)
    assert result.exit_code == 1
    assert "error[unknown-word]" in result.output
    assert f"✔ {policy} can be used" in result.output
    assert "hold\n" not in result.output


def test_the_file_of_decisions_names_its_policy(policy: Path) -> None:
    tests = policy.with_suffix(".tests.yaml")
    assert check(tests).output == check(policy).output == check(policy, tests).output


def test_a_policy_without_decisions_beside_it_says_nothing_of_them(policy: Path) -> None:
    policy.with_suffix(".tests.yaml").unlink()
    assert "decisions" not in check(policy).output


def test_a_policy_that_cannot_be_used_is_not_held_to_them(policy: Path) -> None:
    edit(policy, "requires: admin, operations: [tag: keys]", "requires: admn, operations: [tag: keys]")
    result = check(policy)
    assert result.exit_code == 2
    assert "decision-differs" not in result.output
