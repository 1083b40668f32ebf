"""A large market on a chain of its own, made by thousands of transactions in a few blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from moorage import terms
from moorage.chain.contracts import Call, Exchange
from moorage.chain.market import Market
from moorage.chain.signer import LocalSigner
from moorage.chain.transactions import Fees, Transaction
from moorage.types import Address, Group, OrderId, OrderKey, ProviderNumber, Version
from tests.chain import ONE_TOKEN, Chain, deploy_market, deposit, register_provider, start_chain
from tests.markets import make_group

BLOCK_GAS = 30_000_000_000
"""So much that what is sent at once is in one block."""
GAS = 3_000_000
"""Of a transaction; what is not used costs nothing."""
FEES = Fees(20 * 10**9, 10**9)
GROUPS = 8
"""Of a deployment."""
PRICE = 1_000
GROUP = make_group(price=PRICE, collateral=ONE_TOKEN // 100)


@dataclass
class World:
    chain: Chain
    market: Market
    exchange: Exchange
    providers: tuple[ProviderNumber, ...]
    _deployments: int = 0

    async def order(self, count: int, wait_blocks: int, group: Group = GROUP) -> list[OrderKey]:
        """Submit deployments with so many groups in all, within one block, and return the keys of their orders."""
        keys, calls = self._ordering(count, wait_blocks, group)
        await self.send(self.chain.tenant, calls)
        return keys

    async def offer_one(self, wait_blocks: int) -> None:
        """Submit a deployment with one group; the chain takes it into a block when it comes to that."""
        _, (call,) = self._ordering(1, wait_blocks, GROUP)
        message = {"from": self.chain.tenant.address, "to": call.to, "data": f"0x{call.data.hex()}", "gas": hex(GAS)}
        await self.chain.rpc.call("eth_sendTransaction", message)

    def _ordering(self, count: int, wait_blocks: int, group: Group) -> tuple[list[OrderKey], list[Call]]:
        keys: list[OrderKey] = []
        calls: list[Call] = []
        parameters = self.market.parameters
        amount = terms.minimum_deposit(group, parameters) + 100_000 * terms.max_charge(group, parameters)
        tenant = Address(self.chain.tenant.address)
        while len(keys) < count:
            salt = self._deployments.to_bytes(32, "big")
            self._deployments += 1
            groups = [group] * min(GROUPS, count - len(keys))
            calls.append(
                self.exchange.submit_deployment(
                    salt, Version(b"\x01" * 32), wait_blocks, groups, [amount] * len(groups)
                )
            )
            deployment = terms.deployment_id(self.market.chain_id, self.market.exchange, tenant, salt)
            keys += [
                terms.order_key(deployment, terms.nonce_of(nonce), wait_blocks, group, parameters)
                for nonce in range(len(groups))
            ]
        return keys, calls

    async def bid(self, keys: Sequence[OrderKey], bidders: Sequence[ProviderNumber], group: Group = GROUP) -> None:
        """Have each of some providers bid on each order, within one block, the dearest last."""
        calls: list[Call] = []
        for place, provider in enumerate(bidders):
            hint = bidders[place - 1] if place else 0
            made = self.exchange.submit_fulfillment(provider, keys[0], group, [PRICE - 100 + place], hint)
            head, tail = made.data[: 4 + 32], made.data[4 + 3 * 32 :]  # in between: deployment and nonce
            calls += [Call(made.to, head + key.deployment + key.nonce + tail, made.description) for key in keys]
        await self.send(self.chain.operators[0], calls)

    async def match(self, keys: Sequence[OrderKey]) -> list[OrderId]:
        """Match orders, within one block, and return the leases."""
        calls = [self.exchange.submit_lease(keys[start : start + 32]) for start in range(0, len(keys), 32)]
        await self.send(self.chain.stranger, calls)
        return [terms.order_id(key) for key in keys]

    async def confirm(self, leases: Sequence[OrderId]) -> None:
        """Confirm leases of the first provider, within one block."""
        confirm = self.exchange.submit_lease_confirmation
        calls = [confirm(self.providers[0], leases[start : start + 100]) for start in range(0, len(leases), 100)]
        await self.send(self.chain.operators[0], calls)

    async def send(self, account: LocalAccount, calls: Sequence[Call]) -> None:
        """Put transactions into one block.

        Raises:
            AssertionError: the last of them was reverted.
        """
        rpc, address = self.chain.rpc, account.address
        signer = LocalSigner(account)
        nonce = int(await rpc.call("eth_getTransactionCount", address, "latest"), 16)
        raw = [
            (await signer.sign(Transaction(self.market.chain_id, nonce + at, call.to, call.data, GAS, FEES))).raw
            for at, call in enumerate(calls)
        ]
        hashes = await rpc.batch([("eth_sendRawTransaction", (each,)) for each in raw])
        await self.chain.mine()
        # each receipt costs this node a look at the whole block; what else was reverted is missing later
        receipt = await rpc.call("eth_getTransactionReceipt", hashes[-1])
        assert receipt["status"] == "0x1", f"reverted: {calls[-1].description}"


@asynccontextmanager
async def open_world(providers: int = 10, period: int = 1_000_000) -> AsyncIterator[World]:
    """Run a chain whose blocks come by hand, with a market and providers of one operator."""
    async with start_chain(is_manual=True, gas_limit=BLOCK_GAS) as chain:
        market = await deploy_market(chain, period=period, grace=10)
        await deposit(chain, market, chain.tenant.address, 10**8 * ONE_TOKEN)
        numbers = [await register_provider(chain, market) for _ in range(providers)]
        yield World(chain, market, Exchange(chain.rpc, market), tuple(numbers))
