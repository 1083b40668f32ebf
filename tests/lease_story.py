"""The life of a lease on a real chain, step by step, for tests of what is read and decided at each block."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from moorage import terms
from moorage.chain.contracts import Call, Exchange
from moorage.chain.market import Market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeRefused
from moorage.snapshot import Snapshot
from moorage.types import Address, DeploymentId, Group, Order, OrderId, OrderKey, ProviderNumber, Version
from tests.chain import ONE_TOKEN, Chain, deploy_market, deposit, register_provider, start_chain
from tests.markets import make_group

PERIOD, GRACE, WAIT = 10, 6, 4
GROUP = make_group(price=1_000, collateral=ONE_TOKEN)


@dataclass
class Story:
    """A market with one tenant and two providers; each act is a transaction in a block of its own."""

    chain: Chain
    market: Market
    exchange: Exchange
    reader: MarketReader
    us: ProviderNumber
    others: ProviderNumber

    async def snapshot(self) -> Snapshot:
        return await self.reader.snapshot()

    async def order(
        self, group: Group = GROUP, blocks: int = 100, name: bytes | None = None, remainder: int = 0
    ) -> OrderId:
        """Submit a deployment of one group and return its order.

        Args:
            blocks: prepaid at the maximum price beyond the least.
            name: in place of the group's, as bytes.
            remainder: prepaid besides, too little for a block.
        """
        salt = secrets.token_bytes(32)
        parameters = self.market.parameters
        amount = terms.minimum_deposit(group, parameters) + blocks * terms.max_charge(group, parameters) + remainder
        written = terms.group_tuple(group)
        written = written if name is None else (name.ljust(32, b"\0"), *written[1:])
        call = self.exchange.call("submit_deployment", salt, b"\x01" * 32, WAIT, [written], [amount])
        await self.chain.transact(self.chain.tenant, call)
        return (await self.orders(self.deployment(salt)))[-1].id

    def deployment(self, salt: bytes) -> DeploymentId:
        tenant = Address(self.chain.tenant.address)
        return terms.deployment_id(self.market.chain_id, self.market.exchange, tenant, salt)

    async def orders(self, deployment: DeploymentId) -> list[Order]:
        orders = (await self.snapshot()).orders.values()
        return [order for order in orders if order.key.deployment == deployment]

    async def key(self, order: OrderId) -> OrderKey:
        return self.reader.index.facts.orders[order].key

    async def bid(self, order: OrderId, provider: ProviderNumber | None = None, price: int = 1_000) -> None:
        provider = provider or self.us
        facts = self.reader.index.facts.orders[order]
        call = self.exchange.submit_fulfillment(provider, facts.key, facts.group, [price])
        await self.chain.transact(self.chain.operators[provider - 1], call)

    async def until(self, block: int) -> None:
        """Mine so that `block` is the newest; it may be it already."""
        missing = block - await self.chain.block_number()
        assert missing >= 0
        if missing:
            await self.chain.mine(missing)

    async def match(self, order: OrderId) -> None:
        await self.chain.transact(self.chain.facilitator, self.exchange.submit_lease([await self.key(order)]))

    async def confirm(self, lease: OrderId) -> None:
        await self.chain.transact(self.chain.operators[0], self.exchange.submit_lease_confirmation(self.us, [lease]))

    async def end_stale(self, lease: OrderId) -> None:
        await self.chain.transact(self.chain.facilitator, self.exchange.submit_stale_lease([await self.key(lease)]))

    async def claim(self, lease: OrderId) -> None:
        await self.chain.transact(self.chain.stranger, self.exchange.claim([lease]))

    async def close(self, order: OrderId) -> None:
        key = await self.key(order)
        await self.chain.transact(self.chain.tenant, self.exchange.close_deployment(key.deployment, [key]))

    async def confirm_closed(self, lease: OrderId) -> None:
        call = self.exchange.confirm_closed(self.us, [await self.key(lease)])
        await self.chain.transact(self.chain.operators[0], call)

    async def leased(self, blocks: int = 100, is_confirmed: bool = True) -> OrderId:
        """Return a new lease of ours."""
        order = await self.order(blocks=blocks)
        await self.bid(order)
        await self.chain.mine(WAIT)
        await self.match(order)
        if is_confirmed:
            await self.confirm(order)
        return order

    async def update(self, deployment: DeploymentId, version: Version) -> None:
        call = self.exchange.call("update_deployment", deployment, version, [], [], [])
        await self.chain.transact(self.chain.tenant, call)

    async def accepts(self, sender: LocalAccount, call: Call) -> bool:
        """Return whether the exchange takes a transaction in the next block."""
        message = {"from": sender.address, "to": call.to, "data": f"0x{call.data.hex()}"}
        try:
            await self.chain.rpc.call("eth_estimateGas", message, "pending")
        except NodeRefused:
            return False
        return True

    async def undo(self, block: int) -> None:
        """Replace all blocks after one by empty ones."""
        await self.chain.rpc.call("anvil_reorg", await self.chain.block_number() - block, [])


@asynccontextmanager
async def open_story(period: int = PERIOD) -> AsyncIterator[Story]:
    """Run a chain with a market until the end of the block."""
    async with start_chain(is_manual=True) as chain:  # each transaction then makes exactly one block
        market = await deploy_market(chain, period=period, grace=GRACE)
        await deposit(chain, market, chain.tenant.address, 100 * ONE_TOKEN)
        us, others = [await register_provider(chain, market, index) for index in range(2)]
        yield Story(chain, market, Exchange(chain.rpc, market), MarketReader(chain.rpc, market, us), us, others)
