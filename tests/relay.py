"""A TCP relay before a node: it can hang, cut everything, and let through again, as networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Stands before one address of this host."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url).port
        self._pairs: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.holds = asyncio.Event()
        """Something that was said has come since it hangs, and does not get on."""
        self.is_cut = False
        self.port = 0
        self.bytes_passed = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """Take connections and bytes from now on, and answer nothing."""
        self.holds.clear()
        self._open.clear()

    def cut(self) -> None:
        """End all connections, and each new one at once."""
        self.is_cut = True
        for pair in self._pairs:
            pair.cancel()

    def mend(self) -> None:
        """Let everything through again."""
        self.is_cut = False
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        with suppress(OSError, asyncio.CancelledError):
            if not self.is_cut:
                await self._join(reader, writer)
        self._pairs.discard(task)
        writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back))
                tasks.create_task(self._pump(there, writer))
        except* OSError:
            pass
        finally:
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if not self._open.is_set():
                self.holds.set()
            await self._open.wait()
            self.bytes_passed += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def relay_to(url: str) -> AsyncIterator[Relay]:
    """Relay connections to a node until the end of the block."""
    relay = Relay(url)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.cut()
        server.close()
