"""Checks whether anybody turns a market's crank."""

from __future__ import annotations

from moorage.chain import abi
from moorage.chain.logs import EventLog
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.doctor.finding import Finding, ok, warning
from moorage.money import Money
from moorage.snapshot import Block

LATE_BLOCKS = 5
LOOK_BACK_BLOCKS = 5_000
ACTS = ("LeaseCreated", "LeaseStale", "DeploymentClosed")
"""Events of what a facilitator does."""
REMEDY = "run a facilitator with a key: nobody else seems to; anyone may"


def judge_work(waiting: int, oldest_blocks: int, last_act_block: int | None, head: Block, money: Money) -> Finding:
    """Return whether work waits that any facilitator could have done.

    Args:
        waiting: how many items are due.
        oldest_blocks: for how long the oldest of them has been due.
        last_act_block: see `last_act`.
    """
    where = "market's work"
    acted = (
        f"no facilitator has acted in the last {LOOK_BACK_BLOCKS} blocks"
        if last_act_block is None
        else f"a facilitator acted {money.span(head.number - last_act_block)} ago, in block {last_act_block}"
    )
    if oldest_blocks <= LATE_BLOCKS:
        return ok(where, f"nothing has been waiting; {acted}")
    what = f"{waiting} items are due, the oldest for {oldest_blocks} blocks; {acted}"
    return warning(where, what, REMEDY)


async def last_act(rpc: Rpc, market: Market, head: Block) -> int | None:
    """Return the newest block in which something was done that facilitators do; None: in none of those looked at.

    Raises:
        NodeUnavailable: the node does not tell.
    """
    log = EventLog(rpc, market.exchange, abi.load("Exchange"))
    first = max(market.first_block, head.number - LOOK_BACK_BLOCKS + 1)
    happenings = await log.between(first, head.number)
    return max((each.block_number for each in happenings if each.name in ACTS), default=None)
