"""What whole lives of leases leave behind on a host: nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.datacenters import Site, make_manifest, open_site

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        opened.start_agent()
        yield opened


def filter_rules() -> str:
    """Return the host's packet filter as far as it may be read."""
    program = shutil.which("iptables-save")
    return subprocess.run([program], capture_output=True, text=True, check=False).stdout if program else ""


async def traces(site: Site) -> set[str]:
    """Return what the host has for what runs now: names of bridges and addresses, by which rules know them."""
    found = set()
    for network in await site.docker.networks.list(filters={"label": f"moorage.chain={site.market.chain_id}"}):
        found |= {f"br-{network['Id'][:12]}", *(each["Subnet"] for each in network["IPAM"]["Config"])}
    return found


def remains(found: set[str]) -> set[str]:
    """Return which of these there still are."""
    rules = filter_rules()
    return {each for each in found if each in rules or Path("/sys/class/net", each.replace("/", "-")).exists()}


@pytest.mark.parametrize("lives", [2, pytest.param(20, marks=pytest.mark.long)])
async def test_i20_agent__leases_have_lived_and_ended__nothing_of_them_is_left(site: Site, lives: int) -> None:
    known: set[str] = set()
    volumes = await volume_names(site)
    for _ in range(lives):
        body = make_manifest(storage={"/data": 1_000})
        deployment = await site.submit(body)
        lease = await site.lease(deployment)
        await site.deliver(lease.id, body)
        await site.running(lease.id)
        known |= await traces(site)
        assert len(await volume_names(site) - volumes) == 1
        await site.closed(deployment)

    assert len(known) >= 2
    assert remains(known) == set()
    assert await site.left() == []
    assert not list((site.folder / "data-0" / "manifests").glob("*"))


async def volume_names(site: Site) -> set[str]:
    """Return the volumes of this test's market."""
    found = (await site.docker._query_json("volumes"))["Volumes"] or ()
    chain = str(site.market.chain_id)
    return {each["Name"] for each in found if (each["Labels"] or {}).get("moorage.chain") == chain}
