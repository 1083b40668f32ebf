"""The ten examples, all at once on one chain: written and deployed by `moorage`, used from outside, deleted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from cli.core.templates import TEMPLATES
from demo.hosts import Hosts
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from tests.cli_forks import Outcome
from tests.datacenters import Site, open_site
from tests.docker_world import build_gateway_image, engine_url
from tests.example_checks import CHECKS, Visit, make_keys
from tests.example_tenant import EXAMPLES, Tenant, at_once, image_names, make_tenants
from tests.hosts import needs_hosts

pytestmark = [
    needs_hosts,
    pytest.mark.skipif(engine_url() is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(600),
]

LOCAL, AMERICA, EUROPE = range(3)
APPLICATION, DATABASE = "moorage-example/pages:1", "moorage-example/database:1"
CAPACITY = 'cpu = 16\nmemory = "8GiB"\ndisk = "20GB"'


async def test_i09_examples__all_ten_at_once_on_one_chain__do_what_they_are_for_and_leave_nothing(
    tmp_path: Path,
) -> None:
    async with providers_everywhere(tmp_path) as (site, hosts):
        tenants = await make_tenants(site, list(TEMPLATES))
        for tenant in tenants:
            tenant.init()
            if tenant.example == "linux-box":
                make_keys(tenant)

        deployed = await at_once(tenants, "deploy", "--fund", "1h", "--detach", "--yes", "-o", "json")
        failures = await failures_of(tenants, deployed, hosts)
        deleted = await at_once(tenants, "delete", "--yes")

        assert failures == [], "\n".join([*failures, site.logs()])
        assert [(each.status, "came back" in each.output) for each in deleted] == [(0, True)] * 10, deleted
        assert [await site.left(index) for index in (LOCAL, AMERICA, EUROPE)] == [[], [], []]


async def failures_of(tenants: Sequence[Tenant], deployed: Sequence[Outcome], hosts: Hosts) -> list[str]:
    """Use all examples at the same time, and return what went wrong with which of them."""

    async def use(tenant: Tenant, outcome: Outcome) -> None:
        assert outcome.status == 0, outcome.output
        running = json.loads(outcome.output.splitlines()[-1])
        assert running["event"] == "running", outcome.output
        await CHECKS[tenant.example](Visit(tenant, running["addresses"].split(), hosts))

    ends = await asyncio.gather(*map(use, tenants, deployed), return_exceptions=True)
    return [
        f"--- {tenant.example}\n{''.join(traceback.format_exception(end))}"
        for tenant, end in zip(tenants, ends, strict=True)
        if isinstance(end, BaseException)
    ]


@asynccontextmanager
async def providers_everywhere(folder: Path) -> AsyncIterator[tuple[Site, Hosts]]:
    """Run a facilitator and three providers: one on this machine, and two on machines of their own in other regions."""
    hosts = Hosts(Path(tempfile.mkdtemp(prefix="hosts-")))  # a short path: it is part of the path of sockets
    async with AsyncExitStack() as stack:
        stack.push_async_callback(hosts.clear)
        site = await stack.enter_async_context(open_site(folder, providers=0))
        await asyncio.gather(hosts.start(2), asyncio.to_thread(build_images, site.docker_url))
        america, europe = hosts.machines
        await hosts.load([APPLICATION, DEFAULT_IMAGE])
        await site.add_provider(capacity=CAPACITY)
        for region, host in (("us-east", america), ("europe-west", europe)):
            await site.add_provider(region, host.docker, f'publish_address = "{host.address}"')
        for index in (LOCAL, AMERICA, EUROPE):
            site.start_agent(index)
        site.start_facilitator()
        await hosts.load([DATABASE], [america])  # while the agents start
        yield site, hosts


def build_images(docker_url: str) -> None:
    """Build what the examples run, as their READMEs say."""
    build_gateway_image(docker_url)
    command = ["bash", EXAMPLES / "images/build.sh", *image_names()]
    subprocess.run(command, check=True, env={**os.environ, "DOCKER_HOST": docker_url}, stdout=subprocess.DEVNULL)
