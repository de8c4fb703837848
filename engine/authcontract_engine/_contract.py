"""The contract: policy and specification compiled into tables, and the decision that walks them.

Invariants: a decision is one shared value for each (operation, cause, rule); the checks run in the order that the
policy states and the first that refuses decides; what raises refuses; nothing here changes after `compile`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any
from urllib.parse import urlsplit

from authcontract_policy import (
    DEFAULT_PRECEDENCE,
    USUAL_STATUS,
    Cause,
    Check,
    Dimension,
    Operation,
    Policy,
    Resolution,
    Specification,
    resolve,
)

from ._charging import Charges
from ._keys import Presentation, state
from ._reading import METHODS, Reading, origin_form
from ._reading import problem as problem_of
from ._render import Renderer
from ._routes import Routes
from ._values import (
    UNKNOWN,
    Body,
    Charge,
    Decision,
    Facts,
    KeyRecord,
    KeyState,
    Object,
    Request,
    Reservation,
    Response,
    Rule,
    Standing,
)

NOT_IMPLEMENTED = 501


class ContractError(Exception):
    """The policy and the specification do not make a contract; their diagnostics say why."""


_Check = Callable[[Reading, Facts], Decision | None]


def compile(  # noqa: A001  the name that the design gives it
    policy: Policy, specification: Specification, resolution: Resolution | None = None
) -> Contract:
    """Return the contract of a policy and a specification; raises `ContractError` where they do not fit together."""
    if resolution is None:
        resolution, problems = resolve(policy, specification)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise ContractError("; ".join(problem.message for problem in errors[:3]))
    return Contract(policy, specification, resolution)


class Contract:
    """What the documentation promises, ready to decide by; immutable."""

    def __init__(self, policy: Policy, specification: Specification, resolution: Resolution) -> None:
        self.policy = policy
        self.specification = specification
        self.resolution = resolution
        self.operations = specification.operations
        self._presentation = Presentation(policy.keys)
        self._urls = {environment: urlsplit(url) for environment, url in _base_urls(policy).items()}
        self._routes = {path: Routes(path, self.operations) for path in {url.path for url in self._urls.values()}}
        self._secure = all(url.scheme == "https" for url in self._urls.values())
        self._renderer = Renderer(policy, resolution)
        self._errors: Mapping[Cause, str] = {c: row.name for row in policy.errors.values() for c in row.when}
        self._bits = {n: 1 << i for i, n in enumerate((*resolution.scopes, *policy.plans, *policy.keys.kinds))}
        self._plan_bits = sum(self._bits[plan] for plan in policy.plans)
        self._alternatives = {
            place: None if grant.alternatives is None else tuple(self._mask(names) for names in grant.alternatives)
            for place, grant in resolution.grants.items()
        }
        self._granted: dict[tuple[object, ...], int] = {}
        self._decisions: dict[tuple[object, ...], Decision] = {}
        kinds: tuple[str | None, ...] = policy.objects or (None,)
        self._kinds = kinds
        self._public = {op.id for op in self.operations if any(self._alternatives[op.id, k] is None for k in kinds)}
        self._charges = Charges(policy, resolution, self.operations)
        precedence = policy.precedence or DEFAULT_PRECEDENCE
        table: Mapping[Check, _Check] = {
            Check.TRANSPORT: self._transport,
            Check.SYNTAX: self._syntax,
            Check.KEY: self._key,
            Check.LIMIT: self._limit,
            Check.PATH: self._path,
            Check.METHOD: self._method,
            Check.SCOPE: self._scope,
            Check.BODY: self._body,
            Check.OBJECT: self._object,
        }
        self.checks: tuple[tuple[Check, _Check], ...] = tuple((check, table[check]) for check in precedence)
        self._pipeline = tuple(check for _, check in self.checks)
        at = precedence.index(Check.LIMIT)
        self._before_limit = self._pipeline[:at]

    def __repr__(self) -> str:
        return f"Contract({self.policy.document.file}, {len(self.operations)} operations)"

    # --- reading ---------------------------------------------------------------------------------------------------

    def base_path(self, environment: str | None = None) -> str:
        """Return the path of the base URL, without a slash at its end."""
        url = self._urls.get(environment) or next(iter(self._urls.values()))
        return url.path.rstrip("/")

    def read(self, request: Request) -> Reading:
        """Read a request once, for `charges`, `decide` and `refuse`."""
        target = request.target
        problem = request.problem or problem_of(request)
        if target[:1] != b"/":
            target = origin_form(target)
        path, _, query = target.partition(b"?")
        url = self._urls.get(request.environment) or next(iter(self._urls.values()))
        route = self._routes[url.path].find(path)
        method = b"GET" if request.method == b"HEAD" else request.method
        operation = route.methods.get(method) if route is not None else None
        presented = self._presentation.read(request.headers, query)
        return Reading(request, problem, presented, route, operation, path)

    # --- deciding --------------------------------------------------------------------------------------------------

    def decide(self, request: Request | Reading, facts: Facts) -> Decision:
        """Say what the contract says of a request, all facts known; never raises for what a request holds."""
        reading = request if isinstance(request, Reading) else self.read(request)
        try:
            for check in self._pipeline:
                refused = check(reading, facts)
                if refused is not None:
                    return refused
        except Exception:  # noqa: BLE001  deny by default, also where we are wrong
            return self._refusal(reading.operation, Cause.INSUFFICIENT_SCOPE)
        return self._allowance(reading)

    def possible(self, request: Request | Reading, facts: Facts) -> frozenset[Decision]:
        """Return every decision that the facts left unknown allow."""
        reading = request if isinstance(request, Reading) else self.read(request)
        return frozenset(self.decide(reading, known) for known in self._readings_of(facts))

    def _readings_of(self, facts: Facts) -> Iterable[Facts]:
        choices: dict[str, tuple[Any, ...]] = {}
        if facts.usage is UNKNOWN:
            choices["usage"] = (None, *(_refused(limit) for limit in self.policy.rate_limits))
        if facts.object is UNKNOWN:
            choices["object"] = tuple(Object)
        if facts.body is UNKNOWN:
            choices["body"] = tuple(Body)
        if facts.object_kind is UNKNOWN:
            choices["object_kind"] = self._kinds
        if facts.key_state_conflict is UNKNOWN:
            choices["key_state_conflict"] = (False, True)
        if facts.key is UNKNOWN:
            choices["key"] = (None,)
        for values in product(*choices.values()):
            yield replace(facts, **dict(zip(choices, values, strict=True)))

    def permit(self, operation: Operation, key: KeyRecord | None, object_kind: str | None = None) -> Decision:
        """Say whether a key, or nobody's, may call the operation at all, whatever the request is like otherwise."""
        if key is None and operation.id not in self._public:
            return self._refusal(operation, Cause.MISSING)
        cause = self._lacking(operation, key, object_kind)
        return (
            self._decision(operation, None, object_kind)
            if cause is None
            else self._refusal(operation, cause, object_kind)
        )

    # --- the checks, each a row of the pipeline --------------------------------------------------------------------

    def _transport(self, reading: Reading, _: Facts) -> Decision | None:
        if reading.request.scheme == "https" or not self._secure:
            return None
        return self._refusal(reading.operation, Cause.PLAINTEXT)

    def _syntax(self, reading: Reading, _: Facts) -> Decision | None:
        return None if reading.problem is None else self._refusal(reading.operation, reading.problem)

    def _key(self, reading: Reading, facts: Facts) -> Decision | None:
        operation = reading.operation
        if reading.request.method == b"OPTIONS" and operation is None:
            return None
        presented = reading.presented.state
        if presented == "missing":
            return (
                None
                if operation is not None and operation.id in self._public
                else self._refusal(operation, Cause.MISSING)
            )
        if presented != "key":
            return self._refusal(operation, Cause.MALFORMED if presented == "malformed" else Cause.CONFLICTING)
        key = facts.key
        if key is None or key is UNKNOWN or key.digest != reading.presented.digest:
            return self._refusal(operation, Cause.UNKNOWN)
        life = state(key, facts.now)
        if life is KeyState.REVOKED:
            return self._refusal(operation, Cause.REVOKED)
        if life is KeyState.EXPIRED:
            return self._refusal(operation, Cause.EXPIRED)
        if len(self._urls) > 1 and key.environment != reading.request.environment:
            return self._refusal(operation, Cause.WRONG_ENVIRONMENT)
        return None

    def _limit(self, reading: Reading, facts: Facts) -> Decision | None:
        usage = facts.usage
        if usage is None or usage is UNKNOWN or usage.admitted:
            return None
        limit = next((standing.limit for standing in usage.standings if not standing.admitted), "")
        return self._refusal(reading.operation, Cause.THROTTLED, limit=limit)

    def _path(self, reading: Reading, _: Facts) -> Decision | None:
        return None if reading.route is not None else self._refusal(None, Cause.UNKNOWN_PATH)

    def _method(self, reading: Reading, _: Facts) -> Decision | None:
        method = reading.request.method
        if reading.operation is not None or method == b"OPTIONS":
            return None
        return self._refusal(None, Cause.METHOD_NOT_ALLOWED, unknown_method=method not in METHODS)

    def _scope(self, reading: Reading, facts: Facts) -> Decision | None:
        if reading.operation is None:
            return None
        key = None if facts.key is UNKNOWN or reading.presented.state != "key" else facts.key
        kind = None if facts.object_kind is UNKNOWN else facts.object_kind
        cause = self._lacking(reading.operation, key, kind, reading.request.method)
        return None if cause is None else self._refusal(reading.operation, cause, kind)

    def _body(self, reading: Reading, facts: Facts) -> Decision | None:
        return self._refusal(reading.operation, Cause.INVALID_BODY) if facts.body is Body.INVALID else None

    def _object(self, reading: Reading, facts: Facts) -> Decision | None:
        if reading.operation is None:
            return None
        if facts.object is Object.ABSENT:
            return self._refusal(reading.operation, Cause.UNKNOWN_OBJECT)
        if facts.object is Object.FOREIGN:
            return self._refusal(reading.operation, Cause.FOREIGN_OBJECT)
        return self._refusal(reading.operation, Cause.KEY_STATE) if facts.key_state_conflict is True else None

    # --- scopes ----------------------------------------------------------------------------------------------------

    def _lacking(
        self, operation: Operation, key: KeyRecord | None, object_kind: str | None, method: bytes = b""
    ) -> Cause | None:
        """Return what a key lacks for an operation; where the kind of object is not known, for any kind."""
        kinds = (object_kind,) if object_kind is not None else self._kinds
        method_name = operation.method if method in (b"", b"HEAD") else method.decode("latin-1")
        for kind in kinds:
            alternatives = self._alternatives[operation.id, kind]
            if alternatives is None:
                continue
            if key is None:
                return Cause.INSUFFICIENT_SCOPE
            held = self._held(key, method_name)
            if any(held & need == need for need in alternatives):
                continue
            with_plan = held | self._plan_bits
            if any(with_plan & need == need for need in alternatives):
                return Cause.INSUFFICIENT_PLAN
            return Cause.INSUFFICIENT_SCOPE
        return None

    def _held(self, key: KeyRecord, method: str) -> int:
        """Return the names that a key holds on this method, as a mask."""
        shape = (key.kind, key.scopes, key.plan, method)
        found = self._granted.get(shape)
        if found is None:
            found = self._granted[shape] = self._mask(self._names(key, method))
        return found

    def _names(self, key: KeyRecord, method: str) -> Iterable[str]:
        kind = self.policy.keys.kinds.get(key.kind)
        if kind is None:
            return
        yield key.kind
        if key.plan in self.policy.plans:
            yield key.plan
        scopes = self.resolution.scopes if kind.holds == "every scope" else key.scopes
        for scope in scopes:
            for name in self.resolution.closure.get(scope, ()):
                methods = self.resolution.methods.get(name)
                if methods is None or method in methods:
                    yield name

    def _mask(self, names: Iterable[str]) -> int:
        mask = 0
        for name in names:
            mask |= self._bits[name]
        return mask

    # --- decisions, one shared value each ----------------------------------------------------------------------------

    def _allowance(self, reading: Reading) -> Decision:
        return self._decision(reading.operation, None, None)

    def _refusal(
        self,
        operation: Operation | None,
        cause: Cause,
        kind: str | None = None,
        *,
        limit: str | None = None,
        unknown_method: bool = False,
    ) -> Decision:
        return self._decision(operation, cause, kind, limit, unknown_method)

    def _decision(
        self,
        operation: Operation | None,
        cause: Cause | None,
        kind: str | None,
        limit: str | None = None,
        unknown_method: bool = False,  # noqa: FBT001, FBT002  part of the key below
    ) -> Decision:
        place = (operation.id if operation is not None else None, cause, kind, limit, unknown_method)
        found = self._decisions.get(place)
        if found is None:
            found = self._decisions[place] = self._made(operation, cause, kind, limit, unknown_method=unknown_method)
        return found

    def _made(
        self,
        operation: Operation | None,
        cause: Cause | None,
        kind: str | None,
        limit: str | None,
        *,
        unknown_method: bool,
    ) -> Decision:
        if cause is None:
            return Decision(allowed=True, operation=operation, rule=self._capability_rule(operation, kind))
        error = self._errors.get(cause)
        rule = Rule(path=("errors", error), source=self.policy.source(("errors", error))) if error else Rule(path=())
        if cause in (Cause.INSUFFICIENT_SCOPE, Cause.INSUFFICIENT_PLAN) and operation is not None:
            rule = self._capability_rule(operation, kind)
            grant = self.resolution.grants[operation.id, kind if kind is not None else self._kinds[0]]
            row = self.policy.capabilities[grant.capability]
            if row.refused_with and cause is Cause.INSUFFICIENT_SCOPE:
                error = row.refused_with
        if limit:
            rule = Rule(path=("rate_limits", limit), source=self.policy.source(("rate_limits", limit)))
            error = self.policy.rate_limits[limit].refused_with or error
        statuses = self.policy.errors[error].statuses if error else (USUAL_STATUS[cause],)
        if unknown_method and NOT_IMPLEMENTED not in statuses:
            statuses = (*statuses, NOT_IMPLEMENTED)
        return Decision(
            allowed=False, operation=operation, cause=cause, error=error, statuses=statuses, rule=rule, limit=limit
        )

    def _capability_rule(self, operation: Operation | None, kind: str | None) -> Rule:
        if operation is None:
            return Rule(path=())
        grant = self.resolution.grants[operation.id, kind if kind is not None else self._kinds[0]]
        path = ("capabilities", grant.capability, "requires")
        return Rule(path=path, source=self.policy.source(path))

    # --- limits ----------------------------------------------------------------------------------------------------

    def charges(self, reading: Reading, key: KeyRecord | None, now: float) -> tuple[Charge, ...]:
        """Return what each limit takes for a request; nothing where it is refused before limits are looked at."""
        if not self.policy.rate_limits:
            return ()
        facts = Facts(key=key, now=now)
        for check in self._before_limit:
            if check(reading, facts) is not None:
                return ()
        return self._charges.of(reading.operation, key, reading)

    def usual_charges(self, operation: Operation, key: KeyRecord | None) -> tuple[Charge, ...]:
        """Return what an allowed call of the operation takes, whoever sends it from wherever."""
        return self._charges.of(operation, key, None)

    def cost(self, charge: Charge, decision: Decision, method: bytes) -> int:
        """Return what a request costs in the end: by its cause, else its operation, else its method, else 1."""
        return self._charges.cost(charge.limit, decision.cause, decision.operation, method.decode("latin-1"))

    # --- rendering -------------------------------------------------------------------------------------------------

    def refuse(self, decision: Decision, reading: Reading, facts: Facts, *, request_id: str = "") -> Response:
        """Return the response of a refusal as the policy words it."""
        return self._renderer.refuse(decision, reading, facts, request_id)

    def headers(self, reading: Reading, facts: Facts, *, secure: bool = True) -> tuple[tuple[str, str], ...]:
        """Return the policy's own headers and those of the limits, for any response."""
        return self._renderer.headers(reading, facts, secure=secure)

    def state(self, key: KeyRecord, now: float) -> KeyState:
        """Return where a key is in its life."""
        return state(key, now)


def _base_urls(policy: Policy) -> Mapping[str | None, str]:
    table = policy.base_url
    if table.dimension is None:
        return {None: table.value or ""}
    found: dict[str | None, str] = {}
    for environment in policy.environments:
        url = table.lookup({Dimension.ENVIRONMENT: environment})
        if url is not None:
            found[environment] = url
    return found


def _refused(limit: str) -> Reservation:
    standing = Standing(
        limit=limit, amount=0, remaining=0, used=0, window=0, reset_in=0, reset_at=0, retry_after=0.0, admitted=False
    )
    return Reservation(admitted=False, standings=(standing,))
