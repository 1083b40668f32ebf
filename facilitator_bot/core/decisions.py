"""Decides which orders to match, which leases to end and which deployments to close in the next block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.due import batches, is_closable, is_finishable
from moorage.snapshot import Snapshot
from moorage.types import DeploymentId, Order, OrderId, OrderKey


@dataclass(frozen=True, slots=True)
class SubmitLeases:
    orders: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class SubmitStaleLeases:
    leases: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class FinishLeases:
    leases: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class CloseDeployments:
    deployments: tuple[DeploymentId, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """What may be ready for something."""

    orders: tuple[OrderId, ...]
    """Leases too."""
    deployments: tuple[DeploymentId, ...]


Intent = SubmitLeases | SubmitStaleLeases | FinishLeases | CloseDeployments


def decide(snapshot: Snapshot, due: Due | None = None) -> tuple[Intent, ...]:
    """Return everything that the exchange will accept in the block after the snapshot's, oldest first.

    Args:
        due: what to look at; None is everything.
    """
    block = snapshot.block.number + 1
    parameters = snapshot.parameters
    due = due or Due((*snapshot.orders, *snapshot.leases), tuple(snapshot.deployments))
    orders = [snapshot.orders[each] for each in due.orders if each in snapshot.orders]
    found = (snapshot.leases[each] for each in due.orders if each in snapshot.leases)
    leases = sorted(found, key=lambda lease: (lease.confirmed_block, lease.id))
    deployments = [snapshot.deployments[each] for each in sorted(due.deployments) if each in snapshot.deployments]
    matchable = [order.key for order in _by_age(orders) if order.bid_count > 0 and block >= order.match_block]
    period = parameters.reconfirmation_period_blocks
    stale = [snapshot.key(lease.id) for lease in leases if lease.is_stale(block, period)]
    ended = [snapshot.key(lease.id) for lease in leases if is_finishable(lease, block, parameters)]
    closed = [deployment.id for deployment in deployments if is_closable(deployment)]
    return (
        *(SubmitStaleLeases(batch) for batch in batches(stale)),
        *(SubmitLeases(batch) for batch in batches(matchable)),
        *(FinishLeases(batch) for batch in batches(ended)),
        *(CloseDeployments(batch) for batch in batches(closed)),
    )


def _by_age(orders: Iterable[Order]) -> list[Order]:
    return sorted(orders, key=lambda order: (order.match_block, order.id))
