"""What waits on a market at one block: for the status command, for doctor and for metrics."""

from __future__ import annotations

from dataclasses import dataclass

from facilitator_bot.core.decisions import decide
from moorage.snapshot import Block, Snapshot
from moorage.types import DeploymentState, OrderState
from moorage.waiting import oldest_due_blocks

NAMES = {
    "SubmitLeases": "submit_lease",
    "SubmitStaleLeases": "submit_stale_lease",
    "FinishLeases": "finish_leases",
    "CloseDeployments": "deployment_closed",
}
"""Intent -> the transaction that it becomes."""


@dataclass(frozen=True, slots=True)
class Summary:
    block: Block
    orders: int
    """Open ones."""
    bids: int
    """On them."""
    active_leases: int
    closing_leases: int
    deployments: int
    closing_deployments: int
    due: dict[str, int]
    """Transaction -> how many items it could act on in the next block."""
    oldest_due_blocks: int
    """For how long the oldest match or stale call has been due; 0: nothing has been waiting."""


def summarise(snapshot: Snapshot) -> Summary:
    """Return what is on the market at the snapshot's block, and what of it waits for a facilitator."""
    leases = [lease.state for lease in snapshot.leases.values()]
    deployments = [deployment.state for deployment in snapshot.deployments.values()]
    return Summary(
        block=snapshot.block,
        orders=len(snapshot.orders),
        bids=sum(order.bid_count for order in snapshot.orders.values()),
        active_leases=leases.count(OrderState.LEASE_ACTIVE),
        closing_leases=leases.count(OrderState.LEASE_CLOSING),
        deployments=len(deployments),
        closing_deployments=deployments.count(DeploymentState.CLOSING),
        due=_due(snapshot),
        oldest_due_blocks=oldest_due_blocks(snapshot),
    )


def _due(snapshot: Snapshot) -> dict[str, int]:
    due = dict.fromkeys(NAMES.values(), 0)
    for intent in decide(snapshot):
        items = next(getattr(intent, name) for name in ("orders", "leases", "deployments") if hasattr(intent, name))
        due[NAMES[type(intent).__name__]] += len(items)
    return due
