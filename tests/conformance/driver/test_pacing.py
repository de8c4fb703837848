"""Pacing: whatever way of counting a target has, a request of the run is let in before its patience ends."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from authcontract_conformance.driver._driver import THROTTLED_RETRIES
from authcontract_conformance.driver._pacing import USUAL_RETRY_AFTER, Pacer
from authcontract_engine import Charge, KeyRecord, MemoryLimiter, Reading, Request
from conversations import contract

GET = Request(method=b"GET", target=b"/api/v1/leads", headers=((b"Host", b"synaptiqintel.com"),), scheme="https")
SECRET = b"sk_live_" + b"a" * 30
#: An admin key has 30 requests a minute.
ADMIN = KeyRecord(
    id="key_1",
    digest=hashlib.sha256(SECRET).hexdigest(),
    kind="API key",
    scopes=frozenset({"admin"}),
    plan="starter",
    environment="production",
    organisation="A",
    lineage="key_1",
    issued_at=0.0,
)
AMOUNT, WINDOW = 30, 60


@dataclass(slots=True)
class At:
    """A clock that only the test moves."""

    time: float = 1000.0
    frozen: bool = True
    movable: bool = True
    moved: int = 0

    def now(self) -> float:
        return self.time

    async def advance(self, seconds: float) -> None:
        self.time += seconds

    async def look(self) -> None:
        """See nothing."""


def as_it_is(charge: Charge) -> Charge:
    return charge


def one_at_a_time(charge: Charge) -> Charge:
    return replace(charge, burst=1)


def a_few_at_once(charge: Charge) -> Charge:
    return replace(charge, burst=4)


def with_refusals(charge: Charge) -> Charge:
    return replace(charge, cost_refused=1)


#: How a target counts -> what of the charge, and whether it says when to come back.
COUNTED = (
    ("fixed_window", as_it_is, True),
    ("sliding_log", as_it_is, True),
    ("window_counter", as_it_is, True),
    ("window_counter", as_it_is, False),
    ("token_bucket", as_it_is, True),
    ("token_bucket", a_few_at_once, True),
    ("token_bucket", one_at_a_time, True),
    ("token_bucket", one_at_a_time, False),
    ("fixed_window", with_refusals, True),
)


def read(headers: tuple[tuple[bytes, bytes], ...] = ((b"Authorization", b"Bearer " + SECRET),)) -> Reading:
    return contract("synaptiq").read(replace(GET, headers=GET.headers + headers))


@pytest.mark.parametrize(("algorithm", "counted", "says"), COUNTED)
@pytest.mark.parametrize("workers", [1, 12])
def test_a_request_is_let_in_before_patience_ends(
    algorithm: str,
    counted: Callable[[Charge], Charge],
    says: bool,  # noqa: FBT001  a row of the table
    workers: int,
) -> None:
    """Workers ask for room before any is answered, as those of a run do."""
    clock, reading = At(), read()
    pacer, target = Pacer(contract("synaptiq"), clock), MemoryLimiter(contract("synaptiq"), algorithm)
    charges = tuple(map(counted, contract("synaptiq").charges(reading, ADMIN, clock.time)))
    assert charges
    due, refusals = [(clock.time, 0)] * workers, []
    for _ in range(100 * AMOUNT):
        time, refused = due.pop(0)
        clock.time = max(clock.time, time)
        while (delay := pacer.delay(reading, ADMIN)) > 0:
            if due and due[0][0] < clock.time + delay:
                break
            clock.time += delay
        if delay > 0:
            due.append((clock.time + delay, refused))
            due.sort()
            continue
        reservation = target.reserve(charges, clock.time)
        if reservation.admitted:
            refusals.append(refused)
            due.append((clock.time, 0))
        else:
            seconds = float(-(-reservation.standings[0].retry_after // 1)) if says else None
            due.append((clock.time + pacer.refused(reading, ADMIN, (), seconds), refused + 1))
        due.sort()
    assert len(refusals) > AMOUNT
    assert max(refusals) <= THROTTLED_RETRIES


def test_who_is_never_refused_sends_what_a_log_admits() -> None:
    clock, reading = At(), read()
    pacer = Pacer(contract("synaptiq"), clock)
    assert [pacer.delay(reading, ADMIN) for _ in range(AMOUNT)] == [0.0] * AMOUNT
    assert pacer.delay(reading, ADMIN) == WINDOW


def test_a_refusal_is_for_all_who_share_the_allowance() -> None:
    clock, reading = At(), read()
    pacer = Pacer(contract("synaptiq"), clock)
    assert pacer.refused(reading, ADMIN, (), 7.0) == 7.0
    assert pacer.delay(reading, ADMIN) == 7.0
    assert pacer.delay(reading, replace(ADMIN, id="key_2", lineage="key_2")) == 0.0
    clock.time += 7.0
    assert pacer.delay(reading, ADMIN) == 0.0
    assert pacer.delay(reading, ADMIN) == pytest.approx(WINDOW / (AMOUNT - 1))


def test_a_key_that_the_contract_does_not_see_may_be_charged() -> None:
    """A target that reads the first of two keys refuses for its quota, and only then it is known that it does."""
    clock = At()
    pacer = Pacer(contract("synaptiq"), clock)
    two = read(((b"Authorization", b"Bearer a"), (b"Authorization", b"Bearer b")))
    assert pacer.delay(two, None, (ADMIN,)) == 0.0
    assert pacer.refused(two, None, (ADMIN,), 3.0) == 3.0
    assert pacer.delay(two, None, (ADMIN,)) == 3.0
    assert pacer.delay(read(), ADMIN) == 3.0
    assert pacer.delay(two, None) == 0.0


def test_where_the_target_does_not_say_when() -> None:
    """Then as long as the slowest correct limiter of the request needs; a minute and a second where there is none."""
    clock = At()
    pacer = Pacer(contract("synaptiq"), clock)
    assert pacer.refused(read(), ADMIN, (), None) == 63.0
    assert pacer.refused(read(()), None, (), None) == USUAL_RETRY_AFTER
