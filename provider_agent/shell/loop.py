"""The agent's loop on the chain: at each block read a snapshot, decide chores and bids, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from moorage.chain.blocks import new_blocks
from moorage.chain.contracts import Registry, provider_account
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender
from moorage.snapshot import Snapshot
from moorage.types import Account, ComputeUnit, OrderId, Provider, ProviderNumber
from provider_agent.core.bidding import Declined, SubmitFulfillment, decide_bids
from provider_agent.core.chores import decide_chores
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.executor import execute

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What this provider sells, and how it is paid out."""

    capacity: ComputeUnit
    prices: PricePolicy
    claim_after_blocks: int


class MarketLoop:
    """Bids, confirms, claims, closes and releases for one provider."""

    def __init__(
        self,
        rpc: Rpc,
        reader: MarketReader,
        registry: Registry,
        sender: Sender,
        provider: ProviderNumber,
        offer: Offer,
    ) -> None:
        self._rpc = rpc
        self._reader = reader
        self._registry = registry
        self._sender = sender
        self._provider = provider
        self._offer = offer
        self._declined: dict[OrderId, str] = {}
        self.newest: Snapshot | None = None

    async def run(self, stop: asyncio.Event, reset: Callable[[], frozenset[OrderId]], wake: Callable[[], None]) -> None:
        """Work until `stop` is set. A cycle that fails is repeated at the next block.

        Args:
            reset: gives the leases that are over and of which nothing is left on the engine.
            wake: is called when there is a new snapshot.
        """
        async for _ in new_blocks(self._rpc, stop):
            try:
                await self._cycle(reset(), wake)
            except ChainError as error:
                log.warning("cycle given up", reason=str(error))
            except Exception:  # the daemon goes on; the same state is looked at again in the next block
                log.exception("cycle failed")

    async def _cycle(self, reset: frozenset[OrderId], wake: Callable[[], None]) -> None:
        snapshot = await self._reader.snapshot()
        self.newest = snapshot
        wake()
        chores = decide_chores(snapshot, self._provider, reset, self._offer.claim_after_blocks)
        # confirmations first and alone: nothing about bids may delay them
        await execute(self._reader.exchange, self._sender, self._provider, chores)
        if snapshot.orders:
            await self._bid(snapshot)

    async def _bid(self, snapshot: Snapshot) -> None:
        provider = await self._registry.provider(snapshot.block, self._provider)
        if provider is None:
            return
        (account,) = await self._reader.exchange.accounts(snapshot.block, [provider_account(self._provider)])
        bids = self._bids(snapshot, provider, account)
        await execute(self._reader.exchange, self._sender, self._provider, bids)

    def _bids(self, snapshot: Snapshot, provider: Provider, account: Account) -> list[SubmitFulfillment]:
        bids: list[SubmitFulfillment] = []
        declined: dict[OrderId, str] = {}
        for decision in decide_bids(snapshot, provider, account, self._offer.capacity, self._offer.prices):
            match decision:
                case SubmitFulfillment():
                    bids.append(decision)
                case Declined(order=order, reason=reason):
                    declined[order] = reason
                    if self._declined.get(order) != reason:
                        log.info("no bid", order=order.hex(), reason=reason)
        self._declined = declined
        return bids
