"""What gas costs now, what a replacement has to offer, and what is never offered. Everything is integers of wei."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low
from typing import Any

from moorage.chain.answers import each_answer
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.chain.transactions import Fees

PRIORITY_FEE_WEI = 10**9
"""The tip if nobody knows better."""
LEAST_TIP_WEI = 10**6
"""What geth asks for at least when it makes blocks."""
HISTORY_BLOCKS = 10
HISTORY_PERCENTILE = 60
"""As much as this part of the gas in a block has tipped at most."""
FEE_LIMIT = 10
"""How many times what a block asks for now is ever offered."""
REPLACE_NUMERATOR, REPLACE_DENOMINATOR = 9, 8
"""+12.5 % on both fields: geth wants 10 %, others more."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What the newest block asks for."""

    block_number: int
    gas_limit: int
    """Of a block."""
    base_wei: int
    """Below which nothing gets into the next block, more or less."""
    fees: Fees
    """What should get in, soon, even while fees rise."""

    @property
    def need_wei(self) -> int:
        """What has to be offered to get in now."""
        return self.base_wei + (self.fees.tip_wei or 0)


async def read_quote(rpc: Rpc) -> Quote:
    """Ask what gas costs. Nodes without eth_feeHistory, and chains without base fees, are known (EIP-1559).

    Raises:
        NodeUnavailable: no usable answer.
    """
    history = ("eth_feeHistory", (hex(HISTORY_BLOCKS), "latest", [HISTORY_PERCENTILE]))
    block, tips = await each_answer(rpc, [("eth_getBlockByNumber", ("latest", False)), history])
    if isinstance(block, NodeUnavailable):
        raise block
    if not isinstance(block, dict):
        raise NodeUnavailable("the node does not give its newest block")
    number, limit = as_number(block.get("number")), as_number(block.get("gasLimit"))
    if block.get("baseFeePerGas") is None:
        price = await _gas_price(rpc)
        return Quote(number, limit, price, Fees(price, None))
    base = as_number(block["baseFeePerGas"])
    tip = _tip(tips, base)
    return Quote(number, limit, base, Fees(2 * base + tip, tip))


def raised(old: Fees, quote: Quote, most_wei: int | None, multiple: int) -> Fees | None:
    """Return fees that make a replacement, or None if those would be absurd.

    Args:
        old: what is offered.
        quote: what a block asks for.
        most_wei: for a unit of gas, by what the transaction is worth; None for no such limit.
        multiple: how many times what a block asks for is the most.
    """
    ceiling = min(each for each in (multiple * quote.fees.max_wei, most_wei) if each is not None)
    least = _step(old.max_wei)
    wanted = min(max(least, quote.fees.max_wei), ceiling)
    if wanted < least:
        return None
    if old.tip_wei is None or quote.fees.tip_wei is None:
        return Fees(wanted, None) if old.tip_wei is None else None
    tip = _step(old.tip_wei)
    is_absurd = tip > multiple * quote.fees.tip_wei and old.max_wei >= quote.base_wei  # below, nothing else gets it in
    if tip > wanted or is_absurd:
        return None
    return Fees(wanted, min(wanted, max(tip, quote.fees.tip_wei)))


def affordable(quote: Quote, most_wei: int | None) -> Fees | None:
    """Return what is offered at first under a limit for a unit of gas, or None if no block takes that now."""
    if most_wei is None or quote.fees.max_wei <= most_wei:
        return quote.fees
    if most_wei < quote.base_wei or quote.fees.tip_wei is None:
        return None
    return Fees(most_wei, min(quote.fees.tip_wei, most_wei))


def _step(wei: int) -> int:
    return -(-wei * REPLACE_NUMERATOR // REPLACE_DENOMINATOR)


async def _gas_price(rpc: Rpc) -> int:
    try:
        return max(1, as_number(await rpc.call("eth_gasPrice")))
    except NodeRefused as error:
        raise NodeUnavailable(f"the node does not say what gas costs: {error}") from error


def _tip(answer: Any, base_wei: int) -> int:
    """Return the median of what the newest blocks with transactions were tipped."""
    try:
        rewards, ratios = answer["reward"], answer["gasUsedRatio"]
        paid = [as_number(reward[0]) for reward, ratio in zip(rewards, ratios, strict=False) if ratio > 0]
    except (NodeUnavailable, TypeError, KeyError, IndexError):
        return PRIORITY_FEE_WEI
    # of empty blocks nothing can be learnt but that they have room
    return max(LEAST_TIP_WEI, median_low(paid) if paid else min(PRIORITY_FEE_WEI, base_wei))
