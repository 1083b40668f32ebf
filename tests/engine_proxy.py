"""A socket in front of a Docker engine that can be frozen or closed: the engine itself is never touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class EngineProxy:
    """Passes bytes on in both directions. Frozen, it takes connections and requests and does nothing with them."""

    def __init__(self, path: Path, target: str) -> None:
        self.url = f"unix://{path}"
        self._path = path
        self._target = target.removeprefix("unix://")
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def freeze(self) -> None:
        """Stop in the middle of whatever is under way."""
        self._flows.clear()

    def thaw(self) -> None:
        """Go on where it stopped."""
        self._flows.set()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_unix_server(self._pass_on, self._path)

    async def close(self) -> None:
        """Refuse connections, and break off those that there are."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_unix_connection(self._target)
            self._writers |= {writer, there_writer}
            try:
                await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
            finally:
                self._writers -= {writer, there_writer}
                for each in (writer, there_writer):
                    each.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def engine_proxy(path: Path, target: str) -> AsyncIterator[EngineProxy]:
    """Run a proxy while the block runs.

    Args:
        target: unix://path of the engine.
    """
    proxy = EngineProxy(path, target)
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.thaw()
        await proxy.close()
