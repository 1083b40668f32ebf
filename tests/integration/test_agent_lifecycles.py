"""What whole lives of leases leave behind on a host, seen on one of their own: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiodocker
import pytest

from demo.hosts import Host
from provider_agent.core.firewall import table_name
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.lease_names import Identity
from tests.bytecode import ROOT
from tests.datacenters import Site, make_manifest, open_site
from tests.docker_world import IMAGE, build_gateway_image, engine_url, import_image
from tests.hosts import needs_hosts, running_hosts

pytestmark = [
    needs_hosts,
    pytest.mark.skipif(engine_url() is None, reason="no Docker engine to copy images from"),
    pytest.mark.timeout(600),
]
LET_OUT = 'internet = "allowed"'
OF_THE_AGENT = {"gateways", "images.json", "manifests"}
"""What it has for all leases."""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    asyncio.run(make_images())
    with running_hosts(1, IMAGE, DEFAULT_IMAGE) as hosts:
        yield hosts.machines[0]


async def make_images() -> None:
    url = engine_url()
    assert url is not None
    async with aiodocker.Docker(url=url) as docker:
        await import_image(docker)
    await asyncio.to_thread(build_gateway_image, url)


@pytest.fixture
async def site(tmp_path: Path, host: Host) -> AsyncIterator[Site]:
    async with open_site(tmp_path, engine=host.docker, egress=LET_OUT) as opened:
        opened.start_facilitator()
        opened.start_agent()
        yield opened


def snapshot(host: Host, data: Path) -> dict[str, list[str]]:
    """Return everything of a host that a lease could leave something in."""
    engine = ["docker", "--host", host.docker]
    lists = {
        "containers": [*engine, "ps", "--all", "--format", "{{.Names}}"],
        "networks": [*engine, "network", "ls", "--format", "{{.Name}}"],
        "volumes": [*engine, "volume", "ls", "--quiet"],
        "images": [*engine, "images", "--all", "--quiet"],
        "interfaces": host.inside(["ip", "-brief", "link"]),
        "addresses": host.inside(["ip", "-brief", "-4", "address"]),
        "routes": host.inside(["ip", "route"]),
    }
    found = {name: written(command) for name, command in lists.items()}
    found["containers"] = [each for each in found["containers"] if not each.startswith("mh-")]  # errands of a moment
    files = {str(each.relative_to(data)) for each in data.rglob("*") if not each.name.startswith("transactions.db")}
    return {**found, "rules": rules(host), "files": sorted(files - OF_THE_AGENT)}


def rules(host: Host) -> list[str]:
    """Return all rules of a host's firewall."""
    privileges = ["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "0:0"]
    run = ["docker", "--host", host.docker, "run", "--rm", *privileges, DEFAULT_IMAGE]
    return written([*run, "/usr/sbin/nft", "-s", "list ruleset"])


def written(command: list[str | Path]) -> list[str]:
    lines = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return sorted(line.rstrip() for line in lines.splitlines())


@pytest.mark.parametrize("lives", [2, pytest.param(20, marks=pytest.mark.long)])
async def test_i20_agent__leases_have_lived_and_ended__the_host_is_as_before(
    site: Site, host: Host, lives: int
) -> None:
    data = site.folder / "data-0"
    await ruled(site, host)
    before = snapshot(host, data)
    for _ in range(lives):
        body = make_manifest(storage={"/data": 1_000})
        deployment = await site.submit(body)
        lease = await site.lease(deployment)
        await site.deliver(lease.id, body)
        await site.running(lease.id)
        during = snapshot(host, data)
        await site.closed(deployment)

    assert all(len(during[name]) > len(before[name]) for name in ("containers", "volumes", "interfaces"))
    assert {name for name in before if before[name] != during[name]} >= {"networks", "rules", "addresses", "files"}
    assert await settled(host, data, before) == before
    assert await site.left() == []


async def ruled(site: Site, host: Host) -> None:
    """Wait until the agent's own rules are there."""
    table = table_name(Identity(site.market.chain_id, site.market.exchange, site.providers[0]).labels)
    for _ in range(100):
        if f"table inet {table} {{" in rules(host):
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the agent has no firewall")


async def settled(host: Host, data: Path, expected: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what the host has when nothing of ours is about to change any more."""
    for _ in range(200):
        found = snapshot(host, data)
        if found == expected:
            break
        await asyncio.sleep(0.2)
    return found


async def test_i07_operator__rules_and_doctor__say_what_is_there_until_it_is_removed(site: Site, host: Host) -> None:
    await ruled(site, host)

    there, doctor = provider(site, "firewall"), provider(site, "doctor", "-o", "json")
    agent = site.processes[-1]
    agent.terminate()
    await asyncio.to_thread(agent.wait)
    removed = provider(site, "firewall", "--remove")

    assert (there.endswith(": in place\n"), removed.endswith(": not there\n")) == (True, True)
    found = {each["where"]: each for each in json.loads(doctor)["findings"]}
    assert found["firewall"]["what"] == "workloads may go out; its rules are in place"
    assert found["disk limits"]["level"] in ("ok", "warning")
    assert found["runtime"]["level"] == "ok"
    assert not [line for line in rules(host) if line.startswith(there.partition(":")[0])]


def provider(site: Site, *arguments: str) -> str:
    """Run a command of the operator and return what it prints."""
    command = [sys.executable, "-m", "provider_agent.main", *arguments, "-c", "provider-0.toml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=site.folder, env=environment, capture_output=True, text=True).stdout
