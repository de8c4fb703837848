"""Engine and naive evaluator agree on policies, keys and requests that nobody thought of."""

import hashlib
import json
import random
from collections import Counter
from typing import Any

from authcontract_engine import Body, Facts, KeyRecord, Object, Request, Reservation
from authcontract_policy import Cause, assemble, parse_policy, parse_specification
from hypothesis import given, note, settings
from hypothesis import strategies as st
from naive_requests import first_cause
from second_opinion import NOW, Both, word
from strategies import contracts, request

CONTRACTS, REQUESTS = 100, 100
SECRET = "s3cret"
TIMES: dict[str, dict[str, Any]] = {
    "grace": {"rotated_at": NOW - 1, "grace": 10.0},
    "expired": {"rotated_at": NOW - 10, "grace": 10.0},
    "revoked": {"revoked_at": NOW},
}
LINES = {
    None: (),
    "malformed": ((b"Authorization", b"Basic s3cret"),),
    "conflicting": ((b"Authorization", b"Bearer s3cret"), (b"Authorization", b"Bearer another")),
}


def ask_engine(both: Both, asked: dict[str, Any]) -> str:
    """Send the drawn request, as bytes and facts, through the engine."""
    contract, key, state = both.contract, asked["key"], asked["state"]
    environment = asked["environment"] if isinstance(both.opinion.policy["base_url"], dict) else None
    lines = LINES.get(key and state, ((b"Authorization", b"Bearer s3cret"),))
    received = Request(
        scheme=asked["scheme"],
        environment=environment,
        method=asked["method"].encode(),
        target=(contract.base_path(environment) + asked["path"]).encode(),
        headers=((b"Host", b"api.example"), *lines),
    )
    facts = Facts(
        key=_record(key, state) if key and state != "unknown" else None,
        now=NOW,
        usage=Reservation(admitted=not asked["throttled"]),
        object=Object(asked["object"]),
        object_kind=asked["object_kind"],
        body=Body(asked["body"]),
        key_state_conflict=asked["key_state"],
    )
    return word(contract.decide(received, facts))


def _record(key: dict[str, Any], state: str) -> KeyRecord:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    held = {**key, "scopes": frozenset(key["scopes"])}
    return KeyRecord(id="key_1", digest=digest, issued_at=NOW - 100, **held, **TIMES.get(state, {}))


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def test_engine_and_naive_evaluator_agree() -> None:
    """10,000 requests to 100 drawn contracts: the same answer for each, and every answer was given."""
    answers: Counter[str] = Counter()

    @settings(max_examples=CONTRACTS, deadline=None, database=None)
    @given(drawn=contracts(), seed=st.integers(0, 2**32))
    def agree(drawn: tuple[dict[str, Any], dict[str, Any]], seed: int) -> None:
        policy, specification = drawn
        written = (json.dumps(document).encode() for document in drawn)
        both = Both(
            assemble(parse_policy(next(written), "policy"), parse_specification(next(written), "specification"))
        )
        chance = random.Random(seed)  # noqa: S311  which cases, not which keys
        for _ in range(REQUESTS):
            asked = request(chance, policy, specification, both.contract.resolution.scopes)
            naive, engine = first_cause(both.opinion, asked), ask_engine(both, asked)
            if naive != engine:
                note(f"{asked}\n{json.dumps(policy, indent=1)}")
            assert engine == naive
            answers[engine] += 1

    agree()
    assert answers.total() >= CONTRACTS * REQUESTS
    assert answers["allowed"] > answers.total() / 20
    # A well-formed request cannot have the two causes of the syntax check.
    assert set(answers) == {"allowed", *Cause} - {Cause.MALFORMED_REQUEST, Cause.TOO_LARGE}
