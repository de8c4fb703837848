"""Ways of counting requests, each written down without the engine, and the truth that each may tell of itself.

Times are whole microseconds. `room` says how much there is at a moment and changes nothing; `count` takes from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from authcontract_policy import Algorithm

SECOND = 1_000_000


@dataclass
class Limiter:
    """So many units in a window; `burst` is the capacity of a bucket."""

    amount: int
    window: int
    burst: int

    #: How much longer the last admitted request is held up, for limiters that delay instead of refusing.
    delay: int = field(default=0, init=False)

    def room(self, now: int) -> int:
        """Return how many units there are."""
        raise NotImplementedError

    def count(self, now: int, cost: int) -> None:
        """Take so many units, whether they are there or not."""
        raise NotImplementedError

    @property
    def capacity(self) -> int:
        """Return the most that there ever is."""
        return self.amount

    def take(self, now: int, cost: int, refused: int = 0, connection: int = 0) -> bool:  # noqa: ARG002  for replicas
        """Take what is asked for if it is there; a refused request may take something too."""
        admitted = self.room(now) >= cost
        if admitted or refused:
            self.count(now, cost if admitted else refused)
        return admitted

    def wait(self, now: int, cost: int) -> int | None:
        """Return how long until so much is there if nobody asks meanwhile; None: never."""
        if cost > self.capacity:
            return None
        if self.room(now) >= cost:
            return 0
        early, late = 0, self.window
        while self.room(now + late) < cost:
            early, late = late, 2 * late
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if self.room(now + middle) >= cost else (middle, late)
        return late


@dataclass
class FixedAligned(Limiter):
    """Windows follow each other, the same for everybody."""

    index: int = 0
    used: int = 0

    def room(self, now: int) -> int:
        return self.amount - (self.used if now // self.window == self.index else 0)

    def count(self, now: int, cost: int) -> None:
        if now // self.window != self.index:
            self.index, self.used = now // self.window, 0
        self.used += cost


@dataclass
class FixedAnchored(Limiter):
    """A window begins with the first request after the last one."""

    start: int | None = None
    used: int = 0

    def room(self, now: int) -> int:
        return self.amount - (self.used if self.start is not None and now < self.start + self.window else 0)

    def count(self, now: int, cost: int) -> None:
        if self.start is None or now >= self.start + self.window:
            self.start, self.used = now, 0
        self.used += cost


@dataclass
class SlidingLog(Limiter):
    """Each request is remembered for a window."""

    log: list[tuple[int, int]] = field(default_factory=list)

    def room(self, now: int) -> int:
        return self.amount - sum(cost for then, cost in self.log if then > now - self.window)

    def count(self, now: int, cost: int) -> None:
        self.log = [*(entry for entry in self.log if entry[0] > now - self.window), (now, cost)]


@dataclass
class WindowCounter(Limiter):
    """Two counters; the window before weighs by its share that is still in reach."""

    rounded: Callable[[float], int] = math.ceil
    index: int = 0
    before: int = 0
    used: int = 0

    def _counters(self, now: int) -> tuple[int, int]:
        index = now // self.window
        if index == self.index:
            return self.before, self.used
        return (self.used, 0) if index == self.index + 1 else (0, 0)

    def room(self, now: int) -> int:
        before, used = self._counters(now)
        left = self.window - now % self.window
        whole, rest = divmod(before * left, self.window)
        return self.amount - used - whole - (self.rounded(rest / self.window) if rest else 0)

    def count(self, now: int, cost: int) -> None:
        self.before, self.used = self._counters(now)
        self.index = now // self.window
        self.used += cost


@dataclass
class TokenBucket(Limiter):
    """A stock that refills steadily; a unit is `window` of it."""

    stock: int | None = None
    then: int = 0

    @property
    def capacity(self) -> int:
        return self.burst

    def _stock(self, now: int) -> int:
        full = self.burst * self.window
        return full if self.stock is None else min(full, self.stock + max(0, now - self.then) * self.amount)

    def room(self, now: int) -> int:
        return self._stock(now) // self.window

    def count(self, now: int, cost: int) -> None:
        self.stock = self._stock(now) - cost * self.window
        self.then = max(now, self.then)


@dataclass
class Gcra(Limiter):
    """The time at which the next request is due, which may lie ahead by a tolerance; in shares of a microsecond."""

    due: int = 0

    @property
    def capacity(self) -> int:
        return self.burst

    def room(self, now: int) -> int:
        ahead = max(self.due, now * self.amount) - now * self.amount
        return self.burst + (-ahead // self.window)

    def count(self, now: int, cost: int) -> None:
        self.due = max(self.due, now * self.amount) + cost * self.window


@dataclass
class Queue(Gcra):
    """A leaky bucket as a queue: what comes too early is held up, and refused only when the queue is full."""

    def count(self, now: int, cost: int) -> None:
        self.delay = max(0, self.due // self.amount - now)
        super().count(now, cost)


@dataclass
class Replicas(Limiter):
    """Several servers behind one address, each of which counts its share of the amount by itself."""

    each: Callable[[int, int, int], Limiter] = SlidingLog
    replicas: int = 2
    #: True: a connection stays with its server; False: requests go round.
    sticky: bool = True
    turn: int = 0
    servers: list[Limiter] = field(default_factory=list)
    last: int = 0

    def __post_init__(self) -> None:
        share, more = divmod(self.amount, self.replicas)
        amounts = [share + (number < more) for number in range(self.replicas)]
        self.servers = [self.each(amount, self.window, min(self.burst, amount)) for amount in amounts if amount]

    def room(self, now: int) -> int:
        """Return what the server has that answered last: no other is asked."""
        return self.servers[self.last].room(now)

    @property
    def capacity(self) -> int:
        return self.servers[self.last].capacity

    def take(self, now: int, cost: int, refused: int = 0, connection: int = 0) -> bool:
        self.turn += 1
        self.last = (connection if self.sticky else self.turn) % len(self.servers)
        return self.servers[self.last].take(now, cost, refused)


def nearest(share: float) -> int:
    """Round a share to the nearest whole, halves up."""
    return math.floor(share + 0.5)


def counter(rounded: Callable[[float], int]) -> Callable[[int, int, int], Limiter]:
    """Return a window counter that rounds what the window before weighs."""
    return lambda amount, window, burst: WindowCounter(amount, window, burst, rounded=rounded)


def replicas(each: Callable[[int, int, int], Limiter], *, sticky: bool) -> Callable[[int, int, int], Limiter]:
    """Return servers that count their shares in this way."""
    return lambda amount, window, burst: Replicas(amount, window, burst, each=each, sticky=sticky)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A limiter, and what a policy may truly say of it."""

    make: Callable[[int, int, int], Limiter]
    #: Names by which a policy may call its algorithm.
    called: tuple[Algorithm, ...] = ("any",)
    #: Its bucket holds this share of the amount; None: all of it.
    holds: float | None = None
    #: True: the policy states what the bucket holds.
    stated: bool = False
    may_be_lower: bool = False
    #: True: it holds requests up, for which a clock that stands still has no time.
    delays: bool = False


def small(make: Callable[[int, int, int], Limiter], share: float) -> Callable[[int, int, int], Limiter]:
    """Return a bucket that holds a share of the amount, which the policy says nothing of."""
    return lambda amount, window, burst: make(amount, window, max(1, int(burst * share)))


CORRECT: dict[str, Kind] = {
    "fixed window, aligned": Kind(make=FixedAligned, called=("any", "fixed_window")),
    "fixed window, anchored": Kind(make=FixedAnchored, called=("any", "fixed_window")),
    "sliding log": Kind(make=SlidingLog, called=("any", "sliding_log")),
    "window counter": Kind(make=counter(math.ceil), called=("any", "window_counter")),
    "window counter, rounded down": Kind(make=counter(math.floor), called=("any", "window_counter")),
    "window counter, rounded to the nearest": Kind(make=counter(nearest), called=("any", "window_counter")),
    "token bucket": Kind(make=TokenBucket, called=("any", "token_bucket")),
    "GCRA": Kind(make=Gcra, called=("any", "token_bucket")),
    "leaky bucket as a queue": Kind(make=Queue, delays=True),
    "token bucket, small and stated": Kind(make=TokenBucket, called=("token_bucket",), holds=0.4, stated=True),
    "GCRA, small and stated": Kind(make=Gcra, called=("token_bucket",), holds=0.6, stated=True),
    "token bucket, small": Kind(make=small(TokenBucket, 0.4), holds=0.4),
    "GCRA, smallest": Kind(make=small(Gcra, 0.0), holds=0.0),
    "replicas with logs, each connection at one": Kind(make=replicas(SlidingLog, sticky=True), may_be_lower=True),
    "replicas with fixed windows, in turn": Kind(make=replicas(FixedAligned, sticky=False), may_be_lower=True),
    "replicas with buckets, each connection at one": Kind(make=replicas(TokenBucket, sticky=True), may_be_lower=True),
}


# --- wrong ones ----------------------------------------------------------------------------------------------------


@dataclass
class Endless(Limiter):
    """Counts, and refuses nobody."""

    def room(self, now: int) -> int:  # noqa: ARG002  it never matters
        return self.amount

    def count(self, now: int, cost: int) -> None:
        """Forget it."""


@dataclass
class EachConnection(Limiter):
    """Counts for each connection by itself, so that a new one begins anew."""

    each: Callable[[int, int, int], Limiter] = SlidingLog
    connections: dict[int, Limiter] = field(default_factory=dict)
    last: int = 0

    def room(self, now: int) -> int:
        return self.connections[self.last].room(now) if self.connections else self.amount

    def take(self, now: int, cost: int, refused: int = 0, connection: int = 0) -> bool:
        self.last = connection
        made = self.connections.setdefault(connection, self.each(self.amount, self.window, self.burst))
        return made.take(now, cost, refused)


@dataclass
class TooLate(SlidingLog):
    """Looks at the log first and writes to it a moment later."""

    def room(self, now: int) -> int:
        seen = [cost for then, cost in self.log if now - self.window < then <= now - SECOND // 50]
        return self.amount - sum(seen)


@dataclass
class Lengthening(FixedAnchored):
    """Begins the window anew with each request that is refused, and tells nobody."""

    def take(self, now: int, cost: int, refused: int = 0, connection: int = 0) -> bool:
        admitted = super().take(now, cost, refused, connection)
        self.start = self.start if admitted else now
        return admitted


@dataclass
class Hasty(SlidingLog):
    """Says half of the time after which to come back."""

    def wait(self, now: int, cost: int) -> int | None:
        found = super().wait(now, cost)
        return None if found is None else found // 2


def changed(
    make: Callable[[int, int, int], Limiter], *, amount: float = 1, more: int = 0, window: float = 1
) -> Callable[[int, int, int], Limiter]:
    """Return a limiter of another amount, or with another window, than is documented."""
    return lambda units, length, burst: make(
        max(1, int(units * amount) + more), int(length * window), max(1, int(burst * amount) + more)
    )


@dataclass(frozen=True, kw_only=True)
class Wrong(Kind):
    """A limiter that does not keep what the policy says, and the clauses of which one must accuse it."""

    accused_by: tuple[str, ...]
    #: True: it takes a clock that can be moved to see it.
    by_clock: bool = False


WRONG: dict[str, Wrong] = {
    "no limit": Wrong(make=Endless, accused_by=("RATE-1",)),
    "fixed window, two more": Wrong(make=changed(FixedAligned, more=2), accused_by=("RATE-1", "RATE-3")),
    "log, half as much again": Wrong(make=changed(SlidingLog, amount=1.5), accused_by=("RATE-1", "RATE-3")),
    "bucket, twice the amount": Wrong(make=changed(TokenBucket, amount=2), accused_by=("RATE-1", "RATE-3")),
    "fixed window, half as long": Wrong(make=changed(FixedAnchored, window=0.5), accused_by=("RATE-1",), by_clock=True),
    "each connection by itself": Wrong(make=EachConnection, accused_by=("RATE-1",)),
    "bucket, half as much and half as fast": Wrong(make=changed(TokenBucket, amount=0.5), accused_by=("RATE-2",)),
    "bucket, half as fast": Wrong(make=changed(TokenBucket, window=2.5), accused_by=("RATE-2",), by_clock=True),
    "fixed window, half the amount": Wrong(make=changed(FixedAligned, amount=0.5), accused_by=("RATE-2",)),
    "log, written too late": Wrong(make=TooLate, accused_by=("RATE-1", "RATE-10")),
    "fixed window, begun anew by refusals": Wrong(make=Lengthening, accused_by=("RATE-13",)),
    "log, half of the time to come back": Wrong(make=Hasty, accused_by=("RATE-7",)),
}
