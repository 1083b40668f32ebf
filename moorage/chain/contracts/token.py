"""The settlement token."""

from __future__ import annotations

from moorage.chain.contracts.contract import Call, Contract
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.snapshot import Block
from moorage.types import Address


class Token(Contract):
    """The settlement token, any ERC-20."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        super().__init__(rpc, market.token, "ERC20")

    async def balance(self, block: Block | None, account: Address) -> int:
        """Return the base units of an account."""
        return int(await self.read(block, "balanceOf", account))

    async def allowance(self, block: Block | None, owner: Address, spender: Address) -> int:
        """Return the base units that the spender may take."""
        return int(await self.read(block, "allowance", owner, spender))

    def approve(self, spender: Address, amount_base_units: int) -> Call:
        return self.call("approve", spender, amount_base_units)

    def transfer(self, receiver: Address, amount_base_units: int) -> Call:
        return self.call("transfer", receiver, amount_base_units)
