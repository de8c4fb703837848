"""RATE: no correct limiter is accused, however it counts and whatever the clock does; odd but right targets neither."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from authcontract_conformance.clauses import catalogue
from authcontract_conformance.clauses._clause import Steps
from authcontract_conformance.clauses.retry_after import seconds_of
from authcontract_conformance.exchange._exchange import Action, Burst, Exchange, Key
from authcontract_conformance.faults import fault
from authcontract_conformance.oracle._verdict import Judgement, Word
from authcontract_conformance.reference import CORRECT, Call, Server
from authcontract_conformance.world import _quota
from authcontract_conformance.world._access import Access
from authcontract_conformance.world._management import create, rotate
from authcontract_conformance.world._sandwich import sandwich
from authcontract_conformance.world._world import Asking, Ended, World
from authcontract_engine import STEPS, Charge, MemoryLimiter, Reservation
from authcontract_policy import Algorithm, Operation
from conversations import Alter, Conversation, answer, instead, others

T = TypeVar("T")
RATE = [name for name in catalogue() if name.startswith("RATE-")]
ACTIVE = [name for name in RATE if catalogue()[name].cases is not None]
ACCUSED = {Word.FAIL, Word.WARN}
every_algorithm = pytest.mark.parametrize("algorithm", list(STEPS))


def judged(talk: Conversation, clause: str) -> dict[str, Judgement]:
    """Judge every case of a clause; none where it means nothing for the contract."""
    if catalogue()[clause].inapplicable(talk.world(clause)) is not None:
        return {}
    return {subject: talk.judge(clause, subject) for subject in talk.cases(clause)}


def words(talk: Conversation, *clauses: str) -> dict[str, Word]:
    return {f"{clause} {case}": found.word for clause in clauses for case, found in judged(talk, clause).items()}


def on_the_wall(talk: Conversation) -> Conversation:
    """Let the cases believe that time runs by itself; waiting moves the server's clock."""
    talk.settings = replace(talk.settings, frozen=False)
    return talk


# --- no correct limiter is accused ----------------------------------------------------------------------------------


@every_algorithm
@pytest.mark.parametrize("name", ["synaptiq", "harbour", "roles"])
def test_no_way_of_counting_is_accused(name: str, algorithm: Algorithm) -> None:
    """All clauses of the family in one run, so that each meets what the ones before left behind."""
    talk = Conversation(name, algorithm=algorithm, confirmed=True)
    found = words(talk, *ACTIVE)
    assert not {case: word for case, word in found.items() if word in ACCUSED}
    assert sum(word is Word.PASS for word in found.values()) > len(found) / 3


@every_algorithm
def test_nor_where_time_runs_by_itself(algorithm: Algorithm) -> None:
    talk = on_the_wall(Conversation("synaptiq", algorithm=algorithm, confirmed=True))
    found = words(talk, *ACTIVE)
    assert not {case: word for case, word in found.items() if word in ACCUSED}
    assert found["RATE-1 by scope and plan"] is Word.PASS
    assert found["RATE-2 by scope and plan"] is Word.PASS


@pytest.mark.parametrize("clause", ACTIVE)
def test_each_clause_works_alone(clause: str) -> None:
    """What earlier clauses leave behind saves requests and is never needed."""
    found = words(Conversation("synaptiq"), clause)
    assert Word.PASS in found.values()
    assert set(found.values()) <= {Word.PASS, Word.SKIPPED}


def test_a_limit_is_used_up_once_for_many_clauses() -> None:
    """While the clock stands still, one burst serves whoever needs a key that is used up."""
    talk = Conversation("synaptiq")
    for clause in ("RATE-3", "RATE-8", "RATE-9", "RATE-7"):
        judged(talk, clause)
    bursts = [exchange for exchange in talk.exchanges if exchange.probe.label.startswith("uses up")]
    assert len(bursts) == 32


def test_the_family_costs_a_bounded_number_of_requests() -> None:
    talk = Conversation("synaptiq")
    for clause in ACTIVE:
        judged(talk, clause)
    assert len(talk.exchanges) < 500


# --- where time runs, a defect is found all the same ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clause"),
    [
        ("no-limit", "RATE-1"),
        ("twice-the-limit", "RATE-1"),
        ("posts-not-counted", "RATE-1"),
        ("posts-not-counted", "RATE-9"),
        ("half-the-rate", "RATE-2"),
        ("limit-before-body", "RATE-10"),
        ("throttled-but-done", "PREC-5"),
        ("counted-by-forwarded-address", "RATE-9"),
        ("quota-bypass-header", "RATE-9"),
        ("organisation-shares-one-counter", "RATE-8"),
        ("rotation-resets-quota", "RATE-8"),
        ("retry-after-too-early", "RATE-7"),
        ("refused-requests-lengthen-refusal", "RATE-13"),
        ("plan-ignored", "RATE-15"),
    ],
)
def test_without_a_clock_a_defect_is_found(name: str, clause: str) -> None:
    planted = fault(name)
    assert planted is not None
    talk = on_the_wall(Conversation("synaptiq", seams=planted.plant(CORRECT), confirmed=True))
    assert ACCUSED & set(words(talk, clause).values())


@pytest.mark.parametrize(("name", "word"), [(None, Word.PASS), ("plan-ignored", Word.FAIL)])
def test_keys_on_the_largest_plan_alone_show_that_plans_count(name: str | None, word: Word) -> None:
    planted = fault(name) if name is not None else None
    talk = Conversation("synaptiq", seams=CORRECT if planted is None else planted.plant(CORRECT), confirmed=True)
    talk.settings = replace(talk.settings, access=Access(talk.settings.contract, ("enterprise",)))
    assert set(words(talk, "RATE-15").values()) == {word}


@pytest.mark.parametrize(("name", "word"), [(None, Word.PASS), ("counted-by-forwarded-address", Word.FAIL)])
def test_keys_of_another_form_than_assumed_show_what_is_counted(name: str | None, word: Word) -> None:
    """A silence leaves open how long keys are; those of the target are longer than the policy assumes."""
    planted = fault(name) if name is not None else None
    talk = Conversation("synaptiq", seams=CORRECT if planted is None else planted.plant(CORRECT))
    longer = next(each for each in others("synaptiq")["G-33"] if each is not talk.settings.contract)
    assumed, talk.server.contract = talk.server.contract, longer
    assert assumed is talk.settings.contract
    assert word in words(talk, "RATE-9").values()


def test_what_the_run_did_before_is_forgotten_first() -> None:
    """Where all keys are declared, one that is refused while another is used up may have been used before."""
    planted = fault("organisation-shares-one-counter")
    assert planted is not None
    talk = on_the_wall(Conversation("synaptiq", seams=planted.plant(CORRECT), confirmed=True))
    talk.settings = replace(talk.settings, disposable=False)
    assert Word.FAIL in words(talk, "RATE-8").values()


@pytest.mark.parametrize("clause", ["RATE-1", "RATE-8", "RATE-9", "RATE-10"])
@pytest.mark.parametrize("window", [1, 2])
def test_a_window_too_short_for_the_clock_costs_nothing(
    clause: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where time runs and is known to a second, nothing is spent on what could not be judged, and that is said."""
    monkeypatch.setattr(_quota.Choice, "window", window)
    talk = on_the_wall(Conversation("synaptiq", confirmed=True))
    found = judged(talk, clause)
    assert found
    assert all(f"a window of {window} s is too short" in judgement.reason for judgement in found.values())
    assert talk.exchanges == []


# --- odd but right targets --------------------------------------------------------------------------------------------


def with_header(name: str, change: Callable[[str], str | None]) -> Alter:
    """Change one header of every response, or leave it out."""

    def alter(exchange: Exchange) -> Exchange:
        headers = []
        for key, value in exchange.headers:
            new = change(value) if key.lower() == name.lower() else value
            headers += [] if new is None else [(key, new)]
        return replace(exchange, headers=tuple(headers))

    return alter


def less_is_left(exchange: Exchange) -> Exchange:
    """A careful server says that less is left than there is."""
    return with_header("RateLimit", lambda text: text.replace(";r=2", ";r=1"))(exchange)


def as_a_date(exchange: Exchange) -> Exchange:
    """Retry-After is a date, by a clock that is a year late."""
    headers = [(name, value) for name, value in exchange.headers if name != "Retry-After"]
    wait = exchange.header("Retry-After")
    if wait is None:
        return exchange
    minutes, seconds = divmod(int(wait), 60)
    then = f"Tue, 25 Nov 2025 10:{minutes:02}:{seconds:02} GMT"
    return replace(exchange, headers=(*headers, ("Date", "Tue, 25 Nov 2025 10:00:00 GMT"), ("Retry-After", then)))


def an_older_family(exchange: Exchange) -> Exchange:
    headers = tuple((n, v) for n, v in exchange.headers if not n.lower().startswith("ratelimit"))
    found = exchange.header("RateLimit") or ""
    left = found.partition(";r=")[2].partition(";")[0]
    return replace(exchange, headers=(*headers, *((("RateLimit-Remaining", left),) if left else ())))


def a_page_for_everybody(exchange: Exchange) -> Exchange:
    """Whatever is spelled in another way gets the start page, with or without a key."""
    target = b"".join(part for part in exchange.probe.target if isinstance(part, bytes))
    odd = (
        any(mark in target for mark in (b"//", b";", b"/./", b"%")) or target.endswith(b"/") or target != target.lower()
    )
    return instead(exchange, 200, b"<html>") if odd else exchange


ODD: dict[str, Alter] = {
    "no rate-limit fields": with_header("RateLimit", lambda _: None),
    "no policy field": with_header("RateLimit-Policy", lambda _: None),
    "an older family": an_older_family,
    "less is left": less_is_left,
    "dates": as_a_date,
    "unknown parameters": with_header("RateLimit", lambda text: f'{text};pk=:YQ==:;x="y"'),
    "another limit too": with_header("RateLimit", lambda text: f'"of a proxy";r=1000;t=1, {text}'),
    "a page for everybody": a_page_for_everybody,
}


@pytest.mark.parametrize("alter", ODD.values(), ids=list(ODD))
def test_an_odd_but_right_target_is_not_accused(alter: Alter) -> None:
    talk = Conversation("synaptiq", altered=alter)
    found = words(talk, *ACTIVE)
    for clause in ("RATE-6", "RATE-14"):
        look = catalogue()[clause].passive
        assert look is not None
        for exchange in talk.exchanges:
            judgement = look(talk.world(clause), exchange)
            found[clause] = judgement.word if judgement is not None else Word.PASS
    assert not {case: word for case, word in found.items() if word in ACCUSED}


def test_a_small_bucket_is_left_open() -> None:
    """Where bursts are not promised, fewer at once are no fault, as long as the rest flows in."""
    own: list[MemoryLimiter] = []

    def limit(server: Server, call: Call, charges: tuple[Charge, ...]) -> Reservation:
        if not own:
            own.append(MemoryLimiter(server.contract, "token_bucket"))
        return own[0].reserve(tuple(replace(each, burst=5) for each in charges), call.now)

    talk = Conversation("synaptiq", seams=replace(CORRECT, limit=limit), confirmed=True)
    found = words(talk, *[name for name in ACTIVE if name not in ("RATE-5", "RATE-12")])
    assert not {case: word for case, word in found.items() if word in ACCUSED}
    assert found["RATE-3 by scope and plan"] is Word.UNSPECIFIED
    assert found["RATE-2 by scope and plan"] is Word.PASS


def test_a_burst_that_meets_something_else_proves_nothing() -> None:
    """An answer that is neither admitted nor refused for quota ends the case."""
    talk = Conversation("synaptiq", altered=lambda e: instead(e, 503) if e.probe.label.startswith("uses up") else e)
    assert {talk.judge(clause).word for clause in ("RATE-1", "RATE-3", "RATE-9")} == {Word.INCONCLUSIVE}


def test_a_limit_that_is_too_small_is_not_judged_by_a_running_clock() -> None:
    """Fewer than a sandwich needs could be used up by a window that begins in between."""
    talk = on_the_wall(Conversation("synaptiq"))
    world = talk.world("case")
    limit = next(iter(world.policy.rate_limits.values()))
    choice = _quota.choose(world, limit)
    assert choice is not None
    small = replace(choice, charge=replace(choice.charge, amount=4, burst=4))
    spent = _quota.Spent(choice=small, key=talk.key("listLeads"), case="case", at=0.0, exchanges=())
    probe = world.request(choice.operation, spent.key)
    with pytest.raises(Ended, match="too small"):
        next(sandwich(world, spent, (probe,)))


# --- Retry-After ------------------------------------------------------------------------------------------------------

TIMES: dict[str, tuple[tuple[tuple[str, str], ...], float | None]] = {
    "seconds": ((("Retry-After", "30"),), 30),
    "nothing": ((), None),
    "a fraction": ((("Retry-After", "1.5"),), None),
    "a word": ((("Retry-After", "soon"),), None),
    "less than nothing": ((("Retry-After", "-1"),), None),
    "a date without the response's own": ((("Retry-After", "Tue, 25 Nov 2025 10:00:30 GMT"),), None),
    "a date": ((("Retry-After", "Tue, 25 Nov 2025 10:00:30 GMT"), ("Date", "Tue, 25 Nov 2025 10:00:00 GMT")), 30),
    "an old form of date": (
        (("Retry-After", "Tuesday, 25-Nov-25 10:00:30 GMT"), ("Date", "Tue, 25 Nov 2025 10:00:00 GMT")),
        30,
    ),
    "the oldest form": (
        (("Retry-After", "Tue Nov 25 10:00:30 2025"), ("Date", "Tue, 25 Nov 2025 10:00:00 GMT")),
        30,
    ),
    "a date that is over": (
        (("Retry-After", "Tue, 25 Nov 2025 09:59:00 GMT"), ("Date", "Tue, 25 Nov 2025 10:00:00 GMT")),
        -60,
    ),
}


@pytest.mark.parametrize(("headers", "expected"), TIMES.values(), ids=list(TIMES))
def test_retry_after_is_read(headers: tuple[tuple[str, str], ...], expected: float | None) -> None:
    assert seconds_of(answer(429, None, headers)) == expected


# --- what is written down of a run ------------------------------------------------------------------------------------


def test_requests_that_race_are_completed_together() -> None:
    """The race is one action: the driver holds all of their last bytes back."""
    talk = Conversation("synaptiq")
    races: list[Burst] = []
    perform = talk.perform

    def watching(action: Action, case: str = "case") -> object:
        races.extend([action] if isinstance(action, Burst) and action.together else [])
        return perform(action, case)

    steps = next(iter(talk.cases("RATE-10").values())).steps(talk.world("RATE-10"))
    judgement = finished(steps, watching)
    assert judgement.word is Word.PASS
    assert len(races) == 2
    for race in races:
        assert len({probe.connection for probe in race.probes}) == len(race.probes) > 8
        assert all(not probe.paced and probe.body for probe in race.probes)


def test_a_created_key_is_counted_by_itself() -> None:
    """Its creator is no older sister of it: only rotation makes keys share what is left."""
    talk = Conversation("synaptiq")
    world = talk.world("case")
    made = []
    for _ in range(2):
        key, _ = follow(talk, create(world, talk.operation("createKey"), world.need(talk.operation("listLeads"))))
        made.append(key)
    first, second = made
    buckets = {charge.bucket for key in made for charge in charges(world, talk.operation("listLeads"), key)}
    assert len(buckets) == 2
    successor = follow(talk, rotate(world, first))
    assert charges(world, talk.operation("listLeads"), successor) == charges(world, talk.operation("listLeads"), first)
    assert first.id != second.id


def charges(world: World, operation: Operation, key: Key) -> tuple[Charge, ...]:
    return world.contract.usual_charges(operation, world.settings.vault.record(key.id) or key.record)


def follow(talk: Conversation, steps: Asking[T]) -> T:
    """Perform what a step of a case asks for, to its end."""
    result: object = None
    try:
        while True:
            result = talk.perform(steps.send(result))
    except StopIteration as stop:
        found: T = stop.value
        return found


def finished(steps: Steps, perform: Callable[[Action], object]) -> Judgement:
    """Talk a case through to its judgement."""
    result: object = None
    try:
        while True:
            result = perform(steps.send(result))
    except StopIteration as stop:
        judgement: Judgement = stop.value
        return judgement
