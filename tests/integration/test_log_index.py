"""The log index with several followers at once."""

from __future__ import annotations

import asyncio
from collections import Counter

from moorage.chain.index import LogIndex, read_block
from tests.chain import ONE_TOKEN, deploy_market, deposit, start_chain


async def test_log_index__several_followers_at_once__takes_each_event_in_once() -> None:
    async with start_chain() as chain:
        market = await deploy_market(chain)
        for _ in range(3):
            await deposit(chain, market, chain.tenant.address, ONE_TOKEN)
        index = LogIndex(chain.rpc, market)
        heads = [await read_block(chain.rpc, number) for number in range(await chain.block_number() + 1)]

        await asyncio.gather(*(index.follow(head) for head in [*heads, *reversed(heads)]))

        assert Counter(happening.name for happening in index.facts.happenings) == {"Deposited": 3}
