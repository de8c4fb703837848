"""What a passive clause may look at: the contract speaks of the API, and not of what else answers at its host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from authcontract_conformance.exchange._exchange import Exchange
from authcontract_conformance.oracle._verdict import Judgement
from authcontract_conformance.world._world import World

Look: TypeAlias = Callable[[World, Exchange], Judgement | None]


def below_base(look: Look) -> Look:
    """Let a clause look only at what was asked of the API: a web server may well answer 403 to `/.env` beside it."""

    def looks(world: World, exchange: Exchange) -> Judgement | None:
        path = world.expect(exchange.probe).reading.path
        base = world.contract.base_path(exchange.probe.environment).encode()
        below = path == base or path.startswith(base + b"/")
        return look(world, exchange) if below else None

    return looks
