"""Reads one tenant's deployments at one block: the logs say what there is, the storage how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cli.core.view import Attempt, DeploymentView, Event
from moorage.chain.contracts import DeploymentWord, Exchange
from moorage.chain.facts import OrderFacts
from moorage.chain.index import LogIndex, read_block
from moorage.chain.logs import Happening
from moorage.chain.market import Market
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import Address, DeploymentId, Fulfillment, OrderId, OrderState


class TenantReader:
    """Gives views of deployments; keeps the logs, so that the next view costs what is new."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        self._rpc = rpc
        self._market = market
        self._exchange = Exchange(rpc, market)
        self._index = LogIndex(rpc, market)

    async def block_number(self) -> int:
        """Return the newest block's number.

        Raises:
            NodeUnavailable: the node does not answer.
        """
        return (await read_block(self._rpc)).number

    async def view(self, deployment: DeploymentId) -> DeploymentView | None:
        """Return a deployment at the newest block, or None if there is none with this id.

        Raises:
            NodeUnavailable: the node did not answer everything; nothing may be concluded from that.
        """
        block = await self._follow()
        (word,) = await self._exchange.deployments(block, [deployment])
        return None if word is None else await self._view(block, deployment, word)

    async def of_tenant(self, tenant: Address) -> tuple[DeploymentView, ...]:
        """Return all deployments that a tenant ever had, the newest first.

        Raises:
            NodeUnavailable: the node did not answer everything.
        """
        block = await self._follow()
        ids = [facts.id for facts in self._index.facts.deployments.values() if facts.tenant == tenant]
        words = await self._exchange.deployments(block, ids)
        pairs = zip(reversed(ids), reversed(words), strict=True)
        return tuple([await self._view(block, each, word) for each, word in pairs if word is not None])

    async def known(self) -> Mapping[DeploymentId, Address]:
        """Return all deployments of the market with their tenants.

        Raises:
            NodeUnavailable: the node did not answer everything.
        """
        await self._follow()
        return {facts.id: facts.tenant for facts in self._index.facts.deployments.values()}

    async def _follow(self) -> Block:
        block = await read_block(self._rpc)
        await self._index.follow(block)
        return block

    async def _view(self, block: Block, deployment: DeploymentId, word: DeploymentWord) -> DeploymentView:
        facts = self._index.facts.deployments.get(deployment)
        if facts is None:
            raise NodeUnavailable(f"the node has deployment 0x{deployment.hex()} but not its logs")
        orders = [order for order in self._index.facts.orders.values() if order.key.deployment == deployment]
        parameters = self._market.parameters
        return DeploymentView(
            id=deployment,
            tenant=word.tenant,
            state=word.state,
            version=facts.version,
            live_groups=word.live_groups,
            block_number=block.number,
            period_blocks=parameters.reconfirmation_period_blocks,
            grace_blocks=parameters.closing_grace_blocks,
            tip=parameters.facilitator_tip,
            attempts=await self._attempts(block, orders),
            story=_story(self._index.facts.happenings, deployment, {order.id for order in orders}),
        )

    async def _attempts(self, block: Block, orders: Sequence[OrderFacts]) -> tuple[Attempt, ...]:
        ids = [order.id for order in orders]
        words = await self._exchange.orders(block, ids)
        leases = await self._exchange.leases(block, ids)
        attempts = []
        for order, word, lease in zip(orders, words, leases, strict=True):
            if word is None:
                raise NodeUnavailable(f"logs and state of order 0x{order.id.hex()} do not agree")
            attempts.append(
                Attempt(
                    id=order.id,
                    key=order.key,
                    group=order.group,
                    created_block=order.created_block,
                    replaced=order.replaced,
                    state=word.state,
                    match_block=word.match_block,
                    deposit=word.deposit,
                    bids=await self._bids(block, order.id) if word.state is OrderState.OPEN else (),
                    lease=lease,
                )
            )
        return tuple(attempts)

    async def _bids(self, block: Block, order: OrderId) -> tuple[Fulfillment, ...]:
        bids = await self._exchange.bids(block, order)
        return tuple(Fulfillment(order, bid.provider, bid.charge_per_block, bid.collateral) for bid in bids)


def _story(happenings: Sequence[Happening], deployment: DeploymentId, orders: set[OrderId]) -> tuple[Event, ...]:
    return tuple(
        Event(happening.block_number, happening.name, happening.arguments)
        for happening in happenings
        if happening.arguments.get("deployment") == deployment
        or happening.arguments.get("order", happening.arguments.get("lease")) in orders
    )
