"""Brings the engine to what the leases need, and tells how far that has come.

Leases do not wait for each other: a tenant whose registry answers a byte a minute delays nobody but itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import assert_never

import structlog

from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec, Observed
from provider_agent.core.workload_plan import (
    CreateNetwork,
    Intent,
    ReconnectWorkload,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartFailure,
    StartWorkload,
    is_reset,
    lease_of,
    plan,
)
from provider_agent.core.workload_report import WorkloadReport, reports
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import Engine, EngineError, EngineUnavailable

STEPS_AT_A_TIME = 4
"""What two cores can start at once; pulling an image is not counted."""
PASS_SECONDS = 10.0

_LEASE = re.compile("[0-9a-f]{64}")
"""What a lease is called in labels; somebody may have put another there by hand."""

log = structlog.get_logger(__name__)


class WorkloadRunner:
    """Carries out plans. Remembers only what the engine refused; to forget it costs one attempt too early."""

    def __init__(
        self, engine: Engine, public_host: str, clock: Callable[[], float], pass_seconds: float = PASS_SECONDS
    ) -> None:
        """
        Args:
            public_host: the host's name or address for those outside.
            clock: tells Unix time.
            pass_seconds: how long a pass waits for its steps; what takes longer goes on beside the next ones.
        """
        self._engine = engine
        self._public_host = public_host
        self._clock = clock
        self._failures: dict[str, StartFailure] = {}
        self._observed: Observed | None = None
        self._pass_seconds = pass_seconds
        self._gate = asyncio.Semaphore(STEPS_AT_A_TIME)
        self._busy: dict[OrderId, asyncio.Task[None]] = {}

    async def reconcile(self, desired: Sequence[DesiredLease], ended: Collection[OrderId]) -> None:
        """Take every step that is due. Expected failures end up in the reports.

        Args:
            desired: the leases that shall run.
            ended: leases that a final block proves to be over.

        Raises:
            EngineUnavailable: the engine does not answer; some steps may have been taken.
        """
        await self._abandon(ended)
        self._observed = await self._engine.observe()
        self._forget(desired)
        idle = [lease for lease in desired if lease.lease not in self._busy]
        intents = plan(idle, self._observed, ended, self._now(), self._failures)
        for lease, steps in groupby(intents, key=lambda intent: intent.lease):
            self._busy[lease] = asyncio.create_task(self._lease(tuple(steps)))
        if self._busy:
            await self._settle()

    def reports(self, lease: DesiredLease) -> tuple[WorkloadReport, ...]:
        """Return how the workloads of a lease were at the end of the last pass."""
        observed = self._observed or Observed()
        return reports(lease, observed, self._failures, self._now(), self._public_host)

    def leases(self) -> frozenset[OrderId]:
        """Return the leases of which the last pass has seen something."""
        seen = self._observed or Observed()
        labels = [each.labels for each in seen.containers]
        labels += [each.labels for each in seen.networks]
        labels += [each.labels for each in seen.volumes]
        names = {lease_of(each) for each in labels}
        return frozenset(OrderId(bytes.fromhex(name)) for name in names if _LEASE.fullmatch(name))

    def is_reset(self, lease: OrderId) -> bool:
        """Return whether the last pass has seen that nothing of a lease is left."""
        return self._observed is not None and lease not in self._busy and is_reset(lease, self._observed)

    async def _abandon(self, leases: Collection[OrderId]) -> None:
        """Stop what is still under way for leases that are over."""
        tasks = [self._busy.pop(lease) for lease in leases if lease in self._busy]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self) -> None:
        """Wait until all is done, or long enough, and look again."""
        done, _ = await asyncio.wait(self._busy.values(), timeout=self._pass_seconds)
        self._busy = {lease: task for lease, task in self._busy.items() if task not in done}
        errors = [error for task in done if (error := task.exception()) is not None]
        if errors:
            raise errors[0]
        self._observed = await self._engine.observe()

    async def _lease(self, steps: Sequence[Intent]) -> None:
        for intent in steps:
            try:
                await self._step(intent)
            except EngineUnavailable:
                raise
            except EngineError as error:
                log.warning("engine refused", lease=intent.lease.hex(), step=_described(intent), reason=str(error))

    async def _step(self, intent: Intent) -> None:
        match intent:
            case StartWorkload(spec=container) | ReconnectWorkload(spec=container):
                await self._ensure(container)
            case _:
                async with self._gate:
                    await self._change(intent)
        log.info("engine changed", lease=intent.lease.hex(), step=_described(intent))

    async def _change(self, intent: CreateNetwork | RemoveContainer | RemoveNetwork | RemoveVolume) -> None:
        match intent:
            case CreateNetwork(spec=network):
                await self._engine.ensure_network(network)
            case RemoveContainer(name=name):
                await self._engine.remove_container(name)
            case RemoveNetwork(name=name):
                await self._engine.remove_network(name)
            case RemoveVolume(name=name):
                await self._engine.remove_volume(name)
            case _:
                assert_never(intent)

    async def _ensure(self, container: ContainerSpec) -> None:
        try:
            await self._engine.ensure_image(container.image)
            async with self._gate:
                await self._engine.ensure_container(container)
        except EngineUnavailable:
            raise
        except EngineError as error:
            before = self._failures.get(container.name)
            attempts = before.attempts + 1 if before is not None and before.digest == container.digest else 1
            self._failures[container.name] = StartFailure(container.digest, str(error), attempts, self._now())
            raise
        self._failures.pop(container.name, None)

    def _forget(self, desired: Sequence[DesiredLease]) -> None:
        """Drop the failures of containers that nobody wants any more."""
        wanted = {container.name for lease in desired for container in lease.containers}
        self._failures = {name: failure for name, failure in self._failures.items() if name in wanted}

    def _now(self) -> int:
        return int(self._clock())


def _described(intent: Intent) -> str:
    name = intent.spec.name if isinstance(intent, CreateNetwork | StartWorkload | ReconnectWorkload) else intent.name
    return f"{type(intent).__name__} {name}"
