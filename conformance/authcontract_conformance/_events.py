"""What a run says while it happens: frozen events, the only thing that crosses to terminal, reports and the log.

A log is NDJSON: the first line is `run_started`, the last `run_finished`; without the last the run was interrupted.
The shape of every line is published in `events.schema.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """A file that the run went by."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """What is about to be judged, by what."""

    event: ClassVar[str] = "run_started"
    version: int = VERSION
    tool: str
    policy: FileSeen
    specification: FileSeen
    target: str
    seed: int
    #: UTC, ISO 8601.
    started: str
    command: tuple[str, ...]
    capabilities: tuple[str, ...]
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A group of cases begins."""

    event: ClassVar[str] = "phase_started"
    phase: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing is sent for a while, to keep within the target's limits; other cases may go on."""

    event: ClassVar[str] = "waiting"
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSeen:
    """One request and what came back; keys stand in it by reference only."""

    event: ClassVar[str] = "exchange"
    number: int
    clause: str
    subject: str
    purpose: str
    label: str
    operation: str | None
    channel: str
    #: Version of HTTP.
    protocol: str
    environment: str | None
    method: str
    #: Pieces of text (latin-1), references to keys and the place of the target's own name.
    target: tuple[Any, ...]
    headers: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]
    body: tuple[Any, ...]
    delivery: str
    status: int
    response_headers: tuple[tuple[str, str], ...]
    response_body: str
    problem: str
    #: Seconds since the run began.
    sent_at: float
    received_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseJudged:
    """One case of a clause is decided."""

    event: ClassVar[str] = "case"
    clause: str
    subject: str
    word: str
    reason: str
    finding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLine:
    """The line of the policy that demands something; columns start at 1."""

    file: str
    line: int
    column: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A failure or a warning, with all that is needed to believe it."""

    event: ClassVar[str] = "finding"
    id: str
    #: Twelve hex digits, the same for the same defect in another run.
    fingerprint: str
    clause: str
    level: str
    word: str
    subject: str
    promise: str
    reason: str
    expected: str
    got: str
    policy: PolicyLine | None
    source: str | None
    #: Numbers of the exchanges that show it.
    exchange: int | None
    control: int | None
    #: The request as sent, keys by reference.
    request: str
    response: str
    control_request: str
    control_response: str
    replay: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseJudged:
    """A clause is decided, all its cases together."""

    event: ClassVar[str] = "clause"
    clause: str
    level: str
    word: str
    reason: str
    cases: int
    #: Cases of them that the target, or the care for it, did not allow.
    skipped: int
    promise: str
    #: False where the contract makes it meaningless.
    applicable: bool
    #: What it needs and the target does not offer.
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceJudged:
    """What the target does on a point on which the documentation is silent."""

    event: ClassVar[str] = "silence"
    silence: str
    #: What the policy says.
    answer: str
    confirmed: bool
    #: as assumed, otherwise, inconsistent, not seen, not shown.
    state: str
    #: What was seen instead, or why nothing was.
    seen: str
    #: The other answers, counted from 1, that what was seen fits too; where it is `otherwise`, one of them is given.
    otherwise: tuple[int, ...]
    #: How many of those there are.
    others: int
    #: How many responses show it, or cases of the clauses that do.
    responses: int
    #: Number of an exchange that shows it.
    exchange: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is our own defect, or that ended the run early."""

    event: ClassVar[str] = "trouble"
    where: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The end, with the totals."""

    event: ClassVar[str] = "run_finished"
    verdict: str
    counts: Mapping[str, int]
    requests: int
    seconds: float
    interrupted: bool


Event: TypeAlias = (
    RunStarted
    | PhaseStarted
    | Waiting
    | ExchangeSeen
    | CaseJudged
    | Found
    | ClauseJudged
    | SilenceJudged
    | Trouble
    | RunFinished
)


def to_json(event: Event) -> dict[str, Any]:
    """Return an event as the JSON object that stands in the log."""
    # Not `asdict`: it copies every piece of every exchange, and what stands in an event is JSON but for two values.
    return {"event": event.event, **{name: _plain(getattr(event, name)) for name in event.__dataclass_fields__}}


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, FileSeen | PolicyLine) else value
