"""What shows an object at one moment, and whether a later look shows that something was done to it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.world._resources import members

SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a reader shows at one moment."""

    #: Label of the reading operation; None: there is none, so a denial is judged by its answer alone.
    reader: str | None
    #: True: it shows an object that was made for this case, so that any change of it is ours.
    own: bool = False
    status: int = 0
    content: str = ""
    answered: bool = False
    #: Where a list shows the object: who stands behind it, and who is listed at all.
    behind: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    def changed(self, later: Snapshot, canary: str | None = None) -> bool:
        """Tell whether a request took effect between this look and a later one.

        An object of the case's own changed if anything of it did. What others may change too, a list or an object that
        was only found, shows the effect by the canary that the request carried, and by nothing else.
        """
        if self.reader is None or not self.answered:
            return False
        if canary is not None and canary in later.content and canary not in self.content:
            return True
        if self.members or later.members:
            return self.own and later.answered and self._listed_otherwise(later)
        return self.own and later.status < SERVER_ERROR and (later.status, later.content) != (self.status, self.content)

    def _listed_otherwise(self, later: Snapshot) -> bool:
        """Tell whether the object changed in its list, or left it other than by the end of a page."""
        if not self.content or later.content:
            return bool(self.content) and later.content != self.content
        return later.members <= self.members or bool(self.behind & later.members)


def alone(reader: str, exchange: Exchange, *, own: bool) -> Snapshot:
    """Return what a reader of one object, or of a whole list, shows."""
    content = _content(exchange)
    return Snapshot(reader=reader, own=own, status=exchange.status, content=content, answered=exchange.succeeded)


def listed(reader: str, exchange: Exchange, parameter: str, name: str, *, own: bool) -> Snapshot:
    """Return what a list shows of one of its members."""
    rows = members(exchange.json(), parameter)
    return Snapshot(
        reader=reader,
        own=own,
        content=rows.get(name, ""),
        answered=exchange.succeeded,
        behind=_behind(tuple(rows), name),
        members=frozenset(rows),
    )


def _behind(names: tuple[str, ...], name: str) -> frozenset[str]:
    return frozenset(names[names.index(name) + 1 :]) if name in names else frozenset()


def _content(exchange: Exchange) -> str:
    value = exchange.json()
    return exchange.body.decode("latin-1") if value is None else json.dumps(value, sort_keys=True)
