"""Manifests that an agent must not run: refused with the reason, nothing is kept, nothing is started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage.agent_client import AgentError, AgentRefused
from moorage.snapshot import Snapshot
from moorage.types import Lease
from tests.datacenters import Site, make_manifest, open_site

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        opened.start_agent()
        yield opened


async def refused(site: Site, lease: Lease, body: bytes, account: int = 1) -> AgentRefused:
    """Deliver a manifest and return the refusal; fail if the agent takes it, or keeps or starts anything."""

    async def look(_: Snapshot) -> AgentRefused | None:
        try:
            await site.client_of(account).deliver_manifest(site.agent(), lease.id, body)
        except AgentError as error:
            return error if isinstance(error, AgentRefused) and not error.is_retryable else None
        raise AssertionError("the agent has taken it")

    refusal = await site.until("a refusal", look)
    assert not list((site.folder / "data-0" / "manifests").glob("*"))
    assert await site.left() == []
    return refusal


async def test_h01_manifest__hash_is_not_the_version_on_chain__is_refused(site: Site) -> None:
    lease = await site.lease(await site.submit(make_manifest()))

    refusal = await refused(site, lease, make_manifest())

    assert refusal.status == 409
    assert "version on chain" in refusal.detail


async def test_h30_manifest__asks_more_than_the_lease__is_refused(site: Site) -> None:
    body = make_manifest(count=2)
    lease = await site.lease(await site.submit(body))

    refusal = await refused(site, lease, body)

    assert refusal.status == 409
    assert "asks more than the lease" in refusal.detail


async def test_h30_manifest__more_memory_than_the_lease__is_refused(site: Site) -> None:
    body = make_manifest(memory=2**26 + 1)
    lease = await site.lease(await site.submit(body))

    refusal = await refused(site, lease, body)

    assert refusal.status == 409


async def test_h03_manifest__is_not_canonical__is_refused(site: Site) -> None:
    body = make_manifest().replace(b'"format"', b' "format"')
    lease = await site.lease(await site.submit(body))

    refusal = await refused(site, lease, body)

    assert refusal.status == 422
    assert "canonical" in refusal.detail


async def test_h12_manifest__from_a_stranger__is_refused(site: Site) -> None:
    body = make_manifest()
    lease = await site.lease(await site.submit(body))

    refusal = await refused(site, lease, body, account=3)

    assert refusal.status == 403
    assert "not the tenant" in refusal.detail


async def test_h12_manifest__after_the_close__is_refused(site: Site) -> None:
    body = make_manifest()
    deployment = await site.submit(body)
    lease = await site.lease(deployment)
    await site.closed(deployment)

    refusal = await refused(site, lease, body)

    assert refusal.status == 403
    assert "not active" in refusal.detail
