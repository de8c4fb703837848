"""Whether the target is still there: a silence that lasts is told from an answer here and there that got lost."""

from __future__ import annotations

import time
from collections.abc import Callable

from authcontract_conformance.exchange._exchange import Delivery, Exchange, Purpose

#: So many requests in a row that reached nobody: something is wrong with the target, and not with a request.
MANY = 8
#: Seconds for which nothing answers then, until the target is given up: a server that starts again needs a few.
PATIENCE = 5.0
#: Seconds between two attempts meanwhile; whoever comes back to a crowd falls over again.
PAUSE = 0.5
#: What a gateway answers that does not reach the server behind it (RFC 9110 sections 15.6.3 to 15.6.5).
UNREACHABLE = frozenset({502, 503, 504})
_SILENT = frozenset({Delivery.REFUSED, Delivery.TIMEOUT, Delivery.CLOSED})


class Presence:
    """What is known of it by the last answers on its main address."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._row = 0
        self._since = 0.0
        #: Whether it has ever been there: until then nobody waits for it to come back.
        self.met = False

    def note(self, exchange: Exchange) -> None:
        """Take an exchange into account; hanging up on what a clause tries is one way to refuse it, and no silence."""
        if exchange.probe.channel != "tls":
            return
        if not (exchange.delivery in _SILENT or exchange.status in UNREACHABLE):
            self._row, self.met = 0, True
        elif exchange.probe.purpose is not Purpose.PROBE or exchange.delivery in (Delivery.REFUSED, Delivery.TIMEOUT):
            self._since = self._since if self._row else self._now()
            self._row += 1

    @property
    def silent(self) -> bool:
        """Tell whether nobody is reached just now."""
        return self.met and self._row >= MANY

    @property
    def gone(self) -> bool:
        """Tell whether nobody was reached for so long that nobody will be."""
        return self.silent and self._now() - self._since >= PATIENCE
