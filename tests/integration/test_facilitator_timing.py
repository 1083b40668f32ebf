"""At every block of a lease's life the facilitator decides exactly what the exchange takes in the next one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from facilitator_bot.core.decisions import Intent, decide
from facilitator_bot.shell.executor import to_job
from moorage.chain.contracts import Call
from moorage.types import OrderId, OrderKey
from tests.lease_story import GRACE, PERIOD, WAIT, Story, open_story


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story() as opened:
        yield opened


def call_of(story: Story, intent: Intent) -> Call:
    job = to_job(story.exchange, intent)
    return job.make(range(len(job.items)))


async def decisions(story: Story, key: OrderKey) -> set[str]:
    """Return what is decided at the newest block, after trying each crank on the exchange in the next block."""
    intents = decide(await story.snapshot())
    exchange = story.exchange
    cranks = (
        exchange.submit_lease([key]),
        exchange.submit_stale_lease([key]),
        exchange.finish_leases([key]),
        exchange.deployment_closed([key.deployment]),
    )
    decided = {call_of(story, intent).data for intent in intents}
    for crank in cranks:
        is_taken = await story.accepts(story.chain.facilitator, crank)
        assert is_taken == (crank.data in decided), (
            f"{crank.description} after block {await story.chain.block_number()}"
        )
    assert decided <= {crank.data for crank in cranks}
    return {type(intent).__name__ for intent in intents}


async def watched(story: Story, order: OrderId, blocks: int) -> dict[str, int]:
    """Let blocks pass; return the first block in which each thing decided can be included."""
    key = story.reader.index.facts.orders[order].key
    first: dict[str, int] = {}
    for _ in range(blocks):
        following = await story.chain.block_number() + 1
        for name in await decisions(story, key):
            first.setdefault(name, following)
        await story.chain.mine(1)
    return first


async def test_decide__order_without_a_bid__is_never_due(story: Story) -> None:
    order = await story.order()

    assert await watched(story, order, WAIT + 3) == {}


async def test_decide__order_with_a_bid__is_due_when_its_wait_is_over(story: Story) -> None:
    order = await story.order()
    await story.bid(order)

    first = await watched(story, order, WAIT + 2)

    created = story.reader.index.facts.orders[order].created_block
    assert first == {"SubmitLeases": created + WAIT}


async def test_decide__never_confirmed__is_stale_one_block_after_the_period(story: Story) -> None:
    lease = await story.leased(is_confirmed=False)
    matched = (await story.snapshot()).leases[lease].confirmed_block

    assert await watched(story, lease, PERIOD + 4) == {"SubmitStaleLeases": matched + PERIOD + 1}


async def test_decide__confirmed_and_then_not__is_stale_one_block_after_the_period(story: Story) -> None:
    lease = await story.leased()
    await story.chain.mine(PERIOD // 2)
    await story.confirm(lease)
    confirmed = (await story.snapshot()).leases[lease].confirmed_block

    assert await watched(story, lease, PERIOD + 4) == {"SubmitStaleLeases": confirmed + PERIOD + 1}


@pytest.mark.parametrize("missing", [0, 1, PERIOD - 1])
async def test_decide__used_up__is_finished_after_the_grace_and_never_stale(story: Story, missing: int) -> None:
    lease = await story.leased(blocks=0)
    funded = (await story.snapshot()).leases[lease].funded_block
    while (await story.snapshot()).leases[lease].confirmed_block < funded - missing:
        await story.until(min(funded - missing, await story.chain.block_number() + PERIOD // 2) - 1)
        await story.confirm(lease)
    confirmed = (await story.snapshot()).leases[lease].confirmed_block

    first = await watched(story, lease, PERIOD + GRACE + 4)

    settled = confirmed + PERIOD if confirmed < funded else 0
    assert first == {"FinishLeases": max(funded + GRACE, settled) + 1}


async def test_decide__deadline_just_before_the_end_of_the_funds__is_stale_and_not_finished(story: Story) -> None:
    lease = await story.leased(blocks=0)
    funded = (await story.snapshot()).leases[lease].funded_block
    while await story.chain.block_number() < funded - PERIOD - 1:
        await story.until(min(funded - PERIOD - 1, await story.chain.block_number() + PERIOD // 2) - 1)
        await story.confirm(lease)
    confirmed = (await story.snapshot()).leases[lease].confirmed_block
    assert confirmed + PERIOD < funded

    assert await watched(story, lease, PERIOD + GRACE + 6) == {"SubmitStaleLeases": confirmed + PERIOD + 1}


async def test_decide__closing__is_finished_after_the_grace(story: Story) -> None:
    lease = await story.leased()
    await story.close(lease)
    closed = (await story.snapshot()).leases[lease].confirmed_block

    assert await watched(story, lease, GRACE + 3) == {"FinishLeases": closed + GRACE + 1}


async def test_decide__nothing_lives_any_more__the_deployment_is_closed_at_once(story: Story) -> None:
    lease = await story.leased()
    await story.close(lease)
    await story.confirm_closed(lease)
    following = await story.chain.block_number() + 1

    assert await watched(story, lease, 2) == {"CloseDeployments": following}


async def test_decide__everything_of_many_leases_at_once__each_transaction_is_taken(story: Story) -> None:
    stale = await story.leased(is_confirmed=False)
    closing = await story.leased()
    await story.close(closing)
    ended = await story.leased()
    await story.close(ended)
    await story.confirm_closed(ended)
    open_order = await story.order()
    await story.bid(open_order)
    await story.chain.mine(PERIOD)

    intents: tuple[Intent, ...] = decide(await story.snapshot())

    kinds = [type(intent).__name__ for intent in intents]
    assert kinds == ["SubmitStaleLeases", "SubmitLeases", "FinishLeases", "CloseDeployments"]
    for intent in intents:
        await story.chain.transact(story.chain.facilitator, call_of(story, intent))
    leases = (await story.snapshot()).leases
    assert stale not in leases
    assert closing not in leases
    assert open_order in leases
