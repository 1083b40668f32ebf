"""One tenant's view of what its workloads write: first what is there, in order, then what comes, from each container.

Nothing is held beyond one batch: who reads slowly slows down the engine's reading of its log, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing

import structlog

from moorage.merging import merged
from moorage.repeats import Told
from moorage.streams import ALIVE_SECONDS, Alive, CaughtUp, LogLine, LogQuery, Record, Source
from provider_agent.core.containers import ObservedContainer
from provider_agent.core.lease_streams import LogSource, log_sources
from provider_agent.shell.engine import Engine, EngineError, LogRange
from provider_agent.shell.stream_slots import BATCH

LOOK_SECONDS = 1.0
"""How soon a container that is new is followed."""
AGAIN_SECONDS = 2.0
"""After which an engine is asked again that broke off."""

log = structlog.get_logger(__name__)


class LogStream:
    """What one request is answered with."""

    def __init__(
        self, engine: Engine, containers: Callable[[], Awaitable[Collection[ObservedContainer]]], query: LogQuery
    ) -> None:
        """
        Args:
            containers: returns those of the lease, as they were last seen, and those of which only lines are kept.
        """
        self._engine = engine
        self._containers = containers
        self._query = query
        self._told: Told[tuple[str, Source]] = Told()
        """Of each stream of each container."""
        self._lines: asyncio.Queue[LogLine] = asyncio.Queue(BATCH)

    async def records(self) -> AsyncGenerator[list[Record], None]:
        """Yield batches; an empty one now and then while nothing comes.

        Raises:
            EngineUnavailable: what was there could not be read.
        """
        first = await self._sources()
        async with aclosing(merged([self._written(source) for source in first], lambda line: line.time)) as lines:
            batch: list[Record] = []
            async for line in lines:
                batch.append(line)
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        yield [*batch, CaughtUp()]
        if self._query.is_following:
            async with aclosing(self._following()) as batches:
                async for coming in batches:
                    yield coming

    async def _written(self, source: LogSource) -> AsyncGenerator[LogLine, None]:
        """Yield what is there; where nothing of it is wanted the last line is noted, and what comes is known."""
        is_wanted = self._query.tail != 0
        wanted = LogRange(self._query.since, self._query.tail if is_wanted else 1)
        async with aclosing(self._read(source, wanted)) as lines:
            async for line in lines:
                if is_wanted:
                    yield line

    async def _following(self) -> AsyncGenerator[list[Record], None]:
        followers: dict[str, asyncio.Task[None]] = {}
        quiet_seconds = 0.0
        try:
            while True:
                for source in await self._sources():
                    follower = followers.get(source.container)
                    if follower is None or follower.done():
                        followers[source.container] = asyncio.create_task(self._follow(source))
                batch = await self._batch()
                quiet_seconds = 0.0 if batch else quiet_seconds + LOOK_SECONDS
                if quiet_seconds >= ALIVE_SECONDS:
                    batch, quiet_seconds = [Alive()], 0.0
                yield batch
        finally:
            for task in followers.values():
                task.cancel()

    async def _batch(self) -> list[Record]:
        """Return what has come, after a wait if nothing has."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                batch: list[Record] = [await self._lines.get()]
        except TimeoutError:
            return []
        while len(batch) < BATCH and not self._lines.empty():
            batch.append(self._lines.get_nowait())
        return batch

    async def _follow(self, source: LogSource) -> None:
        """Pass on what a container writes, also when it is started again or made anew, until nothing of it is left.

        One that has ended is read once after its end: its log may have been taken away under its reader.
        """
        is_read_to_its_end = False
        while (now := await self._source(source.container)) is not None:
            if now.is_running or not is_read_to_its_end:
                try:
                    await self._pass_on(now, LogRange(self._resume(now), is_following=True))
                    is_read_to_its_end = not now.is_running
                except EngineError as error:
                    log.info("log broke off", container=now.container, reason=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _pass_on(self, source: LogSource, wanted: LogRange) -> None:
        async with aclosing(self._read(source, wanted)) as lines:
            async for line in lines:
                await self._lines.put(line)

    async def _read(self, source: LogSource, wanted: LogRange) -> AsyncGenerator[LogLine, None]:
        """Yield the lines of a container that were not told yet."""
        again = self._told.again()
        async with aclosing(self._engine.logs(source.container, wanted)) as lines:
            async for line in lines:
                if not again.has((source.container, line.stream), line.time):
                    self._told.add((source.container, line.stream), line.time)
                    yield LogLine(line.time, source.workload, source.replica, line.stream, line.text, line.is_cut)

    def _resume(self, source: LogSource) -> str | None:
        return min(self._times(source), default=self._query.since)

    def _times(self, source: LogSource) -> list[str]:
        return [time for (container, _), time in self._told.times().items() if container == source.container]

    async def _sources(self) -> tuple[LogSource, ...]:
        return log_sources(await self._containers(), self._query)

    async def _source(self, container: str) -> LogSource | None:
        return next((each for each in await self._sources() if each.container == container), None)
