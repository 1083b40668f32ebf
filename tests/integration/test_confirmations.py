"""Confirmations get on chain in time, whatever happens to gas, coin and nodes in the second half of a period."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import pytest
import structlog

from moorage.chain.nodes import connect
from moorage.types import Address, OrderId
from tests.lease_story import Story, open_story
from tests.market_agent import MarketAgent, market_agent
from tests.relay import relay_to

PERIOD = 60
GWEI = 10**9
LEASES = 3
BLOCK_GAS = 1_000_000
FILLER = "0x00000000000000000000000000000000000f111e"
CONFIRMATION_GAS = 80_000
"""More than the exchange needs for three."""


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story(PERIOD) as opened:
        yield opened


async def leased(story: Story) -> dict[OrderId, int]:
    """Return new leases, and the last block in which each has to be confirmed."""
    ids = [await story.leased(blocks=1_000) for _ in range(LEASES)]
    found = (await story.snapshot()).leases
    return {lease: found[lease].deadline_block(PERIOD) for lease in ids}


async def base_fee(story: Story) -> int:
    block = await story.chain.rpc.call("eth_getBlockByNumber", "latest", False)
    return int(block["baseFeePerGas"], 16)


async def until_half(agent: MarketAgent, deadlines: dict[OrderId, int]) -> int:
    """Let blocks pass until the next one is that in which the first lease is due; return the newest."""
    last = min(deadlines.values()) - PERIOD + PERIOD // 2 - 1
    await agent.blocks(last - await agent.story.chain.block_number())
    assert all(lease.confirmed_block <= last for lease in (await agent.leases()).values())
    return last


async def assert_confirmed(agent: MarketAgent, deadlines: dict[OrderId, int], after: int) -> None:
    """Check that all live and were confirmed in time, each once since a block."""
    leases = await agent.leases()
    assert set(leases) == set(deadlines)
    for lease, deadline in deadlines.items():
        assert after < leases[lease].confirmed_block <= deadline
    assert agent.seen.counts.count("landed submit_lease_confirmation") <= LEASES


async def test_d02_agent__base_fee_times_a_hundred_for_thirty_blocks__all_leases_are_confirmed_in_time(
    story: Story, tmp_path: Path
) -> None:
    deadlines = await leased(story)
    async with market_agent(story, tmp_path) as agent:
        half = await until_half(agent, deadlines)

        usual = await base_fee(story)
        await agent.blocks(30, base_fee=100 * usual)

        await assert_confirmed(agent, deadlines, half)


@pytest.mark.parametrize("is_stuck", [False, True], ids=["from the start", "with one under way"])
async def test_d02_agent__cap_below_the_base_fee__says_which_leases_are_at_risk_and_confirms_when_it_falls(
    story: Story, tmp_path: Path, is_stuck: bool
) -> None:
    deadlines = await leased(story)
    usual = await base_fee(story)
    cap = max(usual, GWEI) * 5
    async with market_agent(story, tmp_path, fee_cap_wei=cap) as agent:
        half = await until_half(agent, deadlines)
        if is_stuck:  # it is sent, and the next blocks leave it
            await agent.cycle()
        with structlog.testing.capture_logs() as logs:
            await agent.blocks(20, base_fee=100 * cap)
        assert (await agent.leases()).keys() == deadlines.keys()
        assert agent.seen.counts.count("landed submit_lease_confirmation") == 0
        await agent.blocks(8, base_fee=usual)

        await assert_confirmed(agent, deadlines, half)

    words = [
        log for log in logs if log["event"] in ("not sent", "transaction at risk: its fees may not be raised any more")
    ]
    assert {item for log in words for item in log["items"]} == {lease.hex() for lease in deadlines}
    told = "held submit_lease_confirmation", "rejected submit_lease_confirmation too-dear"
    assert any(each in agent.seen.counts for each in told)


async def test_g27_agent__base_fee_times_a_million__spends_no_more_than_what_is_at_risk(
    story: Story, tmp_path: Path
) -> None:
    deadlines = await leased(story)
    operator = Address(story.chain.operators[0].address)
    # a token is worth so little that all collateral together pays for some gas at usual prices
    rate = Fraction(CONFIRMATION_GAS * 10 * GWEI, 10**18)
    async with market_agent(story, tmp_path, wei_per_ledger_unit=rate) as agent:
        half = await until_half(agent, deadlines)
        before = int(await story.chain.rpc.call("eth_getBalance", operator, "latest"), 16)

        await agent.blocks(10, base_fee=10**6 * GWEI)
        during = int(await story.chain.rpc.call("eth_getBalance", operator, "latest"), 16)
        await agent.blocks(8, base_fee=GWEI)

        after = int(await story.chain.rpc.call("eth_getBalance", operator, "latest"), 16)
        assert during == before
        assert "rejected submit_lease_confirmation too-dear" in agent.seen.counts
        assert 0 < before - after <= LEASES * CONFIRMATION_GAS * 10 * GWEI * 11 // 10
        await assert_confirmed(agent, deadlines, half)


async def test_d03_agent__coin_for_two_transactions__bids_stop_and_confirmations_go_on(
    story: Story, tmp_path: Path
) -> None:
    deadlines = await leased(story)
    operator = story.chain.operators[0].address
    async with market_agent(story, tmp_path) as agent:
        half = await until_half(agent, deadlines)
        two = 2 * 260_000 * (2 * GWEI + GWEI)
        await story.chain.rpc.call("anvil_setBalance", operator, hex(two))
        order = await story.order()

        await agent.blocks(25, base_fee=GWEI)

        await assert_confirmed(agent, deadlines, half)
        assert (await story.snapshot()).orders[order].bid_count == 0
        assert "rejected submit_fulfillment no-coin" in agent.seen.counts

        await story.chain.rpc.call("anvil_setBalance", operator, hex(10**18))
        await agent.blocks(3)
        assert (await story.snapshot()).orders[order].bid_count == 1


@pytest.mark.parametrize("fault", ["cut", "hang"])
async def test_d05_agent__first_node_ends_at_half_of_the_period__confirmations_go_through_the_second(
    story: Story, tmp_path: Path, fault: str
) -> None:
    deadlines = await leased(story)
    async with (
        relay_to(story.chain.url) as first,
        connect([first.url, story.chain.url]) as nodes,
        market_agent(story, tmp_path, rpc=nodes) as agent,
    ):
        half = await until_half(agent, deadlines)
        passed = first.bytes_passed
        getattr(first, fault)()

        await agent.blocks(25)

        assert passed > 0
        assert agent.failures <= 1
        await assert_confirmed(agent, deadlines, half)


async def test_d01_agent__twenty_blocks_filled_by_others__confirms_as_soon_as_there_is_room(
    story: Story, tmp_path: Path
) -> None:
    deadlines = await leased(story)
    rpc = story.chain.rpc
    async with market_agent(story, tmp_path) as agent:
        half = await until_half(agent, deadlines)
        await rpc.call("anvil_setCode", FILLER, "0x5b5f56")  # a loop without an end uses up all the gas that it has
        await rpc.call("evm_setBlockGasLimit", hex(BLOCK_GAS))

        for _ in range(20):
            await fill_block(story)
            await agent.blocks(1)
        assert not any(each.startswith("landed") for each in agent.seen.counts)
        await agent.blocks(6)

        await assert_confirmed(agent, deadlines, half)


async def fill_block(story: Story) -> None:
    """Have a stranger outbid everybody for all but too little of the next block."""
    transaction = {
        "from": story.chain.stranger.address,
        "to": FILLER,
        "gas": hex(BLOCK_GAS - 30_000),
        "maxFeePerGas": hex(10**13),
        "maxPriorityFeePerGas": hex(10**12),
    }
    await story.chain.rpc.call("eth_sendTransaction", transaction)


async def test_g31_agent__key_is_at_a_remote_signer__bids_and_confirms_through_it(story: Story, tmp_path: Path) -> None:
    deadlines = await leased(story)
    # the development chain has the key, and signs for whoever asks
    async with market_agent(story, tmp_path, signer_url=story.chain.url) as agent:
        half = await until_half(agent, deadlines)
        order = await story.order()

        await agent.blocks(25)

        await assert_confirmed(agent, deadlines, half)
        assert (await story.snapshot()).orders[order].bid_count == 1
        assert agent.failures == 0


async def test_agent__drained__makes_no_bids_and_goes_on_confirming(story: Story, tmp_path: Path) -> None:
    deadlines = await leased(story)
    async with market_agent(story, tmp_path) as agent:
        agent.maintenance.drain(True)
        order = await story.order()
        half = await until_half(agent, deadlines)

        await agent.blocks(25)

        await assert_confirmed(agent, deadlines, half)
        assert (await story.snapshot()).orders[order].bid_count == 0

        agent.maintenance.drain(False)
        await agent.blocks(2)
        assert (await story.snapshot()).orders[order].bid_count == 1
