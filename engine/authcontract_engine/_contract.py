"""The contract: policy and specification compiled into tables, and the decision that walks them.

Invariants: the checks run in the order that the policy states, and the first that refuses decides; what raises refuses;
decisions are shared values; nothing that anybody could see of a contract changes after `compile`.
"""

from __future__ import annotations

from typing import Final

from authcontract_policy import CHECK_OF, Check, Operation, Policy, Resolution, Severity, Specification, resolve

from ._charges import Charges, Price
from ._checks import FACTUAL, CheckFunction, Checks
from ._decisions import Decisions
from ._life import state
from ._reading import Reader, Reading
from ._render import Renderer
from ._routes import UnreadableTemplate
from ._scope import ScopeCheck
from ._values import Charge, Decision, Facts, KeyRecord, KeyState, Request, Response

_HEAD: Final = b"HEAD"


class ContractError(Exception):
    """The policy and the specification do not make a contract."""


def compile(  # noqa: A001  the name that the design gives it
    policy: Policy, specification: Specification, resolution: Resolution | None = None
) -> Contract:
    """Return the contract of a policy and a specification; raises `ContractError` where they do not fit together."""
    if resolution is None:
        resolution, problems = resolve(policy, specification)
        errors = [problem.message for problem in problems if problem.severity is Severity.ERROR]
        if errors:
            raise ContractError("; ".join(errors))
    kinds: tuple[str | None, ...] = policy.objects or (None,)
    open_ends = [each.id for each in specification.operations for k in kinds if (each.id, k) not in resolution.grants]
    if open_ends:
        raise ContractError(f"no capability decides {', '.join(f'`{each}`' for each in open_ends)}")
    try:
        return Contract(policy, specification, resolution)
    except UnreadableTemplate as error:
        raise ContractError(f"a segment of the path `{error}` has several parameters") from error


class Contract:
    """What the documentation promises, ready to decide by; immutable."""

    def __init__(self, policy: Policy, specification: Specification, resolution: Resolution) -> None:
        self.policy = policy
        self.specification = specification
        self.resolution = resolution
        self.operations = specification.operations
        decisions = Decisions(policy, resolution)
        self._nothing_done = decisions.nothing_done
        self._scopes = ScopeCheck(policy, resolution, self.operations, decisions)
        self._charges = Charges(policy, specification, resolution)
        self._reader = Reader(policy, self.operations)
        self._renderer = Renderer(policy, resolution)
        self._checks = Checks(policy, self._scopes, self._charges, decisions)
        #: Decide by the scope check alone whether such a key may call an operation.
        self.permit = self._scopes.permit
        #: Read a request once, for `charges`, `decide` and `refuse`.
        self.read = self._reader.read
        self._refused = self._checks.refused
        #: Every check with its function, in the order of the policy.
        self.checks: tuple[tuple[Check, CheckFunction], ...] = self._checks.table
        order = [check for check, _ in self.checks]
        before_limit = frozenset(order[: order.index(Check.LIMIT)])
        self._pipeline = self._functions(frozenset(order))
        self._factual = self._functions(FACTUAL)
        self._before_limit = self._functions(before_limit)
        self._factual_before_limit = self._functions(before_limit & FACTUAL)
        self._uncharged = frozenset(cause for cause, check in CHECK_OF.items() if check in before_limit)

    def __repr__(self) -> str:
        return f"Contract({self.policy.document.file}, {len(self.operations)} operations)"

    def _functions(self, chosen: frozenset[Check]) -> tuple[CheckFunction, ...]:
        return tuple(function for check, function in self.checks if check in chosen)

    def base_path(self, environment: str | None = None) -> str:
        """Return the path of the base URL, without a slash at its end."""
        return self._reader.base_path(environment)

    def decide(self, request: Request | Reading, facts: Facts) -> Decision:
        """Say what the contract says of a request, all facts known; whatever the request holds, this never raises."""
        reading = request if isinstance(request, Reading) else self.read(request)
        refusal = self._refused(self._factual if reading.clear else self._pipeline, reading, facts)
        return self._allowed(reading, facts) if refusal is None else refusal

    def possible(self, request: Request | Reading, facts: Facts) -> frozenset[Decision]:
        """Return every decision that the facts left unknown allow."""
        reading = request if isinstance(request, Reading) else self.read(request)
        found: set[Decision] = set()
        for check, function in self.checks:
            outcomes = self._checks.possible(check, function, reading, facts)
            found.update(outcome for outcome in outcomes if outcome is not None)
            if None not in outcomes:
                return frozenset(found)
        return frozenset({*found, self._allowed(reading, facts)})

    def _allowed(self, reading: Reading, facts: Facts) -> Decision:
        if reading.operation is None:
            return self._nothing_done
        return self._scopes.allowed(reading.operation, facts.object_kind)

    def charges(self, reading: Reading, key: KeyRecord | None, now: float) -> tuple[Charge, ...]:
        """Return what each limit takes for a request; nothing where it is refused before limits are looked at.

        An OPTIONS that is no operation of its own needs no key, so no key pays for it.
        """
        checks = self._factual_before_limit if reading.clear else self._before_limit
        if self._refused(checks, reading, Facts(now, key)) is not None:
            return ()
        operation, method = reading.operation, reading.request.method
        if not reading.clear and (reading.presented.state != "key" or reading.asks_for_methods):
            key = None
        if operation is not None and method != _HEAD:
            return self._charged(self._charges.usual[operation.id], operation, key, reading)
        price = self._charges.price(operation, method.decode("latin-1"))
        return self._charges.of(price, key, operation, reading)

    def usual_charges(self, operation: Operation, key: KeyRecord | None) -> tuple[Charge, ...]:
        """Return what an allowed call of the operation takes, whoever sends it from wherever."""
        return self._charged(self._charges.usual[operation.id], operation, key, None)

    def _charged(
        self, price: Price, operation: Operation, key: KeyRecord | None, reading: Reading | None
    ) -> tuple[Charge, ...]:
        if key is None or not price.by_key_alone:
            return self._charges.of(price, key, operation, reading)
        kept = self._scopes.kept(key)
        found = kept.charges.get(price)
        if found is None:
            found = kept.charges[price] = self._charges.of(price, key, operation, reading)
        return found

    def cost(self, charge: Charge, decision: Decision, method: bytes) -> int:
        """Return what a request costs in the end: by its cause, else its operation, else its method, else 1.

        What is refused before limits are looked at costs nothing.
        """
        if decision.cause in self._uncharged:
            return 0
        return self._charges.settled(charge, decision.cause, decision.operation, method.decode("latin-1"))

    def refuse(self, decision: Decision, reading: Reading, facts: Facts, *, request_id: str = "") -> Response:
        """Return the response of a refusal as the policy words it."""
        return self._renderer.refuse(decision, reading, facts, request_id)

    def headers(self, reading: Reading, facts: Facts, *, secure: bool = True) -> tuple[tuple[str, str], ...]:
        """Return the policy's own headers and those of the limits, for any response."""
        return self._renderer.headers(reading, facts, secure=secure)

    def state(self, key: KeyRecord, now: float) -> KeyState:
        """Return where a key is in its life."""
        return state(key, now)
