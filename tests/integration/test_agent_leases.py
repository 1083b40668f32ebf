"""One agent with several leases: each has what it needs, and none touches another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage.agent_api import LeaseStatus
from moorage.agent_client import AgentError
from moorage.snapshot import Snapshot
from tests.datacenters import PERIOD, Site, make_manifest, open_site

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        opened.start_agent()
        yield opened


async def test_agent__same_manifest_in_two_deployments__runs_each_until_its_own_end(site: Site) -> None:
    body = make_manifest()
    deployments = [await site.submit(body) for _ in range(2)]
    first, second = [await site.lease(deployment) for deployment in deployments]
    for lease in (first, second):
        await site.deliver(lease.id, body)
    (gone,), (kept,) = [await site.running(lease.id) for lease in (first, second)]
    assert gone["Id"] != kept["Id"]

    await site.closed(deployments[0])

    assert [each["Id"] for each in await site.containers()] == [kept["Id"]]
    confirmed = await site.confirmed(second.id)
    await site.chain.mine(PERIOD // 2)
    await site.confirmed(second.id, after=confirmed.confirmed_block)
    assert [each["Id"] for each in await site.running(second.id)] == [kept["Id"]]
    await site.closed(deployments[1])
    assert await site.left() == []


async def test_agent__image_that_does_not_exist__is_said_to_the_tenant_and_others_run(site: Site) -> None:
    absent, present = make_manifest(image="127.0.0.1:1/absent:1"), make_manifest()
    deployments = [await site.submit(body) for body in (absent, present)]
    failing, working = [await site.lease(deployment) for deployment in deployments]
    await site.deliver(failing.id, absent)
    await site.deliver(working.id, present)

    async def look(_: Snapshot) -> LeaseStatus | None:
        try:
            status = await site.client.status(site.agent(), failing.id)
        except AgentError:  # it does not answer yet
            return None
        told = status.workloads[0].reason if status.workloads else None
        return status if told and "127.0.0.1:1" in told else None

    status = await site.until("a reason", look)

    assert "127.0.0.1:1 could not be reached" in (status.workloads[0].reason or "")
    assert len(await site.running(working.id)) == 1
    await site.closed(deployments[0])
    await site.closed(deployments[1])
    assert await site.left() == []
