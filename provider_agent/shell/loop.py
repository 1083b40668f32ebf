"""The agent's cycle on the chain: at each block read a snapshot, decide chores and bids, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import structlog

from moorage.chain.contracts import Registry, provider_account
from moorage.chain.reader import MarketReader, MarketUnreadable
from moorage.crash import crash_point
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block, Snapshot
from moorage.types import ComputeUnit, Fulfillment, Lease, OrderId, ProviderNumber
from provider_agent.core.admission import Admission
from provider_agent.core.bidding import Declined, SubmitFulfillment
from provider_agent.core.chores import Chore, ConfirmLeases, decide_chores, decide_confirmations
from provider_agent.core.duties import Duties
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.prospects import Prospects
from provider_agent.core.spending import value_at_risk
from provider_agent.shell.advertiser import Advertiser
from provider_agent.shell.executor import BID, to_job
from provider_agent.shell.known_leases import KnownLeases

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
        self._known = KnownLeases(reader.exchange, provider)
        self._duties = Duties(provider, offer.claim_after_blocks)
        self._prospects = Prospects(provider, offer.capacity, offer.prices, offer.admission)
        self._offered: dict[OrderId, Fulfillment] = {}
        """Bids that were sent and are in no snapshot yet."""
        self.newest: Snapshot | None = None

    async def cycle(self, reset: frozenset[OrderId], held: frozenset[OrderId] = frozenset()) -> Block:
        """Do what is due in the next block, and return the one that was decided at. Nothing delays a confirmation.

        Args:
            reset: leases that are over and of which nothing is left on the engine.
            held: leases of which there is something on the engine or on the disk.

        Raises:
            ChainError: the node does not answer; what was not done is done in the next cycle. Leases that are known
                were confirmed all the same if the node told as much as them.
        """
        if self._maintenance.take_reconcile():
            self._reader.reconcile()
        self._known.hold(held)
        try:
            snapshot = await self._reader.snapshot()
        except MarketUnreadable as error:
            await self._confirm_known(error)
            raise
        self.newest = snapshot
        try:
            self._known.update(snapshot)
            self._note(snapshot)
            self._duties.update(snapshot)
            self._prospects.update(snapshot)
        except Exception:
            self._reader.reconcile()  # what this snapshot has touched would not be told again
            raise
        crash_point("agent-snapshot")
        due = self._duties.due(snapshot.block.number + 1)
        chores = decide_chores(snapshot, self._provider, reset, self._claim_after_blocks, due)
        await self._dispatch.look(snapshot.block)
        crash_point("agent-looked")
        await self._send_valued(snapshot, [chore for chore in chores if isinstance(chore, ConfirmLeases)])
        await self._confirm_missing(snapshot.block)
        crash_point("agent-confirmed")
        bids = await self._decide_bids(snapshot) if self._may_bid() else []
        await self._send_valued(snapshot, [*(chore for chore in chores if not isinstance(chore, ConfirmLeases)), *bids])
        reserved = self._prospects.reserved
        advertisement = None if self._maintenance.is_draining else await self._advertiser.job(snapshot.block, reserved)
        await self._dispatch.send([advertisement] if advertisement else [], snapshot.block)
        return snapshot.block

    def _may_bid(self) -> bool:
        """Return whether there is anything to bid on; in maintenance only what was promised is done."""
        return self._prospects.are_any and not self._maintenance.is_draining

    async def _confirm_missing(self, block: Block) -> None:
        """Confirm what is known, is active in the storage, and not in the snapshot: logs were withheld."""
        missing = await self._known.missing(block)
        if missing:
            log.error("leases are in no log: confirming them", leases=[lease.id.hex() for lease in missing])
            self._reader.distrust()
            await self._confirm(block, missing)

    async def _confirm_known(self, error: MarketUnreadable) -> None:
        """Confirm what is known at a block of which nothing else could be read."""
        if self.newest is not None and error.block.number <= self.newest.block.number:
            return  # the node is behind, and knows of none of our last confirmations
        leases = await self._known.all(error.block)
        if leases:
            log.error("market not readable: confirming known leases", leases=len(leases), reason=str(error))
            await self._dispatch.look(error.block)
            await self._confirm(error.block, leases)

    async def _confirm(self, block: Block, leases: Sequence[Lease]) -> None:
        period = self._reader.parameters.reconfirmation_period_blocks
        await self._send(block, decide_confirmations(leases, block.number + 1, period))

    async def _send_valued(self, snapshot: Snapshot, intents: Sequence[SubmitFulfillment | Chore]) -> None:
        """Send what may cost as much gas as is at risk by the snapshot."""
        rate = self._wei_per_ledger_unit

        def worth_wei(lease: OrderId) -> int:
            return int(value_at_risk(snapshot, lease) * (rate or 0))

        await self._send(snapshot.block, intents, None if rate is None else worth_wei)

    async def _send(
        self,
        block: Block,
        intents: Sequence[SubmitFulfillment | Chore],
        worth: Callable[[OrderId], int] | None = None,
    ) -> None:
        for intent in intents:
            crash_point(f"before-{type(intent).__name__}")
        jobs = [to_job(self._reader.exchange, self._provider, intent, worth) for intent in intents]
        await self._dispatch.send(jobs, block)
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

        def is_set_aside(order: OrderId) -> bool:
            return self._dispatch.is_set_aside(BID, order, snapshot.block)

        for decision in self._prospects.decide(snapshot, provider, account, self._offered, is_set_aside):
            match decision:
                case Declined(order=order, reason=reason):
                    log.info("no bid", order=order.hex(), reason=reason)
                case bid:
                    bids.append(bid)
                    collateral = snapshot.orders[bid.order].collateral
                    self._offered[bid.order] = Fulfillment(bid.order, self._provider, 0, collateral)
        return bids
