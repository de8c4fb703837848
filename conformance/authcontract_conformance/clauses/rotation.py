"""LIFE: what becomes of keys that are rotated and revoked out of turn."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from authcontract_engine import Contract, Rule
from authcontract_policy import Cause

from authcontract_conformance.clauses._clause import Capability, Case, Clause, Steps
from authcontract_conformance.exchange._exchange import Acquire, Exchange, Key
from authcontract_conformance.oracle._oracle import Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Evidence,
    Judgement,
    Level,
    fail,
    inconclusive,
    unspecified,
)
from authcontract_conformance.world._management import (
    by_operation,
    managing,
    operation_for,
    revoke,
    revoked_by,
    rotate,
    rotated_by,
    shows_key,
)
from authcontract_conformance.world._subject import (
    AGAIN,
    GUARD,
    ONE,
    OTHERS,
    Subject,
    first,
    grace,
    judged_later,
    let_pass,
    living,
    settle,
    works,
)
from authcontract_conformance.world._world import Asking, World

CONFLICT = Reality(key_state_conflict=True)
WHILE_IN_GRACE = ("keys", "rotation", "while_in_grace")


def _in_grace(world: World) -> Asking[tuple[Subject, Key]]:
    """Return a key in its grace, and the new one."""
    subject = yield from living(world, ONE)
    new = yield from rotate(world, subject.key)
    yield from settle(world)
    return subject, new


def _while_in_grace(contract: Contract) -> str | None:
    rotation = contract.policy.keys.rotation
    return rotation.while_in_grace if rotation is not None else None


def _second_rotation(world: World) -> Steps:
    """Rotate a new key while the old one lives, and see which of the three work."""
    subject, new = yield from _in_grace(world)
    newest, exchange = yield from _rotated(world, new)
    if exchange is not None and exchange.broken:
        return inconclusive(broken(exchange))
    yield from settle(world)
    label = "the new key after it was rotated in its turn"
    kept = yield from subject.lives(label, new, ONE)
    made = None if newest is None else (yield from subject.lives("the newest key", newest, ONE))
    if kept or made:
        return first(kept, made)
    old: Exchange = yield subject.probe("the oldest key after a second rotation")
    if old.broken:
        return inconclusive(broken(old))
    if newest is None and not old.succeeded:
        return fail(world.expect(old.probe).evidence(old, exchange), "a rotation that was refused ended the old key")
    found = "refused" if newest is None else "allowed" if old.succeeded else "ends_old_key"
    return _as_promised(world, found, exchange or old)


def _as_promised(world: World, found: str, exchange: Exchange) -> Judgement:
    """Judge what a second rotation did by what the policy says of it."""
    promised = _while_in_grace(world.contract)
    world.settings.oracle.seen(_while_in_grace, found, exchange)
    if found == promised:
        return PASSED
    told = f"a second rotation while the old key lives: {found.replace('_', ' ')}"
    silence = world.settings.oracle.accepted(_while_in_grace).get(found)
    if promised is None:
        return unspecified(f"the policy does not say; {told}")
    if silence is not None:
        return unspecified(f"{silence} is only assumed; {told}")
    rule = Rule(path=WHILE_IN_GRACE, source=world.policy.source(WHILE_IN_GRACE))
    return fail(Evidence(expected=promised.replace("_", " "), got=told, exchange=exchange, rule=rule), told)


def _rotated(world: World, key: Key) -> Asking[tuple[Key | None, Exchange | None]]:
    """Rotate a key that perhaps may not be; None where the target gives no new one."""
    operation = operation_for(world, "rotate")
    if operation is None:
        return (yield from rotate(world, key)), None
    exchange = yield from by_operation(world, operation, key)
    new = (yield from rotated_by(world, exchange, key)) if shows_key(world, exchange) else None
    return new, exchange


def _old_rotated(world: World) -> Steps:
    """Rotate a key that was rotated already: nothing may happen to the new one."""
    operation = operation_for(world, "rotate")
    assert operation is not None  # noqa: S101  the case is made only where there is one
    subject, new = yield from _in_grace(world)
    exchange = yield from by_operation(world, operation, subject.key)
    yield from settle(world)
    harmed = yield from subject.lives("the new key after the old one was rotated again", new, ONE)
    ended = yield from subject.lives("the old key after it was rotated again", connections=ONE)
    if harmed or ended:
        return first(harmed, ended)
    expectation = world.expect(exchange.probe, CONFLICT)
    if shows_key(world, exchange) and any(Cause.KEY_STATE in row.when for row in world.policy.errors.values()):
        return expectation.judge(exchange, reason="a key that was rotated can be rotated again")
    if expectation.refused and expectation.accepts(exchange):
        return PASSED
    return unspecified(f"a key that was rotated is rotated again: the target answers {describe_exchange(exchange)}")


def _new_revoked(world: World) -> Steps:
    """Revoke a new key while the old one lives: that one keeps its deadline, no more and no less."""
    subject, new = yield from _in_grace(world)
    yield from revoke(world, new)
    yield from settle(world)
    over = yield from subject.dead("the new key after it was revoked", new, AGAIN)
    kept = yield from subject.lives("the old key after the new one was revoked", connections=ONE)
    if over or kept or "clock" not in world.settings.capabilities:
        return first(over, kept)
    return (yield from _deadline(world, subject))


def _deadline(world: World, subject: Subject) -> Steps:
    yield from let_pass(world, grace(world, subject.key) + GUARD)
    yield from settle(world)
    label = "the old key after its grace, the new one revoked"
    # On connections of their own: what is remembered for an open one is not what this is about.
    return first((yield from subject.dead(label, refusals=AGAIN, connections=OTHERS)))


def _deadline_later(world: World) -> Steps:
    """Say when it can be judged whether revoking the new key left the old one its deadline."""
    subject, new = yield from _in_grace(world)
    yield from revoke(world, new)
    return judged_later(world, subject.key) or (yield from _deadline(world, subject))


def _on_itself(what: str, world: World) -> Steps:
    """Let a key revoke or rotate itself: whatever is answered, it must be so."""
    operation = operation_for(world, what)
    assert operation is not None  # noqa: S101  the case is made only where there is one
    victim = yield from living(world, ONE)
    key: Key = yield Acquire(world.need(operation, own=True))
    subject = victim.with_key(key)
    if not world.access.permits(victim.operation, key.need):
        return unspecified("a key that manages keys reads nothing by which it could be seen to live")
    yield from works(subject, ONE)
    exchange: Exchange = yield managing(world, operation, key, key.id, label=f"a key {what}s itself")
    if exchange.broken:
        return inconclusive(broken(exchange))
    yield from settle(world)
    if what == "revoke" and exchange.succeeded:
        revoked_by(world, key)
        over = yield from subject.dead("a key that revoked itself", refusals=AGAIN)
        return over or unspecified("a key may revoke itself here")
    alive = yield from subject.lives(f"a key that tried to {what} itself", connections=ONE)
    if alive is not None and exchange.succeeded:
        return alive
    if alive is not None:
        told = f"a key that tried to {what} itself was answered {describe_exchange(exchange)} and is dead"
        return unspecified(told)
    if exchange.succeeded or world.expect(exchange.probe, CONFLICT).accepts(exchange):
        return PASSED
    return unspecified(f"a key that tries to {what} itself is answered {describe_exchange(exchange)}")


def _life_11(world: World) -> Iterable[Case]:
    refused = _while_in_grace(world.contract) == "refused"
    if operation_for(world, "rotate") is not None or not refused:
        yield Case("a new key rotated while the old one lives", _second_rotation)
    if operation_for(world, "rotate") is not None:
        yield Case("an old key rotated again", _old_rotated)
    yield Case("a new key revoked while the old one lives", _new_revoked)
    if "clock" not in world.settings.capabilities:
        yield Case("the old key's deadline after the new one was revoked", _deadline_later)
    for what in ("revoke", "rotate"):
        if operation_for(world, what) is not None:
            yield Case(f"a key {what}s itself", partial(_on_itself, what))


def _no_rotation(world: World) -> str | None:
    return None if world.policy.keys.rotation else "the policy says nothing of rotation"


CLAUSES = (
    Clause(
        id="LIFE-11",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=(),
        promise="Rotating twice, rotating an old key and revoking a new one do what the documentation says, and "
        "harm no other key.",
        why="People press buttons twice. A rotation that is refused must change nothing, and no order of things may "
        "end the last key that works or give an old one its life back.",
        how="A new key is rotated while the old one lives, an old key is rotated again, a new key is revoked, a key "
        "revokes and rotates itself; the keys concerned are used afterwards. A key that lives or dies against the "
        "policy is a failure. Where the policy does not say, it is told what the target does.",
        fix="Let each operation touch the one record that it names, and refuse what the key's state does not allow "
        "before anything is written.",
        precedents=("GitLab issue 524639 (using a rotated token on the rotate endpoint ended the new one)",),
        needs=frozenset({Capability.KEY_MANAGEMENT}),
        alone=True,
        inapplicable=_no_rotation,
        cases=_life_11,
    ),
)
