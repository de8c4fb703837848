"""Sending a request again that came to nothing (R6), without forgetting that it may have been carried out (R7)."""

from __future__ import annotations

from dataclasses import replace

from authcontract_conformance.exchange._exchange import Delivery, Exchange

from ._presence import PAUSE, UNREACHABLE, Presence

#: Again at most so often after it may have been received, and after nobody was reached: that says nothing of it.
RETRIES, UNREACHED_RETRIES = 2, 5
#: What comes is the same however often it was sent (RFC 9110 section 9.2.1).
SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})


class Tries:
    """The sendings of one request."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._failed = 0
        self._before = ""

    @property
    def pause(self) -> float:
        """Return the seconds to wait before the next."""
        return PAUSE if self._presence.silent or self._failed > RETRIES else 0.0

    def worth_another(self, exchange: Exchange) -> bool:
        """Tell whether it is to be sent again; while nobody is reached at all, that is no answer to any request."""
        unreached = exchange.delivery is Delivery.REFUSED or exchange.status in UNREACHABLE
        comes_back = unreached and self._presence.met and exchange.probe.channel == "tls"
        retries = UNREACHED_RETRIES if comes_back else RETRIES
        silent = self._presence.silent
        if not exchange.broken or exchange.malformed or (self._failed >= retries and not silent):
            return False
        self._failed += not silent
        if exchange.delivery is not Delivery.REFUSED:
            self._before = self._before or exchange.problem or str(exchange.status)
        return True

    def last(self, exchange: Exchange) -> Exchange:
        """Return the exchange that stands for all of them, and knows of the others where they may matter."""
        before = self._before or exchange.before
        return replace(exchange, before="" if exchange.probe.method in SAFE else before) if before else exchange
