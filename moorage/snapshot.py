"""The state of a market at one block hash, as the programs decide from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.types import (
    Deployment,
    DeploymentId,
    Fulfillment,
    Lease,
    Order,
    OrderId,
    OrderKey,
    Parameters,
)


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    hash: bytes
    timestamp: int
    """Seconds since the epoch."""
    parent_hash: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Touched:
    """What the logs of some blocks are about."""

    orders: frozenset[OrderId] = frozenset()
    """Leases too."""
    deployments: frozenset[DeploymentId] = frozenset()

    def __or__(self, other: Touched) -> Touched:
        return Touched(self.orders | other.orders, self.deployments | other.deployments)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that lives on an exchange at one block; what is missing here has ended or never was."""

    block: Block
    parameters: Parameters
    deployments: Mapping[DeploymentId, Deployment]
    """ACTIVE and CLOSING ones."""
    orders: Mapping[OrderId, Order]
    """Open ones."""
    leases: Mapping[OrderId, Lease]
    """Active and closing ones."""
    leased_orders: Mapping[OrderId, Order]
    """The terms of the orders that the leases were."""
    fulfillments: Mapping[OrderId, Fulfillment] = field(default_factory=dict)
    """Locked bids of the one provider that the snapshot is read for, if any: live, won, or lost and to be released."""
    unclaimed: tuple[OrderId, ...] = ()
    """Stale leases of that provider that still hold what it has earned."""
    touched: Touched | None = field(default=None, compare=False)
    """What may differ from the snapshot before; None: anything."""

    def key(self, order: OrderId) -> OrderKey:
        """Return the key of a live order or lease."""
        return (self.orders.get(order) or self.leased_orders[order]).key
