"""One question for both evaluators: the engine, by a whole request with a real key, and the naive one."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import authcontract_engine
from authcontract_engine import Contract, Decision, Facts, MemoryKeys, Request
from authcontract_policy import Loaded, Operation, SentAs, load
from naive import SecondOpinion
from policy_contracts import FILES

NOW = 1_800_000_000.0
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

    def complete(self, key: Key) -> Key:
        """Return the key with the first kind of the policy where the case names none, and no plan."""
        if key is None:
            return None
        return {"kind": next(iter(self.contract.policy.keys.kinds)), "scopes": (), "plan": None, **key}

    def naive(self, operation_id: str, kind_of_object: str | None, key: Key) -> str:
        return self.opinion.answer(operation_id, kind_of_object, self.complete(key))

    def engine(self, operation_id: str, kind_of_object: str | None, key: Key) -> str:
        return word(self.decision(operation_id, kind_of_object, key))

    def decision(self, operation_id: str, kind_of_object: str | None, key: Key) -> Decision:
        request, facts = self.call(operation_id, kind_of_object, key)
        return self.contract.decide(request, facts)

    def call(self, operation_id: str, kind_of_object: str | None, key: Key) -> tuple[Request, Facts]:
        """Return a correct request for an operation, and its facts."""
        operation = self.contract.specification.operation(operation_id)
        assert operation is not None, f"{self.contract} has no operation {operation_id}"
        complete = self.complete(key)
        environment = next(iter(self.contract.policy.environments), None)
        record = None
        lines: tuple[tuple[bytes, bytes], ...] = ()
        if complete is not None:
            record, secret = self._keys.issue(organisation="org_1", environment=environment, now=NOW, **complete)
            lines = (presented(self.contract, secret),)
        request = Request(
            environment=environment,
            method=operation.method.encode(),
            target=(self.contract.base_path(environment) + filled(operation)).encode(),
            headers=((b"Host", b"api.example"), *lines),
        )
        return request, Facts(key=record, now=NOW, object_kind=kind_of_object)


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
