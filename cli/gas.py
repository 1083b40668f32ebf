"""What the gas of some calls will cost, as far as the node can tell before they are sent, and what it may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from moorage import units
from moorage.chain.answers import each_answer
from moorage.chain.contracts import Call
from moorage.chain.fees import Quote, read_quote
from moorage.chain.jobs import Limits
from moorage.chain.rpc import ChainError, Rpc, as_number
from moorage.chain.simulation import message
from moorage.types import Address

GAS_MARGIN_PERCENT = Limits().gas_margin_percent
"""On top of what is needed now."""
FEE_MARGIN = 2
"""How many times the fees of now are offered at most: they may rise until it is sent, and be raised until it is in
a block."""


@dataclass(frozen=True, slots=True)
class GasEstimate:
    """What some calls need."""

    gas: int
    wei: int
    """At what gas costs now."""

    def __str__(self) -> str:
        coin = units.format_tokens(Fraction(self.wei, units.WEI_PER_COIN))
        return f"{self.gas:,}, now {coin} of the chain's coin"


async def estimate(rpc: Rpc, sender: Address, calls: Sequence[Call]) -> GasEstimate | None:
    """Return what independent calls need; None if the node would refuse one of them.

    Raises:
        NodeUnavailable: it does not say what gas costs.
    """
    quote = await read_quote(rpc)
    answers = await each_answer(rpc, [("eth_estimateGas", (message(sender, call),)) for call in calls])
    if any(isinstance(answer, ChainError) for answer in answers):
        return None
    gas = sum(as_number(answer) for answer in answers)
    return GasEstimate(gas, gas * quote.need_wei)


def with_margin(gas: int) -> int:
    """Return what a transaction gets that needs so much gas now; rounded up."""
    return -(-gas * (100 + GAS_MARGIN_PERCENT) // 100)


def most_wei(gas: Sequence[int], quote: Quote) -> int:
    """Return what transactions may cost that need so much gas each: no more than that is ever signed."""
    return sum(map(with_margin, gas)) * quote.fees.max_wei * FEE_MARGIN
