"""Requests behind one gate are completed at one moment, and nobody waits for one that never comes."""

import asyncio
import time

import pytest
from authcontract_conformance.driver import _wire
from authcontract_conformance.driver._wire import Gate, Pool
from authcontract_conformance.exchange._exchange import Delivery
from conversations import run
from scripted import serving

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_the_last_bytes_come_when_all_the_others_are_there() -> None:
    """No server sees a request complete before it has all but the last byte of every one."""
    begun: list[bytes] = []
    complete: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(await reader.readexactly(len(REQUEST) - 1))
        await reader.readexactly(1)
        complete.append(len(begun))
        writer.write(ANSWER)

    async def talk() -> None:
        async with serving(script) as server:
            pool = Pool(server.origin(), size=5, timeout=5.0)
            gate = Gate(5)
            sent = [pool.send(REQUEST, head=False, name=f"{number}", gate=gate) for number in range(5)]
            answers = await asyncio.gather(*sent)
            assert {answer.status for answer in answers} == {200}
            pool.close()

    run(talk())
    assert begun == [REQUEST[:-1]] * 5
    assert complete == [5] * 5


def test_nobody_waits_for_one_that_is_over() -> None:
    """One whose connection could not be opened is known never to come."""

    async def wait() -> None:
        gate = Gate(2)
        waiting = asyncio.ensure_future(gate.passed())
        await asyncio.sleep(0)
        gate.without_one()
        async with asyncio.timeout(_wire.HELD / 2):
            await waiting

    run(wait())


def test_being_held_is_not_being_late() -> None:
    """Who waits for the others has as long for its response as anybody."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)

    async def talk() -> None:
        async with serving(script) as server:
            pool = Pool(server.origin(), size=5, timeout=0.5)
            answer = await pool.send(REQUEST, head=False, gate=Gate(2))
            assert (answer.delivery, answer.status) == (Delivery.ANSWERED, 200)
            pool.close()

    run(talk())


def test_nobody_waits_for_one_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wire, "HELD", 0.05)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)

    async def talk() -> None:
        async with serving(script) as server:
            pool = Pool(server.origin(), size=5, timeout=5.0)
            answer = await pool.send(REQUEST, head=False, gate=Gate(2))
            assert (answer.delivery, answer.status) == (Delivery.ANSWERED, 200)
            pool.close()

    began = time.monotonic()
    run(talk())
    assert time.monotonic() - began < 2
