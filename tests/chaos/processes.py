"""A daemon as an operating system sees it: tasks that die together, and a service manager that starts it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage.chain.market import Market
from moorage.chain.rpc import ChainError
from moorage.crash import Crashed
from tests.chaos.daemons import Place
from tests.chaos.proxy import Proxy

RESTART_SECONDS = 0.1
"""How long a service manager takes to start a daemon again."""
DYING_SECONDS = 0.01

running: ContextVar[Process] = ContextVar("running")
"""Whose code it is that runs."""


def owned_task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
    """Make tasks for an event loop, each of which belongs to the daemon whose code has started it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
    process = running.get(None)
    if process is not None:
        process.own(task)
    return task


@dataclass(eq=False)
class Process:
    """A daemon as an operator runs it: started again whenever it has ended."""

    name: str
    program: Callable[[Place], Awaitable[None]]
    proxies: Sequence[Proxy]
    """Before its nodes, the one that it prefers first."""
    market: Market
    folder: Path
    """Its data directory."""
    has_feed: bool = False
    """Whether it subscribes to heads."""
    starts: int = 0
    crashes: list[str] = field(default_factory=list)
    """At which points, or why, it ended."""
    mistakes: list[BaseException] = field(default_factory=list)
    """What it died of that no daemon expects; it is not started again then."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    """All that goes on in it."""
    _death: asyncio.Future[None] | None = None

    @property
    def _path(self) -> str:
        return f"/{self.name}/{self.starts}"

    async def supervise(self) -> None:
        """Run the daemon, again and again, until this is cancelled."""
        running.set(self)
        while True:
            self.starts += 1
            main = asyncio.create_task(self._run(self._place()))
            self._death = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait({main, self._death}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._bury()
                while self._tasks:  # a task may lose a cancellation to something that ends at the same moment
                    for task in self._tasks:
                        task.cancel()
                    await asyncio.wait(self._tasks, timeout=DYING_SECONDS)
            fault = None if main.cancelled() else main.exception()
            if fault is not None:
                self.mistakes.append(fault)
                return
            await asyncio.sleep(RESTART_SECONDS)

    def own(self, task: asyncio.Task[Any]) -> None:
        """Note a task that was started by its code."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def kill(self) -> None:
        """End it at once: nothing that it has not sent yet will be."""
        self._bury()
        if self._death is not None and not self._death.done():
            self._death.set_result(None)

    def crash(self, point: str) -> None:
        """Die at a named point, called from within.

        Raises:
            Crashed: always.
        """
        self.crashes.append(point)
        self.kill()
        raise Crashed(point)

    def _bury(self) -> None:
        for proxy in self.proxies:
            proxy.bury(self._path)

    def _place(self) -> Place:
        feed = f"{self.proxies[0].socket_url}{self._path}" if self.has_feed else None
        return Place(self.market, [f"{each.url}{self._path}" for each in self.proxies], feed, self.folder)

    async def _run(self, place: Place) -> None:
        try:
            await self.program(place)
        except* ChainError as errors:
            # it could not start; the service manager tries again
            self.crashes += [str(error) for error in errors.exceptions]
        except* Crashed:
            pass
