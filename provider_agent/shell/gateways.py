"""What the agent needs of the gateways of its leases. Implementations: HAProxy in containers, and one in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from moorage.types import OrderId
from provider_agent.core.containers import HealthState, ObservedNetwork
from provider_agent.core.gateway_config import LeaseTunnels
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.core.gateway_state import ConnectionReport, TunnelReport
from provider_agent.core.workloads import DesiredLease


class GatewayError(Exception):
    """A gateway did not do what was asked of it. The next pass asks again."""


class GatewayAbsent(GatewayError):
    """A gateway does not answer, as if it did not run."""


Networks = Collection[ObservedNetwork]
"""Those of a lease, as they were last seen."""


class Gateways(Protocol):
    """The gateways of all leases: their configuration, not their containers.

    A lease is given as gateway_container.with_gateway returns it, and has a gateway.
    """

    @property
    def site(self) -> GatewaySite: ...

    def set_tunnels(self, lease: OrderId, tunnels: LeaseTunnels) -> None:
        """Give the tunnels of a lease, in place of those before; its gateway gets them at its next tuning.

        Until they are given for the first time, a gateway that runs and may have tunnels keeps those that it has.
        """
        ...

    def is_tuned(self, lease: DesiredLease, networks: Networks) -> bool:
        """Return whether a gateway was seen to run what it should."""
        ...

    async def prepare(self, lease: DesiredLease, networks: Networks) -> None:
        """Write what a gateway starts with.

        Raises:
            GatewayError: a network is missing, or the disk refuses.
        """
        ...

    async def tune(self, lease: DesiredLease, networks: Networks) -> None:
        """Have a gateway that runs do what it should, without a break of connections that are still allowed.

        Connections that are not allowed any more are cut.

        Raises:
            GatewayAbsent
            GatewayError: it does not take its configuration, and goes on with the one before.
        """
        ...

    async def connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        """Return how the connections of a lease's workloads are now."""
        ...

    async def local_connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        """Return how those are now that stay in the datacenter, tunnels to the same server apart."""
        ...

    async def health(self, lease: DesiredLease) -> Mapping[tuple[str, int], HealthState]:
        """Return how the replicas are that a gateway checks, by workload and replica."""
        ...

    async def tunnels(self, lease: OrderId) -> tuple[TunnelReport, ...]:
        """Return how the tunnels are now that begin at a lease."""
        ...

    async def remove(self, lease: OrderId) -> None:
        """Forget a lease and remove the files of its gateway. Disk errors are GatewayError."""
        ...
