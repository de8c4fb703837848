"""Properties against the reference server in memory, in a worker thread as the driver runs them."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from authcontract_conformance.exchange._exchange import Action, Exchange
from authcontract_conformance.fuzz._facade import Facade, Over
from authcontract_conformance.oracle._verdict import Judgement
from authcontract_conformance.world._world import World
from conversations import Conversation

Check: TypeAlias = Callable[[World, Facade], Judgement]


def judged(conversation: Conversation, check: Check, case: str = "case") -> Judgement:
    """Return what a property comes to; a throttled request waits for its minute, as the driver would."""

    async def perform(world: World, action: Action) -> Any:
        while True:
            result = conversation.perform(action, world.case)
            if not (isinstance(result, Exchange) and result.status == 429):
                return result
            conversation.server.clock.advance(61)

    async def run() -> Judgement:
        facade = Facade(asyncio.get_running_loop(), perform)

        def search() -> Judgement:
            try:
                return check(conversation.world(case), facade)
            except Over as over:
                return over.judgement

        return await asyncio.to_thread(search)

    return asyncio.run(run())


@pytest.fixture
def judge() -> Callable[..., Judgement]:
    return judged
