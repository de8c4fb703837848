"""What a key that is used up shows between two of its refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authcontract_conformance.exchange._exchange import Exchange, Probe
from authcontract_conformance.oracle._bounds import let_in_when_spent
from authcontract_conformance.oracle._verdict import skipped
from authcontract_conformance.world._quota import RESOLUTION, TOO_MANY, Choice, Spent, counting, too_short
from authcontract_conformance.world._world import Asking, Ended, World


def hopeless(world: World, choice: Choice, probes: int = 1) -> str | None:
    """Say why so many probes between two refusals could prove nothing, if so, before a limit is used up for them."""
    if world.settings.frozen or probes * _times(world, choice) + 2 <= choice.capacity:
        return too_short(world, choice)
    small = f"a limit of {choice.capacity} is too small to tell a new window from what gets in"
    return too_short(world, choice) or small


def _times(world: World, choice: Choice) -> int:
    """Return how often each probe is sent, so that what flows in meanwhile cannot admit them all."""
    if world.settings.frozen:
        return 1
    return max(3, let_in_when_spent(choice.rate, choice.window, 2 * RESOLUTION) + 1)


@dataclass(frozen=True, slots=True)
class Sandwich:
    """Requests between two of a key that is used up, which show that it was so all the while."""

    #: Refused before and after.
    controls: tuple[Exchange, Exchange]
    between: tuple[Exchange, ...]
    #: How many may have got in by what flowed in meanwhile.
    allowance: int
    #: False: a window after the first request of the key was over, so that what it did may be forgotten bit by bit.
    in_time: bool = True

    @property
    def held(self) -> bool:
        """Tell whether the key was used up before and after, and nothing that it did was forgotten meanwhile."""
        return self.in_time and all(control.status == TOO_MANY for control in self.controls)

    @property
    def telling(self) -> bool:
        """Tell whether more was sent than what flowed in could admit."""
        return len(self.between) > self.allowance

    @property
    def admitted(self) -> tuple[Exchange, ...]:
        """Return what got in."""
        return tuple(exchange for exchange in self.between if exchange.succeeded)


def sandwich(world: World, spent: Spent, probes: Sequence[Probe]) -> Asking[Sandwich]:
    """Send probes between two requests of a key that is used up.

    Where time runs, each is sent so often that what flows in cannot admit them all; and all of them must be fewer than
    a new window would let in, since otherwise they could use that up before the second control (clauses 4.8). All must
    be over within a window of the key's first request: after that a log forgets one request after the other.
    """
    choice = spent.choice
    control = counting(world.request(choice.operation, spent.key, label="shows that the key is used up"))
    times, reason = _times(world, choice), hopeless(world, choice, len(probes))
    if reason is not None:
        raise Ended(skipped(reason))
    before: Exchange = yield control
    between: list[Exchange] = []
    for probe in probes:
        for _ in range(times):
            exchange: Exchange = yield counting(probe, probe.connection)
            between.append(exchange)
    after: Exchange = yield control
    seconds = after.received_at - before.sent_at + RESOLUTION
    allowance = 0 if world.settings.frozen else let_in_when_spent(choice.rate, choice.window, seconds)
    in_time = world.settings.frozen or after.received_at < spent.span[0] + choice.window - RESOLUTION
    return Sandwich((before, after), tuple(between), allowance, in_time)
