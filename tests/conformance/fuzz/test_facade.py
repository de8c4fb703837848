"""The facade: a worker thread sends over the loop, and whatever ends it early is no counterexample."""

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from authcontract_conformance.exchange._exchange import Action, Advance
from authcontract_conformance.fuzz._facade import Facade, Over, Perform
from authcontract_conformance.oracle._verdict import Judgement, Word, inconclusive, skipped
from authcontract_conformance.world._world import Ended, World
from conversations import Conversation

ACTION = Advance(seconds=1)


@pytest.fixture(scope="module")
def world() -> World:
    return Conversation("roles").world()


def over(perform: Perform, use: Callable[[Facade], object]) -> Judgement | None:
    """Return the judgement by which the use of a facade ends early; None if it does not."""

    async def run() -> Judgement | None:
        facade = Facade(asyncio.get_running_loop(), perform)

        def work() -> Judgement | None:
            try:
                use(facade)
            except Over as ended:
                return ended.judgement
            return None

        return await asyncio.to_thread(work)

    return asyncio.run(run())


async def three(_world: World, _action: Action) -> Any:
    await asyncio.sleep(0)
    return 3


def test_result_of_an_action_comes_back(world: World) -> None:
    found: list[Any] = []
    assert over(three, lambda facade: found.append(facade.perform(world, ACTION))) is None
    assert found == [3]


def test_generator_is_driven_to_its_result(world: World) -> None:
    def steps() -> Generator[Action, Any, int]:
        first: int = yield ACTION
        second: int = yield ACTION
        return first + second

    found: list[Any] = []
    over(three, lambda facade: found.append(facade.run(world, steps())))
    assert found == [6]


def test_end_of_a_case_ends_the_property_with_its_judgement(world: World) -> None:
    async def ends(_world: World, _action: Action) -> Any:
        raise Ended(skipped("no such key"))

    found = over(ends, lambda facade: facade.perform(world, ACTION))
    assert found == skipped("no such key")


def test_generator_that_ends_the_case_ends_the_property(world: World) -> None:
    def steps() -> Generator[Action, Any, int]:
        yield ACTION
        raise Ended(inconclusive("no fixture"))

    assert over(three, lambda facade: facade.run(world, steps())) == inconclusive("no fixture")


def test_nothing_catches_it_as_an_exception() -> None:
    assert not issubclass(Over, Exception)


def test_stop_ends_the_action_that_is_waited_for(world: World) -> None:
    """Ctrl-C must not wait for a target that does not answer."""

    async def run() -> Judgement:
        waiting = asyncio.Event()

        async def hangs(_world: World, _action: Action) -> Any:
            waiting.set()
            await asyncio.Event().wait()

        facade = Facade(asyncio.get_running_loop(), hangs)

        def work() -> Judgement:
            try:
                facade.perform(world, ACTION)
            except Over as ended:
                return ended.judgement
            raise AssertionError("it was not stopped")

        async with asyncio.timeout(5):
            thread = asyncio.create_task(asyncio.to_thread(work))
            await waiting.wait()
            facade.stop()
            return await thread

    assert asyncio.run(run()) == inconclusive("the run was stopped")


def test_nothing_is_sent_after_a_stop(world: World) -> None:
    sent: list[Action] = []

    async def perform(_world: World, action: Action) -> Any:
        sent.append(action)

    def use(facade: Facade) -> None:
        facade.stop()
        facade.perform(world, ACTION)

    found = over(perform, use)
    assert found is not None
    assert found.word is Word.INCONCLUSIVE
    assert sent == []
