"""Decides which orders to match, which leases to end and which deployments to close in the next block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from moorage.snapshot import Snapshot
from moorage.types import (
    Deployment,
    DeploymentId,
    DeploymentState,
    Lease,
    Order,
    OrderId,
    OrderKey,
    OrderState,
    Parameters,
)

BATCH_SIZE = 32
"""What the exchange takes in one transaction."""


Item = TypeVar("Item")


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
        *(SubmitStaleLeases(batch) for batch in _batches(stale)),
        *(SubmitLeases(batch) for batch in _batches(matchable)),
        *(FinishLeases(batch) for batch in _batches(ended)),
        *(CloseDeployments(batch) for batch in _batches(closed)),
    )


def is_finishable(lease: Lease, block: int, parameters: Parameters) -> bool:
    """Return whether anyone may end the lease at `block` because it has been closing or exhausted beyond the grace."""
    grace = parameters.closing_grace_blocks
    if lease.state is OrderState.LEASE_CLOSING:
        return block > lease.confirmed_block + grace
    period = parameters.reconfirmation_period_blocks
    # until its deadline the provider may still confirm the last stretch
    is_settled = lease.confirmed_block == lease.funded_block or block > lease.deadline_block(period)
    return block > lease.funded_block + grace and is_settled and lease.is_exhausted(block, period)


def is_closable(deployment: Deployment) -> bool:
    """Return whether anyone may close the deployment."""
    return deployment.state is DeploymentState.CLOSING and deployment.live_groups == 0


def _by_age(orders: Iterable[Order]) -> list[Order]:
    return sorted(orders, key=lambda order: (order.match_block, order.id))


def _batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    rest = iter(items)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch
