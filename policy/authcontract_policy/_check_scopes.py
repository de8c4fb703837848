"""Scopes: every name that is required or included means something, and no scope lends what it does not have."""

from __future__ import annotations

from collections.abc import Iterator

from ._diagnostics import Diagnostic, Severity, did_you_mean, listing, quote, suggestion
from ._families import MOST_PARTS, Form, is_clear, is_family
from ._model import Policy
from ._operations import Specification
from ._places import at_key, at_value
from ._scopes import MOST_SCOPES, Scopes, required, specified


def check_scopes(policy: Policy, specification: Specification, scopes: Scopes) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with the scopes of a policy."""
    yield from _unclear(policy, scopes)
    yield from _ambiguous(policy, scopes)
    yield from _matching_nothing(policy, scopes)
    yield from _undeclared(policy, specification, scopes)
    yield from _opening_nothing(policy, specification)
    yield from _exceeding_methods(policy, scopes)


def _unclear(policy: Policy, scopes: Scopes) -> Iterator[Diagnostic]:
    for name in policy.scopes:
        if not is_clear(name):
            message = f"{quote(name)} can be read in several ways"
            help_ = f"fill in at most {MOST_PARTS} parts, with text between them"
            yield at_key(policy.document, ("scopes", name), "family-unclear", message, help=help_)
    if scopes.endless:
        message = f"there are more than {MOST_SCOPES:,} scopes, or families that make ever longer names"
        help_ = "look for a family that includes a longer form of itself"
        yield at_key(policy.document, ("scopes",), "scopes-endless", message, help=help_)


def _ambiguous(policy: Policy, scopes: Scopes) -> Iterator[Diagnostic]:
    families = [Form.of(name) for name in policy.scopes if is_family(name)]
    for scope in scopes.known:
        fits = [form.name for form in families if scope not in policy.scopes and form.fits(scope)]
        if len(fits) > 1:
            message = f"{quote(scope)} fits {listing(fits)}"
            help_ = f"give {quote(scope)} a row of its own"
            yield at_key(policy.document, ("scopes", fits[1]), "family-ambiguous", message, help=help_)


def _matching_nothing(policy: Policy, scopes: Scopes) -> Iterator[Diagnostic]:
    for scope in scopes.known:
        for path, found in scopes.entries[scope]:
            if not found:
                message = "this includes no other scope that exists"
                yield at_value(policy.document, path, "include-matches-nothing", message)


def _undeclared(policy: Policy, specification: Specification, scopes: Scopes) -> Iterator[Diagnostic]:
    included = {each for entries in scopes.entries.values() for _, found in entries for each in found}
    taken = specified(specification) | included
    declared = [*policy.scopes, *sorted(included), *policy.plans, *policy.keys.kinds]
    for scope, path in required(policy).items():
        if scope not in taken and scopes.rows.get(scope) is None:
            message = f"{quote(scope)} is required here but declared nowhere"
            help_ = suggestion(scope, declared)
            yield at_value(policy.document, path, "undeclared-scope", message, text=scope, help=help_)


def _opening_nothing(policy: Policy, specification: Specification) -> Iterator[Diagnostic]:
    """Yield included names that nothing requires or declares and that look like a slip of one that is."""
    used = {*required(policy), *policy.scopes, *specified(specification)}
    families = [Form.of(name) for name in policy.scopes if is_family(name)]
    for name, row in policy.scopes.items():
        for index, each in enumerate(row.includes):
            if each in used or is_family(each) or any(form.fits(each) for form in families):
                continue
            near = did_you_mean(each, used, cutoff=0.8)
            if near is not None:
                yield at_value(
                    policy.document,
                    ("scopes", name, "includes", index),
                    "include-opens-nothing",
                    f"no row requires {quote(each)}",
                    severity=Severity.WARNING,
                    help=f"did you mean {quote(near)}?",
                )


def _exceeding_methods(policy: Policy, scopes: Scopes) -> Iterator[Diagnostic]:
    """Yield included scopes that count on methods on which the including one does not.

    What is included indirectly needs no look: a chain in which each contains the next is contained as a whole.
    """
    for scope in scopes.known:
        own = scopes.methods[scope]
        if own is None:
            continue
        for path, found in scopes.entries[scope]:
            for included in sorted(found):
                methods = scopes.methods[included]
                if methods is not None and methods <= own:
                    continue
                # GET speaks for HEAD.
                lacking = "every method" if methods is None else listing(sorted(methods - own - {"HEAD"}))
                message = f"{quote(scope)} includes {quote(included)}, but not its methods: {lacking}"
                help_ = "add the methods here, or include less"
                yield at_value(policy.document, path, "include-exceeds-methods", message, help=help_)
