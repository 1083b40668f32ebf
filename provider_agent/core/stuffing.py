"""Whether a market's period is long enough for the collateral: what it costs to keep confirmations out until it ends.

Somebody who fills whole blocks until leases are stale gets their collateral if it is the tenant. By EIP-1559 the base
fee grows by an eighth with each full block, so a long enough window costs more than any collateral. The agent confirms
when half of a period is over: the other half is the window.
"""

from __future__ import annotations

from dataclasses import dataclass

MARGIN = 10
"""How many times the collateral it should cost."""
FEE_CHANGE_DENOMINATOR = 8
"""EIP-1559: a full block raises the base fee by this part of it."""
MAX_WINDOW_BLOCKS = 1_000
"""Above it every price is beyond all money."""


@dataclass(frozen=True, slots=True)
class Gas:
    """How a chain's blocks are now."""

    block_limit: int
    base_fee_wei: int


def cost_of_stuffing(blocks: int, gas: Gas) -> int:
    """Return the wei that so many full blocks in a row burn."""
    cost, base_fee = 0, gas.base_fee_wei
    for _ in range(min(blocks, MAX_WINDOW_BLOCKS)):
        cost += base_fee * gas.block_limit
        base_fee += max(1, base_fee // FEE_CHANGE_DENOMINATOR)
    return cost


def window_blocks(period_blocks: int) -> int:
    """Return how many blocks are left for a confirmation that is sent when half of the period is over."""
    return period_blocks - (period_blocks + 1) // 2


def is_long_enough(period_blocks: int, collateral_wei: int, gas: Gas) -> bool:
    """Return whether stuffing the window costs `MARGIN` times what could be won by it.

    Args:
        collateral_wei: all that one tenant could have slashed at once, in the chain's coin.
    """
    return cost_of_stuffing(window_blocks(period_blocks), gas) >= MARGIN * collateral_wei
