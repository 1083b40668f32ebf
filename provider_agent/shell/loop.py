"""The agent's cycle on the chain: at each block read a snapshot, decide chores and bids, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import structlog

from moorage.chain.contracts import Registry, provider_account
from moorage.chain.reader import MarketReader
from moorage.crash import crash_point
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block, Snapshot
from moorage.types import ComputeUnit, Fulfillment, OrderId, ProviderNumber
from provider_agent.core.admission import Admission
from provider_agent.core.bidding import Declined, SubmitFulfillment
from provider_agent.core.chores import Chore, ConfirmLeases, decide_chores
from provider_agent.core.duties import Duties
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.prospects import Prospects
from provider_agent.core.spending import value_at_risk
from provider_agent.shell.advertiser import Advertiser
from provider_agent.shell.executor import BID, to_job

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What this provider sells, and how it is paid out."""

    capacity: ComputeUnit
    prices: PricePolicy
    claim_after_blocks: int
    admission: Admission
    wei_per_ledger_unit: Fraction | None = None
    """What the gas of confirmations may cost, of what is lost without them; None: whatever other limits allow."""


class MarketLoop:
    """Bids, confirms, claims, closes and releases for one provider."""

    def __init__(
        self,
        reader: MarketReader,
        registry: Registry,
        dispatch: Dispatch,
        provider: ProviderNumber,
        offer: Offer,
        maintenance: Maintenance,
        advertiser: Advertiser,
        note: Callable[[Snapshot], None],
    ) -> None:
        """
        Args:
            note: is called with each snapshot.
        """
        self._reader = reader
        self._registry = registry
        self._dispatch = dispatch
        self._provider = provider
        self._claim_after_blocks = offer.claim_after_blocks
        self._wei_per_ledger_unit = offer.wei_per_ledger_unit
        self._maintenance = maintenance
        self._advertiser = advertiser
        self._note = note
        self._duties = Duties(provider, offer.claim_after_blocks)
        self._prospects = Prospects(provider, offer.capacity, offer.prices, offer.admission)
        self._offered: dict[OrderId, Fulfillment] = {}
        """Bids that were sent and are in no snapshot yet."""
        self.newest: Snapshot | None = None

    async def cycle(self, reset: frozenset[OrderId]) -> Block:
        """Do what is due in the next block, and return the one that was decided at. Nothing delays a confirmation.

        Args:
            reset: leases that are over and of which nothing is left on the engine.

        Raises:
            ChainError: the node does not answer; what was not done is done in the next cycle.
        """
        if self._maintenance.take_reconcile():
            self._reader.reconcile()
        snapshot = await self._reader.snapshot()
        self.newest = snapshot
        self._note(snapshot)
        self._duties.update(snapshot)
        self._prospects.update(snapshot)
        crash_point("agent-snapshot")
        due = self._duties.due(snapshot.block.number + 1)
        chores = decide_chores(snapshot, self._provider, reset, self._claim_after_blocks, due)
        await self._dispatch.look(snapshot.block)
        crash_point("agent-looked")
        await self._send(snapshot, [chore for chore in chores if isinstance(chore, ConfirmLeases)])
        crash_point("agent-confirmed")
        bids = await self._decide_bids(snapshot) if self._may_bid() else []
        await self._send(snapshot, [*(chore for chore in chores if not isinstance(chore, ConfirmLeases)), *bids])
        reserved = self._prospects.reserved
        advertisement = None if self._maintenance.is_draining else await self._advertiser.job(snapshot.block, reserved)
        await self._dispatch.send([advertisement] if advertisement else [], snapshot.block)
        return snapshot.block

    def _may_bid(self) -> bool:
        """Return whether there is anything to bid on; in maintenance only what was promised is done."""
        return self._prospects.are_any and not self._maintenance.is_draining

    async def _send(self, snapshot: Snapshot, intents: Sequence[SubmitFulfillment | Chore]) -> None:
        for intent in intents:
            crash_point(f"before-{type(intent).__name__}")
        rate = self._wei_per_ledger_unit

        def worth_wei(lease: OrderId) -> int:
            return int(value_at_risk(snapshot, lease) * (rate or 0))

        worth = None if rate is None else worth_wei
        jobs = [to_job(self._reader.exchange, self._provider, intent, worth) for intent in intents]
        await self._dispatch.send(jobs, snapshot.block)
        for intent in intents:
            crash_point(f"after-{type(intent).__name__}")

    async def _decide_bids(self, snapshot: Snapshot) -> list[SubmitFulfillment]:
        provider, (account,) = await asyncio.gather(
            self._registry.provider(snapshot.block, self._provider),
            self._reader.exchange.accounts(snapshot.block, [provider_account(self._provider)]),
        )
        if provider is None:
            return []
        self._offered = {order: bid for order, bid in self._offered.items() if self._dispatch.is_under_way(BID, order)}
        bids: list[SubmitFulfillment] = []
        for decision in self._prospects.decide(snapshot, provider, account, self._offered):
            match decision:
                case Declined(order=order, reason=reason):
                    log.info("no bid", order=order.hex(), reason=reason)
                case bid:
                    bids.append(bid)
                    collateral = snapshot.orders[bid.order].collateral
                    self._offered[bid.order] = Fulfillment(bid.order, self._provider, 0, collateral)
        return bids
