"""The active leases of one provider, remembered whatever the logs say: what is known is ended by the storage alone.

A node that withholds logs, or whose logs and state disagree, must not cost a lease that there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from moorage.chain.contracts import Exchange
from moorage.snapshot import Block, Snapshot
from moorage.types import Lease, OrderId, OrderState, ProviderNumber


class KnownLeases:
    """Follows the snapshots, and asks the storage about what they do not show any more."""

    def __init__(self, exchange: Exchange, provider: ProviderNumber) -> None:
        self._exchange = exchange
        self._provider = provider
        self._seen: set[OrderId] = set()
        """Active in the newest snapshot."""
        self._unseen: set[OrderId] = set()
        """Known, and not active there: over, or their logs are withheld."""
        self._held: frozenset[OrderId] = frozenset()

    def hold(self, leases: frozenset[OrderId]) -> None:
        """Take in leases of which there is something on the engine or on the disk: a restart knows no others."""
        if leases != self._held:
            self._unseen |= leases - self._held - self._seen
            self._held = leases

    def update(self, snapshot: Snapshot) -> None:
        """Take in what differs from the snapshot before."""
        touched = snapshot.touched
        if touched is None:  # all logs were read anew: what is not there any more may have been withheld
            self._unseen |= self._seen
            self._seen.clear()
        for order in touched.orders if touched else snapshot.leases:
            if self._is_ours(snapshot.leases.get(order)):
                self._seen.add(order)
                self._unseen.discard(order)
            else:
                self._seen.discard(order)

    async def missing(self, block: Block) -> list[Lease]:
        """Return the active leases that the storage has at a block and the newest snapshot lacks.

        Raises:
            NodeUnavailable: the node does not tell.
        """
        found = await self._active(block, self._unseen)
        self._unseen = {lease.id for lease in found}
        return found

    async def all(self, block: Block) -> list[Lease]:
        """Return all known leases that the storage has as active at a block; needs no logs, forgets nothing.

        Raises:
            NodeUnavailable: the node does not tell.
        """
        return await self._active(block, self._seen | self._unseen)

    async def _active(self, block: Block, leases: Collection[OrderId]) -> list[Lease]:
        if not leases:
            return []
        found: Iterable[Lease | None] = await self._exchange.leases(block, sorted(leases))
        return [lease for lease in found if lease is not None and self._is_ours(lease)]

    def _is_ours(self, lease: Lease | None) -> bool:
        return lease is not None and lease.provider == self._provider and lease.state is OrderState.LEASE_ACTIVE
