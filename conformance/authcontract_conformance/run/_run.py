"""One run from start to verdict: connect, calibrate, drive the clauses, generate, add up; all is said to `emit`."""

from __future__ import annotations

import asyncio
import platform
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice

import authcontract_engine as engine
from authcontract_engine import Contract
from authcontract_policy import Loaded, Policy, Table, alternatives, together

from authcontract_conformance._events import (
    ClauseJudged,
    Event,
    FileSeen,
    Found,
    PhaseStarted,
    RunFinished,
    RunStarted,
    SilenceJudged,
    Trouble,
)
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import Case, Clause, Property, cases_of
from authcontract_conformance.driver._clock import WallClock
from authcontract_conformance.driver._driver import Driver
from authcontract_conformance.driver._finding import Findings
from authcontract_conformance.driver._keys import DeclaredKeys, Keyring
from authcontract_conformance.driver._launch import Announcement
from authcontract_conformance.driver._turns import Budget
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._oracle import Oracle
from authcontract_conformance.oracle._silences import Silences
from authcontract_conformance.oracle._verdict import ClauseVerdict, RunVerdict, Word, run_verdict, skipped
from authcontract_conformance.run._adding_up import added_up
from authcontract_conformance.run._calibration import calibration
from authcontract_conformance.run._connection import Connected, connect
from authcontract_conformance.run._expired import let_keys_expire
from authcontract_conformance.run._silences import ledger, onlooker
from authcontract_conformance.run._target import Target
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._access import Access
from authcontract_conformance.world._resources import Resources
from authcontract_conformance.world._world import Ended, Settings, World

#: Seconds for revoking the keys that the run made, and where somebody waits for it to end.
TIDYING, LAST_WORDS = 180.0, 5.0
#: Pairs of answers that are tried before somebody is accused; a policy with more has them made for nobody's good.
PAIRS = 1000
#: Characters of a secret in a row that no masked form shows.
SHOWN_OF_A_KEY = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person asked for."""

    seed: int = 1
    #: Clause ids; empty: all.
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    #: Arguments of the embedded reference server, e.g. ("--fault", "no-key-needed").
    server: tuple[str, ...] = ()
    #: A reference server that runs already; it is judged where no target is named.
    running: Announcement | None = None
    timeout: float = 10.0
    budget: Budget = field(default_factory=Budget)
    fuzz: bool = True
    #: True: every silence counts as confirmed, so that nothing is excused by another answer to it.
    confirmed: bool = False
    command: tuple[str, ...] = ()
    #: The command that repeats a finding, with `{finding}` and `{clause}` to be filled in.
    replay: str = "authcontract verify --only {clause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to."""

    verdict: RunVerdict
    counts: Mapping[str, int]
    clauses: tuple[ClauseVerdict, ...]
    findings: tuple[Found, ...]
    #: What the target does on each point on which the documentation is silent.
    silences: tuple[SilenceJudged, ...]
    requests: int
    seconds: float
    seed: int
    policy: FileSeen
    specification: FileSeen
    target: str
    #: Why the run could not be finished; None if it was.
    stopped: str | None = None
    #: True: it stopped because the target answered nothing any more.
    lost: bool = False
    interrupted: bool = False
    #: Defects of our own that it met.
    trouble: int = 0


class SetupError(Exception):
    """The run cannot begin, for this reason; it is about the set-up and says nothing of the implementation."""


async def verify(loaded: Loaded, target: Target | None, options: Options, emit: Callable[[Event], None]) -> Result:
    """Judge a target, or the embedded reference server where there is none; raises `SetupError`."""
    if loaded.policy is None or loaded.specification is None:
        raise SetupError("the policy has errors")
    async with connect(
        loaded, target, server=options.server, running=options.running, within=options.timeout
    ) as connected:
        return await Run(loaded, connected, options, emit).run()


class Run:
    """The state of one run while it lasts."""

    def __init__(self, loaded: Loaded, connected: Connected, options: Options, emit: Callable[[Event], None]) -> None:
        assert loaded.policy is not None  # noqa: S101  checked by `verify`
        assert loaded.specification is not None  # noqa: S101  checked by `verify`
        self.policy = at(loaded.policy, connected.urls)
        self.specification = loaded.specification
        self.contract = engine.compile(self.policy, self.specification, loaded.resolution)
        self.connected = connected
        self.options = options
        self.emit = emit
        self.vault = Vault(formats(self.policy))
        self.began = time.monotonic()
        #: Clause -> why the contract makes it meaningless.
        self.reasons: dict[str, str] = {}
        self.settings = self._settings()
        self.findings = Findings(self.policy, self.vault, options.replay)
        self.clauses = tuple(_chosen(catalogue().values(), options))
        judged = {clause.id for clause in self.clauses}
        #: Clauses that only make traffic for the passive ones.
        self.traffic = tuple(
            catalogue()[name]
            for name in dict.fromkeys(name for clause in self.clauses for name in clause.traffic)
            if options.only and name not in judged
        )
        self.keyring = Keyring(self.contract, connected.source, self.vault, options.seed)
        for issued in connected.source.known():  # before the first request, since any response may show any of them
            self.keyring.keep(issued)
        self.driver = Driver(
            settings=self.settings,
            pools=connected.pools,
            http2=connected.http2,
            keyring=self.keyring,
            clock=connected.clock,
            emit=emit,
            findings=self.findings,
            budget=options.budget,
            silent=frozenset(clause.id for clause in self.traffic),
        )

    def _settings(self) -> Settings:
        others = {
            silence: tuple(self._compile(at(policy, self.connected.urls)) for policy in policies)
            for silence, policies in ({} if self.options.confirmed else alternatives(self.policy)).items()
        }
        oracle = Oracle(self.contract, others, self.vault)
        self.silences = Silences(oracle, others, self.vault)
        if not self.options.confirmed:
            oracle.listener = self.silences
            oracle.together = self._together
        declared = self.policy.environments or (None,)
        environments = tuple(e for e in declared if not self.connected.environments or e in self.connected.environments)
        return Settings(
            contract=self.contract,
            oracle=oracle,
            access=Access(self.contract, self.connected.plans),
            resources=Resources(self.specification),
            sampler=Sampler(self.specification),
            vault=self.vault,
            operations=tuple(op for op in self.contract.operations if op.id not in self.connected.exclude),
            capabilities=self.connected.capabilities,
            environments=environments,
            now=self.connected.clock.now,
            frozen=self.connected.clock.frozen,
            disposable=self.connected.source.makes_organisations,
            seed=self.options.seed,
            confirmed=self.options.confirmed,
            lends=self.connected.source.offers,
        )

    def _together(self) -> Iterator[tuple[str, Contract]]:
        """Yield what two silences allow together, each of which changes a decision."""
        for names, policy in islice(together(self.policy, self.settings.oracle.deciding), PAIRS):
            yield names, self._compile(at(policy, self.connected.urls))

    def _compile(self, policy: Policy) -> Contract:
        return engine.compile(policy, self.specification)

    async def run(self) -> Result:
        self.emit(self._started())
        interrupted = False
        try:
            await self.calibrate()
            await self.prepare()
            await self._drive()
        except asyncio.CancelledError:
            interrupted = True
        await self._tidy(LAST_WORDS if interrupted else TIDYING)
        return self._finish(interrupted=interrupted)

    async def _tidy(self, within: float) -> None:
        """Revoke what the run made, for so long; the target's limits may not allow for all of it."""
        stopped = self.driver.stopped
        try:
            async with asyncio.timeout(within):
                await self.driver.tidy()
        except (TimeoutError, asyncio.CancelledError):
            alive = ", ".join(self.driver.living)
            self.emit(Trouble(where="tidying", what=f"keys that the run made live still; revoke them: {alive}"))
        self.driver.stopped = stopped

    def _started(self) -> RunStarted:
        return RunStarted(
            tool=f"authcontract {version('authcontract')}, Python {platform.python_version()}",
            policy=_seen(self.policy),
            specification=FileSeen(file=self.specification.document.file, sha256=self.specification.document.sha256),
            target=self.connected.name,
            seed=self.options.seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=self.options.command,
            capabilities=tuple(sorted(self.connected.capabilities)),
            clauses=tuple(clause.id for clause in self.clauses),
        )

    async def calibrate(self) -> None:
        """Make sure that the target answers and that some key works, before anything is judged (R1)."""
        judgement = await calibration(self.driver, World(self.settings, "calibration"))
        if judgement is not None:
            raise SetupError(self.vault.hide_text(judgement))
        passive = [clause for clause in self.clauses if clause.passive]
        self.driver.look_with(passive if self.options.confirmed else (*passive, onlooker(self.silences)))

    async def prepare(self) -> None:
        """Let keys expire now, before anything depends on the clock."""
        await let_keys_expire(self.settings, self.keyring, self.connected.clock)

    async def _drive(self) -> None:
        """Run the cases, then what is generated: nothing generates while a case counts quota."""
        planned: list[tuple[Clause, list[Case]]] = []
        generated: list[tuple[Clause, Property]] = []
        for clause in (*self.clauses, *self.traffic):
            try:
                cases, properties = self.what_to_try(clause)
            except Ended as ended:
                self.driver.judge(clause, "", ended.judgement)
            except Exception as error:  # noqa: BLE001  our defect: said, and the other clauses go on
                self.driver.judge(clause, "", self.driver.defect(f"{clause.id}: what to try", error))
            else:
                planned += [(clause, cases)] if cases is not None else []
                generated += [(clause, prop) for prop in properties]
        self.emit(PhaseStarted(phase="clauses", cases=sum(len(cases) for _, cases in planned)))
        await self.driver.run(planned)
        if generated:
            self.emit(PhaseStarted(phase="generated", cases=len(generated)))
        for clause, prop in generated:
            if not self.driver.stopped:
                await self.driver.run_property(clause, prop)

    def what_to_try(self, clause: Clause) -> tuple[list[Case] | None, list[Property]]:
        """Return what a clause has to try; None where it sends nothing or may not, and the reason is kept."""
        world = World(self.settings, clause.id)
        reason, missing = clause.inapplicable(world), self._missing(clause)
        if reason is not None:
            self.reasons[clause.id] = reason
            return None, []
        if missing:
            self.driver.judge(clause, "", skipped(f"the target offers no {' and no '.join(missing)}"))
            return None, []
        cases = None if clause.cases is None else list(cases_of(clause, world))
        return cases, [] if clause.properties is None else list(clause.properties(world))

    def _missing(self, clause: Clause) -> tuple[str, ...]:
        """Return what a clause needs and the target does not offer."""
        return tuple(sorted(need.value for need in clause.needs if need.value not in self.connected.capabilities))

    def _finish(self, *, interrupted: bool) -> Result:
        verdicts = tuple(
            added_up(
                clause,
                self.driver.judgements.get(clause.id, ()),
                meaningless=self.reasons.get(clause.id),
                missing=self._missing(clause),
                ended=self.driver.stopped is not None,
            )
            for clause in self.clauses
        )
        for clause, verdict in zip(self.clauses, verdicts, strict=True):
            self.emit(
                ClauseJudged(
                    clause=clause.id,
                    level=clause.level.value,
                    word=verdict.word.value,
                    reason=verdict.reason,
                    cases=verdict.cases,
                    skipped=verdict.skipped,
                    promise=clause.promise,
                    applicable=verdict.applicable,
                    missing=verdict.missing,
                )
            )
        silences = ledger(self.contract, self.silences, verdicts)
        for silence in silences:
            self.emit(silence)
        whole = run_verdict(verdicts, self.connected.untested)
        stopped = self.driver.stopped
        if (stopped or interrupted or self.driver.trouble) and whole is RunVerdict.CONFORMANT:
            whole = RunVerdict.INCONCLUSIVE
        if stopped:
            self.emit(Trouble(where="the run", what=stopped))
        found = Counter(v.word.value for v in verdicts)
        counts = {word.value: found.get(word.value, 0) for word in Word}
        seconds = round(time.monotonic() - self.began, 3)
        self.emit(
            RunFinished(
                verdict=whole.value,
                counts=counts,
                requests=self.driver.requests,
                seconds=seconds,
                interrupted=interrupted,
            )
        )
        return Result(
            verdict=whole,
            counts=counts,
            clauses=verdicts,
            findings=tuple(self.findings.found),
            silences=silences,
            requests=self.driver.requests,
            seconds=seconds,
            seed=self.options.seed,
            policy=_seen(self.policy),
            specification=FileSeen(file=self.specification.document.file, sha256=self.specification.document.sha256),
            target=self.connected.name,
            stopped=stopped,
            lost=self.driver.lost,
            interrupted=interrupted,
            trouble=self.driver.trouble,
        )


def inapplicable(loaded: Loaded) -> Mapping[str, str]:
    """Return the clauses that a contract makes meaningless, each with the reason; nothing is connected to."""
    assert loaded.policy is not None  # noqa: S101  the caller checked it
    url = loaded.policy.base_url
    urls: dict[str | None, str] = {None: url.value or ""}
    if url.dimension is not None:
        urls = {name: row.value or "" for name, row in url.rows}
    connected = Connected(
        name="", pools={}, source=DeclaredKeys(()), clock=WallClock(), capabilities=frozenset(), urls=urls
    )
    run = Run(loaded, connected, Options(), lambda _: None)
    found = {}
    for clause in run.clauses:
        # One that raises is said to when it is judged.
        with suppress(Exception):
            found[clause.id] = clause.inapplicable(World(run.settings, clause.id))
    return {clause: reason for clause, reason in found.items() if reason is not None}


def at(policy: Policy, urls: Mapping[str | None, str]) -> Policy:
    """Return the policy as if the documentation named the target's own address."""
    if None in urls:
        return replace(policy, base_url=Table(value=urls[None]))
    rows = tuple((name, Table(value=url)) for name, url in urls.items() if name is not None)
    return replace(policy, base_url=Table(dimension=policy.base_url.dimension, rows=rows))


def formats(policy: Policy) -> tuple[bytes, ...]:
    """Return what keys look like, as regular expressions: a prefix, and more of a secret than a masked form shows."""
    found = []
    for kind in policy.keys.kinds.values():
        alphabet = re.escape(kind.secret.alphabet) if kind.secret is not None else "A-Za-z0-9_-"
        prefixes = dict.fromkeys(kind.prefix.values() if kind.prefix is not None else ())
        found += [f"{re.escape(prefix)}[{alphabet}]{{{SHOWN_OF_A_KEY},}}".encode("latin-1") for prefix in prefixes]
    return tuple(found)


def _seen(policy: Policy) -> FileSeen:
    return FileSeen(file=policy.document.file, sha256=policy.document.sha256)


def _chosen(clauses: Iterable[Clause], options: Options) -> Sequence[Clause]:
    wanted = (c for c in clauses if (not options.only or c.id in options.only) and c.id not in options.skip)
    return [c for c in wanted if options.fuzz or c.properties is None]
