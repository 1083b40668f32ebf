"""Looks a lease up for the manifest service: terms from the logs, state from the chain as it is at this moment."""

from __future__ import annotations

from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeUnavailable
from moorage.types import OrderId
from provider_agent.shell.lease_access import LeaseContext, NoLease


class ChainLeases:
    """The leases that the reader's index knows."""

    def __init__(self, reader: MarketReader) -> None:
        self._reader = reader

    async def find(self, lease: OrderId) -> LeaseContext | NoLease:
        facts = self._reader.index.facts
        order = facts.orders.get(lease)
        if order is None:
            return NoLease.UNKNOWN
        deployment = facts.deployments[order.key.deployment]
        try:
            (found,) = await self._reader.exchange.leases(None, [lease])
        except NodeUnavailable:
            return NoLease.UNAVAILABLE
        if found is None:
            return NoLease.UNKNOWN
        return LeaseContext(found, order.group, deployment.tenant, deployment.version)
