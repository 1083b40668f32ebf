"""The gateways as HAProxy in containers: each is told of its files by a reload, or by its socket where that is enough.

What a gateway runs is asked of itself. What is remembered only saves asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import structlog

from moorage.types import OrderId
from provider_agent.core.containers import HealthState
from provider_agent.core.gateway_config import (
    AddressesMissing,
    GatewayConfig,
    LeaseTunnels,
    render,
)
from provider_agent.core.gateway_container import GatewaySite, lease_directory, ports_of
from provider_agent.core.gateway_state import (
    ConnectionReport,
    Statistics,
    TunnelReport,
    connection_reports,
    local_reports,
    read_statistics,
    replica_health,
    tunnel_reports,
)
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.gateway_files import GatewayFiles
from provider_agent.shell.gateway_socket import GatewaySilent, GatewaySocket
from provider_agent.shell.gateways import GatewayAbsent, GatewayError, Networks
from provider_agent.shell.haproxy import ConfigurationRefused, Haproxy

LOAD_SECONDS = 10.0

log = structlog.get_logger(__name__)


class HaproxyGateways:
    """Looks after the configuration of all gateways of an agent."""

    def __init__(self, site: GatewaySite, owner: tuple[int, int] | None, load_seconds: float = LOAD_SECONDS) -> None:
        """
        Args:
            owner: user and group that the gateways run as, if they are not the agent's.
            load_seconds: how long a gateway may take to run what it was given.
        """
        self._site = site
        self._owner = owner
        self._load_seconds = load_seconds
        self._tunnels: dict[OrderId, LeaseTunnels] = {}
        self._running: dict[OrderId, GatewayConfig] = {}
        """What each was seen to run."""

    @property
    def site(self) -> GatewaySite:
        return self._site

    def set_tunnels(self, lease: OrderId, tunnels: LeaseTunnels) -> None:
        self._tunnels[lease] = tunnels

    def is_tuned(self, lease: DesiredLease, networks: Networks) -> bool:
        if self._is_left_alone(lease):
            return True
        try:
            return self._running.get(lease.lease) == self._config(lease, networks)
        except GatewayError:
            return False

    async def prepare(self, lease: DesiredLease, networks: Networks) -> None:
        config = self._config(lease, networks)
        self._running.pop(lease.lease, None)
        await self._write(lease.lease, config)

    async def tune(self, lease: DesiredLease, networks: Networks) -> None:
        if self._is_left_alone(lease):
            return
        config = self._config(lease, networks)
        proxy = Haproxy(self._files(lease.lease), self._load_seconds)
        known = self._running.pop(lease.lease, None)
        try:
            is_reloaded = await proxy.tune(config, known)
        except GatewaySilent as error:
            raise GatewayAbsent(str(error)) from error
        except (ConfigurationRefused, OSError) as error:
            raise GatewayError(str(error)) from error
        self._running[lease.lease] = config
        if config != known:
            log.info("gateway tuned", lease=lease.lease.hex(), configuration=config.digest, reloaded=is_reloaded)

    async def connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        if lease.gateway is None:
            return ()
        statistics = await self._statistics(lease.lease)
        return connection_reports(lease.gateway.plan, self._given(lease.lease), statistics)

    async def local_connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        if lease.gateway is None:
            return ()
        return local_reports(lease.gateway.plan, await self._statistics(lease.lease))

    async def health(self, lease: DesiredLease) -> Mapping[tuple[str, int], HealthState]:
        if lease.gateway is None:
            return {}
        return replica_health(lease.gateway.plan, await self._statistics(lease.lease), lease.gateway.apart)

    async def tunnels(self, lease: OrderId) -> tuple[TunnelReport, ...]:
        return tunnel_reports(self._given(lease), await self._statistics(lease), self._site.host)

    async def remove(self, lease: OrderId) -> None:
        self._running.pop(lease, None)
        self._tunnels.pop(lease, None)
        try:
            await asyncio.to_thread(self._files(lease).remove)
        except OSError as error:
            raise GatewayError(f"the gateway's files stay: {error}") from error

    async def _statistics(self, lease: OrderId) -> Statistics | None:
        try:
            return read_statistics(await GatewaySocket(self._files(lease).sockets).statistics())
        except GatewaySilent:
            return None

    async def _write(self, lease: OrderId, config: GatewayConfig) -> None:
        try:
            await asyncio.to_thread(self._files(lease).use, config.files)
        except OSError as error:
            raise GatewayError(f"the gateway's files cannot be written: {error}") from error

    def _config(self, lease: DesiredLease, networks: Networks) -> GatewayConfig:
        assert lease.gateway is not None
        try:
            return render(lease.gateway, self._site, networks, ports_of(lease), self._given(lease.lease))
        except AddressesMissing as error:
            raise GatewayError(str(error)) from error

    def _is_left_alone(self, lease: DesiredLease) -> bool:
        """Return whether it is not known yet which tunnels a lease has."""
        return bool(lease.edges) and lease.lease not in self._tunnels

    def _given(self, lease: OrderId) -> LeaseTunnels:
        return self._tunnels.get(lease, LeaseTunnels())

    def _files(self, lease: OrderId) -> GatewayFiles:
        return GatewayFiles(Path(lease_directory(self._site, lease.hex())), self._owner)
