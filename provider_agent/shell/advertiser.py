"""Keeps the registry told of what is free and what it costs."""

from __future__ import annotations

from moorage.advertisement import Advertisement
from moorage.chain.contracts import Registry
from moorage.chain.jobs import Job
from moorage.snapshot import Block
from moorage.types import ComputeUnit, ProviderNumber
from provider_agent.core.advertisement import AdvertisementPolicy, decide_advertisement
from provider_agent.core.capacity import minus

ADVERTISE = "advertise"
LEAST_URGENT = 4


class Advertiser:
    """Advertises for one provider, seldom."""

    def __init__(
        self,
        registry: Registry,
        provider: ProviderNumber,
        capacity: ComputeUnit,
        price: int | None,
        policy: AdvertisementPolicy,
    ) -> None:
        """
        Args:
            price: see `advertised_price`; None: nothing is advertised.
        """
        self._registry = registry
        self._provider = provider
        self._capacity = capacity
        self._price = price
        self._policy = policy
        self._newest: Advertisement | None = None
        self._looked_block = -1

    async def job(self, head: Block, reserved: ComputeUnit) -> Job | None:
        """Return the transaction that tells the registry, or None if it knows well enough.

        Args:
            reserved: what leases and bids take at this block.

        Raises:
            NodeUnavailable: the node does not tell what was advertised before.
        """
        price, block = self._price, head.number
        if price is None or self._policy.longest_blocks == 0 or not self._is_time(block):
            return None
        first = max(0, block - self._policy.longest_blocks)
        self._newest = await self._registry.advertisement(self._provider, first, block)
        self._looked_block = block
        free = minus(self._capacity, reserved)
        wanted = decide_advertisement(block, self._capacity, free, price, self._newest, self._policy)
        if wanted is None:
            return None
        call = self._registry.advertise(self._provider, wanted.free, wanted.price)
        return Job(ADVERTISE, (self._provider.to_bytes(32, "big"),), lambda _: call, LEAST_URGENT)

    def _is_time(self, block: int) -> bool:
        """Return whether something new may be told: to look for it more often is of no use."""
        return self._looked_block < 0 or block >= self._looked_block + max(1, self._policy.shortest_blocks)
