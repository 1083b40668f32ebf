"""Without any facilitator a tenant and two providers bring every lease to its end and take all their money out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from eth_account.signers.local import LocalAccount

from moorage.chain.contracts import Call, provider_account
from moorage.chain.sender import Sender
from moorage.types import Address, DeploymentId
from moorage.units import to_base_units
from tests.chain import ONE_TOKEN
from tests.lease_story import GRACE, PERIOD, WAIT, Story, open_story


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story() as opened:
        yield opened


async def act(story: Story, account: LocalAccount, call: Call) -> None:
    """Send with the sender that command line and scripts use; the next block has it."""
    sender = Sender(story.chain.rpc, account, story.market.chain_id)
    await story.chain.rpc.call("evm_setAutomine", True)
    try:
        await sender.send(call)
    finally:
        await story.chain.rpc.call("evm_setAutomine", False)


async def leave(story: Story, account: Address, owner: LocalAccount) -> None:
    """Withdraw everything."""
    (held,) = await story.exchange.accounts(None, [account])
    await act(story, owner, story.exchange.withdraw(account, to_base_units(held.available, 18)))


async def closed(story: Story, deployment: DeploymentId) -> None:
    await act(story, story.chain.tenant, story.exchange.deployment_closed([deployment]))


async def test_d07_market__no_facilitator_at_all__tenant_and_providers_do_everything_themselves(story: Story) -> None:
    tenant, (ours, theirs), owners = story.chain.tenant, story.chain.operators[:2], story.chain.owners
    exchange = story.exchange

    # one lease that is served to its end: the tenant matches, the loser frees its own bid, the tenant closes
    served = await story.order()
    await story.bid(served)
    await story.bid(served, provider=story.others)
    await story.chain.mine(WAIT)
    await act(story, tenant, exchange.submit_lease([await story.key(served)]))
    await act(story, theirs, exchange.release_fulfillments(served, [story.others]))
    await act(story, ours, exchange.submit_lease_confirmation(story.us, [served]))
    await story.chain.mine(PERIOD // 2)
    await act(story, ours, exchange.submit_lease_confirmation(story.us, [served]))
    await act(story, ours, exchange.claim([served]))
    key = await story.key(served)
    await act(story, tenant, exchange.close_deployment(key.deployment, [key]))
    await act(story, ours, exchange.confirm_closed(story.us, [key]))
    await closed(story, key.deployment)

    # one that is matched by its bidder, whose provider goes away: the tenant ends it and gets the collateral
    lost = await story.order()
    await story.bid(lost)
    await story.chain.mine(WAIT)
    await act(story, ours, exchange.submit_lease([await story.key(lost)]))
    await act(story, ours, exchange.submit_lease_confirmation(story.us, [lost]))
    await story.chain.mine(PERIOD // 2)
    await act(story, ours, exchange.submit_lease_confirmation(story.us, [lost]))
    await story.chain.mine(PERIOD + 1)
    (before,) = await exchange.accounts(None, [Address(tenant.address)])
    await act(story, tenant, exchange.submit_stale_lease([await story.key(lost)]))
    (after,) = await exchange.accounts(None, [Address(tenant.address)])
    assert after.available - before.available > ONE_TOKEN // 2
    await act(story, ours, exchange.claim([lost]))

    # one whose provider does not confirm the closing: the tenant finishes it after the grace
    left = await story.leased()
    key = await story.key(left)
    await act(story, tenant, exchange.close_deployment(key.deployment, [key]))
    await story.chain.mine(GRACE + 1)
    await act(story, tenant, exchange.finish_leases([key]))
    await closed(story, key.deployment)

    # what is left of the second: its order was placed anew, and nobody bids any more
    again = (await story.orders((await story.key(lost)).deployment))[-1]
    await act(story, tenant, exchange.close_deployment(again.key.deployment, [again.key]))
    await closed(story, again.key.deployment)

    await leave(story, Address(tenant.address), tenant)
    for provider, owner in zip((story.us, story.others), owners, strict=False):
        await leave(story, provider_account(provider), owner)
    accounts = [Address(tenant.address), *map(provider_account, (story.us, story.others))]
    held = await exchange.accounts(None, accounts)
    assert [account.available for account in held] == [0, 0, 0]
    # what was slashed stays counted, nothing is locked any more
    assert [account.committed for account in held] == [0, ONE_TOKEN, 0]
    snapshot = await story.snapshot()
    assert not (snapshot.orders or snapshot.leases or snapshot.deployments or snapshot.unclaimed)
