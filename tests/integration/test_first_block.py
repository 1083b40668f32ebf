"""A facilitator's transactions are in the first block that takes them, whatever else is due with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facilitator_bot.shell.loop import Crank
from moorage.chain.index import LogIndex, read_block
from moorage.chain.outbox import Outbox
from moorage.chain.reader import MarketReader
from moorage.chain.signer import LocalSigner
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from tests.lease_story import PERIOD, WAIT, Story, open_story


async def turn(story: Story, folder: Path, blocks: int) -> None:
    """Have a facilitator look at each of some blocks, and let the next one come."""
    signer = LocalSigner(story.chain.facilitator)
    async with Outbox(story.chain.rpc, signer, story.chain.chain_id, folder / "transactions.db") as outbox:
        crank = Crank(MarketReader(story.chain.rpc, story.market), Dispatch(outbox), Maintenance(folder))
        for _ in range(blocks):
            await crank.cycle()
            await story.chain.mine()


async def blocks_of(story: Story, event: str) -> list[int]:
    index = LogIndex(story.chain.rpc, story.market)
    await index.follow(await read_block(story.chain.rpc))
    return [each.block_number for each in index.facts.happenings if each.name == event]


@pytest.mark.parametrize("orders", [1, 40])
async def test_crank__orders_with_bids__are_matched_in_the_first_block_in_which_they_may_be(
    orders: int, tmp_path: Path
) -> None:
    async with open_story() as story:
        placed = [await story.order() for _ in range(orders)]
        for order in placed:
            await story.bid(order)
        facts = story.reader.index.facts.orders
        first = max(await story.chain.block_number() + 1, max(facts[order].created_block for order in placed) + WAIT)

        await turn(story, tmp_path, first + 1 - await story.chain.block_number())

        assert await blocks_of(story, "LeaseCreated") == [first] * orders


async def test_crank__lease_that_is_not_confirmed__is_ended_in_the_first_block_after_its_period(tmp_path: Path) -> None:
    async with open_story() as story:
        lease = await story.leased(is_confirmed=False)
        matched = (await story.snapshot()).leases[lease].confirmed_block

        await turn(story, tmp_path, PERIOD + 3)

        assert await blocks_of(story, "LeaseStale") == [matched + PERIOD + 1]
