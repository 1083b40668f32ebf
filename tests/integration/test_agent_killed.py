"""An agent that is killed anywhere picks up where it was: one lease, one container, nobody loses anything."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from moorage.chain.contracts import provider_account
from moorage.snapshot import Snapshot
from moorage.types import Lease
from tests.chain import ONE_TOKEN
from tests.datacenters import FOREVER, PERIOD, Site, died, make_manifest, open_site
from tests.slow_registry import slow_registry

pytestmark = pytest.mark.timeout(400)

BEFORE_THE_LEASE = ("before-SubmitFulfillment", "after-SubmitFulfillment")
WITH_THE_LEASE = ("before-ConfirmLeases", "after-ConfirmLeases")
WITH_THE_MANIFEST = ("before-workloads", "after-CreateNetwork", "gateway-written", "after-workloads")
AT_THE_END = ("after-RemoveContainer", "before-ConfirmClosed", "after-ConfirmClosed")
MORE_WITH_THE_MANIFEST = (
    *("before-CreateNetwork", "before-StartWorkload", "after-StartWorkload"),
    *("gateway-closed", "gateway-tuned"),
)
MORE_AT_THE_END = (
    *("before-RemoveContainer", "before-RemoveNetwork", "after-RemoveNetwork", "before-RemoveVolume"),
    *("after-RemoveVolume", "before-forgetting-manifest", "after-forgetting-manifest"),
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        yield opened


POINTS = (*BEFORE_THE_LEASE, *WITH_THE_LEASE, *WITH_THE_MANIFEST, *AT_THE_END)
MORE_POINTS = (*MORE_WITH_THE_MANIFEST, *MORE_AT_THE_END)


@pytest.mark.parametrize("point", [*POINTS, *(pytest.param(point, marks=pytest.mark.long) for point in MORE_POINTS)])
async def test_i18_agent__killed_at_any_point__picks_up_from_chain_and_labels(site: Site, point: str) -> None:
    agent = site.start_agent(crash_at=point)
    body = make_manifest(storage={"/data": 1_000})
    deployment = await site.submit(body)
    if point in (*BEFORE_THE_LEASE, *WITH_THE_LEASE):
        assert await died(agent, site) == -signal.SIGKILL
        agent = site.start_agent()
    lease = await site.lease(deployment)
    await site.deliver(lease.id, body)
    if point in (*WITH_THE_MANIFEST, *MORE_WITH_THE_MANIFEST):
        assert await died(agent, site) == -signal.SIGKILL
        agent = site.start_agent()
    (container,) = await site.running(lease.id)
    confirmed = await site.confirmed(lease.id)
    if point in (*AT_THE_END, *MORE_AT_THE_END):
        closing = asyncio.create_task(site.closed(deployment))
        assert await died(agent, site) == -signal.SIGKILL
        site.start_agent()
        await closing
    else:
        await site.chain.mine(PERIOD // 2)
        again = await site.confirmed(lease.id, after=confirmed.confirmed_block)
        assert again.provider == site.providers[0]
        assert [each["Id"] for each in await site.containers()] == [container["Id"]]
        await site.closed(deployment)

    (account,) = await site.exchange.accounts(None, [provider_account(site.providers[0])])
    assert account.committed == 0  # all collateral is back: what is slashed stays committed
    assert account.available > 1_000 * ONE_TOKEN  # and it has earned
    assert await site.left() == []


TRIAL = ("before-StartWorkload", "before-workloads", "after-StartWorkload", "gateway-written", "gateway-reloaded")
SWITCH = ("before-StartWorkload", "after-StartWorkload", "gateway-closed", "gateway-tuned", "before-RemoveContainer")
BACK = ("before-RemoveContainer", "gateway-written", "after-RemoveContainer", "after-workloads")
ENDS = ("/bin/sh", "-c", "exit 3")


async def updated(site: Site, agent: subprocess.Popen[bytes], lease: Lease, body: bytes, points: Sequence[str]) -> None:
    """Replace the manifest of a lease; agents die at one point after the other, the last one lives."""
    agent.kill()
    await died(agent, site)
    agent = site.start_agent(crash_at=points[0])
    delivering = asyncio.create_task(site.update(lease.id, body))
    for point in (*points[1:], ""):
        assert await died(agent, site) == -signal.SIGKILL
        agent = site.start_agent(crash_at=point)
    await delivering


@pytest.mark.long
@pytest.mark.parametrize("works", [True, False])
async def test_i18_i22_agent__killed_throughout_an_update__ends_with_one_version(site: Site, works: bool) -> None:
    agent = site.start_agent()
    body = make_manifest()
    deployment = await site.submit(body)
    lease = await site.lease(deployment)
    await site.deliver(lease.id, body)
    (old,) = await site.running(lease.id)
    before = await site.left()

    if works:
        await updated(site, agent, lease, make_manifest(command=(*FOREVER, "changed")), (*TRIAL, *SWITCH))
    else:
        await updated(site, agent, lease, make_manifest(command=ENDS), TRIAL)
        await updated(site, site.processes[-1], lease, body, BACK)

    async def look(_: Snapshot) -> list[str] | None:
        found = [each["Id"] for each in await site.containers() if each["State"] == "running"]
        return found if len(found) == 1 and await site.left() == before else None

    (last,) = await site.until("one container", look)
    assert (last == old["Id"]) is not works
    await site.closed(deployment)
    assert await site.left() == []


async def test_i18_agent__killed_during_a_pull__pulls_again(site: Site) -> None:
    async with slow_registry(site.docker) as registry:
        site.let_pull_from(registry.image.partition("/")[0])
        agent = site.start_agent()
        body = make_manifest(image=registry.image)
        deployment = await site.submit(body)
        lease = await site.lease(deployment)
        await site.deliver(lease.id, body)
        await registry.is_asked.wait()
        agent.kill()
        await died(agent, site)
        assert await site.containers() == []

        registry.may_answer.set()
        site.start_agent()

        assert len(await site.running(lease.id)) == 1
        await site.closed(deployment)
        assert await site.left() == []
