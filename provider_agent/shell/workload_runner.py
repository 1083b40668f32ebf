"""Brings the engine to what the leases need, and tells how far that has come.

Leases do not wait for each other: a tenant whose registry answers a byte a minute delays nobody but itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import assert_never

import structlog

from moorage.crash import crash_point
from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec, Observed
from provider_agent.core.endings import Over
from provider_agent.core.workload_plan import (
    CreateNetwork,
    Intent,
    ReconnectWorkload,
    Removal,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartFailure,
    StartWorkload,
    StopContainer,
    by_lease,
    next_attempt,
    plan,
)
from provider_agent.core.workload_report import WorkloadReport, reports
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import Engine, EngineError, EngineUnavailable

STEPS_AT_A_TIME = 4
"""What two cores can start at once; pulling an image is not counted."""
PASS_SECONDS = 10.0
LOOKS_AT_A_TIME = 16
"""For more leases than this the engine is asked for everything at once."""

_LEASE = re.compile("[0-9a-f]{64}")
"""What a lease is called in labels; somebody may have put another there by hand."""

log = structlog.get_logger(__name__)


class WorkloadRunner:
    """Carries out plans. Remembers what it has seen, what the engine refused, and which containers it has stopped.

    To forget a refusal costs one attempt too early; to forget a stop, a new container with the same volumes.
    """

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
        self._failures: dict[OrderId, dict[str, StartFailure]] = {}
        self._stopped: set[str] = set()
        self._seen: dict[str, Observed] = {}
        self._has_looked = False
        self._pass_seconds = pass_seconds
        self._gate = asyncio.Semaphore(STEPS_AT_A_TIME)
        self._busy: dict[OrderId, asyncio.Task[None]] = {}
        self._ending: set[OrderId] = set()
        """Those of the busy ones of which something is stopped or removed."""

    def changes(self) -> AsyncGenerator[str | None, None]:
        """Tell what changes on the engine, see Engine.changes."""
        return self._engine.changes()

    async def look(self, leases: Collection[OrderId] | None = None) -> None:
        """See what leases have on the engine; None: all of them.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        if leases is None or not self._has_looked or len(leases) > LOOKS_AT_A_TIME:
            self._seen = by_lease(await self._engine.observe())
            self._has_looked = True
            return
        for lease in leases:
            seen = await self._engine.observe(lease)
            self._seen.pop(lease.hex(), None)
            self._seen.update(by_lease(seen))

    async def carry_out(
        self, desired: Sequence[DesiredLease], over: Collection[Over] = (), resting: Collection[OrderId] = ()
    ) -> frozenset[OrderId]:
        """Take every step that is due, by what was last seen. Expected failures end up in the reports.

        Args:
            desired: leases that shall run; what is in none of the three is left as it is.
            over: leases that are proved to be over.
            resting: leases whose containers are to be stopped.

        Returns:
            The leases that steps were taken for, now or since the last time; they may need more.

        Raises:
            EngineUnavailable: the engine does not answer; some steps may have been taken.
        """
        gone = [each.lease for each in over]
        await self._abandon([*gone, *resting])
        finished = self._finished()
        idle = [lease for lease in desired if lease.lease not in self._busy]
        self._forget(idle)
        leases = [lease for lease in (*gone, *resting, *(each.lease for each in idle)) if lease not in self._busy]
        failures = {name: each for lease in leases for name, each in self._failures.get(lease, {}).items()}
        intents = plan(idle, self._merged(leases), over, self._now(), failures, resting, self._stopped)
        begun = []
        for lease, steps in groupby(intents, key=lambda intent: intent.lease):
            self._busy[lease] = asyncio.create_task(self._lease(tuple(steps)))
            begun.append(lease)
        self._ending.update(lease for lease in begun if lease in gone or lease in resting)
        if begun:
            await asyncio.wait([self._busy[lease] for lease in begun], timeout=self._pass_seconds)
            finished |= self._finished()
        if finished:
            await self.look(finished)
        return frozenset({*begun, *finished})

    def next_attempt(self, lease: DesiredLease) -> int | None:
        """Return the Unix time from which there is something to do for a lease though nothing changes; None: never."""
        return next_attempt(lease, self._seen.get(lease.lease.hex(), Observed()), self._failures.get(lease.lease, {}))

    def reports(self, lease: DesiredLease) -> tuple[WorkloadReport, ...]:
        """Return how the workloads of a lease were when they were last seen."""
        observed = self._seen.get(lease.lease.hex(), Observed())
        return reports(lease, observed, self._failures.get(lease.lease, {}), self._now(), self._public_host)

    def leases(self) -> frozenset[OrderId]:
        """Return the leases of which something was seen."""
        return frozenset(OrderId(bytes.fromhex(name)) for name in self._seen if _LEASE.fullmatch(name))

    def has(self, lease: OrderId) -> bool:
        """Return whether something of a lease was seen, or is under way."""
        return lease in self._busy or lease.hex() in self._seen

    def is_reset(self, lease: OrderId) -> bool:
        """Return whether it was seen that nothing of a lease is left."""
        return self._has_looked and not self.has(lease)

    def forget(self, lease: OrderId) -> None:
        """Drop what the engine refused for a lease that nobody wants any more."""
        self._failures.pop(lease, None)

    def now(self) -> int:
        """Return the Unix time."""
        return self._now()

    def _merged(self, leases: Iterable[OrderId]) -> Observed:
        found = [self._seen[name] for name in dict.fromkeys(lease.hex() for lease in leases) if name in self._seen]
        return Observed(
            tuple(container for each in found for container in each.containers),
            tuple(network for each in found for network in each.networks),
            tuple(volume for each in found for volume in each.volumes),
        )

    async def _abandon(self, leases: Collection[OrderId]) -> None:
        """Break off what is still under way for leases that are not wanted any more, but not their removal."""
        tasks = [self._busy.pop(lease) for lease in leases if lease in self._busy and lease not in self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self) -> set[OrderId]:
        """Return the leases whose steps have come to an end since the last time.

        Raises:
            EngineUnavailable: some of them because the engine did not answer.
        """
        done = {lease: task for lease, task in self._busy.items() if task.done()}
        for lease in done:
            del self._busy[lease]
        self._ending -= done.keys()
        ended = {lease: task for lease, task in done.items() if not task.cancelled()}
        errors = {lease: error for lease, task in ended.items() if (error := task.exception()) is not None}
        for lease, error in errors.items():
            if not isinstance(error, EngineUnavailable):  # one odd lease holds no other up
                log.error("steps failed", lease=lease.hex(), exc_info=error)
        unavailable = [error for error in errors.values() if isinstance(error, EngineUnavailable)]
        if unavailable:
            raise unavailable[0]
        return set(done)

    async def _lease(self, steps: Sequence[Intent]) -> None:
        for intent in steps:
            try:
                await self._step(intent)
            except EngineUnavailable:
                raise
            except EngineError as error:
                log.warning("engine refused", lease=intent.lease.hex(), step=_described(intent), reason=str(error))

    async def _step(self, intent: Intent) -> None:
        crash_point(f"before-{type(intent).__name__}")
        match intent:
            case StartWorkload(spec=container) | ReconnectWorkload(spec=container):
                await self._ensure(intent.lease, container)
            case _:
                async with self._gate:
                    await self._change(intent)
        crash_point(f"after-{type(intent).__name__}")
        log.info("engine changed", lease=intent.lease.hex(), step=_described(intent))

    async def _change(self, intent: CreateNetwork | StopContainer | Removal) -> None:
        match intent:
            case StopContainer(name=name):
                self._stopped.add(name)
                await self._engine.stop_container(name)
            case CreateNetwork(spec=network):
                await self._engine.ensure_network(network)
            case RemoveContainer(name=name):
                self._stopped.discard(name)
                await self._engine.remove_container(name)
            case RemoveNetwork(name=name):
                await self._engine.remove_network(name)
            case RemoveVolume(name=name):
                await self._engine.remove_volume(name)
            case _:
                assert_never(intent)

    async def _ensure(self, lease: OrderId, container: ContainerSpec) -> None:
        failures = self._failures.setdefault(lease, {})
        try:
            await self._engine.ensure_image(container.image)
            async with self._gate:
                await self._engine.ensure_container(container)
        except EngineUnavailable:
            raise
        except EngineError as error:
            before = failures.get(container.name)
            attempts = before.attempts + 1 if before is not None and before.digest == container.digest else 1
            failures[container.name] = StartFailure(container.digest, str(error), attempts, self._now())
            raise
        failures.pop(container.name, None)
        self._stopped.discard(container.name)

    def _forget(self, desired: Sequence[DesiredLease]) -> None:
        """Drop the failures of containers that nobody wants any more."""
        for lease in desired:
            wanted = {container.name for container in lease.containers}
            failures = self._failures.get(lease.lease, {})
            for name in failures.keys() - wanted:
                del failures[name]

    def _now(self) -> int:
        return int(self._clock())


def _described(intent: Intent) -> str:
    name = intent.spec.name if isinstance(intent, CreateNetwork | StartWorkload | ReconnectWorkload) else intent.name
    return f"{type(intent).__name__} {name}"
