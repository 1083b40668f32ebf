"""Takes the steps of plans: what has to come before each, and what is remembered when the engine refuses one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never

import structlog

from moorage.crash import crash_point
from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec, Observed
from provider_agent.core.image_names import ImageRequest
from provider_agent.core.lease_names import is_gateway
from provider_agent.core.workload_plan import (
    CreateNetwork,
    Intent,
    ReconnectWorkload,
    Removal,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartWorkload,
    StopContainer,
)
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import Engine, EngineError, EngineUnavailable, ImageNotFound, PortTaken
from provider_agent.shell.gateway_care import GatewayCare
from provider_agent.shell.image_care import ImageCare
from provider_agent.shell.port_book import PortBook
from provider_agent.shell.refusals import Refusals

STEPS_AT_A_TIME = 4
"""What two cores can start at once; pulling an image is not counted."""

log = structlog.get_logger(__name__)


class WorkloadSteps:
    """Takes steps, those of several leases beside each other."""

    def __init__(
        self,
        engine: Engine,
        care: GatewayCare,
        images: ImageCare,
        ports: PortBook,
        refusals: Refusals,
        now: Callable[[], int],
    ) -> None:
        """
        Args:
            care: of the gateways that the steps bring up.
            ports: is told of those that somebody else has.
            refusals: are noted here.
            now: tells Unix time.
        """
        self._engine = engine
        self._care = care
        self._images = images
        self._ports = ports
        self._refusals = refusals
        self._now = now
        self._gate = asyncio.Semaphore(STEPS_AT_A_TIME)
        self.stopped: set[str] = set()
        """Names of containers that were stopped; to forget one costs a new container with the same volumes."""

    async def take(self, lease: OrderId, steps: Sequence[Intent], wanted: DesiredLease | None, seen: Observed) -> None:
        """Take a lease's steps one after the other, and bring its gateway to what it should do.

        What the engine refuses is noted; only what depends on it is left out.

        Args:
            wanted: what shall run; None: the lease is over, or rests.
            seen: what it had when the steps were decided.

        Raises:
            EngineUnavailable
        """
        is_told = False
        fallen: set[str] = set()
        for intent in steps:
            if isinstance(intent, StartWorkload) and intent.after & fallen:
                fallen.add(intent.spec.name)  # what it depends on did not come up
                continue
            if wanted is not None and not is_told and not isinstance(intent, CreateNetwork):
                is_told = True
                if self._care.is_out_of_tune(wanted, seen):  # before what it leads to is gone
                    await self._care.tune(wanted, only_unchanged=True)
            try:
                await self._step(intent, wanted)
            except EngineUnavailable:
                raise
            except EngineError as error:
                fallen.update([intent.spec.name] if isinstance(intent, StartWorkload) else [])
                log.warning("engine refused", lease=lease.hex(), step=_described(intent), reason=str(error))
        if wanted is not None:
            await self._care.tune(wanted)
            await self._forget_logs(wanted)

    async def _forget_logs(self, wanted: DesiredLease) -> None:
        """Keep what was written only of what the lease still is to have."""
        try:
            await self._engine.forget_logs(wanted.lease, {each.name for each in wanted.workload_containers})
        except OSError as error:
            log.warning("logs not forgotten", lease=wanted.lease.hex(), reason=str(error))

    async def remove_at_once(self, name: str) -> None:
        """Remove a container that runs, without time to end by itself.

        Raises:
            EngineError
        """
        async with self._gate:
            await self._engine.remove_container(name, at_once=True)

    async def _step(self, intent: Intent, wanted: DesiredLease | None) -> None:
        crash_point(f"before-{type(intent).__name__}")
        match intent:
            case StartWorkload(spec=container, image=image):
                await self._ensure(intent.lease, container, image, wanted)
            case ReconnectWorkload(spec=container):
                await self._ensure(intent.lease, container, None, None)
            case _:
                async with self._gate:
                    await self._change(intent)
        crash_point(f"after-{type(intent).__name__}")
        log.info("engine changed", lease=intent.lease.hex(), step=_described(intent))

    async def _change(self, intent: CreateNetwork | StopContainer | Removal) -> None:
        match intent:
            case StopContainer(name=name):
                self.stopped.add(name)
                await self._engine.stop_container(name)
            case CreateNetwork(spec=network):
                await self._engine.ensure_network(network)
            case RemoveContainer(name=name):
                self.stopped.discard(name)
                if is_gateway(name):
                    await self._care.forget(intent.lease)
                await self._engine.remove_container(name)
            case RemoveNetwork(name=name):
                await self._engine.remove_network(name)
            case RemoveVolume(name=name):
                await self._engine.remove_volume(name)
            case _:
                assert_never(intent)

    async def _ensure(
        self,
        lease: OrderId,
        container: ContainerSpec,
        image: ImageRequest | None,
        starting: DesiredLease | None,
    ) -> None:
        made_of = container
        try:
            if not is_gateway(container.name):
                made_of = await self._images.made_of(lease, container, image)
                await self._engine.ensure_image(made_of.image)
            elif starting is not None:
                await self._care.prepare(starting, container.image)
            async with self._gate:
                await self._engine.ensure_container(made_of)
        except EngineUnavailable:
            raise
        except EngineError as error:
            if isinstance(error, PortTaken):
                chosen = [each.port for each in container.published_ports]
                self._ports.avoid([error.port] if error.port in chosen else chosen)
            if isinstance(error, ImageNotFound):
                self._images.lose(made_of.image)
            self._refusals.note(lease, container, str(error), self._now())
            raise
        self._refusals.settle(lease, container.name)
        self.stopped.discard(container.name)


def _described(intent: Intent) -> str:
    name = intent.spec.name if isinstance(intent, CreateNetwork | StartWorkload | ReconnectWorkload) else intent.name
    return f"{type(intent).__name__} {name}"
