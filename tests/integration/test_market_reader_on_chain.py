"""Snapshots of a real chain equal what the exchange itself says at the same block, through the life of a lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from moorage import terms
from moorage.chain.contracts import ORDER_STATES, provider_account
from moorage.chain.reader import MarketReader
from moorage.snapshot import Snapshot
from moorage.types import DeploymentState, Fulfillment, OrderId, OrderState, ProviderNumber, Version
from tests.lease_story import GROUP, PERIOD, WAIT, Story, open_story


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story() as opened:
        yield opened


async def checked(story: Story) -> Snapshot:
    """Return the newest snapshot, after comparing it with the views of the contract and with a fresh reader's."""
    snapshot = await story.snapshot()
    assert await MarketReader(story.chain.rpc, story.market, story.us).snapshot() == snapshot
    for known in story.reader.index.facts.orders:
        row = await story.exchange.read(snapshot.block, "order", known)
        lease = await story.exchange.read(snapshot.block, "lease", known)
        check_order(snapshot, story.us, known, row, lease)
    for deployment in story.reader.index.facts.deployments:
        tenant, state, live, _, updates, wait = await story.exchange.read(snapshot.block, "deployment", deployment)
        if state == 3:
            assert deployment not in snapshot.deployments
        else:
            seen = snapshot.deployments[deployment]
            assert (seen.tenant.lower(), seen.live_groups, seen.wait_duration_blocks) == (tenant, live, wait)
            assert (seen.update_number, seen.state is DeploymentState.CLOSING) == (updates, state == 2)
    return snapshot


def check_order(snapshot: Snapshot, us: ProviderNumber, order: OrderId, row: Any, lease: Any) -> None:
    state, deposit, match_block, bid_count, excluded = row
    kind = ORDER_STATES[state]
    assert (order in snapshot.orders) == (kind is OrderState.OPEN)
    assert (order in snapshot.leases) == (kind in (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING))
    if order in snapshot.orders:
        seen = snapshot.orders[order]
        assert (seen.deposit, seen.match_block, seen.bid_count) == (deposit, match_block, bid_count)
        assert (seen.excluded_provider or 0, terms.order_id(seen.key)) == (excluded, order)
    _, provider, *held, earned, is_stale, is_exhausted = lease
    assert (order in snapshot.unclaimed) == (kind is OrderState.LEASE_STALE and provider == us and earned > 0)
    if order in snapshot.leases:
        found = snapshot.leases[order]
        assert (provider, *held) == (
            found.provider,
            found.charge_per_block,
            found.remainder,
            found.is_awaiting,
            found.claimed_block,
            found.confirmed_block,
            found.funded_block,
        )
        period, block = snapshot.parameters.reconfirmation_period_blocks, snapshot.block.number
        assert lease[0] == state
        assert (earned, is_stale, is_exhausted) == (
            found.earned,
            found.is_stale(block, period),
            found.is_exhausted(block, period),
        )


async def test_snapshot__life_of_a_lease_that_is_re_created__equals_the_contract_at_each_step(story: Story) -> None:
    order = await story.order(remainder=7)
    assert list((await checked(story)).orders) == [order]

    await story.bid(order)
    await story.bid(order, story.others, price=1_000)
    snapshot = await checked(story)
    assert snapshot.orders[order].bid_count == 2
    assert snapshot.fulfillments == {order: Fulfillment(order, story.us, 1_000, GROUP.resources[0].collateral)}

    await story.chain.mine(WAIT)
    await story.match(order)
    assert (await checked(story)).leases[order].is_awaiting

    await story.confirm(order)
    lease = (await checked(story)).leases[order]
    assert (lease.is_awaiting, lease.remainder) == (False, 7)
    await story.chain.mine(2)
    await story.confirm(order)
    assert (await checked(story)).leases[order].earned == 3 * lease.charge_per_block

    await story.chain.mine(PERIOD)
    assert not (await checked(story)).leases[order].is_stale(await story.chain.block_number(), PERIOD)
    await story.chain.mine(1)
    await checked(story)
    await story.end_stale(order)
    snapshot = await checked(story)
    (renewed,) = snapshot.orders.values()
    assert (renewed.excluded_provider, renewed.key.nonce, snapshot.leases) == (story.us, order, {})
    assert (snapshot.fulfillments, snapshot.unclaimed) == ({}, (order,))

    (before,) = await story.exchange.accounts(None, [provider_account(story.us)])
    await story.claim(order)
    (after,) = await story.exchange.accounts(None, [provider_account(story.us)])
    assert after.available - before.available == 3 * lease.charge_per_block
    assert (await checked(story)).unclaimed == ()

    await story.close(renewed.id)
    snapshot = await checked(story)
    assert (snapshot.orders, [each.state for each in snapshot.deployments.values()]) == ({}, [DeploymentState.CLOSING])


async def test_snapshot__closing_and_closed__equals_the_contract_at_each_step(story: Story) -> None:
    lease = await story.leased()
    await story.chain.mine(3)
    await story.close(lease)
    assert (await checked(story)).leases[lease].state is OrderState.LEASE_CLOSING

    await story.confirm_closed(lease)
    snapshot = await checked(story)
    assert (snapshot.leases, [each.live_groups for each in snapshot.deployments.values()]) == ({}, [0])

    (deployment,) = snapshot.deployments
    await story.chain.transact(story.chain.facilitator, story.exchange.deployment_closed([deployment]))
    assert (await checked(story)).deployments == {}


async def test_snapshot__used_up__is_exhausted_as_the_contract_says(story: Story) -> None:
    lease = await story.leased(blocks=0)
    prepaid = (await checked(story)).leases[lease].funded_block
    while await story.chain.block_number() + PERIOD // 2 < prepaid:
        await story.chain.mine(PERIOD // 2)
        await story.confirm(lease)
    for block in range(prepaid - 2, prepaid + PERIOD + 3):
        if await story.chain.block_number() < block:
            await story.until(block)
            await checked(story)


async def test_snapshot__several_deployments_and_versions__equals_the_contract(story: Story) -> None:
    first = await story.order(replace(GROUP, name="first"))
    await story.order(replace(GROUP, name="second", persist=False))
    deployment = story.reader.index.facts.orders[first].key.deployment
    await story.update(deployment, Version(b"\x07" * 32))

    snapshot = await checked(story)

    assert sorted(order.group.name for order in snapshot.orders.values()) == ["first", "second"]
    assert snapshot.deployments[deployment].version == b"\x07" * 32


@pytest.mark.parametrize("undone", ["confirmation", "match", "bid"])
async def test_g08_snapshot__a_step_is_reorganised_out__is_right_again(story: Story, undone: str) -> None:
    order = await story.order()
    before = {"bid": await story.chain.block_number()}
    await story.bid(order)
    await story.chain.mine(WAIT)
    before["match"] = await story.chain.block_number()
    await story.match(order)
    await checked(story)
    before["confirmation"] = await story.chain.block_number()
    await story.confirm(order)
    await checked(story)

    await story.undo(before[undone])

    snapshot = await checked(story)
    is_matched = undone == "confirmation"
    assert list(snapshot.leases) == ([order] if is_matched else [])
    assert [each.bid_count for each in snapshot.orders.values()] == {"confirmation": [], "match": [1], "bid": [0]}[
        undone
    ]
    assert len(snapshot.fulfillments) == (0 if undone == "bid" else 1)
    if is_matched:
        assert snapshot.leases[order].is_awaiting


async def test_c15_g08_snapshot__reorganised_beyond_the_order__nothing_is_left_and_then_another_one(
    story: Story,
) -> None:
    before = await story.chain.block_number()
    order = await story.order()
    await story.bid(order)
    await checked(story)

    await story.undo(before)
    snapshot = await checked(story)
    assert (snapshot.orders, snapshot.deployments, snapshot.fulfillments) == ({}, {}, {})
    another = await story.order()
    assert list((await checked(story)).orders) == [another]


async def test_g08_snapshot__end_of_a_lease_is_reorganised_out__the_lease_is_back(story: Story) -> None:
    lease = await story.leased()
    await story.chain.mine(PERIOD + 1)
    before = await story.chain.block_number()
    await story.end_stale(lease)
    assert lease not in (await checked(story)).leases

    await story.undo(before)

    snapshot = await checked(story)
    assert (list(snapshot.leases), snapshot.orders) == ([lease], {})
    assert snapshot.fulfillments == {lease: Fulfillment(lease, story.us, 1_000, GROUP.resources[0].collateral)}


async def test_g08_snapshot__claim_of_a_stale_lease_is_reorganised_out__it_is_unclaimed_again(story: Story) -> None:
    lease = await story.leased()
    await story.chain.mine(2)
    await story.confirm(lease)
    await story.chain.mine(PERIOD + 1)
    await story.end_stale(lease)
    assert (await checked(story)).unclaimed == (lease,)
    before = await story.chain.block_number()
    await story.claim(lease)
    assert (await checked(story)).unclaimed == ()

    await story.undo(before)

    assert (await checked(story)).unclaimed == (lease,)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"dock\x00ing", b"\x1b[2J", bytes(range(128, 160)), b"", b"d" * 32])
async def test_g20_snapshot__order_with_a_hostile_name__is_read_bid_on_and_matched_like_any(
    story: Story, name: bytes
) -> None:
    order = await story.order(name=name)
    await story.bid(order)
    await story.chain.mine(WAIT)
    await story.match(order)

    assert list((await checked(story)).leases) == [order]
