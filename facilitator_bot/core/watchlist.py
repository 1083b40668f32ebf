"""What a facilitator has to look at in a block: what is due, and not everything that lives."""

from __future__ import annotations

from facilitator_bot.core.decisions import Due
from moorage.agenda import Agenda
from moorage.due import end_block, is_closable
from moorage.snapshot import Snapshot
from moorage.types import DeploymentId, Order, OrderId


class Watchlist:
    """Knows for all that lives in which block something may be due."""

    def __init__(self) -> None:
        self._orders: Agenda[OrderId] = Agenda()
        self._closable: dict[DeploymentId, None] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Take in what differs from the snapshot before."""
        touched = snapshot.touched
        if touched is None:
            self._orders.clear()
            self._closable.clear()
        for order in touched.orders if touched else (*snapshot.orders, *snapshot.leases):
            self._orders.set(order, _due_block(snapshot, order))
        for each in touched.deployments if touched else snapshot.deployments:
            deployment = snapshot.deployments.get(each)
            if deployment is not None and is_closable(deployment):
                self._closable[each] = None
            else:
                self._closable.pop(each, None)

    def due(self, block: int) -> Due:
        """Return what may be ready for something in a block."""
        return Due(tuple(self._orders.due(block)), tuple(self._closable))


def _due_block(snapshot: Snapshot, order: OrderId) -> int | None:
    if order in snapshot.orders:
        return _match_block(snapshot.orders[order])
    if order in snapshot.leases:
        return end_block(snapshot.leases[order], snapshot.parameters)
    return None


def _match_block(order: Order) -> int | None:
    return order.match_block if order.bid_count > 0 else None
