"""What anyone may do at a block, and from which block on: the rules that facilitators and the command line share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from moorage.types import Deployment, DeploymentState, Lease, OrderState, Parameters

BATCH_SIZE = 32
"""What the exchange takes in one transaction."""

Item = TypeVar("Item")


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


def end_block(lease: Lease, parameters: Parameters) -> int:
    """Return the first block in which a live lease is stale or can be finished if nothing happens to it."""
    grace = parameters.closing_grace_blocks
    if lease.state is OrderState.LEASE_CLOSING:
        return lease.confirmed_block + grace + 1
    deadline = lease.deadline_block(parameters.reconfirmation_period_blocks)
    if will_be_stale(lease, parameters):
        return deadline + 1
    is_settled = lease.confirmed_block == lease.funded_block
    return max(lease.funded_block + grace, 0 if is_settled else deadline) + 1


def will_be_stale(lease: Lease, parameters: Parameters) -> bool:
    """Return whether an active lease ends as stale if it is not confirmed any more, and not by being used up."""
    return lease.is_awaiting or lease.deadline_block(parameters.reconfirmation_period_blocks) < lease.funded_block


def batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Return items in parts that fit into a transaction."""
    rest = iter(items)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch
