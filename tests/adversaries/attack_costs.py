"""What attacks cost that the contract can't prevent: wei for stuffed blocks, ledger units for collateral in the way."""

from __future__ import annotations

from itertools import count

CONFIRMATION_GAS = 36_000
"""Of a confirmation that is sent alone; a test holds it against reports/gas.json."""


def cost_of_stuffing(blocks: int, gas_limit: int, base_fee: int) -> int:
    """Add up the wei that full blocks in a row burn. By EIP-1559 each raises the base fee by an eighth."""
    total = 0
    for _ in range(blocks):
        total += gas_limit * base_fee
        base_fee += max(base_fee // 8, 1)
    return total


def blocks_stuffed_for(money: int, gas_limit: int, base_fee: int) -> int:
    """Return how many blocks in a row some wei fill."""
    return next(blocks - 1 for blocks in count(1) if cost_of_stuffing(blocks, gas_limit, base_fee) > money)


def period_against(prize: int, gas_limit: int, base_fee: int, margin: int = 10) -> int:
    """Return the shortest period of which stuffing one half costs so many times the prize.

    A provider that confirms when half of a period is over has the other half to get its transaction in.
    """
    return 2 * (blocks_stuffed_for(margin * prize - 1, gas_limit, base_fee) + 1)


def cost_of_outbidding(offer: int, gas_limit: int, gas: int = CONFIRMATION_GAS) -> int:
    """Return the wei that fill one block against somebody who offers so many, in all, for a transaction of some gas."""
    return gas_limit * offer // gas


def cost_of_delaying(blocks: int, wait: int, period: int, collateral: int, tip: int) -> int:
    """Return what it costs to win a persistent order and not serve, again and again, for as long or a little longer.

    Each time takes the wait, the period, and a block in which the attacker calls the lease stale, for the tip.
    """
    times = -(-blocks // (wait + period + 1))
    return times * (collateral - tip)
