"""One question for both evaluators: the engine, by a whole request with a real key, and the naive one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import authcontract_engine
import naive_requests
from authcontract_engine import Body, Contract, Decision, Facts, KeyRecord, MemoryKeys, Object, Request, Reservation
from authcontract_policy import Loaded, Operation, SentAs, load
from naive import SecondOpinion
from policy_contracts import FILES

NOW = 1_800_000_000.0
#: State of a key -> the times that bring it about.
TIMES: Mapping[str, Mapping[str, Any]] = {
    "grace": {"rotated_at": NOW - 1, "grace": 10.0},
    "expired": {"rotated_at": NOW - 10, "grace": 10.0},
    "revoked": {"revoked_at": NOW},
}
#: What is so where a request does not say otherwise; see `naive_requests.first_cause`.
USUAL: Mapping[str, Any] = {
    "scheme": "https",
    "state": "active",
    "throttled": False,
    "object_kind": None,
    "object": "own",
    "body": "valid",
    "key_state": False,
}
#: A key as cases write it: kind, scopes and plan, each with a default; None: no key.
Key = Mapping[str, Any] | None


class Both:
    """A contract and the two who can be asked about it."""

    def __init__(self, loaded: Loaded) -> None:
        assert loaded.policy is not None, loaded.diagnostics
        assert loaded.specification is not None, loaded.diagnostics
        assert loaded.resolution is not None, loaded.diagnostics
        self.contract = authcontract_engine.compile(loaded.policy, loaded.specification, loaded.resolution)
        self.opinion = SecondOpinion(loaded.policy.document.value, loaded.specification.document.value)
        self._keys = MemoryKeys(self.contract)

    # --- may this key call this operation? ---------------------------------------------------------------------------

    def naive(self, operation_id: str, kind_of_object: str | None, key: Key) -> str:
        return self.opinion.answer(operation_id, kind_of_object, self._complete(key))

    def engine(self, operation_id: str, kind_of_object: str | None, key: Key) -> str:
        return word(self.contract.decide(*self.call(operation_id, kind_of_object, key)))

    def call(self, operation_id: str, kind_of_object: str | None, key: Key) -> tuple[Request, Facts]:
        """Return a correct request for an operation, and its facts."""
        operation = self.contract.specification.operation(operation_id)
        assert operation is not None, f"{self.contract} has no operation {operation_id}"
        asked = {"method": operation.method, "path": filled(operation), "object_kind": kind_of_object, "key": key}
        return self.received(asked)

    # --- what does this request get? ---------------------------------------------------------------------------------

    def first_cause(self, asked: Mapping[str, Any]) -> str:
        environment = next(iter(self.contract.policy.environments), None)
        key = self._complete(asked["key"])
        return naive_requests.first_cause(self.opinion, {**USUAL, "environment": environment, **asked, "key": key})

    def decide(self, asked: Mapping[str, Any]) -> Decision:
        return self.contract.decide(*self.received(asked))

    def received(self, asked: Mapping[str, Any]) -> tuple[Request, Facts]:
        """Return a request as bytes, with a key that was issued for it, and its facts."""
        asked = {**USUAL, **asked}
        environment = asked.get("environment", next(iter(self.contract.policy.environments), None))
        key = self._complete(asked["key"])
        record, lines = (None, []) if key is None else self._issued({"environment": environment, **key}, asked["state"])
        request = Request(
            scheme=asked["scheme"],
            environment=environment if isinstance(self.opinion.policy["base_url"], dict) else None,
            method=asked["method"].encode(),
            target=(self.contract.base_path(environment) + asked["path"]).encode(),
            headers=((b"Host", b"api.example"), *lines),
        )
        return request, Facts(
            key=record,
            now=NOW,
            usage=Reservation(admitted=not asked["throttled"]),
            object=Object(asked["object"]),
            object_kind=asked["object_kind"],
            body=Body(asked["body"]),
            key_state_conflict=asked["key_state"],
        )

    def _issued(self, key: Mapping[str, Any], state: str) -> tuple[KeyRecord | None, list[tuple[bytes, bytes]]]:
        """Return the record of a key in this state, and the header lines that present it."""
        record, secret = self._keys.issue(organisation="org_1", now=NOW - 100, **key)
        name, value = presented(self.contract, secret)
        lines = {
            "malformed": [(name, b"Nonsense " + value)],
            "conflicting": [(name, value), (name, presented(self.contract, secret[::-1])[1])],
        }.get(state, [(name, value)])
        return None if state == "unknown" else replace(record, **TIMES.get(state, {})), lines

    def _complete(self, key: Key) -> Key:
        """Return the key with the first kind of the policy where the case names none, and no plan."""
        if key is None:
            return None
        return {"kind": next(iter(self.contract.policy.keys.kinds)), "scopes": (), "plan": None, **key}


#: The evaluators by name; each case runs through all of them.
EVALUATORS: Mapping[str, Callable[[Both, str, str | None, Key], str]] = {"engine": Both.engine, "naive": Both.naive}


@cache
def both(contract: str) -> Both:
    """Return one of the eight contracts, loaded once."""
    return Both(load(FILES[contract]))


def word(decision: Decision) -> str:
    """Return `allowed` or the cause."""
    return "allowed" if decision.cause is None else decision.cause.value


def filled(operation: Operation) -> str:
    """Return the operation's path with something for each parameter."""
    return "/".join("42" if segment.startswith("{") else segment for segment in operation.path.split("/"))


def presented(contract: Contract, secret: str) -> tuple[bytes, bytes]:
    """Return the header line that carries a key in the simplest documented way."""
    way: SentAs = next(way for way in contract.policy.keys.sent_as if "base64" not in way.template)
    return way.name.encode(), way.template.replace("<key>", secret).encode()
