"""LIFE-M: keys are issued, used, rotated, revoked, time passes, in any order; they always are what the model says.

The model is the engine's own: a key's state is a pure function of its times and now. First come lives that pass every
transition once, the shortest first; then Hypothesis draws others and shrinks what fails. Each runs in organisations of
its own, so that none meets what another left. That no response shows a key again, that dead keys all look alike, and
that a lineage shares its quota, are promises of other clauses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Final, TypeAlias

from authcontract_engine import KeyState, Rule
from authcontract_policy import Operation
from hypothesis import Phase
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from authcontract_conformance.exchange._exchange import Acquire, Advance, Exchange, Key, Need, Probe, Wait
from authcontract_conformance.oracle._oracle import Expectation, broken, describe_exchange
from authcontract_conformance.oracle._verdict import Evidence, Judgement, Word, fail, inconclusive
from authcontract_conformance.world._management import by_operation, operation_for, revoke, rotate
from authcontract_conformance.world._patterns import protected
from authcontract_conformance.world._world import Asking, Ended, Item, World

from ._facade import Facade, Over
from ._hypothesis import quiet
from ._search import Shrinking, outcome

EXAMPLES: Final = 3
STEPS: Final = 8
#: Keys of one sequence, and keys asked after one step: each is a request.
KEYS: Final = 5
ASKED: Final = 2
#: Requests that making a sequence shorter may cost.
SHRINKING: Final = 4000
#: Seconds beside a deadline in which nothing is judged.
GUARD: Final = 1.0
_WORDS: Final = {
    KeyState.ACTIVE: "active",
    KeyState.GRACE: "in its grace",
    KeyState.EXPIRED: "expired",
    KeyState.REVOKED: "revoked",
}
_LIVING: Final = frozenset({KeyState.ACTIVE, KeyState.GRACE})
_HOUR: Final = 3600
#: What is done to which key, counted from 0; or how far the clock is moved, in graces.
_Step: TypeAlias = tuple[str, float]
_ISSUE, _OVER, _HALF = ("issue", 0.0), ("graces", 1.0), ("graces", 0.5)
#: Lives that together pass every transition of every state of a lineage, and meet what happens beside it.
LIVES: Final[tuple[tuple[_Step, ...], ...]] = (
    (_ISSUE, ("revoke", 0), ("revoke", 0), ("rotate", 0), _OVER),
    (_ISSUE, ("rotate", 0), _OVER),
    (_ISSUE, ("rotate", 0), ("rotate", 0)),
    (_ISSUE, ("rotate", 0), ("revoke", 1), _OVER),
    (_ISSUE, ("rotate", 0), ("revoke", 0), ("rotate", 1), _OVER),
    (_ISSUE, ("rotate", 0), _HALF, ("rotate", 1), _HALF, _HALF),
    (_ISSUE, _ISSUE, ("rotate", 0), ("revoke", 1), _OVER, ("rotate", 0)),
)


@dataclass(slots=True)
class _Held:
    """One key of a sequence."""

    name: str
    key: Key
    #: True: the contract does not say whether it still lives.
    open: bool = False


class _Keys:
    """The keys of one sequence: what is done to them, and what they must be."""

    def __init__(self, world: World, facade: Facade, operation: Operation, shrinking: Shrinking) -> None:
        self._world, self._facade, self._operation, self._shrinking = world, facade, operation, shrinking
        self.held: list[_Held] = []
        self._said: list[str] = []
        self._last = 0
        self._item: Item | None = None

    # --- steps ---

    def issue(self, need: Need) -> _Held:
        """Issue a key."""
        key: Key = self._facade.perform(self._world, Acquire(replace(need, own=True)))
        return self._hold(key, "is issued")

    def rotate(self, held: _Held) -> _Held | None:
        """Rotate a key; None where that gave no other one."""
        state = self.state(held)
        if state is None:
            return None
        if state not in _LIVING:
            self._rotate_dead(held)
            return None
        if state is KeyState.GRACE:
            self._rotate_again(held)
            return None
        kin = [other for other in self.held if self._lineage(other) == self._lineage(held) and other is not held]
        new = self._facade.run(self._world, _attempt(self._world, held.key))
        if new is None:
            in_grace = [other for other in kin if self.state(other) is KeyState.GRACE]
            if in_grace:
                return None
            raise Over(inconclusive("a key that is active could not be rotated"))
        self._settle()
        for other in kin:
            self._after_second_rotation(other)
        self._say(f"{held.name} is rotated")
        made = self._hold(new, "comes of it")
        self._keeps_its_scope(made)
        return made

    def _keeps_its_scope(self, held: _Held) -> None:
        """Ask with a key that came of another for what neither may (I3)."""
        world = self._world
        asked = (world.request(op, held.key, label=f"{held.name}, what it may not") for op in _readable(world))
        probe = next((probe for probe in asked if _is_forbidden(world.expect(probe))), None)
        if probe is None:
            return
        self._shrinking.spend()
        exchange = self._facade.send(world, probe)
        if exchange.succeeded:
            story = self._story(f"{held.name} may more than the key that it comes of")
            raise self._shrinking.fail(fail(world.expect(probe).evidence(exchange), story))

    def _after_second_rotation(self, other: _Held) -> None:
        """Say what becomes of a key in its grace whose successor is rotated too, if the policy does (G-20)."""
        if self.state(other) is not KeyState.GRACE:
            return
        rotation = self._world.policy.keys.rotation
        rule = rotation.while_in_grace if rotation else None
        if rule == "ends_old_key":
            vault = self._world.settings.vault
            record = vault.record(other.key.id) or other.key.record
            vault.update(replace(record, revoked_at=self._world.now()))
        # The policy may only have assumed it; whoever ends the old key as well harms nobody that was told otherwise.
        other.open = rule != "ends_old_key"

    def _rotate_again(self, held: _Held) -> None:
        """Try to rotate a key that was rotated; what is asked afterwards shows whether that harmed another one."""
        if operation_for(self._world, "rotate") is None:
            return
        new = self._facade.run(self._world, _attempt(self._world, held.key))
        # A target that gives another key is judged by a clause of its own; how long the old one lives is then open.
        held.open = held.open or new is not None
        self._say(f"{held.name} is rotated again")

    def _rotate_dead(self, held: _Held) -> None:
        """Make sure that a dead key gives no other one."""
        if operation_for(self._world, "rotate") is None:
            return
        new = self._facade.run(self._world, _attempt(self._world, held.key))
        self._say(f"somebody tries to rotate {held.name}")
        if new is None:
            return
        exchange = self._send(new, "a key that came of a dead one")
        if exchange.succeeded:
            evidence = Evidence(
                expected="no new key of a dead one",
                got=f"a new key, answered {describe_exchange(exchange)}",
                exchange=exchange,
                rule=_rule(self._world),
            )
            raise self._shrinking.fail(fail(evidence, self._story("a dead key gave another one")))

    def revoke(self, held: _Held) -> None:
        """Revoke a key that lives, or once more one that is dead."""
        state, operation = self.state(held), operation_for(self._world, "revoke")
        if state in _LIVING:
            self._facade.run(self._world, revoke(self._world, held.key))
        elif state is not None and operation is not None:
            self._facade.run(self._world, by_operation(self._world, operation, held.key))
        else:
            return
        self._settle()
        self._say(f"{held.name} is revoked{'' if state in _LIVING else ' again'}")
        self._last = self.held.index(held)

    def warm(self, held: _Held) -> None:
        """Use a key, so that every cache knows it."""
        self._send(held.key, f"{held.name} is used")
        self._say(f"{held.name} is used")

    def tick(self, seconds: int) -> None:
        """Let time pass."""
        self._facade.perform(self._world, Advance(seconds=float(seconds)))
        self._say(f"{seconds} seconds pass")

    # --- the model ---

    def state(self, held: _Held) -> KeyState | None:
        """Return what a key must be now; None beside a deadline, and where the contract does not say."""
        world = self._world
        record = world.settings.vault.record(held.key.id) or held.key.record
        now = world.now()
        deadlines = [record.expires_at, None if record.rotated_at is None else record.rotated_at + (record.grace or 0)]
        guard = GUARD if world.settings.frozen else 2 * GUARD
        found = world.contract.state(record, now)
        revoked = found is KeyState.REVOKED
        if not revoked and any(d is not None and abs(now - d) <= guard for d in deadlines):
            return None
        return None if held.open and found is KeyState.GRACE else found

    def agree(self) -> None:
        """Ask with a few keys, the one touched last first: each is answered as its state says (I1, I2, I4, I6)."""
        order = self.held[self._last :] + self.held[: self._last]
        for held in order[:ASKED]:
            state = self.state(held)
            if state is None or (state is KeyState.GRACE and not _grace_is_exact(self._world)):
                continue
            self._shrinking.spend()
            exchange = self._send(held.key, f"{held.name}, {_WORDS[state]}")
            if exchange.broken:
                raise Over(inconclusive(broken(exchange)))
            if exchange.succeeded == (state in _LIVING):
                continue
            self._break(held, state, exchange)

    def _break(self, held: _Held, state: KeyState, exchange: Exchange) -> None:
        expectation = self._world.expect(exchange.probe)
        living = state in _LIVING
        if living and not expectation.allowed:
            return
        told = f"{held.name}, {_WORDS[state]}, {'is refused' if living else 'still works'}"
        raise self._shrinking.fail(fail(expectation.evidence(exchange), self._story(told)))

    # --- helpers ---

    def _hold(self, key: Key, what: str) -> _Held:
        held = _Held(f"key {len(self.held) + 1}", key)
        self.held.append(held)
        self._last = len(self.held) - 1
        self._settle()
        self._say(f"{held.name} {what}")
        return held

    def _lineage(self, held: _Held) -> str:
        record = self._world.settings.vault.record(held.key.id) or held.key.record
        return record.lineage or record.id

    def _settle(self) -> None:
        seconds = self._world.policy.keys.takes_effect_within
        if seconds:
            self._facade.perform(self._world, Wait(seconds=seconds + GUARD))

    def _send(self, key: Key, label: str) -> Exchange:
        if self._item is None:
            self._item = self._facade.run(self._world, self._world.item(self._operation))
        probe: Probe = self._world.request(self._operation, key, self._item, label=label)
        return self._facade.send(self._world, probe)

    def _say(self, what: str) -> None:
        self._said.append(what)

    def _story(self, end: str) -> str:
        return ", ".join([*self._said, end])


def _attempt(world: World, key: Key) -> Asking[Key | None]:
    """Rotate a key; None where the target refuses."""
    try:
        return (yield from rotate(world, key))
    except Ended:
        return None


def _grace_is_exact(world: World) -> bool:
    rotation = world.policy.keys.rotation
    return rotation is not None and rotation.grace.exact is not None


def _is_forbidden(expectation: Expectation) -> bool:
    """Tell whether the contract refuses, whatever the answer to its silences."""
    return expectation.refused and expectation.open is None


def _rule(world: World) -> Rule:
    path = ("keys", "rotation")
    return Rule(path=path, source=world.policy.source(path))


def _readable(world: World) -> list[Operation]:
    """Return the operations that read with a key, those without an object to be made first."""
    found = [op for op in protected(world) if op.method == "GET" and world.access.strongest(op, world.environment)]
    return sorted(found, key=lambda op: (len(world.resources.steps(op)), len(op.path)))


def _operation(world: World) -> Operation:
    """Return the operation by which keys are asked: without an object if any is, and open to most keys."""
    found = _readable(world)
    if not found:
        raise Over(inconclusive("the contract has no operation that reads with a key"))
    plain = [op for op in found if len(world.resources.steps(op)) == len(world.resources.steps(found[0]))]
    return max(plain, key=lambda op: len(world.access.sufficient(op, world.environment)))


def _spans(world: World) -> Iterator[int]:
    """Return lengths of time worth waiting: a moment, an hour, and both sides of each deadline."""
    rotation = world.policy.keys.rotation
    lifetimes = [kind.lifetime for kind in world.policy.keys.kinds.values() if kind.lifetime]
    for bound in [*([rotation.grace] if rotation else []), *lifetimes]:
        length = bound.exact or bound.at_most
        if length:
            yield from (length + 2, length - 2, length + _HOUR // 2, length // 2)
    yield from (1, 30, _HOUR)


def _live(world: World, keys: _Keys, need: Need, life: tuple[_Step, ...]) -> None:
    """Go through one life, asking after each step; it ends early where a key is not there."""
    rotation = world.policy.keys.rotation
    for what, number in life:
        if what == "issue":
            keys.issue(need)
        elif what == "graces":
            grace = 0 if rotation is None else rotation.grace.exact or rotation.grace.at_most or 0
            keys.tick(int(grace * number) + 2)
        elif int(number) >= len(keys.held) or (what == "rotate" and rotation is None):
            return
        elif what == "rotate":
            keys.rotate(keys.held[int(number)])
        else:
            keys.revoke(keys.held[int(number)])
        keys.agree()


def _fresh(world: World, facade: Facade, operation: Operation, shrinking: Shrinking, numbers: Iterator[int]) -> _Keys:
    """Return the keys of another sequence, in organisations of its own."""
    return _Keys(World(world.settings, f"{world.case}/{next(numbers)}"), facade, operation, shrinking)


def lifecycle(world: World, facade: Facade) -> Judgement:
    """Return what the shortest sequence shows that breaks the model, or that there is none."""
    operation = _operation(world)
    needs = world.access.sufficient(operation, world.environment)[:3]
    spans = tuple(dict.fromkeys(span for span in _spans(world) if span > 0))
    shrinking, numbers = Shrinking(SHRINKING), count(1)
    keys = partial(_fresh, world, facade, operation, shrinking, numbers)

    class Lifecycle(RuleBasedStateMachine):
        keys = Bundle("keys")

        def __init__(self) -> None:
            super().__init__()
            self.model = keys()

        @precondition(lambda self: len(self.model.held) < KEYS)
        @rule(target=keys, need=st.sampled_from(needs))
        def issue(self, need: Need) -> _Held:
            return self.model.issue(need)

        @precondition(lambda self: world.policy.keys.rotation is not None and len(self.model.held) < KEYS)
        @rule(target=keys, held=keys)
        def rotate(self, held: _Held) -> Any:
            new = self.model.rotate(held)
            return multiple() if new is None else new

        @rule(held=keys)
        def warm(self, held: _Held) -> None:
            self.model.warm(held)

        @rule(held=keys)
        def revoke(self, held: _Held) -> None:
            self.model.revoke(held)

        @precondition(lambda self: bool(self.model.held))
        @rule(seconds=st.sampled_from(spans))
        def tick(self, seconds: int) -> None:
            self.model.tick(seconds)

        @invariant()
        def agree(self) -> None:
            self.model.agree()

    settings = quiet(max_examples=EXAMPLES, stateful_step_count=STEPS, phases=(Phase.generate, Phase.shrink))
    machine = seeded(world.random.getrandbits(32))(Lifecycle)

    def run() -> None:
        for life in LIVES:
            _live(world, keys(), needs[0], life)
        run_state_machine_as_test(machine, settings=settings)

    failure = outcome(run)
    return failure or Judgement(word=Word.PASS, reason=f"{next(numbers) - 1} sequences")
