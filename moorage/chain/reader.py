"""Reads a market as a snapshot at one block hash: the logs say what to read, the storage says how it is."""

from __future__ import annotations

from moorage.chain.contracts import DeploymentWord, Exchange, OrderWord
from moorage.chain.index import LogIndex, read_block
from moorage.chain.market import Market
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.snapshot import Block, Snapshot
from moorage.terms import collateral, max_charge_of
from moorage.types import (
    Deployment,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Lease,
    Order,
    OrderId,
    OrderState,
    ProviderNumber,
    Version,
)

LIVE_LEASES = (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING)


class MarketReader:
    """Gives snapshots; remembers what has ended, so that a cycle reads only what lives."""

    def __init__(self, rpc: Rpc, market: Market, provider: ProviderNumber | None = None) -> None:
        """
        Args:
            rpc: the node.
            market: whose exchange is read.
            provider: whose fulfillments the snapshots hold, if anyone's.
        """
        self._rpc = rpc
        self._market = market
        self._provider = provider
        self.exchange = Exchange(rpc, market)
        self.index = LogIndex(rpc, market)
        self._generation = 0
        self._ended_orders: set[OrderId] = set()
        self._ended_deployments: set[DeploymentId] = set()
        self._settled_bids: set[OrderId] = set()

    async def snapshot(self) -> Snapshot:
        """Return the market at the newest block.

        Raises:
            NodeUnavailable: the node did not answer everything; nothing may be concluded from that.
        """
        head = await read_block(self._rpc)
        await self.index.follow(head)
        if self.index.generation != self._generation:
            self._generation = self.index.generation
            for remembered in (self._ended_orders, self._ended_deployments, self._settled_bids):
                remembered.clear()
        facts = self.index.facts
        deployments = await self._deployments(head)
        ids = [order for order in facts.orders if order not in self._ended_orders]
        words = await self.exchange.orders(head, ids)
        orders: dict[OrderId, Order] = {}
        leased: list[OrderId] = []
        for order, word in zip(ids, words, strict=True):
            if word is None:
                raise NodeUnavailable(f"order 0x{order.hex()} is in the logs but not in the state of block {head}")
            if word.state is OrderState.OPEN:
                orders[order] = self._order(order, word)
            elif word.state in LIVE_LEASES:
                leased.append(order)
            else:
                self._ended_orders.add(order)
        leases: dict[OrderId, Lease] = {}
        for lease in await self.exchange.leases(head, leased):
            if lease is None:
                raise NodeUnavailable("a lease is in one view of the block and not in another")
            leases[lease.id] = lease
        return Snapshot(
            block=head,
            parameters=self._market.parameters,
            deployments=deployments,
            orders=orders,
            leases=leases,
            leased_orders={lease: self._order(lease, None) for lease in leases},
            fulfillments=await self._fulfillments(head),
        )

    async def _deployments(self, block: Block) -> dict[DeploymentId, Deployment]:
        facts = [each for each in self.index.facts.deployments.values() if each.id not in self._ended_deployments]
        words = await self.exchange.deployments(block, [each.id for each in facts])
        result: dict[DeploymentId, Deployment] = {}
        for each, word in zip(facts, words, strict=True):
            if word is None or (word.update_number != each.update_number and word.state is not DeploymentState.CLOSED):
                raise NodeUnavailable(f"logs and state of deployment 0x{each.id.hex()} do not agree")
            if word.state is DeploymentState.CLOSED:
                self._ended_deployments.add(each.id)
            else:
                result[each.id] = _deployment(each.id, word, each.version)
        return result

    async def _fulfillments(self, block: Block) -> tuple[Fulfillment, ...]:
        provider = self._provider
        if provider is None:
            return ()
        bidders = self.index.facts.bidders
        ids = [order for order in bidders if provider in bidders[order] and order not in self._settled_bids]
        found: list[Fulfillment] = []
        for order, bid in zip(ids, await self.exchange.locked_bids(block, provider, ids), strict=True):
            if bid is not None:
                found.append(Fulfillment(order, provider, bid.charge_per_block, bid.collateral))
            elif order in self._ended_orders:
                self._settled_bids.add(order)
        return tuple(found)

    def _order(self, order: OrderId, word: OrderWord | None) -> Order:
        facts = self.index.facts.orders[order]
        return Order(
            id=order,
            key=facts.key,
            group=facts.group,
            created_block=facts.created_block,
            match_block=word.match_block if word else 0,
            max_charge_per_block=max_charge_of(facts.key),
            collateral=collateral(facts.group),
            excluded_provider=word.excluded_provider if word else None,
            state=word.state if word else OrderState.LEASE_ACTIVE,
            deposit=word.deposit if word else 0,
            bid_count=word.bid_count if word else 0,
        )


def _deployment(deployment: DeploymentId, word: DeploymentWord, version: Version) -> Deployment:
    return Deployment(
        id=deployment,
        tenant=word.tenant,
        state=word.state,
        live_groups=word.live_groups,
        wait_duration_blocks=word.wait_duration_blocks,
        update_number=word.update_number,
        version=version,
    )
