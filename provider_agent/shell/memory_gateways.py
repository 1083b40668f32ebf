"""Gateways without a proxy: for tests of everything above them, with failures on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from moorage.types import OrderId
from provider_agent.core.containers import HealthState
from provider_agent.core.gateway_config import AddressesMissing, GatewayConfig, LeaseTunnels, render
from provider_agent.core.gateway_container import GatewaySite, ports_of
from provider_agent.core.gateway_state import ConnectionReport, TunnelReport
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.gateways import GatewayError, Networks


@dataclass(slots=True)
class MemoryGateways:
    """Gateways that only pretend to run what they are given.

    Attributes:
        files: what was written for each lease.
        running: what each gateway runs.
        failures: what the next tunings raise, in order; None lets one through.
        reports: what is told about connections.
        healths: what is told about replicas.
    """

    site: GatewaySite = field(default_factory=lambda: GatewaySite("/gateways"))
    files: dict[OrderId, GatewayConfig] = field(default_factory=dict)
    running: dict[OrderId, GatewayConfig] = field(default_factory=dict)
    given: dict[OrderId, LeaseTunnels] = field(default_factory=dict)
    failures: list[GatewayError | None] = field(default_factory=list)
    reports: Callable[[DesiredLease], tuple[ConnectionReport, ...]] = lambda lease: ()
    healths: dict[tuple[str, int], HealthState] = field(default_factory=dict)

    def set_tunnels(self, lease: OrderId, tunnels: LeaseTunnels) -> None:
        self.given[lease] = tunnels

    def is_tuned(self, lease: DesiredLease, networks: Networks) -> bool:
        try:
            return self.running.get(lease.lease) == self._config(lease, networks)
        except GatewayError:
            return False

    async def prepare(self, lease: DesiredLease, networks: Networks) -> None:
        self.files[lease.lease] = self._config(lease, networks)

    async def tune(self, lease: DesiredLease, networks: Networks) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        await self.prepare(lease, networks)
        self.running[lease.lease] = self.files[lease.lease]

    async def connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        return self.reports(lease)

    async def local_connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        return self.reports(lease)

    async def health(self, lease: DesiredLease) -> Mapping[tuple[str, int], HealthState]:
        return self.healths

    async def tunnels(self, lease: OrderId) -> tuple[TunnelReport, ...]:
        return ()

    async def remove(self, lease: OrderId) -> None:
        for kept in (self.files, self.running, self.given):
            kept.pop(lease, None)

    def _config(self, lease: DesiredLease, networks: Networks) -> GatewayConfig:
        assert lease.gateway is not None
        try:
            return render(
                lease.gateway, self.site, networks, ports_of(lease), self.given.get(lease.lease, LeaseTunnels())
            )
        except AddressesMissing as error:
            raise GatewayError(str(error)) from error
