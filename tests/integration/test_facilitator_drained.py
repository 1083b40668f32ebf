"""A facilitator in maintenance follows what it has sent, begins nothing new, and goes on when that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from facilitator_bot.shell.loop import Crank
from moorage.chain.outbox import Outbox
from moorage.chain.reader import MarketReader
from moorage.chain.signer import LocalSigner
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.types import OrderId
from tests.fakes.outboxes import Seen
from tests.lease_story import WAIT, Story, open_story


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story() as opened:
        yield opened


async def matchable(story: Story) -> OrderId:
    order = await story.order()
    await story.bid(order)
    await story.chain.mine(WAIT)
    return order


async def test_facilitator__drained__follows_what_was_sent_and_begins_nothing(story: Story, tmp_path: Path) -> None:
    rpc, seen, operator = story.chain.rpc, Seen(), Maintenance(tmp_path)
    signer = LocalSigner(story.chain.facilitator)
    async with Outbox(rpc, signer, story.market.chain_id, tmp_path / "transactions.db", observer=seen) as outbox:
        crank = Crank(MarketReader(rpc, story.market), Dispatch(outbox), Maintenance(tmp_path))
        first = await matchable(story)
        await crank.cycle()
        operator.drain(True)
        await story.chain.mine(1)
        await crank.cycle()
        assert first in (await story.snapshot()).leases
        assert seen.counts == ["submitted submit_lease", "landed submit_lease"]

        second = await matchable(story)
        for _ in range(3):
            await story.chain.mine(1)
            await crank.cycle()
        assert second in (await story.snapshot()).orders

        operator.drain(False)
        operator.ask_reconcile()
        with structlog.testing.capture_logs() as logs:
            await crank.cycle()
        await story.chain.mine(1)
        assert second in (await story.snapshot()).leases
        assert [log["event"] for log in logs] == ["everything is read again"]
