"""Facilitators may die, and several may crank at once: every order is matched once, every stale lease ended once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage.chain.index import LogIndex, read_block
from moorage.snapshot import Snapshot
from tests.datacenters import Site, died, make_manifest, open_site

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def test_facilitator__killed_before_the_match__its_successor_matches(site: Site) -> None:
    facilitator = site.start_facilitator()
    facilitator.kill()
    await died(facilitator, site)
    site.start_agent()
    deployment = await site.submit(make_manifest())

    async def has_a_bid(snapshot: Snapshot) -> bool | None:
        return True if any(order.bid_count for order in snapshot.orders.values()) else None

    await site.until("a bid", has_a_bid)
    await site.chain.mine(20)
    assert (await site.reader.snapshot()).leases == {}
    site.start_facilitator()

    lease = await site.lease(deployment)

    assert lease.provider == site.providers[0]


async def test_c21_facilitators__two_at_once__each_order_is_matched_once(site: Site) -> None:
    facilitators = [site.start_facilitator(account=account) for account in (2, 3)]
    site.start_agent()

    deployments = [await site.submit(make_manifest()) for _ in range(4)]
    leases = [await site.lease(deployment) for deployment in deployments]
    for deployment in deployments:
        await site.closed(deployment)

    index = LogIndex(site.chain.rpc, site.market)
    await index.follow(await read_block(site.chain.rpc))
    happened = Counter((each.name, each.arguments.get("lease")) for each in index.facts.happenings)
    assert all(happened["LeaseCreated", lease.id] == 1 for lease in leases)
    assert sum(each.name == "DeploymentClosed" for each in index.facts.happenings) == len(deployments)
    assert all(facilitator.poll() is None for facilitator in facilitators)
