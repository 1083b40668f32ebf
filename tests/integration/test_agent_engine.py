"""An agent whose engine hangs, goes away or loses what ran: leases are confirmed, and nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moorage.agent_api import LeaseStatus
from moorage.agent_client import AgentError
from moorage.types import Lease
from tests.datacenters import PERIOD, Site, died, make_manifest, open_site
from tests.engine_proxy import EngineProxy, engine_proxy

pytestmark = pytest.mark.timeout(600)

HOUR_BLOCKS = 7_200
STEP_BLOCKS = 3 * PERIOD // 4
"""Between confirmations: later than they are due, and early enough to see one before the deadline."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        yield opened


@pytest.fixture
async def proxy(site: Site, tmp_path: Path) -> AsyncIterator[EngineProxy]:
    """What the agent of the site talks to in place of the engine."""
    async with engine_proxy(tmp_path / "engine.sock", site.docker_url) as opened:
        settings = site.folder / "provider-0.toml"
        settings.write_text(settings.read_text().replace(site.docker_url, opened.url))
        yield opened


async def running_lease(site: Site, blocks: int = 200) -> tuple[Lease, dict[str, Any]]:
    """Return a lease and its container."""
    body = make_manifest()
    lease = await site.lease(await site.submit(body, blocks=blocks))
    await site.deliver(lease.id, body)
    (container,) = await site.running(lease.id)
    return lease, container


async def confirmed_over(site: Site, lease: Lease, blocks: int) -> Lease:
    """Let so many blocks pass at least, and see that the lease is confirmed again and again."""
    lease = await site.confirmed(lease.id)
    end = await site.chain.block_number() + blocks
    while (now := await site.chain.block_number()) < end:
        await site.chain.mine(max(1, lease.confirmed_block + STEP_BLOCKS - now))
        lease = await site.confirmed(lease.id, after=lease.confirmed_block)
    return lease


async def selectors(site: Site, first_block: int) -> set[str]:
    """Return the functions that the agent has called since a block."""
    numbers = range(first_block, await site.chain.block_number() + 1)
    blocks = await site.chain.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in numbers])
    operator = site.chain.operators[0].address.lower()
    return {each["input"][:10] for block in blocks for each in block["transactions"] if each["from"] == operator}


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.long)])
async def test_i17_agent__engine_is_frozen__confirms_and_starts_nothing_twice(
    site: Site, proxy: EngineProxy, seconds: int
) -> None:
    site.start_agent()
    lease, container = await running_lease(site, blocks=5_000)
    body = make_manifest()
    other = await site.lease(await site.submit(body))
    proxy.freeze()
    thaws = time.monotonic() + seconds
    await site.deliver(other.id, body)
    while time.monotonic() < thaws:
        lease = await confirmed_over(site, lease, PERIOD)
    assert len(await site.containers()) == 1

    proxy.thaw()

    assert len(await site.running(other.id)) == 1
    assert [each["Id"] for each in await site.running(lease.id)] == [container["Id"]]
    assert len(await site.containers()) == 2


@pytest.mark.parametrize("blocks", [3 * PERIOD, pytest.param(HOUR_BLOCKS, marks=pytest.mark.long)])
async def test_g14_agent__engine_is_down_for_long__confirms_and_claims_alone_and_goes_on(
    site: Site, proxy: EngineProxy, blocks: int
) -> None:
    site.start_agent()
    lease, container = await running_lease(site, blocks=2 * HOUR_BLOCKS)
    began = await site.chain.block_number()
    await proxy.close()

    lease = await confirmed_over(site, lease, blocks)

    usual = site.exchange.submit_lease_confirmation(site.providers[0], []), site.exchange.claim([])
    assert await selectors(site, began + 1) <= {f"0x{call.data[:4].hex()}" for call in usual}
    await proxy.open()
    await site.docker.containers.container(container["Id"]).kill()  # it is looked after again
    again = await site.running(lease.id)
    assert [each["Names"] for each in again] == [container["Names"]]


async def test_i24_agent__host_is_started_anew__all_is_back(site: Site) -> None:
    agent = site.start_agent()
    lease, container = await running_lease(site)
    agent.kill()
    await died(agent, site)
    await site.docker.containers.container(container["Id"]).kill()

    site.start_agent()

    (again,) = await site.running(lease.id)
    assert again["Names"] == container["Names"]
    await site.confirmed(lease.id, after=lease.confirmed_block)


async def test_g23_agent__journal_and_manifests_are_lost__leaves_five_leases_running(site: Site) -> None:
    agent = site.start_agent()
    leases = [await running_lease(site) for _ in range(5)]
    agent.kill()
    await died(agent, site)
    await nothing_pending(site)
    data = site.folder / "data-0"
    lost = [*data.glob("transactions.db*"), *data.glob("manifests/*")]
    assert len(lost) >= 6
    for path in lost:
        path.unlink()
    before = await started(site)
    assert before.keys() == {container["Id"] for _, container in leases}

    site.start_agent()
    block = await site.chain.block_number()
    await site.until("the agent answers", lambda _: answer(site, leases[0][0]))

    for lease, _ in leases:
        last = (await site.confirmed(lease.id)).confirmed_block
        await site.chain.mine(max(1, last + PERIOD // 2 - await site.chain.block_number()))
        await site.confirmed(lease.id, after=block)
    assert await started(site) == before


async def answer(site: Site, lease: Lease) -> LeaseStatus | None:
    with suppress(AgentError):
        return await site.client.status(site.agent(), lease.id)
    return None


async def started(site: Site) -> dict[str, str]:
    """Return when each container was started, by its id."""
    seen = [await site.docker.containers.container(each["Id"]).show() for each in await site.containers()]
    return {each["Id"]: each["State"]["StartedAt"] for each in seen if each["State"]["Running"]}


async def nothing_pending(site: Site) -> None:
    operator = site.chain.operators[0].address
    for _ in range(600):
        counts = [await site.chain.rpc.call("eth_getTransactionCount", operator, tag) for tag in ("latest", "pending")]
        if counts[0] == counts[1]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("transactions of the agent are in no block")
