"""Remembers which ports of the host the gateways were given; the labels of their containers tell it anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from moorage.types import OrderId
from provider_agent.core.containers import Observed
from provider_agent.core.gateway_container import GatewaySite, port_keys, with_gateway
from provider_agent.core.lease_names import PORTS_LABEL, is_gateway
from provider_agent.core.ports import Ports, choose_ports, read
from provider_agent.core.workloads import DesiredLease

AVOIDED_SECONDS = 600
"""A port that somebody else was found to listen on is not tried again for so long."""

log = structlog.get_logger(__name__)


class PortBook:
    def __init__(self, site: GatewaySite, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._given: dict[OrderId, dict[str, int]] = {}
        self._avoided: dict[int, float] = {}
        """Port -> Unix time until which it is not tried."""

    def learn(self, seen: Mapping[OrderId, Observed], kept: Collection[OrderId]) -> None:
        """Take in what every lease has on the engine.

        Args:
            kept: leases whose ports are not forgotten though nothing of them was seen.
        """
        for lease in self._given.keys() - seen.keys() - set(kept):
            del self._given[lease]
        for lease, observed in seen.items():
            for container in observed.containers:  # others have such a label if their image has it
                ports = read(container.label(PORTS_LABEL)) if is_gateway(container.name) else {}
                if ports:
                    self._given.setdefault(lease, ports)  # what was given since is not taken back

    def give(self, lease: DesiredLease) -> DesiredLease:
        """Return a lease with its gateway's container, with ports of its own."""
        if lease.gateway is None:
            self._given.pop(lease.lease, None)
            return lease
        now = self._clock()
        self._avoided = {port: until for port, until in self._avoided.items() if until > now}
        taken = {port for other, ports in self._given.items() if other != lease.lease for port in ports.values()}
        wanted = port_keys(lease.gateway.plan, self._site)
        has = self._given.get(lease.lease, {})
        ports = choose_ports(lease.lease, wanted, has, taken | self._avoided.keys(), self._site.ports)
        if ports != has:
            log.info("ports of the host chosen", lease=lease.lease.hex(), ports=ports)
        self._given[lease.lease] = ports
        return with_gateway(lease, self._site, ports)

    def of(self, lease: DesiredLease) -> Ports:
        """Return the ports that a lease was given the last time."""
        return self._given.get(lease.lease, {}) if lease.gateway is not None else {}

    def as_given(self, lease: DesiredLease) -> DesiredLease:
        """Return a lease with its gateway's container, as it was given the last time."""
        return with_gateway(lease, self._site, self.of(lease))

    def avoid(self, ports: Collection[int]) -> None:
        """Note that somebody else listens on ports."""
        for port in ports:
            self._avoided[port] = self._clock() + AVOIDED_SECONDS
