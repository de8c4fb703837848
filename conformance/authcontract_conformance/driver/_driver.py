"""The driver: runs the cases of many clauses at once on one asyncio loop, paced, within budget, everything logged.

It performs what cases yield, and is the only place where a probe meets a socket.
"""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Any, Literal, TypeVar, cast

from authcontract_engine import KeyRecord
from authcontract_policy import Operation

from authcontract_conformance._events import CaseJudged, Event, Trouble, Waiting
from authcontract_conformance.clauses._clause import Case, Clause, Property
from authcontract_conformance.driver._finding import Findings, exchange_event
from authcontract_conformance.exchange._exchange import (
    Acquire,
    Action,
    Advance,
    Burst,
    Credential,
    Delivery,
    Exchange,
    Handshake,
    Key,
    Learn,
    Need,
    Probe,
    Purpose,
    Revoke,
    Rotate,
    Wait,
)
from authcontract_conformance.fuzz._facade import Facade, Over
from authcontract_conformance.oracle._verdict import Judgement, Word, inconclusive, skipped
from authcontract_conformance.world._management import create, operation_for, revoke, secrets
from authcontract_conformance.world._world import Ended, Settings, World

from ._clock import Clock
from ._http2_pool import Http2Pool
from ._keys import Issued, Keyring
from ._pacing import USUAL_RETRY_AFTER, Pacer
from ._wire import Answer, Gate, Pool

T = TypeVar("T")
#: A request is sent again after a 5xx or a lost connection (R6), and after a 429 (R5), at most so often.
RETRIES = 2
THROTTLED_RETRIES = 3
#: So many requests in a row without any answer: the target is gone.
LOST_AFTER = 6
#: Seconds of waiting from which on a person is told.
TOLD = 2.0
WORKERS = 12
#: Statuses by number, where a name says less than the number.
TOO_MANY_REQUESTS = 429


class Stopped(Exception):  # noqa: N818  not an error of the run: it ends early, for this reason
    """The run ends before its end: the target is lost, or a budget is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a run may cost the target."""

    requests: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Context:
    """Whose request it is."""

    clause: str
    subject: str
    world: World
    seen: list[Exchange] = field(default_factory=list)


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
        self._pools = pools
        #: By environment, where the target speaks HTTP/2.
        self._http2 = http2 or {}
        self._keyring = keyring
        self._clock = clock
        #: Clauses that look at every exchange, once the run judges.
        self._passive: tuple[Clause, ...] = ()
        self._emit = emit
        self._findings = findings
        self._budget = budget
        #: Clauses that only make traffic: their cases run and are not judged.
        self._silent_clauses = silent
        self._pacer = Pacer(settings.contract, clock)
        self._began = time.monotonic()
        self._silent = 0
        windows = [limit.window or 0 for limit in settings.contract.policy.rate_limits.values()]
        #: No limit of the contract makes anybody wait for longer; a target that asks for more is not obeyed.
        self._longest = 2.0 * max([USUAL_RETRY_AFTER, *windows])
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
        context = Context(clause=clause.id, subject=case.subject, world=world)
        try:
            judgement = await self.follow(case.steps(world), context)
        except Exception as error:  # noqa: BLE001  a clause that raises is our defect: said, and the run goes on
            judgement = self._ending(name, error)
        for pools in (self._pools, self._http2):
            for pool in pools.values():
                pool.forget(f"{name}/")
        self.judge(clause, case.subject, judgement)
        return judgement

    async def run_property(self, clause: Clause, prop: Property) -> Judgement:
        """Let a property generate in a worker thread, its requests sent from here, until it is judged."""
        name = f"{clause.id}/{prop.subject}"
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
            judgement = await asyncio.to_thread(search)
        except asyncio.CancelledError:
            facade.stop()
            raise
        except Exception as error:  # noqa: BLE001  as above
            judgement = self._ending(name, error)
        self.judge(clause, prop.subject, judgement)
        return judgement

    def _ending(self, name: str, error: Exception) -> Judgement:
        """Return what a case comes to that ends by this error."""
        match error:
            case Ended(judgement=judgement):
                return judgement
            case Stopped():
                self.stopped = self.stopped or str(error)
                return inconclusive(str(error))
        return self.defect(name, error)

    def defect(self, where: str, error: Exception) -> Judgement:
        """Say that something of ours raised: it says nothing of the target, the run goes on, and ends with exit 3."""
        self.trouble += 1
        detail = self.settings.vault.hide_text("".join(traceback.format_exception(error)))
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
                return tuple(await asyncio.gather(*(self.send(probe, context, gate) for probe in probes)))
            case Handshake(version=version):
                return await self._handshake(version, context)
            case Advance() | Wait():
                return await self._pass_time(action)
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
        self._budget, self.stopped = Budget(), None  # what the run leaves behind is not the budget's to decide
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

    async def send(self, probe: Probe, context: Context, gate: Gate | None = None) -> Exchange:
        """Send a probe, after waiting for room where it is paced, again where R5 and R6 say so; log what came."""
        throttled = failed = 0
        while True:
            if probe.paced:
                await self._wait_for_room(probe)
            exchange = await self._once(probe, context, gate)
            if not probe.paced:
                return exchange
            if exchange.status == TOO_MANY_REQUESTS:
                throttled += 1
                if throttled > THROTTLED_RETRIES:
                    raise Ended(inconclusive("throttled: the target keeps answering 429"))
                await self._pause(self._asked_to_wait(exchange), "the target says when to come back")
            elif exchange.broken and not exchange.malformed and failed < RETRIES:
                failed += 1
            else:
                return exchange

    async def _pass_time(self, action: Advance | Wait) -> None:
        if isinstance(action, Advance) and not self._clock.movable:
            raise Ended(skipped("needs a clock that can be moved"))
        await self._pause(action.seconds, "what is tried next is about what comes later")

    async def _handshake(self, version: Literal["TLSv1", "TLSv1.1"], context: Context) -> bool:
        environment = context.world.environment
        pool = self._pools.get(("tls", environment)) or self._pools[("tls", None)]
        agreed = await pool.agrees_to(version)
        if isinstance(agreed, str):
            raise Ended(skipped(agreed))
        return agreed

    async def _wait_for_room(self, probe: Probe) -> None:
        oracle = self.settings.oracle
        reading = oracle.read(probe)
        record, carried = oracle.key(reading), self._carried(probe)
        while (delay := self._pacer.delay(reading, record, carried)) > 0:
            await self._pause(delay, "the contract's limits leave this key no more for now")

    def _asked_to_wait(self, exchange: Exchange) -> float:
        """Return for how long the target wants to be left alone by whoever shares the allowance."""
        oracle, probe = self.settings.oracle, exchange.probe
        reading = oracle.read(probe)
        return self._pacer.refused(reading, oracle.key(reading), self._carried(probe), _retry_after(exchange))

    def _carried(self, probe: Probe) -> tuple[KeyRecord, ...]:
        """Return every key that stands in a request, in whatever form."""
        parts = chain(probe.target, *(name + value for name, value in probe.headers), probe.body)
        names = dict.fromkeys(part.key for part in parts if isinstance(part, Credential))
        records = (self.settings.vault.record(name) for name in names)
        return tuple(record for record in records if record is not None)

    async def _pause(self, seconds: float, why: str) -> None:
        """Let time pass before a request is sent; where that means waiting, it is said, and the budget is kept."""
        if self._clock.movable:
            return await self._clock.advance(seconds)
        if seconds > self._longest:
            raise Ended(inconclusive(f"throttled: the target asks for a pause of {seconds:g} seconds"))
        left = math.inf if self._budget.seconds is None else self._budget.seconds - (time.monotonic() - self._began)
        if seconds > left:
            raise Ended(inconclusive(f"the budget of time does not allow for a pause of {seconds:.0f} seconds"))
        if seconds >= TOLD:
            self._emit(Waiting(seconds=round(seconds, 1), reason=why))
        return await self._clock.advance(seconds)

    async def _once(self, probe: Probe, context: Context, gate: Gate | None = None) -> Exchange:
        self._check_budget()
        name = f"{context.world.case}/{probe.connection}" if probe.connection else None
        authority, deliver = (self._in_http_2 if probe.protocol == "2" else self._in_http_1)(probe, name, gate)
        self.requests += 1
        number = self.requests
        sent_at = time.monotonic() - self._began
        answer = await deliver
        exchange = Exchange(
            number=number,
            probe=probe,
            authority=authority,
            delivery=answer.delivery,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            sent_at=sent_at,
            received_at=time.monotonic() - self._began,
            problem=self.settings.vault.hide_text(answer.problem),
            reset=answer.reset,
        )
        if exchange.succeeded and exchange.probe.operation in self._key_makers:
            self._hide_new_keys(exchange, context.world)
        elif exchange.succeeded and exchange.probe.operation == self._key_breaker:
            path = b"".join(part for part in probe.target if isinstance(part, bytes)).partition(b"?")[0]
            self._living.pop(path.rpartition(b"/")[2].decode("latin-1"), None)
        self._emit(exchange_event(exchange, context.clause, context.subject, self.settings.vault))
        self._look_on(exchange, context)
        self._watch(exchange)
        return exchange

    def _in_http_1(self, probe: Probe, name: str | None, gate: Gate | None) -> tuple[str, Awaitable[Answer]]:
        """Return to whom a probe goes, and its sending."""
        pool = self._pools.get((probe.channel, probe.environment)) or self._pools.get((probe.channel, None))
        if pool is None:
            raise Ended(skipped(f"the target has no address for {probe.channel} {probe.environment or ''}".rstrip()))
        authority = pool.origin.authority
        message = self.settings.vault.message(probe, authority)
        return authority, pool.send(message, head=probe.method == b"HEAD", name=name, resend=probe.paced, gate=gate)

    def _in_http_2(self, probe: Probe, name: str | None, gate: Gate | None) -> tuple[str, Awaitable[Answer]]:
        """Return to whom a probe goes, and its sending in HTTP/2."""
        pool = self._http2.get(probe.environment) or self._http2.get(None)
        if pool is None:
            raise Ended(skipped("the target offers no HTTP/2"))
        authority = pool.origin.authority
        fields = self.settings.vault.fields(probe, authority)
        if fields is None:
            raise Ended(skipped("HTTP/2 cannot express it"))
        body = self.settings.vault.render(probe.body, authority)
        return authority, pool.send(fields, body, name=name, alone=probe.exact, resend=probe.paced, gate=gate)

    def _hide_new_keys(self, exchange: Exchange, world: World) -> None:
        """Keep secret what a response shows for the first and only time, before anything is written of it."""
        for path, holder in secrets(exchange.json(), world):
            name = f"shown in exchange {exchange.number}"
            if exchange.probe.keys and "id" in holder:
                self._living[str(holder["id"])] = self._keyring.need_of(exchange.probe.keys[0])
            self._keyring.keep_unclaimed(name, str(holder[str(path[-1])]).encode())

    def _look_on(self, exchange: Exchange, context: Context) -> None:
        """Show the exchange to the passive clauses."""
        for clause in self._passive:
            try:
                judgement = clause.passive(context.world, exchange) if clause.passive else None
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
        """Notice that the target is gone: nothing answered several times in a row, on its main address."""
        odd = exchange.probe.purpose is Purpose.PROBE and exchange.delivery is Delivery.CLOSED
        if exchange.probe.channel != "tls" or odd:
            return  # hanging up is one way to refuse what a clause tries
        gone = exchange.delivery in (Delivery.REFUSED, Delivery.TIMEOUT, Delivery.CLOSED)
        self._silent = self._silent + 1 if gone else 0
        if self._silent >= LOST_AFTER:
            self.lost = True
            raise Stopped(f"the target is gone: {exchange.problem}")

    def _check_budget(self) -> None:
        if self.stopped:
            raise Stopped(self.stopped)
        if self._budget.requests is not None and self.requests >= self._budget.requests:
            raise Stopped(f"the budget of {self._budget.requests} requests is used up")
        if self._budget.seconds is not None and time.monotonic() - self._began > self._budget.seconds:
            raise Stopped(f"the budget of {self._budget.seconds:g} seconds is used up")


def _retry_after(exchange: Exchange) -> float | None:
    text = (exchange.header("Retry-After") or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None  # noqa: PLR2004  a day


def _turned(tried: list[tuple[Clause, Case]], share: float) -> list[tuple[Clause, Case]]:
    """Return the same with what stands at this share of them first."""
    first = int(len(tried) * share)
    return tried[first:] + tried[:first]
