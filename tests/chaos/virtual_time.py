"""An event loop whose clock jumps: nobody sleeps, and what takes minutes of waiting is tested in a second.

Time stands still while there is anything to do, and jumps to the next timer when there is nothing: no message on its
way on loopback, no thread at work, and nobody waiting for another process, who has to say so by `waiting`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

LOOKS = 3
"""How often it is looked for messages before the clock jumps: to sleep would be to queue for a core each time."""
STUCK_SECONDS = 120.0
"""The machine may stand still for a while; what never comes is told before pytest gives up."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits in real time only for what can come, and lets the clock jump otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.is_jumping = False
        self.waits = 0
        self.jumped_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.is_jumping or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        if self.waits or timeout is None:
            events = super().select(STUCK_SECONDS)
            assert events, f"nothing comes any more; {self.waits} answers of other processes are waited for"
            return events
        for _ in range(LOOKS):
            events = super().select(0)
            if events:
                return events
        self.jumped_seconds += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Keeps real time until `jumping` is entered."""

    def __init__(self) -> None:
        self._jumper = _JumpingSelector()
        self._still: float | None = None
        super().__init__(self._jumper)

    def time(self) -> float:
        """Return seconds; they stand still in virtual time but for the jumps."""
        return (super().time() if self._still is None else self._still) + self._jumper.jumped_seconds

    @contextmanager
    def jumping(self) -> Iterator[None]:
        """Have virtual time until the end of the block."""
        self._still = super().time()
        self._jumper.is_jumping = True
        try:
            yield
        finally:
            self._jumper.is_jumping = False
            self._still = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Say that another process is waited for: time stands still until it has answered."""
        self._jumper.waits += 1
        try:
            yield
        finally:
            self._jumper.waits -= 1

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run something in a thread; time stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._jumper.waits += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: asyncio.Future[Any]) -> None:
        self._jumper.waits -= 1
