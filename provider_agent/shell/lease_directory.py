"""Looks a lease up: terms and versions from the logs, state from the chain as it is at this moment."""

from __future__ import annotations

from moorage.chain.facts import DeploymentFacts, OrderFacts
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeUnavailable
from moorage.types import Address, OrderId, Permission, Version
from provider_agent.shell.lease_access import LeaseContext, NoLease


class ChainLeases:
    """The leases that the reader's index knows."""

    def __init__(self, reader: MarketReader) -> None:
        self._reader = reader

    async def find(self, lease: OrderId) -> LeaseContext | NoLease:
        """Return a lease with its terms, or why there is none. Logs that were not read say nothing about a lease."""
        known = self._known(lease)
        if known is None:
            return NoLease.UNAVAILABLE if self._reader.index.block is None else NoLease.UNKNOWN
        order, deployment = known
        try:
            (found,) = await self._reader.exchange.leases(None, [lease])
        except NodeUnavailable:
            return NoLease.UNAVAILABLE
        if found is None:
            return NoLease.UNKNOWN
        return LeaseContext(found, order.group, deployment.tenant, deployment.version)

    async def permissions(self, lease: OrderId, key: Address) -> Permission | NoLease:
        """Return what a key may do as a manager: as it is at this moment, until its last block was followed."""
        known, block = self._known(lease), self._reader.index.block
        if known is None or block is None:
            return NoLease.UNAVAILABLE if block is None else NoLease.UNKNOWN
        try:
            (manager,) = await self._reader.exchange.managers(None, known[0].key.deployment, [key])
        except NodeUnavailable:
            return NoLease.UNAVAILABLE
        is_one = manager is not None and block.number <= manager.expires_block
        return manager.permissions if manager is not None and is_one else Permission(0)

    def versions(self, lease: OrderId) -> tuple[Version, ...]:
        """Return all versions that the deployment of a lease has had, the newest last."""
        known = self._known(lease)
        return known[1].versions if known is not None else ()

    def _known(self, lease: OrderId) -> tuple[OrderFacts, DeploymentFacts] | None:
        facts = self._reader.index.facts
        order = facts.orders.get(lease)
        deployment = facts.deployments.get(order.key.deployment) if order is not None else None
        return (order, deployment) if order is not None and deployment is not None else None
