"""When a target is silent, when it is gone, and which requests are sent again."""

import pytest
from authcontract_conformance.driver._presence import MANY, PATIENCE, Presence
from authcontract_conformance.driver._tries import RETRIES, UNREACHED_RETRIES, Tries
from authcontract_conformance.exchange._exchange import Delivery, Exchange, Probe, Purpose


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def met(now: Time | None = None) -> Presence:
    """Return a presence that has been there once."""
    presence = Presence(now or Time())
    presence.note(exchange(200))
    return presence


def exchange(what: Delivery | int, method: bytes = b"GET", *, purpose: Purpose = Purpose.CONTROL) -> Exchange:
    """Return what came of a request: a delivery, or a status."""
    status, delivery = (what, Delivery.ANSWERED) if isinstance(what, int) else (0, what)
    problem = "" if isinstance(what, int) else what.value
    probe = Probe(method=method, target=(b"/",), purpose=purpose)
    return Exchange(number=1, probe=probe, delivery=delivery, status=status, problem=problem)


@pytest.mark.parametrize("what", [Delivery.REFUSED, Delivery.TIMEOUT, Delivery.CLOSED, 502, 503, 504])
def test_a_silence_that_lasts_is_the_end(what: Delivery | int) -> None:
    """Many at one moment prove nothing, and neither does one now and then."""
    time = Time()
    presence = met(time)
    for _ in range(MANY):
        presence.note(exchange(what))
    assert (presence.silent, presence.gone) == (True, False)
    time.now = PATIENCE
    assert presence.gone
    presence.note(exchange(200))
    assert (presence.silent, presence.gone) == (False, False)


def test_nobody_waits_for_a_target_that_was_never_there() -> None:
    presence = Presence(Time())
    for _ in range(MANY):
        presence.note(exchange(Delivery.REFUSED))
    assert not presence.silent
    tries = Tries(presence)
    assert [tries.worth_another(exchange(Delivery.REFUSED)) for _ in range(RETRIES + 1)] == [True] * RETRIES + [False]


@pytest.mark.parametrize("what", [401, 500, Delivery.GARBAGE])
def test_whoever_says_something_is_there(what: Delivery | int) -> None:
    presence = met()
    for _ in range(MANY):
        presence.note(exchange(what))
    assert not presence.silent


@pytest.mark.parametrize("what", [Delivery.CLOSED, 503])
def test_hanging_up_on_what_is_tried_is_a_way_to_refuse_it(what: Delivery | int) -> None:
    presence = met()
    for _ in range(MANY):
        presence.note(exchange(what, purpose=Purpose.PROBE))
    assert not presence.silent


@pytest.mark.parametrize(
    ("what", "retries"),
    [
        (Delivery.CLOSED, RETRIES),
        (Delivery.TIMEOUT, RETRIES),
        (500, RETRIES),
        (Delivery.REFUSED, UNREACHED_RETRIES),
        (502, UNREACHED_RETRIES),
        (401, 0),
        (501, 0),
    ],
)
def test_how_often_a_request_is_sent_again(what: Delivery | int, retries: int) -> None:
    tries = Tries(met())
    assert [tries.worth_another(exchange(what)) for _ in range(retries + 1)] == [True] * retries + [False]


def test_nobody_gives_up_while_the_target_is_silent() -> None:
    """That nobody is reached is no answer to this request."""
    presence = met()
    for _ in range(MANY):
        presence.note(exchange(Delivery.REFUSED))
    tries = Tries(presence)
    assert all(tries.worth_another(exchange(Delivery.REFUSED)) for _ in range(20))
    assert tries.pause > 0


ONCE_MORE = [
    (b"DELETE", Delivery.CLOSED, 404, "closed"),
    (b"POST", 502, 409, "502"),
    (b"DELETE", Delivery.REFUSED, 404, ""),
    (b"GET", Delivery.CLOSED, 404, ""),
]


@pytest.mark.parametrize(("method", "first", "then", "before"), ONCE_MORE)
def test_what_may_have_been_done_before_is_remembered(
    method: bytes, first: Delivery | int, then: int, before: str
) -> None:
    """What was sent in vain may have been carried out, unless nobody was reached or it only reads (R7)."""
    tries = Tries(met())
    assert tries.worth_another(exchange(first, method))
    last = tries.last(exchange(then, method))
    assert (last.before, last.repeats) == (before, before != "")


@pytest.mark.parametrize(("status", "repeats"), [(404, True), (409, True), (401, False), (403, False), (204, False)])
def test_a_refusal_of_the_key_is_no_answer_to_a_second_time(status: int, *, repeats: bool) -> None:
    tries = Tries(met())
    tries.worth_another(exchange(Delivery.CLOSED, b"DELETE"))
    assert tries.last(exchange(status, b"DELETE")).repeats is repeats
