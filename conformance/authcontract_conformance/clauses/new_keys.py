"""LIFE: what a new key is; and SCOPE-8, since what is nearly a scope is sent where keys are created."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key, Need
from authcontract_conformance.oracle._oracle import broken
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Level,
    inconclusive,
    warn,
)
from authcontract_conformance.samples._sample import SCOPE_FIELDS
from authcontract_conformance.world._management import (
    create,
    created_like,
    discard,
    key_body,
    learn,
    operation_for,
    shows_key,
)
from authcontract_conformance.world._patterns import protected, reading_operation
from authcontract_conformance.world._subject import no_more, weakest
from authcontract_conformance.world._world import World

# --- LIFE-14: unguessable ------------------------------------------------------------------------------------------

#: So many keys are compared; what is the same in all of them is no secret.
COMPARED = 5
#: ASVS 11.5.1; and so much may be the same at their beginning without a word in the documentation.
BITS, BEGINNING = 128, 8
#: Sizes of the alphabets that a key may be drawn from, by what stands in it.
DIGITS, HEXADECIMAL, LETTERS, SIGNS = 10, 16, 26, 2


def _unguessable(world: World) -> Steps:
    creator = operation_for(world, "create")
    need = replace(world.need(reading_operation(world)), own=True)
    keys: list[Key] = []
    for _ in range(COMPARED):
        key: Key = (yield from create(world, creator, need))[0] if creator is not None else (yield Acquire(need))
        keys.append(key)
    vault = world.settings.vault
    secrets = [_beyond_prefix(world, need, vault.secret(key.id).decode("latin-1")) for key in keys]
    found = weakness(secrets)
    if found is None:
        return PASSED
    shown: Exchange = yield world.request(reading_operation(world), keys[-1], label="the last of several new keys")
    evidence = Evidence(expected="keys of 128 bits drawn at random", got=found, exchange=shown)
    return warn(evidence, f"keys can be guessed: {found}")


def _beyond_prefix(world: World, need: Need, secret: str) -> str:
    """Return a key without its documented prefix."""
    prefix = world.policy.keys.kinds[need.kind].prefix
    known = [each for each in (prefix.values() if prefix is not None else ()) if secret.startswith(each)]
    return secret[max(map(len, known), default=0) :]


def weakness(secrets: Sequence[str]) -> str | None:
    """Say what makes keys guessable that were issued one after the other, their documented prefixes left out.

    A place that is the same in all of them tells nothing; the others are taken to be drawn from the smallest usual
    alphabet that holds what stands there. So the estimate is generous, and what fails it is guessable.
    """
    if len(set(secrets)) < len(secrets):
        return "two of them are the same"
    places = list(zip(*secrets, strict=False))
    beginning = next((at for at, place in enumerate(places) if len(set(place)) > 1), len(places))
    label = max(secrets[0].rfind(sign, 0, beginning) for sign in "_-.") + 1
    if beginning - label > BEGINNING:
        return f"the first {beginning - label} characters are the same in {len(secrets)} keys, and no documented prefix"
    varied = [place for place in places if len(set(place)) > 1]
    bits = len(varied) * math.log2(_alphabet({sign for place in varied for sign in place}))
    if bits >= BITS:
        return None
    return f"{len(varied)} characters differ between {len(secrets)} keys, {bits:.0f} bits at most"


def _alphabet(signs: set[str]) -> int:
    if all(sign in "0123456789" for sign in signs):
        return DIGITS
    if all(sign in "0123456789abcdef" for sign in signs) or all(sign in "0123456789ABCDEF" for sign in signs):
        return HEXADECIMAL
    digits = DIGITS if any(sign.isdigit() for sign in signs) else 0
    lower = LETTERS if any(sign.islower() for sign in signs) else 0
    upper = LETTERS if any(sign.isupper() for sign in signs) else 0
    others = {sign for sign in signs if not sign.isalnum()}
    return digits + lower + upper + max(len(others), SIGNS if others else 0)


def _life_14(_: World) -> Iterable[Case]:
    yield Case("several keys issued one after the other", _unguessable)


# --- SCOPE-8: exactly one scope -------------------------------------------------------------------------------------


def _near_misses(world: World) -> Mapping[str, Any]:
    """Return what is nearly a scope, by what it is; the scope itself may come of it, and nothing more."""
    need, strong = weakest(world), _stronger(world)
    scope = min(need.scopes, default="")
    if not scope:
        return {}
    one = {
        "with a space before it": f" {scope}",
        "in capitals": scope.upper(),
        "without its last character": scope[:-1],
        "that is empty": "",
        "that stands for all": "*",
    }
    if strong is not None and world.policy.keys.kinds[need.kind].holds == "one scope":
        one |= {
            "joined to another by a comma": f"{scope},{strong}",
            "joined to another by a space": f"{scope} {strong}",
        }
        return {**one, "in a list with another": [scope, strong], "in an empty list": [], "that is null": None}
    return {**one, "in an empty list": [], "that is null": None}


def _stronger(world: World) -> str | None:
    """Return a scope with which a key may more than the weak one does."""
    need = weakest(world)
    for scope in sorted(world.contract.resolution.scopes, key=lambda s: -len(world.contract.resolution.closure[s])):
        other = replace(need, scopes=frozenset({scope}))
        if any(world.access.permits(op, other) and not world.access.permits(op, need) for op in protected(world)):
            return scope
    return None


def _scope_field(world: World, operation: Operation) -> str | None:
    documented = world.settings.sampler.fields(operation)
    return next((name for name in SCOPE_FIELDS if name in documented), None)


def _nearly(what: str, value: Any, world: World) -> Steps:
    operation = operation_for(world, "create")
    assert operation is not None  # noqa: S101  without one the clause means nothing
    field = _scope_field(world, operation)
    need = replace(weakest(world), own=True)
    manager: Key = yield Acquire(world.need(operation))
    plain = json.loads(key_body(world, operation, need))
    many = isinstance(plain.get(str(field)), list) and not isinstance(value, list) and value is not None
    body = {**plain, str(field): [value] if many else value}
    exchange: Exchange = yield world.request(
        operation, manager, body=json.dumps(body).encode(), label=f"creates a key with a scope {what}"
    )
    if exchange.broken:
        return inconclusive(broken(exchange))
    if not shows_key(world, exchange):
        return PASSED
    made = yield from learn(world, exchange, created_like(manager, need))
    judgement = yield from no_more(world, made, f"a key that was made with a scope {what}")
    yield from discard(world, made)
    return judgement


def _scope_8(world: World) -> Iterable[Case]:
    for what, value in _near_misses(world).items():
        yield Case(f"a scope {what}", partial(_nearly, what, value))


def _no_scope_is_asked(world: World) -> str | None:
    operation = operation_for(world, "create")
    if operation is None:
        return "no operation of the API creates keys"
    if _scope_field(world, operation) is None:
        return "no scope is named where keys are created"
    return None if world.contract.resolution.scopes else "the contract has no scopes"


CLAUSES = (
    Clause(
        id="LIFE-14",
        level=Level.SHOULD,
        basis=Basis.HARDENING,
        sources=("OWASP ASVS 11.5.1",),
        promise="Keys cannot be guessed: each is drawn anew, of at least 128 bits.",
        why="Who holds one key must not be able to work out the next, and nobody should find one by trying.",
        how="Five keys are issued one after the other. They must differ, share no long beginning beside the documented "
        "prefix, and vary in so many characters that 128 bits are possible: what is the same in all five counts as "
        "nothing. Anything else is a warning. Numbers that are well disguised are not seen.",
        fix="Draw keys from the operating system's random numbers, 22 letters and digits or more.",
        needs=frozenset({Capability.KEY_MANAGEMENT}),
        cases=_life_14,
    ),
    Clause(
        id="SCOPE-8",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="A scope is exactly one of the documented ones; what is nearly one gives nothing more.",
        why="Comparing by beginning, by part or with an unknown word that restricts nothing turns a typing error into "
        "a key for everything.",
        how="Keys are created with what is nearly a scope: in capitals, cut short, empty, null, a list, two joined. "
        "It must be refused, or the key may no more than with the scope itself; the made key is tried and revoked.",
        fix="Look the whole text up in the set of scopes, refuse what is not in it, and keep one value.",
        precedents=("CVE-2026-32716 (SciTokens: scopes compared by their beginning)",),
        needs=frozenset({Capability.KEY_MANAGEMENT}),
        inapplicable=_no_scope_is_asked,
        cases=_scope_8,
    ),
)
