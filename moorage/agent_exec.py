"""The tenant's end of a command that runs in a workload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType

from moorage import stream_api
from moorage.streams import ALIVE_SECONDS, SILENCE_SECONDS, Channel, ExecEnd, TerminalSize

PIECE_BYTES = 16_384


class AgentExec:
    """What is written comes by `read`; use as a context manager."""

    def __init__(
        self, socket: ClientWebSocketResponse[Any], reaching: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """
        Args:
            reaching: turns what can go wrong on the way to the agent into the error that callers know.
        """
        self._socket = socket
        self._reaching = reaching
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AgentExec:
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()

    async def read(self) -> tuple[Channel, bytes] | ExecEnd:
        """Return what the command writes next, or how it has ended.

        Raises:
            AgentUnreachable: the connection is lost, or the agent talks nonsense.
        """
        with self._reaching():
            while True:
                message = await self._socket.receive(timeout=SILENCE_SECONDS)
                if message.type is not WSMsgType.BINARY or not message.data:
                    raise ConnectionError("the connection to the command is lost")
                channel, payload = Channel(message.data[0]), message.data[1:]
                if channel is Channel.END:
                    return stream_api.decode_end(payload)
                if channel in (Channel.STDOUT, Channel.STDERR):
                    return channel, payload

    async def write(self, data: bytes) -> None:
        """Give the command input."""
        for place in range(0, len(data), PIECE_BYTES):
            await self._send(Channel.STDIN, data[place : place + PIECE_BYTES])

    async def end_input(self) -> None:
        await self._send(Channel.STDIN)

    async def resize(self, size: TerminalSize) -> None:
        await self._send(Channel.SIZE, msgspec.json.encode(size))

    async def _send(self, channel: Channel, payload: bytes = b"") -> None:
        """Send a message; that the connection is lost is for `read` to tell."""
        with suppress(ConnectionError):
            await self._socket.send_bytes(bytes([channel]) + payload)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            await self._send(Channel.ALIVE)
