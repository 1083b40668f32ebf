"""A conversation between a tenant and a command in its container, until one of them is gone or the lease is over.

Each side's slowness is felt by the other and held back by nobody in between. Silence counts only while this side
listens: a command that does not take its input keeps it from listening.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web

from moorage.streams import ALIVE_SECONDS, SILENCE_SECONDS, Channel, ExecEnd, Source, TerminalSize
from provider_agent.shell.engine import Exec
from provider_agent.shell.stream_slots import BATCH

IDLE_SECONDS = 3_600.0
"""Without input or output."""
LONGEST_SECONDS = 43_200.0
GONE = "nobody is there any more"

_CHANNELS = {Source.STDOUT: Channel.STDOUT, Source.STDERR: Channel.STDERR}


class ExecSession:
    """One of them."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        running: Exec,
        look_again: Callable[[], Awaitable[str | None]],
        check_seconds: float,
        stopping: asyncio.Event,
        rest: Callable[[], Awaitable[None]],
    ) -> None:
        """
        Args:
            look_again: returns why the tenant is not to stay, if so.
            check_seconds: how often that is asked.
            stopping: is set when the agent stops.
            rest: leaves the agent to others for a while; messages may be many and tiny.
        """
        self._socket = socket
        self._running = running
        self._look_again = look_again
        self._check_seconds = check_seconds
        self._stopping = stopping
        self._rest = rest
        self._messages = 0
        """In both directions."""
        self._active = time.monotonic()

    async def run(self) -> ExecEnd:
        """Return how it has ended.

        Raises:
            EngineUnavailable: the engine does not tell.
            ConnectionError: the tenant is gone.
        """
        sides = [asyncio.create_task(each()) for each in (self._send, self._receive, self._beat, self._watch)]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            return (sides[0] if sides[0] in done else done.pop()).result()
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)

    async def _send(self) -> ExecEnd:
        """Send what the command writes until it has ended."""
        while (said := await self._running.read()) is not None:
            stream, data = said
            await self._socket.send_bytes(bytes([_CHANNELS[stream]]) + data)
            self._active = time.monotonic()
            await self._count()
        return ExecEnd(await self._running.exit_code(), self._running.problem)

    async def _receive(self) -> ExecEnd:
        """Give the command what comes for it, until nothing does."""
        while True:
            try:
                message = await self._socket.receive(timeout=SILENCE_SECONDS)
            except TimeoutError:
                return ExecEnd(reason=GONE)
            if message.type is not WSMsgType.BINARY or not message.data:
                return ExecEnd(reason=GONE)
            await self._take(message.data[0], message.data[1:])
            await self._count()

    async def _count(self) -> None:
        self._messages += 1
        if self._messages % BATCH == 0:
            await self._rest()

    async def _take(self, channel: int, payload: bytes) -> None:
        match channel:
            case Channel.STDIN if payload:
                self._active = time.monotonic()
                await self._running.write(payload)
            case Channel.STDIN:
                await self._running.end_input()
            case Channel.SIZE:
                with suppress(ValueError):
                    await self._running.resize(msgspec.json.decode(payload, type=TerminalSize))
            case _:
                pass  # it is alive

    async def _beat(self) -> ExecEnd:
        """Say that we are here."""
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            await self._socket.send_bytes(bytes([Channel.ALIVE]))

    async def _watch(self) -> ExecEnd:
        """Return when it is enough, also while the tenant reads nothing."""
        started = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_seconds):
                    await self._stopping.wait()
                    return ExecEnd(reason="the agent stops")
            now = time.monotonic()
            if now - self._active >= IDLE_SECONDS or now - started >= LONGEST_SECONDS:
                return ExecEnd(reason="it has lasted, or said nothing, as long as it may")
            refusal = await self._look_again()
            if refusal is not None:
                return ExecEnd(reason=refusal)
