"""Decisions as shared values: one for each operation, cause and rule, made when it is first needed."""

from __future__ import annotations

from typing import Final

from authcontract_policy import USUAL_STATUS, Cause, Operation, Path, Policy, Resolution

from ._values import Decision, Rule

#: What a method that nobody knows may be answered with, besides what the policy says (RFC 9110 section 15.6.2).
NOT_IMPLEMENTED: Final = 501
#: Causes for which the deciding line is the capability's, not the error's.
_BY_CAPABILITY: Final = frozenset({Cause.INSUFFICIENT_SCOPE, Cause.INSUFFICIENT_PLAN})


class Decisions:
    """Everything that a contract can say of a request."""

    def __init__(self, policy: Policy, resolution: Resolution) -> None:
        self._policy = policy
        self._resolution = resolution
        self._kinds: tuple[str | None, ...] = policy.objects or (None,)
        self._errors = {cause: row.name for row in policy.errors.values() for cause in row.when}
        self._rules: dict[Path, Rule] = {}
        self._refusals: dict[tuple[str | None, Cause, str | None], Decision] = {}
        #: What OPTIONS is told where it is no operation of its own: it does nothing.
        self.nothing_done = Decision(allowed=True, rule=self._rule(()))
        #: A method that no HTTP specification knows.
        self.unknown_method = self._unknown_method()

    def allowance(self, operation: Operation, kind_of_object: str | None) -> Decision:
        """Return that an operation is allowed, on objects of this kind."""
        return Decision(allowed=True, operation=operation, rule=self._capability_rule(operation, kind_of_object))

    def refusal(self, operation: Operation | None, cause: Cause, detail: str | None = None) -> Decision:
        """Return a refusal; the detail is a kind of object, or the limit that refused."""
        place = (None if operation is None else operation.id, cause, detail)
        found = self._refusals.get(place)
        if found is None:
            found = self._refusals[place] = self._refused(operation, cause, detail)
        return found

    def _refused(self, operation: Operation | None, cause: Cause, detail: str | None) -> Decision:
        error, rule = self._errors.get(cause), None
        limit = detail if cause is Cause.THROTTLED else None
        if limit is not None:
            error = self._policy.rate_limits[limit].refused_with or error
            rule = self._rule(("rate_limits", limit))
        elif cause in _BY_CAPABILITY and operation is not None:
            row = self._policy.capabilities[self._grant(operation, detail)]
            if cause is Cause.INSUFFICIENT_SCOPE:
                error = row.refused_with or error
            rule = self._capability_rule(operation, detail)
        return Decision(
            allowed=False,
            operation=operation,
            cause=cause,
            error=error,
            statuses=(USUAL_STATUS[cause],) if error is None else self._policy.errors[error].statuses,
            rule=rule or self._rule(() if error is None else ("errors", error)),
            limit=limit,
        )

    def _unknown_method(self) -> Decision:
        usual = self.refusal(None, Cause.METHOD_NOT_ALLOWED)
        return Decision(
            allowed=False,
            cause=usual.cause,
            error=usual.error,
            statuses=tuple(dict.fromkeys((*usual.statuses, NOT_IMPLEMENTED))),
            rule=usual.rule,
        )

    def _grant(self, operation: Operation, kind_of_object: str | None) -> str:
        kind = self._kinds[0] if kind_of_object is None else kind_of_object
        return self._resolution.grants[operation.id, kind].capability

    def _capability_rule(self, operation: Operation, kind_of_object: str | None) -> Rule:
        return self._rule(("capabilities", self._grant(operation, kind_of_object), "requires"))

    def _rule(self, path: Path) -> Rule:
        found = self._rules.get(path)
        if found is None:
            found = self._rules[path] = Rule(path=path, source=self._policy.source(path) if path else None)
        return found
