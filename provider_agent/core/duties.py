"""What an agent has to look at in a block: its own leases and bids that are due, and not everything that lives."""

from __future__ import annotations

from moorage.agenda import Agenda
from moorage.snapshot import Snapshot
from moorage.types import Lease, OrderId, OrderState, ProviderNumber
from provider_agent.core.chores import DUE_FRACTION, TAKE_ALONG_FRACTION, Due, is_lost


class Duties:
    """Knows for all leases and bids of a provider in which block something may be due."""

    def __init__(self, provider: ProviderNumber, claim_after_blocks: int) -> None:
        self._provider = provider
        self._claim_after_blocks = claim_after_blocks
        self._confirmations: Agenda[OrderId] = Agenda()
        self._taken_along: Agenda[OrderId] = Agenda()
        self._claims: dict[OrderId, None] = {}
        self._lost: dict[OrderId, None] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Take in what differs from the snapshot before."""
        touched = snapshot.touched
        if touched is None:
            self._confirmations.clear()
            self._taken_along.clear()
            self._claims.clear()
            self._lost.clear()
        for order in touched.orders if touched else {*snapshot.leases, *snapshot.fulfillments}:
            self._look_at(snapshot, order)

    def due(self, block: int) -> Due:
        """Return what there may be something to do about in a block."""
        confirmations = self._taken_along.due(block) if self._confirmations.is_due(block) else ()
        return Due(tuple(dict.fromkeys([*confirmations, *self._claims])), tuple(self._lost))

    def _look_at(self, snapshot: Snapshot, order: OrderId) -> None:
        lease = snapshot.leases.get(order)
        is_ours = lease is not None and lease.provider == self._provider and lease.state is OrderState.LEASE_ACTIVE
        period = snapshot.parameters.reconfirmation_period_blocks
        self._confirmations.set(order, _from(lease, period, DUE_FRACTION) if lease and is_ours else None)
        self._taken_along.set(order, _from(lease, period, TAKE_ALONG_FRACTION) if lease and is_ours else None)
        _put(self._claims, order, bool(lease and is_ours and self._is_claimable(lease)))
        _put(self._lost, order, is_lost(snapshot, order, self._provider))

    def _is_claimable(self, lease: Lease) -> bool:
        return lease.confirmed_block - lease.claimed_block >= self._claim_after_blocks


def _put(items: dict[OrderId, None], item: OrderId, is_in: bool) -> None:
    if is_in:
        items[item] = None
    else:
        items.pop(item, None)


def _from(lease: Lease, period: int, fraction: int) -> int | None:
    """Return the first block in which this part of the period has passed since the last confirmation."""
    if lease.is_awaiting:
        return 0
    if lease.confirmed_block == lease.funded_block:
        return None
    return min(lease.confirmed_block - (-period // fraction), lease.funded_block)
