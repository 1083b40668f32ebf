"""The agent's loop on the chain: at each block read a snapshot, decide chores and bids, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from moorage.chain.blocks import new_blocks
from moorage.chain.contracts import Registry, provider_account
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender
from moorage.snapshot import Snapshot
from moorage.types import Account, ComputeUnit, OrderId, Provider, ProviderNumber
from provider_agent.core.admission import Admission
from provider_agent.core.bidding import Declined, SubmitFulfillment, decide_bids
from provider_agent.core.chores import Chore, ConfirmLeases, decide_chores
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.executor import execute

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What this provider sells, and how it is paid out."""

    capacity: ComputeUnit
    prices: PricePolicy
    claim_after_blocks: int
    longest_wait_blocks: int
    admission: Admission | None = None


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
        self._errands: asyncio.Task[None] | None = None
        self._errands_block = 0
        self.newest: Snapshot | None = None

    async def run(self, stop: asyncio.Event, reset: Callable[[], frozenset[OrderId]], wake: Callable[[], None]) -> None:
        """Work until `stop` is set. A cycle that fails is repeated at the next block.

        Args:
            reset: gives the leases that are over and of which nothing is left on the engine.
            wake: is called when there is a new snapshot.
        """
        async with asyncio.TaskGroup() as tasks:
            async for _ in new_blocks(self._rpc, stop):
                errands = await self._guarded(self._cycle(reset(), wake))
                if errands and self._may_go(errands[0]):
                    self._errands = tasks.create_task(self._guarded(self._run_errands(*errands)))

    async def _guarded(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        try:
            return await work
        except ChainError as error:
            log.warning("cycle given up", reason=str(error))
        except Exception:  # the daemon goes on; the same state is looked at again in the next block
            log.exception("cycle failed")
        return None

    def _may_go(self, snapshot: Snapshot) -> bool:
        """Return whether the errands before are done, and the snapshot knows what came of them."""
        return (self._errands is None or self._errands.done()) and snapshot.block.number >= self._errands_block

    async def _cycle(self, reset: frozenset[OrderId], wake: Callable[[], None]) -> tuple[Snapshot, list[Chore]]:
        """Confirm what is due, and return what else there is to do: nothing of that may delay a confirmation."""
        snapshot = await self._reader.snapshot()
        self.newest = snapshot
        wake()
        chores = decide_chores(snapshot, self._provider, reset, self._offer.claim_after_blocks)
        confirmations = [chore for chore in chores if isinstance(chore, ConfirmLeases)]
        await execute(self._reader.exchange, self._sender, self._provider, confirmations)
        return snapshot, [chore for chore in chores if not isinstance(chore, ConfirmLeases)]

    async def _run_errands(self, snapshot: Snapshot, chores: Sequence[Chore]) -> None:
        """Claim, close, release and bid, beside the cycles that confirm."""
        intents = [*chores, *(await self._decide_bids(snapshot) if snapshot.orders else ())]
        done = await execute(self._reader.exchange, self._sender, self._provider, intents)
        self._errands_block = max(self._errands_block, done)

    async def _decide_bids(self, snapshot: Snapshot) -> list[SubmitFulfillment]:
        provider = await self._registry.provider(snapshot.block, self._provider)
        if provider is None:
            return []
        (account,) = await self._reader.exchange.accounts(snapshot.block, [provider_account(self._provider)])
        return self._bids(snapshot, provider, account)

    def _decisions(
        self, snapshot: Snapshot, provider: Provider, account: Account
    ) -> tuple[SubmitFulfillment | Declined, ...]:
        offer = self._offer
        terms = offer.capacity, offer.prices, offer.longest_wait_blocks, offer.admission
        return decide_bids(snapshot, provider, account, *terms)

    def _bids(self, snapshot: Snapshot, provider: Provider, account: Account) -> list[SubmitFulfillment]:
        bids: list[SubmitFulfillment] = []
        declined: dict[OrderId, str] = {}
        for decision in self._decisions(snapshot, provider, account):
            match decision:
                case SubmitFulfillment():
                    bids.append(decision)
                case Declined(order=order, reason=reason):
                    declined[order] = reason
                    if self._declined.get(order) != reason:
                        log.info("no bid", order=order.hex(), reason=reason)
        self._declined = declined
        return bids
