"""Clauses without a socket: a case is talked through with the reference server in memory, or with canned answers.

`Conversation.judge` gives a case what it asks for and returns its judgement. `altered` changes what came back before
the case sees it, so that a test can plant any defect without a server that has it.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import authcontract_engine as engine
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import Case, cases_of
from authcontract_conformance.driver._keys import Issued, Keyring
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
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.faults import FAULTS
from authcontract_conformance.oracle._oracle import Oracle
from authcontract_conformance.oracle._verdict import Judgement, Word, skipped
from authcontract_conformance.reference import CORRECT, Message, Seams, Server
from authcontract_conformance.reference._certificate import make_certificate
from authcontract_conformance.reference._http import Head, read_head
from authcontract_conformance.reference._http2 import read_fields
from authcontract_conformance.run._run import at
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._access import Access
from authcontract_conformance.world._resources import Resources
from authcontract_conformance.world._world import Ended, Settings, World
from authcontract_engine import Contract, KeyRecord
from authcontract_policy import Algorithm, Loaded, alternatives, load

ROOT = Path(__file__).parent.parent
POLICIES: Mapping[str, Path] = {
    "synaptiq": ROOT / "policy" / "synaptiq.yaml",
    "harbour": ROOT / "tests" / "contracts" / "harbour.yaml",
    "roles": ROOT / "tests" / "contracts" / "roles.yaml",
}
T = TypeVar("T")
#: Changes what came back for a probe; the number counts from 1.
Alter = Callable[[Exchange], Exchange]


@cache
def loaded(name: str) -> Loaded:
    """Load one of the contracts, which must be without errors."""
    found = load(POLICIES[name])
    assert found.policy is not None
    assert found.specification is not None
    return found


@cache
def contract(name: str) -> Contract:
    """Compile one of the contracts."""
    found = loaded(name)
    assert found.policy is not None
    assert found.specification is not None
    return engine.compile(found.policy, found.specification, found.resolution)


@cache
def others(name: str) -> Mapping[str, tuple[Contract, ...]]:
    """Compile what the contract's silences would accept as well."""
    found = loaded(name)
    assert found.policy is not None
    assert found.specification is not None
    return {
        silence: tuple(engine.compile(at(policy, _urls(name)), found.specification) for policy in policies)
        for silence, policies in alternatives(found.policy).items()
    }


def _urls(name: str) -> Mapping[str | None, str]:
    url = contract(name).policy.base_url
    return {None: url.value or ""} if url.dimension is None else {row: table.value or "" for row, table in url.rows}


def planted(fault: str) -> Seams:
    """Return the stages of a server with this fault of the catalogue."""
    return next(found for found in FAULTS if found.name == fault).plant(CORRECT)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise AssertionError("it waited")


@dataclass(slots=True)
class _Keys:
    """The server's own key store as a key source."""

    server: Server
    makes_organisations: bool = True

    def offers(self, need: Need) -> bool:
        """Tell whether the policy knows such a kind of key."""
        return need.kind in self.server.contract.policy.keys.kinds

    def known(self) -> tuple[Issued, ...]:
        return ()

    async def issue(self, need: Need, organisation: str) -> Issued:
        """Issue a key."""
        record, secret = self.server.keyring.issue(
            organisation=organisation,
            environment=need.environment,
            kind=need.kind,
            scopes=need.scopes,
            plan=need.plan,
            now=self.server.clock.now(),
        )
        return Issued(record, secret.encode())

    async def rotate(self, record: KeyRecord) -> tuple[KeyRecord, Issued]:
        """Rotate a key."""
        new, secret = self.server.keyring.rotate(record.id, self.server.clock.now())
        old = self.server.keyring.records.get(record.id)
        assert old is not None
        return old, Issued(new, secret.encode())

    async def revoke(self, record: KeyRecord) -> KeyRecord:
        """Revoke a key."""
        self.server.keyring.revoke(record.id, self.server.clock.now())
        found = self.server.keyring.records.get(record.id)
        assert found is not None
        return found


@dataclass(slots=True)
class Conversation:
    """A contract served in memory, and everything that a case may ask for."""

    name: str
    seams: Seams = CORRECT
    #: None: what came back is left as it is.
    altered: Alter | None = None
    capabilities: frozenset[str] = frozenset(
        {"clock", "key management", "second organisation", "plaintext port", "HTTP/2"}
    )
    #: True: no silence excuses anything.
    confirmed: bool = False
    #: None: each limit counts as its policy says.
    algorithm: Algorithm | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    #: Passive clauses that look at each exchange when it comes, as the driver lets them; what they said, by clause.
    watching: tuple[str, ...] = ()
    watched: dict[str, set[Word]] = field(default_factory=dict)
    vault: Vault = field(default_factory=Vault)
    server: Server = field(init=False)
    settings: Settings = field(init=False)
    _keyring: Keyring = field(init=False)
    #: Name of a connection -> its number; a probe without a name has one of its own.
    _connections: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the server in memory, its clock frozen."""
        compiled = contract(self.name)
        self.server = Server(compiled, seams=self.seams, algorithm=self.algorithm)
        self.server.clock.freeze()
        self._keyring = Keyring(compiled, _Keys(self.server), self.vault, seed=1)
        self.settings = Settings(
            contract=compiled,
            oracle=Oracle(compiled, {} if self.confirmed else others(self.name), self.vault),
            access=Access(compiled),
            resources=Resources(compiled.specification),
            sampler=Sampler(compiled.specification),
            vault=self.vault,
            operations=compiled.operations,
            capabilities=self.capabilities,
            environments=compiled.policy.environments or (None,),
            now=self.server.clock.now,
            frozen=True,
            disposable=True,
            seed=1,
            confirmed=self.confirmed,
        )

    def world(self, case: str = "case", protocol: Literal["1.1", "2"] = "1.1") -> World:
        """Return the view of one case."""
        return World(self.settings, case, protocol)

    def operation(self, name: str) -> Any:
        """Return an operation by its id."""
        found = self.settings.contract.specification.operation(name)
        assert found is not None
        return found

    def key(self, operation: str, **changes: Any) -> Key:
        """Return a key that may call the operation."""
        found = self.world().need(self.operation(operation), **changes)
        return _at_once(self._keyring.acquire(found, "case"))

    def cases(self, clause: str) -> dict[str, Case]:
        """Return the cases of a clause by subject."""
        listed = list(cases_of(catalogue()[clause], self.world(clause)))
        by_subject = {case.subject: case for case in listed}
        assert len(by_subject) == len(listed), "two cases with one subject share their keys and canaries"
        return by_subject

    def judge(self, clause: str, subject: str | None = None) -> Judgement:
        """Talk one case of a clause through, the first where none is named, and return what it comes to."""
        cases = self.cases(clause)
        case = next(iter(cases.values())) if subject is None else cases[subject]
        steps = case.steps(self.world(f"{clause}/{case.subject}", case.protocol))
        result: Any = None
        try:
            while True:
                result = self.perform(steps.send(result), f"{clause}/{case.subject}")
        except StopIteration as stop:
            judgement: Judgement = stop.value
            return judgement
        except Ended as ended:
            return ended.judgement

    def perform(self, action: Action, case: str = "case") -> Any:  # noqa: C901  one line for each action
        """Do what a case asks for, as the driver does it."""
        match action:
            case Probe():
                return self.send(action)
            case Burst(probes=probes, together=together):
                began = time.monotonic() if together else None
                return tuple(self.send(probe, began) for probe in probes)
            case Handshake(version=version):
                return self._agrees_to(version)
            case Advance(seconds=seconds) | Wait(seconds=seconds):
                self.server.clock.advance(seconds)
                return None
            case Acquire(need=need) if need.state == "expired":
                return self._expired(need, case)
            case Acquire(need=need, case=other):
                return _at_once(self._keyring.acquire(need, other or case))
            case Rotate(key=key):
                return _at_once(self._keyring.rotate(key))
            case Revoke(key=key):
                return _at_once(self._keyring.revoke(key))
            case Learn(exchange=exchange, path=path, record=record, need=need):
                value = exchange.json()
                for step in path:
                    value = value[step]
                self._keyring.keep(Issued(record, value.encode()))
                return Key(record, need)

    def _agrees_to(self, version: str) -> bool:
        context = make_certificate().context()
        self.server.seams.secure(self.server, context)
        return bool(context.minimum_version <= ssl.TLSVersion[version.replace(".", "_")])

    def _expired(self, need: Need, case: str) -> Key:
        """Rotate a key away and let its grace pass."""
        key = _at_once(self._keyring.acquire(replace(need, state="active", own=True), case))
        _at_once(self._keyring.rotate(key))
        record = self.vault.record(key.id)
        assert record is not None
        self.server.clock.advance((record.grace or 0.0) + 1.0)
        return key

    def _received(self, probe: Probe) -> tuple[Head, bytes]:
        """Return head and body as the listener reads them."""
        if probe.protocol == "2":
            fields = self.vault.fields(probe, "target")
            if fields is None:
                raise Ended(skipped("HTTP/2 cannot express it"))
            return read_fields(fields), self.vault.render(probe.body, "target")
        data = self.vault.message(probe, "target").lstrip(b"\r\n")  # empty lines before it are read over
        head, _, body = data.partition(b"\r\n\r\n")
        return read_head(head), body

    def send(self, probe: Probe, began: float | None = None) -> Exchange:
        """Return what the server, or the canned answer in its place, says; the head may have been there before."""
        head, body = self._received(probe)
        message = Message(
            head=head,
            body=body,
            protocol="2" if probe.protocol == "2" else "1.1",
            scheme="https" if probe.channel == "tls" else "http",
            environment=probe.environment if self.settings.contract.policy.base_url.dimension else None,
            connection=self._connections.setdefault(
                probe.connection or f"request {len(self.exchanges)}", len(self._connections)
            ),
            began=time.monotonic() if began is None else began,
        )
        answer = self.server.serve(message)
        exchange = Exchange(
            number=len(self.exchanges) + 1,
            probe=probe,
            delivery=Delivery.ANSWERED,
            status=answer.status,
            headers=answer.headers,
            body=b"" if probe.method == b"HEAD" else answer.body,
            sent_at=self.server.clock.now(),
            received_at=self.server.clock.now(),
        )
        exchange = exchange if self.altered is None else self.altered(exchange)
        self.exchanges.append(exchange)
        for clause in self.watching:
            passive = catalogue()[clause].passive
            judgement = passive(self.world(clause), exchange) if passive is not None else None
            if judgement is not None:
                self.watched.setdefault(clause, set()).add(judgement.word)
        return exchange


def answer(status: int, body: Any = None, headers: tuple[tuple[str, str], ...] = (), /, **probe: Any) -> Exchange:
    """Return a canned exchange: a JSON body, or bytes as they are; the rest describes the probe."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        number=1,
        probe=Probe(**{"method": b"GET", "target": (b"/",), **probe}),
        delivery=Delivery.ANSWERED,
        status=status,
        headers=headers,
        body=content,
    )


def lost(exchange: Exchange, problem: str = "connection lost") -> Exchange:
    """Return the exchange as one that was never answered."""
    return replace(exchange, delivery=Delivery.CLOSED, status=0, headers=(), body=b"", problem=problem)


def instead(exchange: Exchange, status: int, body: Any = None, *headers: tuple[str, str]) -> Exchange:
    """Return the exchange with another answer to the same probe."""
    made = answer(status, body, headers)
    return replace(made, number=exchange.number, probe=exchange.probe)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something that waits, on a loop of its own."""
    return asyncio.run(work)
