"""The driver: runs the cases of many clauses at once on one asyncio loop, paced, within budget, everything logged.

It performs what cases yield, and is the only place where a probe meets a socket.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, TypeVar, cast

from authcontract_engine import KeyRecord
from authcontract_policy import Operation

from authcontract_conformance._events import CaseJudged, Event, Trouble
from authcontract_conformance.clauses._clause import Case, Clause, Property
from authcontract_conformance.driver._finding import Findings, exchange_event
from authcontract_conformance.exchange._exchange import (
    Acquire,
    Action,
    Advance,
    Burst,
    Delivery,
    Exchange,
    Handshake,
    Key,
    Learn,
    Need,
    Probe,
    Revoke,
    Rotate,
    Wait,
)
from authcontract_conformance.fuzz._facade import Facade, Over
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import Judgement, Word, inconclusive
from authcontract_conformance.world._management import create, operation_for, revoke, secrets
from authcontract_conformance.world._quota import forget
from authcontract_conformance.world._world import Ended, Settings, World

from ._clock import Clock
from ._control import ControlError
from ._http2_pool import Http2Pool
from ._keys import Issued, Keyring
from ._lines import Lines
from ._presence import Presence
from ._tries import Tries
from ._turns import Budget, Turns
from ._wire import Gate, Pool

T = TypeVar("T")
#: A request is sent again after a 429 (R5) at most so often.
THROTTLED_RETRIES = 3
WORKERS = 12
#: Statuses by number, where a name says less than the number.
TOO_MANY_REQUESTS = 429


class Stopped(Exception):  # noqa: N818  not an error of the run: it ends early, for this reason
    """The run ends before its end: the target is lost, or a budget is used up."""


@dataclass(slots=True)
class Context:
    """Whose request it is."""

    clause: str
    subject: str
    world: World
    #: How often somebody else had moved the target's clock when it began.
    moved: int = 0
    #: The first of its requests that proves nothing.
    lost: Exchange | None = None


class Driver:
    """One run's traffic."""

    def __init__(  # noqa: PLR0913  a run has as many parts; each is used by name
        self,
        *,
        settings: Settings,
        pools: Mapping[tuple[str, str | None], Pool],
        keyring: Keyring,
        clock: Clock,
        emit: Callable[[Event], None],
        findings: Findings,
        budget: Budget,
        http2: Mapping[str | None, Http2Pool] | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self.settings = settings
        self.judgements: dict[str, list[Judgement]] = {}
        self.requests = 0
        self.stopped: str | None = None
        #: True once the target answers nothing any more.
        self.lost = False
        self.trouble = 0
        self._lines = Lines(pools, http2 or {}, settings.vault)
        self._keyring = keyring
        self._clock = clock
        #: Clauses that look at every exchange, once the run judges.
        self._passive: tuple[Clause, ...] = ()
        self._emit = emit
        self._findings = findings
        #: Clauses that only make traffic: their cases run and are not judged.
        self._silent_clauses = silent
        self._turns = Turns(settings, clock, budget, emit)
        self._began = time.monotonic()
        self._presence = Presence()
        #: Keys that the API has shown since the run began and that live still, whoever asked for them: id -> whose.
        self._living: dict[str, Need] = {}
        #: Keys that the API was seen not to make; nobody asks for them again.
        self._not_to_be_had: dict[Need, Judgement] = {}
        managed_by = settings.contract.policy.keys.managed_by
        #: Operations whose responses show a new key.
        self._key_makers = {managed_by.create, managed_by.rotate} - {None} if managed_by is not None else set()
        self._key_breaker = managed_by.revoke if managed_by is not None else None

    def look_with(self, passive: Iterable[Clause]) -> None:
        """Show every exchange to these clauses from now on: until a key works nothing that is seen proves anything."""
        self._passive = tuple(passive)

    # --- cases -----------------------------------------------------------------------------------------------------

    async def run(self, clauses: Iterable[tuple[Clause, Iterable[Case]]]) -> None:
        """Run every case: those of ordinary clauses side by side, those that must be alone one after the other."""
        shared: list[list[tuple[Clause, Case]]] = []
        alone: list[tuple[Clause, Case]] = []
        for clause, cases in clauses:
            self.judgements.setdefault(clause.id, [])
            tried = [(clause, case) for case in cases]
            alone.extend(tried if clause.alone else ())
            shared.append([] if clause.alone else tried)
        # First who tries every operation, taking turns and each beginning elsewhere: what one has made then serves the
        # next, and their controls prove to all others that the operations work.
        wide = [tried for tried in shared if len(tried) > WORKERS]
        wide = [_turned(tried, number / len(wide)) for number, tried in enumerate(wide)]
        narrow = (each for tried in shared if len(tried) <= WORKERS for each in tried)
        queue = chain((each for turn in zip_longest(*wide) for each in turn if each is not None), narrow)

        async def work() -> None:
            for clause, case in queue:
                if self.stopped:
                    return
                await self.run_case(clause, case)

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
        for clause, case in alone:
            if self.stopped:
                return
            await self.run_case(clause, case)

    async def run_case(self, clause: Clause, case: Case) -> Judgement:
        """Drive one case to its judgement; whatever goes wrong becomes one."""
        name = f"{clause.id}/{case.subject}"
        world = World(self.settings, name, case.protocol, clause.place)
        context = Context(clause=clause.id, subject=case.subject, world=world, moved=self._clock.moved)
        try:
            judgement = await self._sound(await self.follow(case.steps(world), context), context.moved)
        except Exception as error:  # noqa: BLE001  a clause that raises is our defect: said, and the run goes on
            judgement = self._ending(name, error)
        self._lines.forget(f"{name}/")
        self.judge(clause, case.subject, _with_cause(judgement, context.lost))
        return judgement

    async def run_property(self, clause: Clause, prop: Property) -> Judgement:
        """Let a property generate in a worker thread, its requests sent from here, until it is judged."""
        name, moved = f"{clause.id}/{prop.subject}", self._clock.moved
        world = World(self.settings, name)

        async def perform(where: World, action: Action) -> Any:
            try:
                return await self.perform(action, Context(clause=clause.id, subject=prop.subject, world=where))
            except Exception as error:  # noqa: BLE001  Hypothesis would take it for a counterexample
                raise Ended(self._ending(name, error)) from None

        facade = Facade(asyncio.get_running_loop(), perform)

        def search() -> Judgement:
            try:
                return prop.check(world, facade)
            except Over as over:
                return over.judgement

        try:
            judgement = await self._sound(await asyncio.to_thread(search), moved)
        except asyncio.CancelledError:
            facade.stop()
            raise
        except Exception as error:  # noqa: BLE001  as above
            judgement = self._ending(name, error)
        self.judge(clause, prop.subject, judgement)
        return judgement

    async def _sound(self, judgement: Judgement, moved: int) -> Judgement:
        """Return a judgement, or, where it accuses, what else explains what came: a lost request, or a moved clock."""
        if judgement.word in (Word.FAIL, Word.WARN):
            if judgement.evidence is not None and (repeated := judgement.evidence.repeated) is not None:
                return inconclusive(describe_exchange(repeated))
            await self._clock.look()
            if self._clock.moved > moved:
                # What was counted meanwhile proves nothing to other clauses either.
                forget(self.settings.spent)
                return inconclusive("somebody else has moved the target's clock meanwhile")
        return judgement

    def _ending(self, name: str, error: Exception) -> Judgement:
        """Return what a case comes to that ends by this error."""
        match error:
            case Ended(judgement=judgement):
                return judgement
            case Stopped() | ControlError():
                self.stopped = self.stopped or str(error)
                self.lost = self.lost or isinstance(error, ControlError)
                return inconclusive(str(error))
        return self.defect(name, error)

    def defect(self, where: str, error: Exception) -> Judgement:
        """Say that something of ours raised: it says nothing of the target, the run goes on, and ends with exit 3."""
        self.trouble += 1
        lines = "".join(traceback.format_exception(error)).splitlines()
        detail = "\n".join(self.settings.vault.hide_text(line) for line in lines)
        self._emit(Trouble(where=where, what=f"internal error: {type(error).__name__}", detail=detail))
        return inconclusive("internal error")

    def judge(self, clause: Clause, subject: str, judgement: Judgement) -> None:
        """Keep a judgement and say it; a failure or a warning becomes a finding."""
        if clause.id in self._silent_clauses:
            return
        try:
            self._keep(clause, subject, judgement)
        except Exception as error:  # noqa: BLE001  what a clause returned cannot be shown: as bad as one that raises
            self._keep(clause, subject, self.defect(f"{clause.id}/{subject}", error))

    def _keep(self, clause: Clause, subject: str, judgement: Judgement) -> None:
        judgement = replace(judgement, reason=self.settings.vault.hide_text(judgement.reason))
        bad = judgement.word in (Word.FAIL, Word.WARN)
        found = self._findings.add(clause, subject, judgement) if bad else None
        self.judgements.setdefault(clause.id, []).append(judgement)
        if found is not None:
            self._emit(found)
        self._emit(
            CaseJudged(
                clause=clause.id,
                subject=subject,
                word=judgement.word,
                reason=judgement.reason,
                finding=self._findings.number(clause, subject, judgement) if bad else None,
            )
        )

    async def follow(self, steps: Generator[Action, Any, T], context: Context) -> T:
        """Perform what a generator yields, to its end."""
        try:
            action = next(steps)
            while True:
                try:
                    result = await self.perform(action, context)
                except (Ended, Stopped):
                    steps.close()
                    raise
                action = steps.send(result)
        except StopIteration as stop:
            return cast("T", stop.value)

    # --- actions ---------------------------------------------------------------------------------------------------

    async def perform(self, action: Action, context: Context) -> Any:
        """Do what a case asks for and return what came of it."""
        match action:
            case Probe():
                return await self.send(action, context)
            case Burst(probes=probes, together=together):
                gate = Gate(len(probes)) if together else None
                return tuple(await asyncio.gather(*(self._held(probe, context, gate) for probe in probes)))
            case Handshake(version=version):
                return await self._lines.agree_to(version, context.world.environment)
            case Advance() | Wait():
                return await self._turns.let_pass(action)
            case Acquire(need=need, case=case):
                return await self._acquire(need, context, case or context.world.place)
            case Rotate(key=key):
                return await self._keyring.rotate(key)
            case Revoke(key=key):
                return await self._keyring.revoke(key)
            case Learn(record=record, need=need):
                return self._learn(action, Key(record, need))

    async def _acquire(self, need: Need, context: Context, case: str) -> Key:
        """Hand out a key: one of the target's, or one that its API creates, where the policy names an operation for it.

        A key that a case wants for itself is created where that can be, so that declared keys are spent on nothing.
        """
        world = context.world
        operation = self._creator(need, world)
        # A key that may create others need not be exact: creating one would take one.
        exactly = operation is not None and not world.access.permits(operation, need)
        if operation is None or (not need.own and self._keyring.has(need, exactly=exactly)):
            return await self._keyring.acquire(need, case)
        wanted = replace(need, state="active", own=False)
        if wanted in self._not_to_be_had:
            raise Ended(self._not_to_be_had[wanted])
        try:
            key, _ = await self.follow(create(world, operation, replace(wanted, own=need.own)), context)
        except Ended as ended:
            if ended.judgement.word is Word.SKIPPED:
                self._not_to_be_had[wanted] = ended.judgement
            raise
        if need.state == "revoked":
            await self.follow(revoke(world, key), context)
        self._keyring.share(need, key)
        return key

    def _creator(self, need: Need, world: World) -> Operation | None:
        """Return the operation that can create such a key, if there is already a key that may call it."""
        operation = operation_for(world, "create")
        if operation is None or self._keyring.endless or need.state not in ("active", "revoked"):
            return None
        manager = world.access.strongest(operation, need.environment)
        there = manager is not None and self._keyring.has(replace(manager, organisation=need.organisation))
        return operation if there else None

    @property
    def living(self) -> tuple[str, ...]:
        """Return the ids of the keys that the API made for the run and that live still."""
        return () if self._keyring.endless else tuple(self._living)

    async def tidy(self) -> None:
        """Revoke the keys that the API made for the run and that live still; what cannot be revoked is said."""
        if self._keyring.endless or self.lost or not self._living:
            return
        self._turns.budget, self.stopped = Budget(), None  # what the run leaves behind is not the budget's to decide
        world = World(self.settings, "tidying")
        context = Context(clause="tidying", subject="", world=world)
        for identity, need in list(self._living.items()):
            key = Key(KeyRecord(id=identity, digest="", kind=need.kind, issued_at=0.0), need)
            try:
                await self.follow(revoke(world, key), context)
            except (Ended, Stopped) as ended:
                what = f"was made by the run and could not be revoked: {ended}"
                self._emit(Trouble(where=f"key {identity}", what=self.settings.vault.hide_text(what)))

    def _learn(self, action: Learn, key: Key) -> Key:
        value = action.exchange.json()
        for step in action.path:
            value = value[step]
        self._keyring.keep(Issued(key.record, str(value).encode()))
        return key

    async def _held(self, probe: Probe, context: Context, gate: Gate | None) -> Exchange:
        """Send one of a burst; the others wait at the gate for it as long as it is under way, and no longer."""
        try:
            return await self.send(probe, context, gate)
        finally:
            if gate is not None:
                gate.without_one()

    async def send(self, probe: Probe, context: Context, gate: Gate | None = None) -> Exchange:
        """Send a probe, after waiting for room where it is paced, again where R5 and R6 say so; log what came."""
        throttled, tries = 0, Tries(self._presence)
        while True:
            await asyncio.sleep(tries.pause)
            if probe.paced:
                await self._turns.wait_for_room(probe)
            exchange = await self._once(probe, context, gate)
            unsent = exchange.delivery is Delivery.REFUSED and gate is None
            if not (probe.paced or unsent):
                break
            if exchange.status == TOO_MANY_REQUESTS:
                throttled += 1
                if throttled > THROTTLED_RETRIES:
                    raise Ended(inconclusive("throttled: the target keeps answering 429"))
                await self._turns.wait_as_asked(exchange)
            elif not tries.worth_another(exchange):
                break
        exchange = tries.last(exchange)
        if exchange.broken or exchange.repeats:
            context.lost = context.lost or exchange
        return exchange

    async def _once(self, probe: Probe, context: Context, gate: Gate | None = None) -> Exchange:
        self._check_budget()
        name = f"{context.world.case}/{probe.connection}" if probe.connection else None
        line = self._lines.to(probe)
        self.requests += 1
        number = self.requests
        sent_at = time.monotonic() - self._began
        answer = await line.send(probe, name, gate)
        exchange = Exchange(
            number=number,
            probe=probe,
            authority=line.authority,
            delivery=answer.delivery,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            sent_at=sent_at,
            received_at=time.monotonic() - self._began,
            problem=self.settings.vault.hide_text(answer.problem),
            reset=answer.reset,
            before=answer.before,
        )
        if exchange.succeeded and exchange.probe.operation in self._key_makers:
            self._hide_new_keys(exchange, context.world)
        elif exchange.succeeded and exchange.probe.operation == self._key_breaker:
            path = b"".join(part for part in probe.target if isinstance(part, bytes)).partition(b"?")[0]
            self._living.pop(path.rpartition(b"/")[2].decode("latin-1"), None)
        self._emit(exchange_event(exchange, context.clause, context.subject, self.settings.vault))
        await self._look_on(exchange, context)
        self._watch(exchange)
        return exchange

    def _hide_new_keys(self, exchange: Exchange, world: World) -> None:
        """Keep secret what a response shows for the first and only time, before anything is written of it."""
        for path, holder in secrets(exchange.json(), world):
            name = f"shown in exchange {exchange.number}"
            if exchange.probe.keys and "id" in holder:
                self._living[str(holder["id"])] = self._keyring.need_of(exchange.probe.keys[0])
            self._keyring.keep_unclaimed(name, str(holder[str(path[-1])]).encode())

    async def _look_on(self, exchange: Exchange, context: Context) -> None:
        """Show the exchange to the passive clauses."""
        for clause in self._passive:
            try:
                judgement = clause.passive(context.world, exchange) if clause.passive else None
                judgement = judgement and await self._sound(judgement, context.moved)
            except Exception as error:  # noqa: BLE001  its defect must not end the case that it looked at
                self._passive = tuple(other for other in self._passive if other is not clause)
                judgement = self._ending(f"{clause.id}/exchange {exchange.number}", error)
            if judgement is None:
                continue
            known = self.judgements.setdefault(clause.id, [])
            if judgement.word is Word.PASS or (judgement.evidence is None and judgement in known[-1:]):
                known.append(judgement)  # what each of thousands of responses says alike is said once
            else:
                self.judge(clause, exchange.probe.operation or context.subject, judgement)

    def _watch(self, exchange: Exchange) -> None:
        """Notice that the target is gone."""
        self._presence.note(exchange)
        if self._presence.gone:
            self.lost = True
            why = exchange.problem or f"it answers {exchange.status} and nothing else"
            raise Stopped(f"the target is gone: {why}")

    def _check_budget(self) -> None:
        if self.stopped:
            raise Stopped(self.stopped)
        if reason := self._turns.used_up(self.requests):
            raise Stopped(reason)


def _turned(tried: list[tuple[Clause, Case]], share: float) -> list[tuple[Clause, Case]]:
    """Return the same with what stands at this share of them first."""
    first = int(len(tried) * share)
    return tried[first:] + tried[:first]


def _with_cause(judgement: Judgement, lost: Exchange | None) -> Judgement:
    """Return a judgement that says what was lost, where that may be why nothing can be said, or what was said."""
    repeated = lost is not None and lost.repeats and judgement.word is Word.UNSPECIFIED
    if lost is None or not (repeated or judgement.word is Word.INCONCLUSIVE):
        return judgement
    told = describe_exchange(lost)
    if told in judgement.reason:
        return inconclusive(judgement.reason)
    return inconclusive(f"{judgement.reason}; {told if lost.repeats else broken(lost)}")
