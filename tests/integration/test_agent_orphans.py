"""Containers whose lease is not there, or not any more: they are stopped after a while and kept, others left alone."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiodocker
import pytest

from moorage.snapshot import Snapshot
from moorage.types import DeploymentState
from provider_agent.core.endings import STOP_AFTER_BLOCKS
from provider_agent.core.lease_names import LEASE_LABEL, Identity
from tests.datacenters import FOREVER, Site, died, make_manifest, open_site
from tests.docker_world import IMAGE

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def make_container(site: Site, labels: dict[str, str]) -> aiodocker.docker.DockerContainer:
    """Run a container as somebody would by hand."""
    config: dict[str, Any] = {"Image": IMAGE, "Cmd": list(FOREVER), "Labels": labels}
    return await site.docker.containers.run(config, name=f"mt-{secrets.token_hex(8)}")


async def state_of(container: aiodocker.docker.DockerContainer) -> str:
    return str((await container.show())["State"]["Status"])


async def blocks_pass(site: Site) -> None:
    """Let as many blocks become final as it takes until a container is stopped, with proofs before and after them."""
    await site.until("a proof", _next_but(2))
    await site.chain.mine(STOP_AFTER_BLOCKS + 4)


def _next_but(blocks: int) -> Any:
    first: list[int] = []

    async def look(snapshot: Snapshot) -> bool | None:
        first.append(snapshot.block.number)
        return True if snapshot.block.number > first[0] + blocks else None

    return look


async def test_i19_agent__container_without_a_lease__is_stopped_and_kept_and_no_other_is_touched(site: Site) -> None:
    ours = dict(Identity(site.market.chain_id, site.market.exchange, site.providers[0]).labels)
    lease = {LEASE_LABEL: secrets.token_hex(32)}
    orphan = await make_container(site, {**ours, **lease})
    others = [
        await make_container(site, {}),
        await make_container(site, lease),
        await make_container(site, {**ours, **lease, "moorage.provider": "99"}),
        await make_container(site, {**ours, LEASE_LABEL: "by hand"}),
    ]
    try:
        site.start_agent()
        began = await site.chain.block_number()
        await site.until("the agent in the registry's eyes", _next_but(12))
        state = await state_of(orphan)
        assert state == "running" or await site.chain.block_number() >= began + STOP_AFTER_BLOCKS

        await blocks_pass(site)

        async def look(_: Snapshot) -> bool | None:
            return True if await state_of(orphan) == "exited" else None

        await site.until("the orphan stopped", look)
        await blocks_pass(site)
        assert await state_of(orphan) == "exited"
        assert [await state_of(each) for each in others] == ["running"] * 4
    finally:
        for container in (orphan, *others):
            await container.delete(force=True, v=True)


async def test_g08_agent__match_is_undone_and_comes_back__stops_the_container_and_goes_on_with_it(site: Site) -> None:
    facilitator = site.start_facilitator()
    site.start_agent()
    body = make_manifest(storage={"/data": 1_000})
    deployment = await site.submit(body)
    lease = await site.lease(deployment)
    match_block = lease.confirmed_block
    await site.deliver(lease.id, body)
    (container,) = await site.running(lease.id)
    everything = await site.left()
    facilitator.kill()
    await died(facilitator, site)

    await site.chain.rpc.call("anvil_reorg", await site.chain.block_number() - match_block + 2, [])

    async def undone(snapshot: Snapshot) -> bool | None:
        return True if lease.id not in snapshot.leases and lease.id in snapshot.orders else None

    async def stopped(snapshot: Snapshot) -> bool | None:
        (found,) = await site.containers()
        return True if (found["Id"], found["State"]) == (container["Id"], "exited") else None

    await site.until("the match undone", undone)
    await blocks_pass(site)
    await site.until("the container stopped", stopped)
    assert await site.left() == everything

    site.start_facilitator(account=3)  # the first one's journal knows blocks as final that were undone here

    again = await site.lease(deployment)
    assert again.id == lease.id
    assert [each["Id"] for each in await site.running(lease.id)] == [container["Id"]]
    assert await site.left() == everything
    assert (await site.reader.snapshot()).deployments[deployment].state is DeploymentState.ACTIVE
    await site.closed(deployment)
    assert await site.left() == []
