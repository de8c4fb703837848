"""Engine and naive evaluator agree on policies, keys and requests that nobody thought of."""

import json
import random
from collections import Counter
from typing import Any

from authcontract_policy import Cause, assemble, parse_policy, parse_specification
from hypothesis import given, note, settings
from hypothesis import strategies as st
from second_opinion import Both, word
from strategies import contracts, request

CONTRACTS, REQUESTS = 50, 200


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def test_engine_and_naive_evaluator_agree() -> None:
    """10,000 requests to 50 drawn contracts: the same answer for each, and every answer was given."""
    answers: Counter[str] = Counter()

    @settings(max_examples=CONTRACTS, deadline=None, database=None)
    @given(drawn=contracts(), seed=st.integers(0, 2**32))
    def agree(drawn: tuple[dict[str, Any], dict[str, Any]], seed: int) -> None:
        policy, specification = drawn
        both = Both(
            assemble(parse_policy(_bytes(policy), "policy"), parse_specification(_bytes(specification), "spec"))
        )
        chance = random.Random(seed)  # noqa: S311  which cases, not which keys
        for _ in range(REQUESTS):
            asked = request(chance, policy, specification, both.contract.resolution.scopes)
            naive, engine = both.first_cause(asked), word(both.decide(asked))
            if naive != engine:
                note(f"{asked}\n{json.dumps(policy, indent=1)}")
            assert engine == naive
            answers[engine] += 1

    agree()
    assert answers.total() >= CONTRACTS * REQUESTS
    assert answers["allowed"] > answers.total() / 20
    # A well-formed request cannot have the two causes of the syntax check.
    assert set(answers) == {"allowed", *Cause} - {Cause.MALFORMED_REQUEST, Cause.TOO_LARGE}
