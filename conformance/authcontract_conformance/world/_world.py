"""What a case can see and ask for: the contract, the keys worth trying, requests ready to send, objects, effects.

Methods that must send something are generators, to be used with `yield from`; the others are pure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from authcontract_engine import Contract, KeyRecord
from authcontract_policy import CHECK_OF, Check, Operation, Path

from authcontract_conformance.exchange._exchange import (
    HOST,
    Acquire,
    Action,
    Credential,
    Exchange,
    Key,
    Need,
    Parts,
    Probe,
    Purpose,
)
from authcontract_conformance.exchange._vault import Vault
from authcontract_conformance.oracle._oracle import USUAL, Expectation, Oracle, Reality, broken, describe_exchange
from authcontract_conformance.oracle._verdict import Judgement, inconclusive, skipped
from authcontract_conformance.samples._sample import Sampler
from authcontract_conformance.world._access import Access
from authcontract_conformance.world._resources import Resources, Step, find_field, find_id
from authcontract_conformance.world._snapshot import Snapshot, alone, listed

T = TypeVar("T")
OF_KEYS = frozenset({Check.KEY, Check.SCOPE})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Asking: TypeAlias = Generator[Action, Any, T]


class Ended(Exception):  # noqa: N818  not an error: the case is over, with this judgement
    """A case is over before its end, with the judgement it comes to."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.reason)
        self.judgement = judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object to work on: the values of the path's parameters, and what shows that it is this one."""

    parameters: Mapping[str, str]
    #: Whose it is.
    organisation: str = "A"
    environment: str | None = None
    #: Random text planted in it; None where the operations that make it take no free text.
    canary: str | None = None
    #: False where it could neither be made nor found, so that the target may answer that it does not exist.
    exists: bool = True
    #: True: made for this case and named by the target, so that nobody else touches it.
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run as a whole knows."""

    contract: Contract
    oracle: Oracle
    access: Access
    resources: Resources
    sampler: Sampler
    vault: Vault
    #: Operations that may be called on this target, in the order of the specification.
    operations: tuple[Operation, ...]
    capabilities: frozenset[str]
    #: Environments in which the target may be called; (None,) where the contract has none.
    environments: tuple[str | None, ...]
    #: Seconds of the target's clock, as far as it is known.
    now: Callable[[], float]
    #: True: whatever is there was made for the run, so that anything may be deleted.
    disposable: bool
    #: True: the clock stands still except where it is moved, so that nothing is uncertain about time.
    frozen: bool
    seed: int
    #: True: every silence counts as confirmed by its owner.
    confirmed: bool = False
    #: Tells whether the target lends another such key, which nobody has for itself yet.
    lends: Callable[[Need], bool] = lambda _: False
    #: Operation, environment and version of HTTP -> a request of this run with a key that may, which the target served.
    proven: dict[tuple[str, str | None, str], Exchange] = field(default_factory=dict)
    #: What it cost requests to find out about a limit, by its name and what it is, for whoever asks next.
    spent: dict[tuple[str, str], Any] = field(default_factory=dict)
    #: Sort of object -> victims that nobody got at, for whoever tries next.
    untouched: dict[tuple[object, ...], list[Victim]] = field(default_factory=dict)
    #: Sort of object -> one that is only looked at, for all who look.
    shown: dict[tuple[object, ...], Item] = field(default_factory=dict)
    #: Operation that makes objects by the way -> whether each time another one, and whether it shows what was sent.
    makes: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    #: Keys that a request carried where a target may keep it: in a body or a path.
    told: set[str] = field(default_factory=set)
    #: Canary -> the key that planted it in an object, and what shows that object alone.
    planted: dict[str, tuple[KeyRecord, Operation | None]] = field(default_factory=dict)


class World:
    """One case's view of the run."""

    def __init__(
        self, settings: Settings, case: str, protocol: Literal["1.1", "2"] = "1.1", place: str | None = None
    ) -> None:
        self.settings = settings
        self.case = case
        #: Names the organisations that it works in, where the target makes any; by default its own.
        self.place = place or case
        #: Version of HTTP that its requests are sent with.
        self.protocol: Literal["1.1", "2"] = protocol
        self.contract = settings.contract
        self.policy = settings.contract.policy
        self.access = settings.access
        self.resources = settings.resources
        self.operations = settings.operations
        self.environment = settings.environments[0]
        self.random = random.Random(f"{settings.seed}/{case}")  # noqa: S311  a seed must reproduce it

    # --- requests ------------------------------------------------------------------------------------------------

    @cached_property
    def scheme(self) -> str:
        """Return how the target is called: `https`, or `http` where it is judged without TLS."""
        return urlsplit(next(iter(self.policy.base_url.values()), None) or "").scheme or "https"

    def canary(self) -> str:
        """Return a new text that stands nowhere else."""
        return f"canary-{self.random.getrandbits(64):016x}"

    def present(self, credential: Credential, way: int = 0) -> tuple[tuple[Parts, Parts], ...]:
        """Return the header lines that carry a key in the documented way; empty where it travels in the query."""
        sent_as = self.policy.keys.sent_as[way]
        if sent_as.carrier == "query":
            return ()
        return ((_text(sent_as.name), fill(sent_as.template, credential)),)

    def request(  # noqa: PLR0913  a request has as many parts
        self,
        operation: Operation,
        key: Key | None = None,
        item: Item | None = None,
        *,
        method: str | None = None,
        body: bytes | None = None,
        canary: str | None = None,
        lines: tuple[tuple[Parts, Parts], ...] | None = None,
        extra: tuple[tuple[Parts, Parts], ...] = (),
        query: Parts = (),
        environment: str | None = None,
        label: str = "",
        purpose: Purpose = Purpose.PROBE,
    ) -> Probe:
        """Return the canonical request for an operation: method and path, a valid body, the key as documented.

        `lines` replaces the header lines that carry the key, `extra` adds some, `query` is appended to the target.
        """
        environment = environment or (key.need.environment if key else None) or self.environment
        parameters = item.parameters if item is not None else {}
        target = self._target(operation, parameters, environment)
        query_text = self.settings.sampler.query(operation)
        if key is not None and lines is None:
            lines = self.present(Credential(key.id))
            if not lines:
                query = (f"{self.policy.keys.sent_as[0].name}=".encode(), Credential(key.id), *query)
        separator = b"?" if (query or query_text) else b""
        joined: Parts = (target + separator + query_text.encode(), *((b"&",) if query and query_text else ()), *query)
        content = self.settings.sampler.body(operation, canary) if body is None else body
        verb = (method or operation.method).encode()
        content_lines: tuple[tuple[Parts, Parts], ...] = ()
        if content or verb in {b"POST", b"PUT", b"PATCH"}:
            media = self.settings.sampler.media_type(operation)
            content_lines = (
                (_text("Content-Type"), _text(media)),
                (_text("Content-Length"), _text(str(len(content)))),
            )
        headers = (
            (_text("Host"), HOST),
            (_text("Accept"), _text("application/json")),
            *((_text(name), _text(value)) for name, value in self.settings.sampler.headers(operation)),
            *(lines or ()),
            *extra,
            *content_lines,
        )
        return Probe(
            method=verb,
            target=joined,
            headers=headers,
            body=(content,) if content else (),
            protocol=self.protocol,
            environment=environment,
            operation=operation.id,
            label=label,
            purpose=purpose,
        )

    def _target(self, operation: Operation, parameters: Mapping[str, str], environment: str | None) -> bytes:
        base = self.contract.base_path(environment)
        filled = [
            _quote(parameters.get(segment[1:-1], self.settings.sampler.parameter(operation, segment[1:-1])))
            if segment.startswith("{") and segment.endswith("}")
            else _quote(segment)
            for segment in operation.path.split("/")
        ]
        return (base + "/".join(filled)).encode()

    # --- judging -------------------------------------------------------------------------------------------------

    def expect(self, probe: Probe, reality: Reality = USUAL) -> Expectation:
        """Return what the contract lets come back for this probe, now."""
        return self.settings.oracle.expect(probe, self.settings.now(), reality)

    def assumed(self, path: Path) -> bool:
        """Tell whether what the policy says there rests on a silence, whose owner has not confirmed the answer."""
        silence = self.policy.silences.get(self.policy.source(path) or "")
        return silence is not None and not silence.confirmed and not self.settings.confirmed

    def now(self) -> float:
        """Return the target's time, as far as it is known."""
        return self.settings.now()

    # --- keys and objects ----------------------------------------------------------------------------------------

    def need(self, operation: Operation, **changes: Any) -> Need:
        """Return a key that may call the operation; ends the case where the contract lets nobody."""
        found = self.access.strongest(operation, changes.get("environment", self.environment))
        if found is None:
            raise Ended(inconclusive(f"the contract lets no key call {operation.label}"))
        return replace(found, **changes)

    def key(self, operation: Operation, **changes: Any) -> Asking[Key]:
        """Acquire a key that may call the operation."""
        key: Key = yield Acquire(self.need(operation, **changes))
        return key

    def item(self, operation: Operation, organisation: str = "A", environment: str | None = None) -> Asking[Item]:
        """Make, or else find, the object that the operation works on, with a key that may.

        Where cases work together, what only looks is given one that the others look at too.
        """
        environment = environment or self.environment
        sort = (*self.sort(operation, environment), organisation, self.place)
        looks = operation.method in SAFE and self.place != self.case
        if looks and sort in self.settings.shown:
            return self.settings.shown[sort]
        item = yield from self.fresh(operation, organisation, environment)
        if looks:
            self.settings.shown.setdefault(sort, item)
        return item

    def sort(self, operation: Operation, environment: str | None = None) -> tuple[object, ...]:
        """Return what an operation works on: its objects will do for every other operation on the same sort."""
        listing, reader = self.resources.listing(operation), self.resources.reader(operation)
        shown_by = reader if listing is None else listing.lister
        place = tuple(step.collection for step in self.resources.steps(operation)) or operation.path
        # A target that makes everything anew gives others organisations of their own, whose objects are out of reach.
        whose = self.place if self.settings.disposable else None
        return place, None if shown_by is None else shown_by.id, environment or self.environment, whose

    def fresh(self, operation: Operation, organisation: str = "A", environment: str | None = None) -> Asking[Item]:
        """Make, or else find, an object that nobody else is given, for whoever may change it."""
        environment = environment or self.environment
        parameters: dict[str, str] = {}
        canary: str | None = None
        exists, own = True, False
        for step in self.resources.steps(operation):
            so_far = Item(parameters=dict(parameters), organisation=organisation, environment=environment)
            value, canary, own = yield from self._value(step, so_far)
            exists = exists and value is not None
            parameters[step.parameter] = value or self.settings.sampler.parameter(operation, step.parameter)
        if operation.method == "DELETE" and not own and not self.settings.disposable:
            raise Ended(skipped("nothing is deleted that the run did not make, and it cannot make such an object"))
        return Item(
            parameters=parameters,
            organisation=organisation,
            environment=environment,
            canary=canary,
            exists=exists,
            own=own,
        )

    def _value(self, step: Step, parent: Item) -> Asking[tuple[str | None, str | None, bool]]:
        """Return a value for one path parameter, the canary of the object it names, and whether it was made for us."""
        if step.creator is not None and self._may_call(step.creator):
            canary = self.canary()
            made = yield from self._as_owner(step.creator, parent, canary)
            found = find_id(made.json(), step.parameter) if made.succeeded else None
            if found is not None:
                # Named by the canary it is nobody else's either; but whatever repeats its address shows that name.
                shows = found != canary and self.settings.sampler.carries(step.creator)
                planted = canary if shows else None
                self._remember(planted, made, step.reader)
                given = found.encode() in self.settings.sampler.body(step.creator, canary)
                return found, planted, found == canary or not given
        if step.producer is not None and self._may_call(step.producer[0]):
            found, planted = yield from self._produced(step, parent)
            if found is not None:
                return found, planted, True
        if step.lister is not None and self._may_call(step.lister):
            listed = yield from self._as_owner(step.lister, parent, None)
            found = find_id(listed.json(), step.parameter) if listed.succeeded else None
            if found is not None:
                return found, None, False
        return step.example, None, False

    def _produced(self, step: Step, parent: Item) -> Asking[tuple[str | None, str | None]]:
        """Make an object by the way; its name, if it is a new one each time, and its canary, if its reader shows that.

        What an operation names in its response may have been there before, and others may need it: so the first time
        in a run it is called twice.
        """
        assert step.producer is not None  # noqa: S101  it is what the step is asked for
        producer, name = step.producer
        canary = self.canary()
        made = yield from self._as_owner(producer, parent, canary)
        found = find_field(made.json(), name) if made.succeeded else None
        if found is None:
            return None, None
        if producer.id not in self.settings.makes:
            again = yield from self._as_owner(producer, parent, self.canary())
            fresh = again.succeeded and find_field(again.json(), name) not in {None, found}
            shown = False
            if step.reader is not None and self._may_call(step.reader):
                item = replace(parent, parameters={**parent.parameters, step.parameter: found})
                seen = yield from self._as_owner(step.reader, item, None)
                shown = seen.succeeded and canary.encode() in seen.body
            self.settings.makes[producer.id] = (fresh, shown)
        fresh, shown = self.settings.makes[producer.id]
        planted = canary if shown else None
        self._remember(planted, made, step.reader)
        return (found if fresh else None), planted

    def _remember(self, canary: str | None, made: Exchange, reader: Operation | None) -> None:
        record = self.expect(made.probe).facts.key
        if canary is not None and isinstance(record, KeyRecord):
            self.settings.planted[canary] = (record, reader)

    def _may_call(self, operation: Operation) -> bool:
        return operation in self.operations and self.access.strongest(operation, self.environment) is not None

    def _as_owner(self, operation: Operation, item: Item, canary: str | None) -> Asking[Exchange]:
        """Call an operation with a key of the object's own organisation and environment that may."""
        key = yield from self.key(operation, organisation=item.organisation, environment=item.environment)
        exchange: Exchange = yield self.request(operation, key, item, canary=canary, purpose=Purpose.FIXTURE)
        return exchange

    def spare(self, item: Item) -> None:
        """End the case where an object must be left alone: the run did not make it, and others may need it."""
        if not item.own and not self.settings.disposable:
            raise Ended(skipped("nothing is changed that the run did not make, and it cannot make such an object"))

    def snapshot(self, operation: Operation, item: Item, method: str | None = None) -> Asking[Snapshot]:
        """Read what the operation would change, with a key of the owner; a method that only reads changes nothing."""
        listing = self.resources.listing(operation)
        reader = self.resources.reader(operation) if listing is None else listing.lister
        if reader is None or not self._may_call(reader) or (method or operation.method) in SAFE:
            return Snapshot(reader=None)
        key = yield from self.key(reader, organisation=item.organisation, environment=item.environment)
        probe = self.request(reader, key, item, purpose=Purpose.EFFECT, label="reads the effect")
        exchange: Exchange = yield probe
        if listing is not None:
            parameter = listing.parameter
            return listed(reader.label, exchange, parameter, item.parameters[parameter], own=item.own)
        return alone(reader.label, exchange, own=item.own and bool(self.resources.steps(reader)))

    def took_effect(
        self, operation: Operation, item: Item, looks: tuple[Snapshot, Snapshot], canary: str | None, method: str
    ) -> Asking[bool]:
        """Tell whether a request between two looks was carried out.

        A difference without the request's own canary counts only if a third look shows the same as the second: an
        object that counts its readers, or says when it was last seen, changes by itself.
        """
        before, after = looks
        if not before.changed(after, canary):
            return False
        if canary is not None and canary in after.content and canary not in before.content:
            return True
        third = yield from self.snapshot(operation, item, method)
        return (third.status, third.content) == (after.status, after.content)

    def control(self, operation: Operation, item: Item, need: Need | None = None) -> Asking[Exchange]:
        """Send the canonical request with the same fixture and a key that may (R1); ends the case if that is refused.

        A fixture that the target does not like, with a status that no refusal of a key has, still proves that the key
        got past the checks of keys and scopes; who compares with it must look at `succeeded`.
        """
        found = need or self.need(operation, organisation=item.organisation, environment=item.environment)
        key = yield Acquire(found)
        probe = self.request(operation, key, item, canary=self.canary(), purpose=Purpose.CONTROL)
        exchange: Exchange = yield probe
        if exchange.broken or (not exchange.succeeded and exchange.status in self.refusals):
            reason = broken(exchange) if exchange.broken else f"got {describe_exchange(exchange)}"
            raise Ended(inconclusive(f"calibration: {operation.label} with a key that may: {reason}"))
        if exchange.succeeded:
            self.settings.proven[operation.id, probe.environment, probe.protocol] = exchange
        return exchange

    def proof(self, operation: Operation, item: Item) -> Asking[Exchange]:
        """Return a canonical request that was served in this run; sends one, on an object like `item`, if none was.

        It is enough to trust a refusal that is as expected; whoever wants to accuse sends a `control` of its own.
        """
        known = self.proven(operation, item)
        if known is not None:
            return known
        return (yield from self.control(operation, (yield from self.another(operation, item))))

    def proven(self, operation: Operation, item: Item) -> Exchange | None:
        """Return a canonical request of this run that was served, if there was one.

        What only reads must have been read at this very address: a cache then has what it must not show.
        """
        known = self.settings.proven.get((operation.id, item.environment, self.protocol))
        if known is None or operation.method not in SAFE:
            return known
        line = known.probe.target[0]
        here = self._target(operation, item.parameters, item.environment)
        return known if isinstance(line, bytes) and line.partition(b"?")[0] == here else None

    def another(self, operation: Operation, item: Item) -> Asking[Item]:
        """Return an object made like `item`, where that one must stay as it is; itself where nothing is changed."""
        if operation.method in SAFE or not item.own:
            return item
        return (yield from self.item(operation, item.organisation, item.environment))

    @cached_property
    def refusals(self) -> frozenset[int]:
        """Return the statuses that say something of a key or its rights."""
        rows = [row for row in self.policy.errors.values() if any(CHECK_OF[c] in OF_KEYS for c in row.when)]
        hidden = [self.policy.errors[c.refused_with] for c in self.policy.capabilities.values() if c.refused_with]
        return frozenset(status for row in (*rows, *hidden) for status in row.statuses) | {401, 403}


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """An object that probes try to reach, with the last look at it, if there was one."""

    item: Item
    look: Snapshot | None = None


def _text(text: str) -> Parts:
    return (text.encode("latin-1"),)


def fill(template: str, credential: Credential) -> Parts:
    """Put a key where `<key>` stands; `base64(<key>:)` encodes it first."""
    before, _, after = template.partition("<key>")
    if before.endswith("base64("):
        suffix, _, rest = after.partition(")")
        encoded = replace(credential, transforms=(*credential.transforms, ("base64", suffix)))
        before, after, credential = before.removesuffix("base64("), rest, encoded
    return tuple(p for p in (before.encode("latin-1"), credential, after.encode("latin-1")) if p != b"")


_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")


def _quote(text: str) -> str:
    """Percent-encode what a path segment may not hold (RFC 3986 section 3.3)."""
    return "".join(chr(b) if b in _SAFE else f"%{b:02X}" for b in text.encode())
