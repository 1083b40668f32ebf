"""The clock of the convergence tests: it jumps when nothing happens, and never over something that does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.chaos.virtual_time import VirtualLoop

Result = TypeVar("Result")
REAL_SECONDS = 60
"""Less than what is slept for, and more than a busy machine stands still."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    async def jumping() -> Result:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with loop.jumping():
            return await work

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(jumping())


def test_virtual_time__sleeping_an_hour__takes_no_time_and_ends_in_order() -> None:
    order: list[str] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(f"{seconds} at {asyncio.get_running_loop().time() - began:.0f}")

    async def work() -> None:
        nonlocal began
        began = asyncio.get_running_loop().time()
        await asyncio.gather(sleeper(3_600), sleeper(60), sleeper(1))

    began, real = 0.0, time.monotonic()

    run(work())

    assert order == ["1 at 1", "60 at 60", "3600 at 3600"]
    assert time.monotonic() - real < REAL_SECONDS


def test_virtual_time__bytes_on_loopback__arrive_before_the_next_timer() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def work() -> float:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            began = asyncio.get_running_loop().time()
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"word\n")
            async with asyncio.timeout(0.001):
                assert await reader.readline() == b"word\n"
            writer.close()
            return asyncio.get_running_loop().time() - began

    assert run(work()) == 0


def test_virtual_time__thread_at_work__is_waited_for() -> None:
    async def work() -> str:
        async with asyncio.timeout(0.01):
            await asyncio.to_thread(time.sleep, 0.05)
        return "done"

    assert run(work()) == "done"


def test_virtual_time__what_never_comes__times_out_at_once() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(86_400):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "came"

    real = time.monotonic()

    assert run(work()) == "timed out"
    assert time.monotonic() - real < REAL_SECONDS
