"""Watches the engine's disk, and stops containers that write more than was leased."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from provider_agent.core.disk import DiskUsage, is_measuring_due, overuses
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.disk_usage import measure
from provider_agent.shell.engine import EngineError
from provider_agent.shell.eviction import evict
from provider_agent.shell.workload_runner import WorkloadRunner

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class DiskWatch:
    """Sizes are measured now and then, and at once when the disk is filling or nearly full."""

    def __init__(
        self,
        url: str,
        root: Path,
        floor_bytes: int,
        wanted: Callable[[], Sequence[DesiredLease]],
        runner: WorkloadRunner,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            url: the engine's.
            root: the directory in which it has everything.
            floor_bytes: what is to stay free of the disk that this is on.
            wanted: tells what shall run.
        """
        self._url = url
        self._root = root
        self._floor_bytes = floor_bytes
        self._wanted = wanted
        self._runner = runner
        self._clock = clock
        self._measured = float("-inf")
        self._measuring_seconds = 0.0
        self._free_before_bytes = 0
        self.fault: str | None = None
        """What is wrong with the disk."""

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except EngineError as error:
                log.info("disk not measured", reason=str(error))
            except Exception:  # leases are confirmed all the same
                log.exception("disk not watched")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """See how much is free, measure if it is time to, and stop who has too much.

        Raises:
            EngineError: sizes could not be measured.
        """
        free = _free_bytes(self._root)
        if free is None:
            free = self._floor_bytes
        is_low = free < self._floor_bytes
        self._tell(f"{free} bytes are free on the engine's disk, {self._floor_bytes} should be" if is_low else None)
        since = self._clock() - self._measured
        if is_measuring_due(since, self._measuring_seconds, free, self._free_before_bytes, self._floor_bytes):
            for each in overuses(self._wanted(), await self._measure(free)):
                await evict(self._runner, each.lease, each.container, each.reason)

    async def _measure(self, free: int) -> DiskUsage:
        began = self._clock()
        try:
            return await measure(self._url)
        finally:
            self._measured = self._clock()
            self._measuring_seconds = self._measured - began
            self._free_before_bytes = free

    def _tell(self, fault: str | None) -> None:
        if (fault is None) != (self.fault is None):
            log.warning("disk nearly full", reason=fault) if fault else log.info("disk has room again")
        self.fault = fault


def _free_bytes(root: Path) -> int | None:
    """Return what is free on the disk of a directory, None if this machine does not have it."""
    try:
        found = os.statvfs(root)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
