"""Reads a market as a snapshot at one block hash: the logs say what to read, the storage says how it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

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

    def __init__(
        self, rpc: Rpc, market: Market, provider: ProviderNumber | None = None, keeps_history: bool = True
    ) -> None:
        """
        Args:
            rpc: the node.
            market: whose exchange is read.
            provider: whose fulfillments the snapshots hold, if anyone's.
            keeps_history: whether the index keeps all events.
        """
        self._rpc = rpc
        self._market = market
        self._provider = provider
        self.exchange = Exchange(rpc, market)
        self.index = LogIndex(rpc, market, keeps_history)
        self._generation = 0
        self._ended_orders: set[OrderId] = set()
        self._ended_deployments: set[DeploymentId] = set()
        self._settled_bids: set[OrderId] = set()

    async def snapshot(self) -> Snapshot:
        """Return the market at the newest block.

        Raises:
            NodeUnavailable: the node did not answer everything, or not everything of one block; nothing may be
                concluded from that.
        """
        head = await read_block(self._rpc)
        await self.index.follow(head)
        if self.index.block != head:
            raise NodeUnavailable(f"the node is behind what it said before: its newest block is {head.number}")
        self._forget_other_branches()
        deployments = await self._deployments(head)
        orders, leases, stale = await self._orders(head)
        unclaimed = await self._unclaimed(head, stale)
        leased_orders = {lease: self._order(lease, None) for lease in leases}
        self._check_groups(deployments, [*orders.values(), *leased_orders.values()])
        return Snapshot(
            block=head,
            parameters=self._market.parameters,
            deployments=deployments,
            orders=orders,
            leases=leases,
            leased_orders=leased_orders,
            fulfillments=await self._fulfillments(head),
            unclaimed=tuple(unclaimed),
        )

    def _forget_other_branches(self) -> None:
        if self.index.generation != self._generation:
            self._generation = self.index.generation
            for remembered in (self._ended_orders, self._ended_deployments, self._settled_bids):
                remembered.clear()

    def _check_groups(self, deployments: Mapping[DeploymentId, Deployment], orders: Iterable[Order]) -> None:
        """Compare what the logs have told with what the storage counts: a withheld log would be a forgotten lease."""
        counted = Counter(order.key.deployment for order in orders)
        for each in counted.keys() | deployments.keys():
            deployment = deployments.get(each)
            if deployment is None or counted[each] != deployment.live_groups:
                raise self._contradiction(f"live groups of deployment 0x{each.hex()}")

    def _contradiction(self, what: str) -> NodeUnavailable:
        self.index.distrust()
        return NodeUnavailable(f"logs and state do not agree on {what}: reading all logs again")

    async def _orders(self, block: Block) -> tuple[dict[OrderId, Order], dict[OrderId, Lease], list[OrderId]]:
        ids = [order for order in self.index.facts.orders if order not in self._ended_orders]
        orders: dict[OrderId, Order] = {}
        leased: list[OrderId] = []
        stale: list[OrderId] = []
        for order, word in zip(ids, await self.exchange.orders(block, ids), strict=True):
            if word is None or word.bid_count > len(self.index.facts.bidders.get(order, ())):
                raise self._contradiction(f"order 0x{order.hex()}")
            if word.state is OrderState.OPEN:
                orders[order] = self._order(order, word)
            elif word.state in LIVE_LEASES:
                leased.append(order)
            elif word.state is OrderState.LEASE_STALE and self._provider is not None:
                stale.append(order)
            else:
                self._ended_orders.add(order)
        leases: dict[OrderId, Lease] = {}
        for lease in await self.exchange.leases(block, leased):
            if lease is None:
                raise NodeUnavailable("a lease is in one view of the block and not in another")
            leases[lease.id] = lease
        return orders, leases, stale

    async def _unclaimed(self, block: Block, stale: list[OrderId]) -> list[OrderId]:
        """Return the stale leases that hold something for the provider; the others are over."""
        found = []
        for order, lease in zip(stale, await self.exchange.leases(block, stale), strict=True):
            if lease is None:
                raise NodeUnavailable("a lease is in one view of the block and not in another")
            if lease.provider == self._provider and lease.unclaimed:
                found.append(order)
            else:
                self._ended_orders.add(order)
        return found

    async def _deployments(self, block: Block) -> dict[DeploymentId, Deployment]:
        facts = [each for each in self.index.facts.deployments.values() if each.id not in self._ended_deployments]
        words = await self.exchange.deployments(block, [each.id for each in facts])
        result: dict[DeploymentId, Deployment] = {}
        for each, word in zip(facts, words, strict=True):
            if word is None or (word.update_number != each.update_number and word.state is not DeploymentState.CLOSED):
                raise self._contradiction(f"deployment 0x{each.id.hex()}")
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
