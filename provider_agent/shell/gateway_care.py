"""Brings a lease's gateway up and keeps it at what it should do; the runner of the workloads says when."""

from __future__ import annotations

from collections import Counter

import structlog

from moorage.types import OrderId
from provider_agent.core.containers import ContainerState, Observed
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import Engine, EngineRefused
from provider_agent.shell.gateways import GatewayAbsent, GatewayError, Gateways

MAX_SILENCE = 3
"""A gateway that runs and so often did not answer is removed, and started anew."""

log = structlog.get_logger(__name__)


class GatewayCare:
    def __init__(self, engine: Engine, gateways: Gateways) -> None:
        self._engine = engine
        self._gateways = gateways
        self._silent: Counter[OrderId] = Counter()
        """How often a gateway that ran did not answer since it last did what it should."""

    def is_out_of_tune(self, lease: DesiredLease, seen: Observed) -> bool:
        """Return whether a gateway runs, and was not found to do what it should."""
        return _runs(lease, seen) and not self._gateways.is_tuned(lease, seen.networks)

    async def prepare(self, lease: DesiredLease, image: str) -> None:
        """See that a gateway can start.

        Raises:
            EngineRefused: its image, a network or its files are missing.
        """
        if not await self._engine.has_image(image):  # a registry's would be somebody else's program
            raise EngineRefused(f"the provider's gateway image {image} is missing")
        try:
            await self._gateways.prepare(lease, (await self._engine.observe(lease.lease)).networks)
        except GatewayError as error:
            raise EngineRefused(str(error)) from error

    async def tune(self, lease: DesiredLease, *, only_unchanged: bool = False) -> None:
        """Have a gateway do what it should, if it has one and it runs; one that stays silent is made anew.

        Args:
            only_unchanged: leave one alone that is about to be replaced.
        """
        container = lease.gateway_container
        if container is None:
            return
        seen = await self._engine.observe(lease.lease)
        digests = [each.digest for each in seen.containers if each.name == container.name]
        if not _runs(lease, seen) or (only_unchanged and digests != [container.digest]):
            return
        try:
            await self._gateways.tune(lease, seen.networks)
            del self._silent[lease.lease]
        except GatewayError as error:
            log.warning("gateway not as it should be", lease=lease.lease.hex(), reason=str(error))
            self._silent[lease.lease] += isinstance(error, GatewayAbsent)
            if self._silent[lease.lease] >= MAX_SILENCE:
                del self._silent[lease.lease]
                await self._engine.remove_container(container.name)

    async def forget(self, lease: OrderId) -> None:
        """Remove the files of a gateway.

        Raises:
            EngineRefused: the disk does not.
        """
        del self._silent[lease]
        try:
            await self._gateways.remove(lease)
        except GatewayError as error:
            raise EngineRefused(str(error)) from error


def _runs(lease: DesiredLease, seen: Observed) -> bool:
    container = lease.gateway_container
    return container is not None and any(
        each.name == container.name and each.state is ContainerState.RUNNING for each in seen.containers
    )
